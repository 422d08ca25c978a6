/* SPDX-License-Identifier: ISC
 *
 * Shared by the files of a search: search.c (which messages, in batches),
 * search_read.c (their rows), search_fit.c (the conditions). One thread.
 */
#ifndef RELAY_AUDIT_SEARCH_SEARCH_INT_H
#define RELAY_AUDIT_SEARCH_SEARCH_INT_H

#include "relay/audit/hourfile.h"
#include "relay/audit/search/search.h"
#include "relay/base/map.h"

struct seen_leg {
	uint32_t number;
	enum dstate state;
};

/* A message that may fit. Its strings are in the batch's arena. */
struct candidate {
	uint64_t id;
	bool found; /* its row was seen */
	bool in_time;
	bool moved; /* one of its events is as the search wants it */
	struct envelope env;
	const char **to;
	unsigned rcpts;
	struct seen_leg *leg;
	unsigned legs;
};

/* An event: a piece of a text. */
struct item {
	int64_t time_us;
	size_t at, n, order;
	const struct candidate *of; /* NULL: of no message */
};

struct items {
	struct item *item;
	size_t n, cap;
	struct strbuf text;
};

void items_add(struct items *to, int64_t time_us, size_t at,
    const struct candidate *of);

/* Some candidates, read and judged at one time. */
struct search_batch {
	struct arena *a;
	struct candidate **list;
	size_t n;
	struct items items;
};

struct search_work {
	const struct search *q;
	const char *dir;
	int64_t *hour;
	size_t hours;
	struct map seen; /* ids that were judged: search_shown, or not */
	uint64_t *id;	 /* of the file that is searched */
	size_t ids, id_cap;
	struct items found;
	unsigned messages; /* found */
	int64_t since_us, until_us;
	unsigned limit;
	bool more;
	/* while a file is read */
	struct hourfile *file;
	struct search_batch *batch;
	struct candidate *now;
};

/* The value in run.seen of a message that fits, and that of the others. */
extern char search_shown, search_passed;

/* 1 open, 0 no such file (any more), -1 failed. */
int search_open(struct search_work *r, int64_t hour, struct error *err);
int search_close(struct search_work *r, int rc, struct error *err);
/* Reads the batch's messages from the files of their hours on, until nothing
 * of them is open any more. */
int search_read(struct search_work *r, struct error *err);
/* Events of no message, into r->found. */
int search_read_notes(struct search_work *r, struct error *err);

bool search_hour_in_time(const struct search_work *r, int64_t hour);
/* The key that names the fewest messages. */
struct hour_key search_key(const struct search_work *r, bool of_note);
bool search_event_fits(const struct search *q, const struct delivery_event *m);
bool search_message_fits(const struct search_work *r,
    const struct candidate *c);
/* `object` is the event as it is shown. */
bool search_note_fits(const struct search_work *r, int64_t time_us,
    struct slice object);

#endif
