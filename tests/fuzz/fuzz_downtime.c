/* SPDX-License-Identifier: ISC
 *
 * The fact of when a leg was down. What was understood is written and read
 * again as the same.
 */
#include "relay/settle/downtime.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct queue_span s[QUEUE_SPANS], again[QUEUE_SPANS];
	unsigned n = downtime_parse(slice_of(data, size), s);
	struct strbuf out;

	must(n <= QUEUE_SPANS);
	strbuf_init(&out, 4096);
	downtime_print(s, n, &out);
	must(strbuf_ok(&out));
	must(downtime_parse(strbuf_view(&out), again) == n);
	for (unsigned i = 0; i < n; i++) {
		must(s[i].from_us == again[i].from_us);
		must(s[i].to_us == again[i].to_us);
		must(s[i].counts_us == again[i].counts_us);
		must(s[i].to_us >= s[i].from_us && s[i].counts_us >= 0);
	}
	strbuf_fini(&out);
	return 0;
}
