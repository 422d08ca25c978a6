/* SPDX-License-Identifier: ISC
 *
 * DNS replies from anywhere. The first byte chooses the type.
 */
#include <stdlib.h>

#include "relay/net/dns_told.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All that is told is text that a command may show. */
static void told(struct slice packet, enum dns_type type)
{
	struct dns_told t;
	const char *why = NULL;
	int rc = dns_told_parse(packet, type, "a.b", &t, &why);

	if ((rc < 0) != (why != NULL) || t.servers > DNS_TOLD_SERVERS ||
	    !dns_is_host(t.zone) || !dns_is_host(t.owner))
		abort();
	for (int i = 0; i < t.servers; i++)
		if (t.server[i][0] == '\0' || !dns_is_host(t.server[i]))
			abort();
}

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
	told(slice_of(data + 1, size - 1), data[0] & 1 ? DNS_NS : DNS_SOA);
	return 0;
}
