/* SPDX-License-Identifier: ISC
 *
 * Tokens: the mark in our Received field, by which mail that a leg hands back
 * is recognised (D6).
 *
 * A mark is bound to its message: it is an HMAC over the id and the date of our
 * field and the Message-ID below it. A server that hands mail on adds fields
 * above, folds anew, and may rewrite Subject, From, To, Sender and what
 * describes the body; the Message-ID stays, since threading and duplicate
 * suppression depend on it. A message without one is bound by its Date, From
 * and Subject. A mark that is copied into another message does not verify.
 */
#ifndef RELAY_INTAKE_TOKEN_H
#define RELAY_INTAKE_TOKEN_H

#include "policy/keyed.h"
#include "conf/conf.h"
#include "relay/base/rng.h"
#include "relay/mail/envelope.h"

struct tokens; /* the keys of our own making */

struct tokens *tokens_new(struct rng *rng, const char *table_path);
void tokens_free(struct tokens *t); /* NULL is fine */
/* The keys of a configuration that names no file of its own: read from
 * "token.secrets" beside the table, which is made when it is not there. Main
 * thread, before that configuration counts. -1: err says which file and why. */
int tokens_open(struct tokens *t, const struct conf *c, struct error *err)
    PH_CHECK;

/* The mark of a message that is accepted at `time_us`; `header` is what stands
 * below our field. Any thread. */
void token_mark(const struct tokens *t, const struct conf *c,
    const struct envelope *e, struct slice header, char mark_out[KEYED_TEXT]);

enum { TOKEN_IDS = 8 }; /* of one header: the others are older */

struct token_found {
	uint64_t id[TOKEN_IDS]; /* messages that it was, newest first */
	unsigned ids;
	/* A field that names this host has a mark of another message, or one
	 * from before marks were bound; its id as it stands there. */
	struct slice foreign; /* empty: none */
};
/* The messages of ours that a message was before, each once, by the marks in
 * its header that verify, whatever address it comes from. Any thread. */
void token_find(const struct tokens *t, const struct conf *c,
    struct slice header, struct token_found *found_out);

#endif
