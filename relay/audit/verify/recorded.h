/* SPDX-License-Identifier: ISC
 *
 * Reads the changes of the cutover table, and the decisions in its file, that
 * the audit index recorded, each with its hash (doc/table.md), so that the
 * table's history can be compared with what its writer cannot reach.
 */
#ifndef RELAY_AUDIT_VERIFY_RECORDED_H
#define RELAY_AUDIT_VERIFY_RECORDED_H

#include "relay/base/error.h"
#include "relay/base/slice.h"

/* Gives each event `change` and `decision` of the hours that are kept, oldest
 * first: when it was recorded, and its fields as the inside of a JSON object,
 * borrowed until `fn` returns. 0, or -1 when the index cannot be read. Any
 * thread. */
int recorded_history(const char *dir,
    void (*fn)(void *arg, int64_t time_us, struct slice fields), void *arg,
    struct error *err) PH_CHECK;

#endif
