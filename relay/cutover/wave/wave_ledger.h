/* SPDX-License-Identifier: ISC
 *
 * Did the own move of a member whose mail is held end? Asks ledger.db.
 */
#ifndef RELAY_CUTOVER_WAVE_WAVE_LEDGER_H
#define RELAY_CUTOVER_WAVE_WAVE_LEDGER_H

#include "relay/cutover/wave/wave_run.h"
#include "relay/base/names.h"

struct wave_ledger;

/* For one step, since another file may stand there after it; opened at the
 * first question. `names` and `c` outlive it. */
struct wave_ledger *wave_ledger_new(const struct conf *c, struct names *names);
void wave_ledger_free(struct wave_ledger *l);
/* As wave_run_ops.held. A ledger.db that cannot be read is waited for. */
enum held_is wave_ledger_held(struct wave_ledger *l,
    const struct held_asked *q, char why[HELD_WHY_MAX]);

#endif
