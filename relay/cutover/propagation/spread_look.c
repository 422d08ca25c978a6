/* SPDX-License-Identifier: ISC
 *
 * The course of a look.
 */
#include "relay/cutover/propagation/spread_look_int.h"

#include "relay/base/mem.h"

static bool is_stopped(const struct look_run *k)
{
	return k->how.stop != NULL && atomic_load(k->how.stop);
}

bool spread_look_run(const struct spread_look_how *how, const char *domain,
    struct arena *a, struct spread_look *out, struct error *err)
{
	struct look_run *k = arena_alloc(a, sizeof(*k));
	struct spread_seen *seen;

	k->how = *how;
	k->a = a;
	k->domain = domain;
	if (look_resolvers(k, err) < 0)
		return false;
	look_find_legs(k);
	look_find_servers(k);
	look_ask_servers(k);
	if (is_stopped(k)) {
		error_set(err, "the daemon stops");
		return false;
	}
	look_judge(k);
	seen = arena_alloc(a, (k->servers + 1) * sizeof(*seen));
	for (size_t i = 0; i < k->servers; i++)
		seen[i] = k->server[i]->seen;
	*out = (struct spread_look){.domain = domain, .zone = k->zone,
	    .more = k->more, .seen = seen, .n = k->servers};
	return true;
}
