/* SPDX-License-Identifier: ISC
 *
 * The journal as `audit verify` finds it without the daemon: read to its end,
 * with nothing written. One thread.
 */
#ifndef RELAY_AUDIT_VERIFY_JOURNAL_LOOK_H
#define RELAY_AUDIT_VERIFY_JOURNAL_LOOK_H

#include "conf/conf.h"
#include "relay/base/names.h"
#include "relay/spool/spool.h"

struct journal_look {
	struct spool *spool; /* NULL: there is none, which holds nothing */
	struct spool_origin origin;
	uint64_t total[NAMES_MAX][TOTALS]; /* at its end */
};

/* NULL and `err` when it cannot be read; err->no EBUSY: a daemon has it. */
struct journal_look *journal_look(const struct conf *c, struct names *names,
    struct error *err) PH_CHECK;
void journal_look_free(struct journal_look *l);
/* Is that delivery live in it? `arg` is the look. */
bool journal_look_holds(void *arg, uint64_t id, uint32_t number);

/* Records from one place to before another; to {0,0}: to the end. With the
 * daemon on any thread but the spool's; *stop ends it early. */
uint64_t journal_records(struct spool *s, struct spool_pos from,
    struct spool_pos to, const _Atomic bool *stop);

#endif
