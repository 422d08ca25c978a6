/* SPDX-License-Identifier: ISC
 *
 * A spool that was restored from a backup gets another life: a new id and a new
 * secret for all that is written from then on. The spool of the backup may have
 * gone on, so the same generation may hold something else elsewhere; what is
 * there keeps the id and secret that it was written with.
 */
#ifndef RELAY_SPOOL_BACKUP_RENEW_H
#define RELAY_SPOOL_BACKUP_RENEW_H

#include "relay/base/error.h"
#include "relay/base/rng.h"
#include "relay/spool/disk/diskio.h"

/* A journal counts its segments one by one and never comes near it: a number
 * above it is damage or malice, and sums with one below do not overflow. */
#define GENERATION_MOST (UINT64_C(1) << 62)

struct spool_renewal {
	const char *path;
	struct diskio *io;
	struct rng *rng;
	uint64_t known; /* generations up to it were seen by an audit index */
};

/* Before the first start; nothing else uses the folder. At that start all open
 * deliveries are frozen. 0, or -1 and err. */
int spool_renew(const struct spool_renewal *r, struct error *err) PH_CHECK;

#endif
