/* SPDX-License-Identifier: ISC
 *
 * The file descriptors that clients, legs and workers may need together.
 */
#include "relay/daemon/descriptors.h"

#include <limits.h>
#include <sys/resource.h>

enum {
	DESCRIPTORS_RESERVED = 256, /* journal, audit, table, control */
	OF_A_WORKER = 6,
};

long descriptors_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return LONG_MAX;
	lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim) < 0 &&
	    getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return LONG_MAX;
	return lim.rlim_cur == RLIM_INFINITY || lim.rlim_cur > LONG_MAX
		   ? LONG_MAX : (long)lim.rlim_cur;
}

int descriptors_check(const struct conf *c, int workers, long limit,
    struct error *err)
{
	long legs = 0, need;

	for (int i = 0; i < c->legs; i++)
		legs += c->leg[i].connections;
	need = c->limits.connections + legs + (long)OF_A_WORKER * workers +
	       DESCRIPTORS_RESERVED;
	if (need <= limit)
		return 0;
	return error_set(err, "too few file descriptors: limits.connections "
	    "%d + connections of the legs %ld + %d * %d workers + %d make "
	    "%ld, but the limit is %ld; raise LimitNOFILE or lower them",
	    c->limits.connections, legs, OF_A_WORKER, workers,
	    DESCRIPTORS_RESERVED, need, limit);
}
