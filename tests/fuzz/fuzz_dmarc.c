/* SPDX-License-Identifier: ISC
 *
 * Policy records of DMARC: whatever they are, they ask for a policy, and one
 * in testing for no more than without that.
 */
#include "relay/spf/dmarc_record.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dmarc_record r, bare;

	if (dmarc_record_parse(slice_of(data, size), &r) < 0)
		return 0;
	must(size >= 8 && size <= DMARC_RECORD_MAX);
	bare = r;
	bare.testing = false;
	for (int i = DMARC_SELF; i <= DMARC_NO_NAME; i++) {
		enum dmarc_place place = (enum dmarc_place)i;
		enum dmarc_policy p = dmarc_record_policy(&r, place);

		must(p < DMARC_POLICIES);
		must(p <= dmarc_record_policy(&bare, place));
	}
	return 0;
}
