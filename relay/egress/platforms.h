/* SPDX-License-Identifier: ISC
 *
 * The platforms that spf_include names: what is known of the networks of each.
 * A domain stays until the end, whatever the configuration says by then. One
 * loop.
 */
#ifndef RELAY_EGRESS_PLATFORMS_H
#define RELAY_EGRESS_PLATFORMS_H

struct dns;
struct loop;
struct platforms;
struct spf_networks;

/* Borrows both. */
struct platforms *platforms_new(struct loop *l, struct dns *dns);
void platforms_free(struct platforms *p);
/* Those of that domain, which nothing was asked about if it is new; it lives as
 * long as `p`. */
struct spf_networks *platforms_of(struct platforms *p, const char *domain);

#endif
