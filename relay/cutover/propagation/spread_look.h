/* SPDX-License-Identifier: ISC
 *
 * One look at a domain: its name servers and those of the zone above are
 * found, each of them and each resolver is asked for the MX, and all that is
 * heard is put together. Waits for the answers; the propagation thread.
 */
#ifndef RELAY_CUTOVER_PROPAGATION_SPREAD_LOOK_H
#define RELAY_CUTOVER_PROPAGATION_SPREAD_LOOK_H

#include <stdatomic.h>

#include "conf/conf.h"
#include "relay/base/loop.h"
#include "relay/observed/spread/spread_rows.h"

struct spread_look_how {
	struct loop *loop;
	const struct conf *conf; /* resolver.*, propagation.old_ns, legs */
	const _Atomic bool *stop; /* it is given up; NULL: never */
	int server_port; /* of name servers: 53 */
	/* From earlier looks, for servers that are retired. */
	const struct spread_rows *known;
};

/* *out has its texts in the arena. False: it was stopped, or there is no
 * resolver, with the reason in `err`; nothing is known by it. */
bool spread_look_run(const struct spread_look_how *how, const char *domain,
    struct arena *a, struct spread_look *out, struct error *err) PH_CHECK;

#endif
