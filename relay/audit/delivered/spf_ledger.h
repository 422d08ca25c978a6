/* SPDX-License-Identifier: ISC
 *
 * Reads the tables of SPF in ledger.db, for commands; the daemon may write
 * meanwhile. One thread.
 */
#ifndef RELAY_AUDIT_DELIVERED_SPF_LEDGER_H
#define RELAY_AUDIT_DELIVERED_SPF_LEDGER_H

#include <stdint.h>

#include "relay/audit/delivered/spf_share.h"
#include "relay/base/error.h"

struct spf_ledger;

/* ledger.db of that folder; NULL and err: it is not there, or of no use. */
struct spf_ledger *spf_ledger_open(const char *dir, struct error *err);
void spf_ledger_close(struct spf_ledger *l); /* NULL is fine */

const char *spf_ledger_error(struct spf_ledger *l); /* of the last -1 */

/* Messages from then on are counted, wall clock; 0: none is yet. */
int64_t spf_ledger_since(struct spf_ledger *l);

/* Each client that sent in the name of the domain since that day, the most
 * messages first; texts are borrowed for the call. 0, or -1. */
int spf_ledger_clients(struct spf_ledger *l, const char *domain, int64_t day,
    void (*each)(void *arg, const char *client, uint64_t messages),
    void *arg) PH_CHECK;
/* Messages of clients past the ceiling, of any domain. */
uint64_t spf_ledger_more_clients(struct spf_ledger *l, int64_t day);

/* A leg's messages since that day by domain in From, "": of unknown ones and
 * of those past the ceiling. Sorted by leg, then the most messages first. 0,
 * or -1. */
struct spf_forecast {
	const char *leg, *domain;
	uint64_t n[SPF_SHARES];
};
int spf_ledger_forecast(struct spf_ledger *l, int64_t day,
    void (*each)(void *arg, const struct spf_forecast *f),
    void *arg) PH_CHECK;

#endif
