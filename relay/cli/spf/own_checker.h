/* SPDX-License-Identifier: ISC
 *
 * Checks of SPF without the daemon: a helper process and a resolver of the
 * command line's own.
 */
#ifndef RELAY_CLI_SPF_OWN_CHECKER_H
#define RELAY_CLI_SPF_OWN_CHECKER_H

#include "relay/cli/common/cli.h"
#include "relay/spf/spf_check.h"

struct own_checker;

/* NULL: the reason was said. */
struct own_checker *own_checker_new(struct cli *c);
void own_checker_free(struct own_checker *o);
/* One check, waited for: at most SPF_CHECK_MS. `told` is called once, within,
 * with what was found. */
void own_checker_run(struct own_checker *o, const struct spf_subject *s,
    void (*told)(void *arg, const struct spf_checked *found), void *arg);

#endif
