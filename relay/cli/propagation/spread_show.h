/* SPDX-License-Identifier: ISC
 *
 * Shows what the name servers of a domain say, and what follows from it.
 */
#ifndef RELAY_CLI_PROPAGATION_SPREAD_SHOW_H
#define RELAY_CLI_PROPAGATION_SPREAD_SHOW_H

#include "relay/cli/common/cli.h"
#include "relay/observed/spread/spread_of.h"

enum { SPREAD_MX_BYTES = 4096 };

/* A row for each server, then one for the domain. */
void spread_show_servers(struct cli *c, const char *domain,
    const struct spread_found *f);
void spread_show_domain(struct cli *c, const char *domain,
    const struct spread_found *f);
/* "10 mx.example.com [198.51.100.7 us]" of an answer as it is kept; the same
 * for the name servers of a delegation. */
void spread_mx_text(const struct spread_server *s,
    const struct spread_detail *d, struct strbuf *out);

#endif
