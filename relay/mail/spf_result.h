/* SPDX-License-Identifier: ISC
 *
 * The results of a check by the Sender Policy Framework (RFC 7208 2.6) and
 * what comes with one. Pure; any thread.
 */
#ifndef RELAY_MAIL_SPF_RESULT_H
#define RELAY_MAIL_SPF_RESULT_H

#include <stdbool.h>

#include "relay/base/slice.h"

enum spf_result {
	SPF_NONE,
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR,
	SPF_PERMERROR,
	SPF_RESULTS
};

/* A result and what led to it. All bytes are borrowed, from where the verdict
 * came from. They are printable ASCII and short, but the text of a domain that
 * the relay knows nothing of. */
struct spf_verdict {
	enum spf_result result;
	/* The term that matched, with its qualifier, as it stands in the
	 * record ("-all", "include:_spf.example.net"), or the one that is
	 * wrong; "" when no term decided. */
	struct slice mechanism;
	/* The domain whose record has that term; "" without a record. */
	struct slice domain;
	/* Of SPF_FAIL: what the domain says to the sender (RFC 7208 6.2). At
	 * most 400 bytes, "" when it says nothing. */
	struct slice explanation;
	/* Of the two errors: what is wrong, for the domain's administrator. */
	struct slice problem;
	unsigned lookups; /* terms that asked the DNS (RFC 7208 4.6.4) */
	unsigned voids;   /* of their questions: without an answer     */
};

/* "softfail"; the words of RFC 8601 2.7.2. */
const char *spf_result_text(enum spf_result r);
/* false when there is no such result; ASCII case folded. */
bool spf_result_parse(struct slice word, enum spf_result *result_out);

#endif
