/* SPDX-License-Identifier: ISC
 *
 * Their names.
 */
#include "relay/audit/delivered/spf_share.h"

const char *spf_share_name(enum spf_share s)
{
	static const char *const names[SPF_SHARES] = {
		[SHARE_SPF] = "by_spf",
		[SHARE_SIGNATURE] = "by_signature",
		[SHARE_FAIL_NONE] = "fail_none",
		[SHARE_FAIL_QUARANTINE] = "fail_quarantine",
		[SHARE_FAIL_REJECT] = "fail_reject",
		[SHARE_UNCLEAR] = "unclear",
	};

	return names[s];
}
