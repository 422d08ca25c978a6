/* SPDX-License-Identifier: ISC
 *
 * The counts of one straggler: of a client at a listener, by the customer that
 * its mail is for. Rows are added up: those of the time since the last write
 * to those in the file. One thread.
 */
#ifndef RELAY_AUDIT_STRAGGLER_STRAGGLER_ROW_H
#define RELAY_AUDIT_STRAGGLER_STRAGGLER_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/slice.h"
#include "relay/base/strbuf.h"

enum {
	STRAGGLER_DAYS_KEPT = 62,
	STRAGGLER_SENDERS = 8, /* domains that are counted; five are shown */
	STRAGGLER_SENDERS_TEXT = 4096,
};

struct straggler_key {
	const char *client; /* address, text */
	const char *listen; /* the listener's name */
	const char *customer; /* of the recipients' domains; "": none */
};

/* The sender domains with the most messages; when a new one finds no place, it
 * takes that of the smallest and its count, so a count may be too high, never
 * too low. */
struct straggler_senders {
	struct {
		char *domain; /* "" is the null sender */
		uint64_t messages;
	} top[STRAGGLER_SENDERS];
	unsigned n;
};

struct straggler_day {
	int64_t day; /* UTC, since 1970 */
	uint64_t messages, recipients, refused;
};

struct straggler_row {
	/* As the newest message says; NULL: no message did. */
	char *name, *helo, *tls;
	struct straggler_senders senders;
	uint64_t messages, recipients;
	uint64_t refused;	    /* refusals that it saw */
	uint64_t judged, passed;    /* messages whose SPF was judged, passed */
	uint64_t delivered, proven; /* policy/straggler/straggler.h */
	uint64_t wants; /* recipients at the outside that it was refused */
	int64_t wants_us; /* the last of them */
	int64_t first_us, last_us; /* 0: it was not seen */
	int64_t gap_us;
	struct straggler_day *day; /* oldest first */
	unsigned days;
};

void straggler_row_fini(struct straggler_row *r);
/* It was seen: first, last, longest gap. A clock that was set back changes
 * nothing but `first_us`. */
void straggler_row_seen(struct straggler_row *r, int64_t time_us);
/* That day's counts, made where they are missing. */
struct straggler_day *straggler_row_day(struct straggler_row *r,
    int64_t time_us);
/* Adds `more`, which came later. */
void straggler_row_merge(struct straggler_row *r,
    const struct straggler_row *more);
/* Replaces a text, unless it is the same. */
void straggler_row_text(char **text, struct slice value);

void straggler_senders_add(struct straggler_senders *s, struct slice domain,
    uint64_t messages);
/* "example.net 12 example.org 3", the most first; "-" is the null sender. */
void straggler_senders_print(const struct straggler_senders *s,
    struct strbuf *out);
/* Reads that; what is no such text is passed over. */
void straggler_senders_parse(struct straggler_senders *s, struct slice text);
void straggler_senders_fini(struct straggler_senders *s);

#endif
