/* SPDX-License-Identifier: ISC
 *
 * The words for the results of SPF. Pure; any thread.
 */
#include "relay/mail/spf_result.h"

static const char *const words[SPF_RESULTS] = {
	[SPF_NONE] = "none",
	[SPF_NEUTRAL] = "neutral",
	[SPF_PASS] = "pass",
	[SPF_FAIL] = "fail",
	[SPF_SOFTFAIL] = "softfail",
	[SPF_TEMPERROR] = "temperror",
	[SPF_PERMERROR] = "permerror",
};

const char *spf_result_text(enum spf_result r)
{
	return (unsigned)r < SPF_RESULTS ? words[r] : "?";
}

bool spf_result_parse(struct slice word, enum spf_result *result_out)
{
	for (unsigned r = 0; r < SPF_RESULTS; r++)
		if (slice_case_eq(word, slice_str(words[r]))) {
			*result_out = (enum spf_result)r;
			return true;
		}
	return false;
}
