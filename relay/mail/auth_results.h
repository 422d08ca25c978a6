/* SPDX-License-Identifier: ISC
 *
 * Removes forged Authentication-Results fields from a message as it streams by
 * (RFC 8601 5): a field that bears our own authserv-id and was there before
 * us. All other bytes stay as they are. Pure.
 */
#ifndef RELAY_MAIL_AUTH_RESULTS_H
#define RELAY_MAIL_AUTH_RESULTS_H

#include "relay/base/strbuf.h"

/* Most bytes that are kept back. A field that does not show its authserv-id
 * in so many is removed too. */
enum { AUTH_RESULTS_HELD = 8 << 10 };

/* Where the filter stands; private. */
enum auth_results_at {
	AR_LINE,    /* at the beginning of a line of the header */
	AR_CR,	    /* behind a CR there: the empty line? */
	AR_REST,    /* in a line that is of no interest */
	AR_NAME,    /* in what may become the name of the field */
	AR_COLON,   /* behind the name */
	AR_BLANK,   /* before the id */
	AR_COMMENT,
	AR_TOKEN,
	AR_QUOTED,
	AR_FORGED,  /* in a field that is removed */
	AR_BODY,
};

struct auth_results {
	struct slice id; /* ours, the caller's memory */
	enum auth_results_at at;
	bool ended;   /* the last byte ended a line */
	bool escaped; /* … was a backslash of a quoted pair */
	size_t matched; /* bytes of the name */
	unsigned depth; /* of comments */
	struct strbuf held; /* the undecided field, from earlier calls */
	struct strbuf seen; /* its authserv-id, as far as it is there */
	unsigned stripped; /* fields removed */
};

/* `id`: our authserv-id, "relay.example.com"; it outlives the filter. */
void auth_results_init(struct auth_results *f, const char *id);
void auth_results_fini(struct auth_results *f);
/* The next bytes of the message, in pieces of any size: what goes on of them
 * and of those kept back. That is `in` itself where nothing is changed, else it
 * is appended to `out`, which needs room for AUTH_RESULTS_HELD more than
 * `in`. */
struct slice auth_results_next(struct auth_results *f, struct slice in,
    struct strbuf *out);
/* The message is over: what was kept back and stays. */
struct slice auth_results_end(struct auth_results *f, struct strbuf *out);

#endif
