/* SPDX-License-Identifier: ISC
 *
 * Decides whether the sender of a message may be forged, by SPF.
 */
#include "policy/forged.h"

#include "relay/mail/spf_result.h"

bool sender_may_be_forged(const char *spf)
{
	enum spf_result r;

	return spf[0] != '\0' &&
	       (!spf_result_parse(slice_str(spf), &r) || r != SPF_PASS);
}

bool sender_is_forged(const char *spf)
{
	enum spf_result r;

	return spf_result_parse(slice_str(spf), &r) && r == SPF_FAIL;
}
