/* SPDX-License-Identifier: ISC
 *
 * Figures as people read them.
 */
#include "relay/cli/common/human.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/base/attr.h"
#include "relay/base/clock.h"

void human_bytes(int64_t n, struct strbuf *out)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB",
	    "PiB"};
	double v = (double)n;
	size_t u = 0;

	while (v >= 1024 && u + 1 < ARRAY_LEN(units)) {
		v /= 1024;
		u++;
	}
	strbuf_addf(out, u == 0 || v >= 100 ? "%.0f %s" : "%.1f %s", v,
	    units[u]);
}

void human_count(int64_t n, struct strbuf *out)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRId64, n);

	for (int i = 0; i < len; i++) {
		strbuf_addc(out, digits[i]);
		if (digits[i] != '-' && i + 1 < len && (len - i - 1) % 3 == 0)
			strbuf_addc(out, ',');
	}
}

void human_age(int64_t s, struct strbuf *out)
{
	static const struct {
		int64_t s;
		const char *name;
	} units[] = {{DAY_S, "d"}, {HOUR_S, "h"}, {60, "min"}, {1, "s"}};
	size_t u = 0;

	while (u + 1 < ARRAY_LEN(units) && s < units[u].s)
		u++;
	strbuf_addf(out, "%" PRId64 " %s", s / units[u].s, units[u].name);
	if (u + 1 < ARRAY_LEN(units) && s % units[u].s >= units[u + 1].s)
		strbuf_addf(out, " %" PRId64 " %s",
		    s % units[u].s / units[u + 1].s, units[u + 1].name);
}
