/* SPDX-License-Identifier: ISC
 *
 * See spread_show.h.
 */
#include "relay/cli/propagation/spread_show.h"

#include "relay/cli/common/human.h"
#include "relay/cli/common/json_get.h"

static const struct out_column server_columns[] = {
	{"kind", "KIND", false},
	{"name", "NAME", false},
	{"address", "ADDRESS", false},
	{"state", "STATE", false},
	{"ttl", "TTL", true},
	{"serial", "SERIAL", true},
	{"text", "SAYS", false},
	{NULL, NULL, false},
};

/* ---- the MX of an answer ------------------------------------------------- */

static void add_addresses(const json_t *list, struct strbuf *out)
{
	size_t i;
	json_t *a;

	strbuf_adds(out, " [");
	json_array_foreach(list, i, a)
		strbuf_addf(out, "%s%s %s", i == 0 ? "" : ", ",
		    json_text(a, "address"), json_text(a, "leads"));
	strbuf_adds(out, json_array_size(list) == 0 ? "no address]" : "]");
}

static void add_delegation(const struct spread_server *s, struct strbuf *out)
{
	const char *comma = "";

	for (size_t i = 0; i < s->targets; i++) {
		if (s->target[i].ended_us != 0)
			continue;
		strbuf_addf(out, "%s%s", comma, s->target[i].name);
		comma = ", ";
	}
}

void spread_mx_text(const struct spread_server *s,
    const struct spread_detail *d, struct strbuf *out)
{
	json_t *answer = json_loads(d->answer, 0, NULL), *mx;
	size_t i;

	if (s->kind == SPREAD_PARENT)
		add_delegation(s, out);
	json_array_foreach(answer, i, mx) {
		const char *host = json_text(mx, "host");

		strbuf_addf(out, "%s%lld %s", i == 0 ? "" : "; ",
		    (long long)json_number(mx, "preference"),
		    host[0] == '\0' ? "." : host);
		add_addresses(json_object_get(mx, "addresses"), out);
	}
	json_decref(answer);
}

/* ---- the servers --------------------------------------------------------- */

/* Of people: its answer, or why there is none. */
static void put_text(struct jout *j, const struct spread_server *s,
    const struct spread_detail *d, const char *why)
{
	struct strbuf text;

	strbuf_init(&text, SPREAD_MX_BYTES);
	if (s->said == SAID_ANSWER)
		spread_mx_text(s, d, &text);
	else
		strbuf_addf(&text, "%s%s%s", why, d->why[0] == '\0' ? "" : ": ",
		    d->why);
	jout_str(j, "text", strbuf_cstr(&text));
	strbuf_fini(&text);
}

static void put_mx(struct jout *j, const struct spread_detail *d)
{
	json_t *answer = json_loads(d->answer, 0, NULL), *mx, *a;
	size_t i, k;

	jout_array(j, "mx");
	json_array_foreach(answer, i, mx) {
		jout_object(j, NULL);
		jout_int(j, "preference", json_number(mx, "preference"));
		jout_str(j, "host", json_text(mx, "host"));
		jout_array(j, "addresses");
		json_array_foreach(json_object_get(mx, "addresses"), k, a) {
			jout_object(j, NULL);
			jout_str(j, "address", json_text(a, "address"));
			jout_str(j, "leads", json_text(a, "leads"));
			jout_object_end(j);
		}
		jout_array_end(j);
		jout_object_end(j);
	}
	jout_array_end(j);
	json_decref(answer);
}

