/* SPDX-License-Identifier: ISC
 *
 * The addresses of the hosts of all legs, looked up in the DNS: whether two
 * legs are one server. Blocks until the name servers have answered.
 */
#ifndef RELAY_CLI_VERDICT_LEG_HOSTS_H
#define RELAY_CLI_VERDICT_LEG_HOSTS_H

#include "conf/conf.h"
#include "relay/base/error.h"
#include "relay/net/sockaddr.h"

struct leg_hosts;

/* NULL and `err`: the DNS cannot be asked at all. */
struct leg_hosts *leg_hosts_look(const struct conf *c,
    struct error *err) PH_CHECK;
void leg_hosts_free(struct leg_hosts *h); /* NULL is fine */

/* Is an address of the leg `a` (index in conf.leg) one of `b`, or one that mail
 * of `b` comes from? On the loopback, where all are one machine, the ports
 * count too. */
bool leg_hosts_same(const struct leg_hosts *h, int a, int b);
/* Has the leg that address, whatever the port? */
bool leg_hosts_has(const struct leg_hosts *h, int leg,
    const struct netaddr *address);
/* The n-th address of the leg, from 0; false: there are fewer. */
bool leg_hosts_address(const struct leg_hosts *h, int leg, int n,
    struct netaddr *out);
/* The first name of the leg that has no address now; NULL: all have. */
const char *leg_hosts_missing(const struct leg_hosts *h, int leg);

#endif
