/* SPDX-License-Identifier: ISC
 *
 * Brings the tables `tag` and `rewrite` along with a change.
 */
#ifndef POLICY_CHANGE_CHANGE_INDEX_H
#define POLICY_CHANGE_CHANGE_INDEX_H

#include "policy/change/change_int.h"

/* From the log of change `number`, inside its transaction. */
int change_index_tags(struct change *ch, int64_t number, struct error *err)
    PH_CHECK;
int change_index_rewrites(struct change *ch, int64_t number,
    struct error *err) PH_CHECK;

#endif
