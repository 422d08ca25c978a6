/* SPDX-License-Identifier: ISC
 *
 * DNS replies from anywhere. The first byte chooses the type.
 */
#include <stdlib.h>

#include "relay/net/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = {
		DNS_A, DNS_AAAA, DNS_MX, DNS_TXT, DNS_PTR, DNS_TLSA,
	};
	struct dns_answer a;
	const char *why = NULL;
	int rc;

	if (size == 0)
		return 0;
	rc = dns_reply_parse(slice_of(data + 1, size - 1),
	    types[data[0] % ARRAY_LEN(types)], &a, &why);
	if ((rc < 0) != (why != NULL) || (a.count > 0) != (a.status == DNS_OK))
		abort();
	dns_answer_fini(&a);
	return 0;
}
