/* SPDX-License-Identifier: ISC
 *
 * The groups in which the tables of SPF in ledger.db count messages, and their
 * ceilings.
 */
#ifndef RELAY_AUDIT_DELIVERED_SPF_SHARE_H
#define RELAY_AUDIT_DELIVERED_SPF_SHARE_H

enum {
	SPF_CLIENTS_MAX = 200000, /* pairs of domain and client a day */
	SPF_SENDERS_MAX = 20000,  /* pairs of leg and domain a day */
	SPF_WAIT_MAX = 32768,	  /* rows wait in memory, of about 200 bytes */
	SPF_KEEP_DAYS = 8,
};

/* How a message fares at a receiver that asks for DMARC. */
enum spf_share {
	SHARE_SPF,	 /* passes: SPF does, aligned with From */
	SHARE_SIGNATURE, /* rests on a signature, which was not verified */
	SHARE_FAIL_NONE, /* fails; the policy is none, or there is no record */
	SHARE_FAIL_QUARANTINE,
	SHARE_FAIL_REJECT,
	SHARE_UNCLEAR, /* no or several authors; the DNS is silent */
	SPF_SHARES
};
const char *spf_share_name(enum spf_share s); /* "fail_reject": a column */

#endif
