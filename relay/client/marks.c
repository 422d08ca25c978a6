/* SPDX-License-Identifier: ISC
 *
 * Addresses of a leg that something is remembered of for a while. A few rows
 * walked from the start: a leg has a handful of hosts, and what falls out of
 * the table is only tried, or said, once more.
 */
#include "relay/client/marks.h"

static bool same(const struct mark *m, int leg, const struct netaddr *a)
{
	return m->leg == leg && netaddr_port(&m->addr) == netaddr_port(a) &&
	       netaddr_same_ip(&m->addr, a);
}

/* The row of that address, else the one that ends first. */
static struct mark *row_for(
    struct marks *m, int leg, const struct netaddr *a)
{
	struct mark *first = &m->row[0];

	for (int i = 0; i < MARKS_MAX; i++) {
		if (same(&m->row[i], leg, a))
			return &m->row[i];
		if (m->row[i].until_ms < first->until_ms)
			first = &m->row[i];
	}
	return first;
}

void marks_set(
    struct marks *m, int leg, const struct netaddr *a, int64_t until_ms)
{
	*row_for(m, leg, a) = (struct mark){*a, leg, until_ms};
}

bool marks_has(
    const struct marks *m, int leg, const struct netaddr *a, int64_t now_ms)
{
	for (int i = 0; i < MARKS_MAX; i++)
		if (now_ms < m->row[i].until_ms && same(&m->row[i], leg, a))
			return true;
	return false;
}

void marks_clear(struct marks *m, int leg, const struct netaddr *a)
{
	for (int i = 0; i < MARKS_MAX; i++)
		if (same(&m->row[i], leg, a))
			m->row[i].until_ms = 0;
}
