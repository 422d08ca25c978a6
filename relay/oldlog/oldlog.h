/* SPDX-License-Identifier: ISC
 *
 * Lines of the old server's logs: what each says of a client, a sender, or a
 * delivery. Pure functions on one line; the caller joins lines by the queue id.
 * A line that is not of the format has one result, a line of the format that
 * says nothing of these has another.
 *
 * Sources: Postfix's smtpd, qmgr and delivery agents, as syslog and RFC 5424
 * times print them; Exim's main log (spec.txt 52); Exchange's message tracking
 * log (its #Fields line).
 */
#ifndef RELAY_OLDLOG_OLDLOG_H
#define RELAY_OLDLOG_OLDLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/slice.h"
#include "relay/when/zone.h"

enum oldlog_kind {
	OLDLOG_UNREAD,	  /* no line of that format                     */
	OLDLOG_OTHER,	  /* nothing of what follows                    */
	OLDLOG_CLIENT,	  /* a client's message came in                 */
	OLDLOG_SENDER,	  /* the sender of a message, how many it is to */
	OLDLOG_DELIVERED, /* a recipient's delivery, inside or not      */
	OLDLOG_REFUSED,	  /* a client was refused a recipient or more   */
	OLDLOG_END,	  /* nothing more comes of that id              */
};

/* Slices of the line; n 0: it does not say. */
struct oldlog_line {
	enum oldlog_kind kind;
	int64_t time_us; /* UTC; 0: unread, or a line without a time */
	struct slice id; /* in the old server's queue */
	struct slice client, name, helo;
	struct slice from; /* n 0: null sender, where `has_from` */
	bool has_from;
	/* Of a delivery; Exchange: several, a ; between two. The one that it
	 * was sent to before an alias. */
	struct slice to, orig_to;
	bool inside; /* into a mailbox of that server */
	unsigned recipients;
};

/* The clock of a file: its zone, and for times without one a year, which goes
 * on where the months begin anew. */
struct oldlog_clock {
	const struct zone *zone;
	int year;  /* of the next line; 0: the latest past at `now_us` */
	int month; /* of the last line; 0: there was none */
	int64_t now_us;
};

enum { OLDLOG_COLUMNS = 64 };
/* Of a message tracking log: where the columns stand. Zeroed at first. */
struct oldlog_columns {
	bool known;
	int time, client, original, name, source, event, id, to, from,
	    direction; /* -1: there is none */
};

struct oldlog_line oldlog_postfix(struct slice line, struct oldlog_clock *c);
struct oldlog_line oldlog_exim(struct slice line, struct oldlog_clock *c);
/* Its times are UTC. */
struct oldlog_line oldlog_exchange(struct slice line,
    struct oldlog_columns *c);

/* For the functions above. Cuts a time at the head of `line`, with the blanks
 * behind it: "Nov 30 12:00:01" or RFC 3339 with an offset. */
bool oldlog_syslog_time(struct slice *line, struct oldlog_clock *c,
    int64_t *us_out);
/* "2026-11-30 12:00:01.123 +0100", fraction and offset may be missing. */
bool oldlog_plain_time(struct slice *line, const struct oldlog_clock *c,
    int64_t *us_out);
/* Cuts at `sep`, n bytes of text; false: it is not there, and `line` stays. */
bool oldlog_cut(struct slice *line, struct slice sep, struct slice *head_out);
/* The text behind `key` up to one of the characters in `ends`, or the end;
 * n 0: the key is not there. */
struct slice oldlog_value(struct slice line, struct slice key,
    const char *ends);

#endif
