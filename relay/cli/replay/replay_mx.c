/* SPDX-License-Identifier: ISC
 *
 * See replay_mx.h.
 */
#include "relay/cli/replay/replay_mx.h"

#include <stdio.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cli/common/json_get.h"
#include "relay/observed/spread/spread_of.h"

static void say_known(const struct spread_found *f, char *why)
{
	const struct spread_judged *j = &f->judged;
	char looked[CLOCK_LOCAL_MAX], until[CLOCK_LOCAL_MAX];

	if (f->rows.looked_us == 0) {
		snprintf(why, REPLAY_MX_BYTES, "its name servers were not "
		    "looked at");
		return;
	}
	clock_local(f->rows.looked_us, looked);
	if (j->state == SPREAD_WAITS && j->until_us != 0) {
		clock_local(j->until_us, until);
		snprintf(why, REPLAY_MX_BYTES, "old answers may stay in caches "
		    "until %s", until);
	} else if (j->state == SPREAD_CLEAN) {
		snprintf(why, REPLAY_MX_BYTES, "it leads here alone, looked at "
		    "%s", looked);
	} else {
		snprintf(why, REPLAY_MX_BYTES, "%s, by %u of %zu name servers,"
		    " looked at %s", j->why, j->count[j->state], f->rows.n,
		    looked);
	}
}

const char *replay_mx(const struct conf *conf, const char *domain,
    struct arena *a, char *why_out)
{
	const struct spread_asked q = {conf, domain, NULL,
	    clock_wall_us(&clock_system)};
	struct spread_found *f = arena_alloc(a, sizeof(*f));
	struct error err;

	if (conf == NULL)
		error_set(&err, "the configuration cannot be read");
	if (conf == NULL || spread_of(&q, a, f, &err) < 0) {
		snprintf(why_out, REPLAY_MX_BYTES, "looks at its name servers "
		    "cannot be read: %s", err.text);
		return spread_state_text(SPREAD_UNKNOWN);
	}
	say_known(f, why_out);
	return spread_state_text(f->judged.state);
}

static void say(struct cli *c, const char *domain, const char *state,
    const char *why)
{
	out_say(&c->out, "  MX of %s: %s, %s", domain, state, why);
}

void replay_mx_say(struct cli *c, const json_t *addresses)
{
	json_t *seen = json_object(), *at;
	struct arena *a = arena_new();
	char why[REPLAY_MX_BYTES];
	size_t i;

	json_array_foreach(addresses, i, at) {
		const char *to = json_string_value(at);
		const char *domain = to == NULL ? NULL : strrchr(to, '@');

		if (domain == NULL || json_object_get(seen, domain) != NULL)
			continue;
		json_object_set_new(seen, domain, json_true());
		if (json_object_size(seen) <= REPLAY_MX_DOMAINS)
			say(c, domain + 1, replay_mx(cli_conf_try(c),
			    domain + 1, a, why), why);
	}
	replay_mx_more(c, json_object_size(seen));
	arena_free(a);
	json_decref(seen);
}

void replay_mx_row(struct cli *c, json_t *row, size_t n)
{
	const char *domain = json_text(row, "domain"), *state;
	struct arena *a = arena_new();
	char why[REPLAY_MX_BYTES];

	if (n < REPLAY_MX_DOMAINS) {
		state = replay_mx(cli_conf_try(c), domain, a, why);
		json_object_set_new(row, "mx", json_string(state));
		json_object_set_new(row, "mx_why", json_string(why));
		if (!c->json)
			say(c, domain, state, why);
	}
	if (c->json)
		out_row_json(&c->out, row);
	arena_free(a);
}

void replay_mx_more(struct cli *c, size_t domains)
{
	size_t more = domains > REPLAY_MX_DOMAINS ? domains -
		    REPLAY_MX_DOMAINS : 0;

	if (more > 0 && !c->json)
		out_say(&c->out, "  and %zu more domain%s", more,
		    more == 1 ? "" : "s");
}