static void put_server(struct cli *c, const char *domain,
    const struct spread_found *f, size_t i)
{
	const struct spread_server *s = &f->rows.server[i];
	const struct spread_detail *d = &f->rows.detail[i];
	struct jout *j = out_row(&c->out);
	const char *why;
	enum spread_state state = spread_server_state(&f->facts, s, &why);

	jout_str(j, "domain", domain);
	jout_str(j, "kind", spread_kind_text(s->kind));
	jout_str(j, "name", s->name);
	jout_str(j, "address", s->address);
	jout_str(j, "state", spread_state_text(state));
	jout_str(j, "why", why);
	if (s->said == SAID_ANSWER)
		jout_int(j, "ttl", d->ttl_s);
	if (d->serial >= 0)
		jout_int(j, "serial", d->serial);
	put_text(j, s, d, why);
	put_mx(j, d);
	jout_time(j, "at", s->at_us);
	jout_time(j, "since", s->since_us);
	out_row_end(&c->out);
}

void spread_show_servers(struct cli *c, const char *domain,
    const struct spread_found *f)
{
	out_table(&c->out, server_columns);
	for (size_t i = 0; i < f->rows.n; i++)
		put_server(c, domain, f, i);
	out_end(&c->out);
}

/* ---- the domain ---------------------------------------------------------- */

static void put_domain(struct cli *c, const char *domain,
    const struct spread_found *f)
{
	static const struct out_column none[] = {{NULL, NULL, false}};
	const struct spread_judged *g = &f->judged;
	struct jout *j;

	out_table(&c->out, none);
	j = out_row(&c->out);
	jout_str(j, "domain", domain);
	jout_str(j, "kind", "domain");
	jout_str(j, "state", spread_state_text(g->state));
	jout_str(j, "why", g->why);
	if (g->until_us > 0) {
		jout_time(j, "until", g->until_us);
		jout_time(j, "changed", g->changed_us);
		jout_int(j, "old_ttl", g->ttl_s);
		jout_bool(j, "stated", g->stated);
		jout_bool(j, "unseen", g->unseen);
	}
	if (f->stated.what.changed_us != 0) {
		jout_str(j, "note", f->stated.note);
		jout_str(j, "who", f->stated.who);
	}
	if (f->rows.looked_us != 0)
		jout_time(j, "looked", f->rows.looked_us);
	out_row_end(&c->out);
	out_end(&c->out);
}

static void say_until(struct cli *c, const struct spread_found *f)
{
	const struct spread_judged *g = &f->judged;
	char until[CLOCK_LOCAL_MAX], changed[CLOCK_LOCAL_MAX];
	struct strbuf ttl;

	if (g->until_us == 0)
		return;
	clock_local(g->until_us, until);
	clock_local(g->changed_us, changed);
	strbuf_init(&ttl, 40);
	human_age(g->ttl_s, &ttl);
	if (g->unseen)
		out_say(&c->out, "an old answer may live until %s: no old one "
		    "was seen, %s stand for its TTL since the first clean look "
		    "(%s); `posthouse propagation set` states what is known",
		    until, strbuf_cstr(&ttl), changed);
	else
		out_say(&c->out, "an old answer may live until %s: the MX was "
		    "changed %s, its TTL was %s%s%s", until, changed,
		    strbuf_cstr(&ttl), g->stated ? ", as stated by " : "",
		    g->stated ? f->stated.who : "");
	strbuf_fini(&ttl);
}

void spread_show_domain(struct cli *c, const char *domain,
    const struct spread_found *f)
{
	const struct spread_judged *g = &f->judged;
	struct strbuf age;

	if (c->json) {
		put_domain(c, domain, f);
		return;
	}
	strbuf_init(&age, 40);
	human_age((f->facts.now_us - f->rows.looked_us) / 1000000, &age);
	out_say(&c->out, "%s: %s%s%s (%u clean, %u unknown, %u old%s%s)",
	    domain, spread_state_text(g->state), g->why[0] == '\0' ? "" : ", ",
	    g->why, g->count[SPREAD_CLEAN], g->count[SPREAD_UNKNOWN],
	    g->count[SPREAD_OLD], f->rows.looked_us == 0 ? "" : "; looked at "
	    "before ", f->rows.looked_us == 0 ? "" : strbuf_cstr(&age));
	say_until(c, f);
	strbuf_fini(&age);
}
