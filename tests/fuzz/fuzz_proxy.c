/* SPDX-License-Identifier: ISC
 *
 * PROXY headers from anywhere.
 */
#include <stdlib.h>

#include "relay/net/proxyhdr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header h;
	const char *why;
	size_t taken;

	if (proxy_parse(slice_of(data, size), &h, &taken, &why) ==
		PROXY_DONE &&
	    (taken > size || taken > PROXY_MAX))
		abort();
	return 0;
}
