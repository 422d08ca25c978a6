/* SPDX-License-Identifier: ISC
 *
 * The policy record of a domain (RFC 9989 4.7, 4.8): what its owner asks
 * receivers to do with mail that fails DMARC. Pure; any thread.
 */
#ifndef RELAY_SPF_DMARC_RECORD_H
#define RELAY_SPF_DMARC_RECORD_H

#include "relay/base/slice.h"

enum { DMARC_RECORD_MAX = 4096 }; /* bytes; a longer one is no record */

/* From the mildest to the hardest. */
enum dmarc_policy {
	DMARC_NONE,
	DMARC_QUARANTINE,
	DMARC_REJECT,
	DMARC_POLICIES
};

/* Is the domain one below which others register (4.7, tag psd)? */
enum dmarc_psd { DMARC_PSD_UNSAID, DMARC_PSD_YES, DMARC_PSD_NO };

struct dmarc_record {
	enum dmarc_policy p;  /* for the domain itself */
	enum dmarc_policy sp; /* for names below it */
	enum dmarc_policy np; /* for names below it that do not exist */
	enum dmarc_psd psd;
	bool strict_dkim, strict_spf; /* adkim=s, aspf=s */
	bool testing; /* t=y: one step milder than it says */
};

/* Of the joined strings of a TXT record. 0; or -1, when it is no record of
 * DMARC: its first tag is not v=DMARC1. Errors behind that leave defaults: an
 * unknown policy asks for nothing, of a tag that is there twice the first
 * counts. */
int dmarc_record_parse(struct slice txt, struct dmarc_record *record_out);

/* The domain that is asked about, against the one that has the record. */
enum dmarc_place {
	DMARC_SELF,    /* the same */
	DMARC_BELOW,   /* a name below it */
	DMARC_NO_NAME, /* a name below it that does not exist (NXDOMAIN) */
};
/* The policy there, t=y considered. */
enum dmarc_policy dmarc_record_policy(const struct dmarc_record *r,
    enum dmarc_place place);
const char *dmarc_policy_name(enum dmarc_policy p); /* "quarantine" */

#endif
