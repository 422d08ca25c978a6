/* SPDX-License-Identifier: ISC
 *
 * Counts messages by what SPF and DMARC say of them, a day each: the clients
 * that send in the names of our domains (spf what-if), and how mail fares at
 * each leg (spf forecast). Workers count in memory; the projector's thread
 * adds that to ledger.db every 30 s. A crash loses what was counted since: the
 * counts are statistics, and no mail depends on them.
 */
#ifndef RELAY_AUDIT_DELIVERED_SPF_COUNTS_H
#define RELAY_AUDIT_DELIVERED_SPF_COUNTS_H

#include <stdint.h>

#include "relay/audit/delivered/spf_share.h"

enum { SPF_WRITE_MS = 30000 };

struct spf_counts;
/* For the ledger.db of that folder. */
struct spf_counts *spf_counts_new(const char *dir, int64_t now_us);
void spf_counts_free(struct spf_counts *c); /* NULL is fine */

/* ---- any thread: a short lock, no file --------------------------------- */

/* `domain` in normal form, `client` an address as text. Past the ceiling they
 * are counted together, as the client "". */
void spf_counts_client(struct spf_counts *c, int64_t now_us,
    const char *domain, const char *client);
/* `domain`: of From, in normal form; "": not known. Past the ceiling they are
 * counted together, as the domain "". */
void spf_counts_message(struct spf_counts *c, int64_t now_us,
    const char *leg, const char *domain, enum spf_share share);

/* ---- the projector's thread -------------------------------------------- */

/* Adds what was counted to the file when 30 s are over or many rows wait. What
 * cannot be written waits for the next time. */
void spf_counts_follow(struct spf_counts *c, int64_t wall_us, int64_t mono_ms);
void spf_counts_write(struct spf_counts *c, int64_t wall_us); /* at once */

#endif
