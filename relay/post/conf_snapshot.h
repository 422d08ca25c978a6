/* SPDX-License-Identifier: ISC
 *
 * A configuration with the TLS contexts made from it; counted. Sessions and
 * dialogs go on with the snapshot that they began with. Any thread.
 */
#ifndef RELAY_POST_CONF_SNAPSHOT_H
#define RELAY_POST_CONF_SNAPSHOT_H

#include <stdatomic.h>

#include "conf/conf.h"
#include "relay/net/tls.h"

struct conf_snapshot {
	_Atomic int refs;
	struct conf *conf;
	struct tls_server **listen; /* by index of conf.listen; may be NULL */
	struct tls_client **leg;    /* by index of conf.leg                 */
};

/* Takes c. NULL and err: a certificate or key cannot be used. */
struct conf_snapshot *snapshot_new(struct conf *c, struct error *err)
    PH_CHECK;
struct conf_snapshot *snapshot_ref(struct conf_snapshot *s);
void snapshot_unref(struct conf_snapshot *s); /* NULL is fine */

#endif
