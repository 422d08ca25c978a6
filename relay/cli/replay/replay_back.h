/* SPDX-License-Identifier: ISC
 *
 * The replay that goes with flips that are taken back (undo, rollback): what
 * the routes gave to a leg while they stood goes to the legs that have the
 * recipients again. So does what a leg got under routes in between, since the
 * time that is named.
 *
 *   replay_back_new -> replay_back_row for each row -> replay_back_preview,
 *   before the change -> the change -> replay_back_start -> replay_back_free
 */
#ifndef RELAY_CLI_REPLAY_REPLAY_BACK_H
#define RELAY_CLI_REPLAY_REPLAY_BACK_H

#include "policy/change/change.h"
#include "relay/cli/common/cli.h"

struct replay_back;

/* Mail that was delivered since then: when the flips were made, or earlier;
 * what the leg has already does not go again. `wave`: "" for none; lives on. */
struct replay_back *replay_back_new(struct cli *c, int64_t since_us,
    const char *wave);
void replay_back_free(struct replay_back *b); /* NULL is fine */
/* As the function of a change_show: a row before and after it is taken back. */
void replay_back_row(void *arg, struct slice key,
    const struct table_value *before, const struct table_value *after);
/* As replay_back_row(), where several flips are taken back: a leg that the
 * last route names may have missed mail under a route before it. So each leg of
 * it is a source for each leg of the route behind it; what that leg has does
 * not go again. */
void replay_back_row_across(void *arg, struct slice key,
    const struct table_value *before, const struct table_value *after);
/* As replay_back_row(), of a recipient by its routes, as they are stored. */
void replay_back_add(struct replay_back *b, struct slice key,
    const char *before, const char *after);
/* As replay_preview(), for each pair of legs. CLI_DONE also when there is
 * nothing to replay. */
int replay_back_preview(struct replay_back *b);
/* After that change (0: none yet): waits a while for attempts that were begun
 * before it, whose mail is replayed too. */
int replay_back_start(struct replay_back *b, uint64_t change);

#endif
