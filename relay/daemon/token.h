/* SPDX-License-Identifier: ISC
 *
 * Tokens: the mark over the message id in our Received field, by which mail
 * that a leg hands back is known again (D6).
 */
#ifndef RELAY_DAEMON_TOKEN_H
#define RELAY_DAEMON_TOKEN_H

#include "policy/keyed.h"
#include "relay/daemon/app.h"

/* The keys of a configuration that names no file of its own: read from
 * "token.secrets" beside the table, which is made when it is not there. Main
 * thread, before that configuration counts. -1: err says which file and why. */
int token_open(struct app *a, const struct conf *c, struct error *err)
    PH_CHECK;
void token_close(struct app *a);

/* The mark of that id. Any thread. */
void token_mark(const struct app *a, const struct conf *c, uint64_t id,
    char mark_out[KEYED_TEXT]);
/* Ids of ours in a header, newest first, each once; those with a mark that is
 * not good are passed over. Returns how many, at most `max`. Any thread. */
unsigned token_find(const struct app *a, const struct conf *c,
    struct slice header, uint64_t *ids_out, unsigned max);

#endif
