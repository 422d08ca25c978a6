/* SPDX-License-Identifier: ISC
 *
 * `trace`: the events of messages, from the hour files alone, with or without
 * a running daemon. For the command line; any thread, nothing is shared.
 */
#ifndef RELAY_AUDIT_SEARCH_SEARCH_H
#define RELAY_AUDIT_SEARCH_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"
#include "relay/base/slice.h"

enum { SEARCH_LIMIT = 1000 }; /* messages, when nothing else is said */

/* All that is given must fit; texts of `subject`, `reply` and `remote_id` are
 * parts of what is there. A message fits the time when something
 * happened to it then, or, when nothing else is asked, when it was accepted
 * then. */
struct search {
	uint64_t id; /* 0: any */
	/* NULL: any. `from` "" is the null sender. */
	const char *message_id, *from, *to, *client, *domain, *subject;
	/* Of one event of a delivery, all of them; of refusals and the like
	 * where they have them. `code` is "550" or "5.7.64". */
	const char *outcome, *leg, *code, *reply, *address, *remote_id;
	int64_t since_us, until_us; /* 0: no limit */
	const _Atomic bool *stop; /* true: it ends with -1 soon; may be NULL */
	unsigned limit; /* messages at most, newest news first; 0: 1,000 */
	bool more;	/* filled: there were more than the limit */
};

/* The conditions that are texts: name of the option and of the argument, and
 * where it goes. Ends with a row without a name. */
struct search_field {
	const char *name;
	bool address;  /* may be written with blanks and brackets around */
	size_t offset; /* of a const char * in struct search */
};
extern const struct search_field search_fields[];
void search_set(struct search *q, const struct search_field *f,
    const char *text);
const char *search_text(const struct search *q, const struct search_field *f);

/* Gives each event as a JSON object, oldest first. 0, or -1 when the index
 * cannot be read. */
int search_run(const char *dir, struct search *q,
    void (*fn)(void *arg, struct slice object), void *arg,
    struct error *err) PH_CHECK;

#endif
