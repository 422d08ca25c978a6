/* SPDX-License-Identifier: ISC
 *
 * A choice of the way out, and the verdicts that it follows from, as commands
 * show them.
 */
#ifndef RELAY_CLI_SPF_EGRESS_SHOW_H
#define RELAY_CLI_SPF_EGRESS_SHOW_H

#include "relay/cli/common/cli.h"
#include "relay/egress/egress_alone.h"

/* Fields of an open object. */
void egress_put_verdict(struct cli *c, const struct egress_verdict *v,
    struct jout *j);
void egress_put_choice(struct cli *c, const struct egress_found *found,
    struct jout *j);
/* For people: "main, since the record passes this egress". */
void egress_say_choice(struct cli *c, const struct egress_found *found,
    struct strbuf *out);

#endif
