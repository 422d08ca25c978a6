/* SPDX-License-Identifier: ISC
 *
 * propagation: the MX of a domain as each name server gives it, and until when
 * an old one may live. The daemon asks the servers and keeps what it hears;
 * this command has it ask now, and reads. propagation set: what a person knows
 * of the change.
 */
#include "relay/base/loop.h"
#include "relay/base/mem.h"
#include "relay/cli/propagation/mx_check.h"
#include "relay/cli/propagation/propagation_commands.h"
#include "relay/cli/propagation/spread_show.h"
#include "relay/mail/domain.h"

enum { EVERY_MS = 30000, EVERY_MIN_MS = 1000 };

struct mx_following {
	struct cli *c;
	const struct conf *conf;
	const char *domain; /* in normal form */
	const char *leg;
	char *said[SPREAD_SERVERS_MAX + 1]; /* of each server, by watch */
	size_t n;
};

/* NULL, which was said: it is no domain of ours. */
static const char *own_domain(struct cli *c, const struct conf *conf,
    const char *text)
{
	struct strbuf normal;
	const char *domain = NULL;

	strbuf_init(&normal, 256);
	if (domain_normal(slice_str(text), &normal) &&
	    conf_domain(conf, strbuf_view(&normal)) != NULL)
		domain = arena_slicedup(c->arena, strbuf_view(&normal));
	else
		cli_fail(c, "%s is no domain of the configuration; `posthouse "
		    "propagation` follows those alone", text);
	strbuf_fini(&normal);
	return domain;
}

/* The daemon asks all servers now. A daemon that does not run is no reason not
 * to show what is kept. */
static int look(const struct mx_following *f)
{
	int code;

	if (cli_flag(f->c, "kept"))
		return CLI_DONE;
	code = cli_call_if_running(f->c, "propagation.look",
	    json_pack("{s:s}", "domain", f->domain), cli_append_row, NULL);
	if (code == CLI_NO_DAEMON)
		out_say(&f->c->out, "posthoused does not run: this is what it "
		    "heard before");
	return code == CLI_NO_DAEMON ? CLI_DONE : code;
}

static int find(const struct mx_following *f, struct arena *a,
    struct spread_found *out)
{
	const struct spread_asked q = {f->conf, f->domain, f->leg,
	    clock_wall_us(&clock_system)};
	struct error err;

	return spread_of(&q, a, out, &err) == 0
		   ? CLI_DONE : cli_fail(f->c, "%s", err.text);
}

/* ---- once ---------------------------------------------------------------- */

static int show(struct mx_following *f)
{
	struct spread_found *found = arena_alloc(f->c->arena, sizeof(*found));
	int code = look(f);

	if (code == CLI_DONE)
		code = find(f, f->c->arena, found);
	if (code != CLI_DONE)
		return code;
	spread_show_servers(f->c, f->domain, found);
	spread_show_domain(f->c, f->domain, found);
	code = mx_check(&(struct mx_checked){f->c, f->conf, f->domain,
	    &found->rows});
	return found->judged.state == SPREAD_CLEAN ? code : CLI_NO;
}

/* ---- --watch ------------------------------------------------------------- */

static void say_change(struct mx_following *f, const struct spread_found *found,
    size_t i, bool first)
{
	const struct spread_server *s = &found->rows.server[i];
	char now[CLOCK_LOCAL_MAX];
	struct strbuf text;
	const char *why;
	enum spread_state state = spread_server_state(&found->facts, s, &why);

	strbuf_init(&text, SPREAD_MX_BYTES + 512);
	strbuf_addf(&text, "%s %s %s: %s%s%s ", spread_kind_text(s->kind),
	    s->name, s->address, spread_state_text(state),
	    why[0] == '\0' ? "" : ", ", why);
	spread_mx_text(s, &found->rows.detail[i], &text);
	if (f->said[i] == NULL || strcmp(f->said[i], strbuf_cstr(&text)) != 0) {
		clock_local(found->facts.now_us, now);
		out_say(&f->c->out, "%s %s%s", now, first ? "" : "changed: ",
		    strbuf_cstr(&text));
		mem_free(f->said[i]);
		f->said[i] = mem_strdup(strbuf_cstr(&text));
	}
	strbuf_fini(&text);
}

/* Servers that are new or gone move the others: all are said again. */
static void forget_said(struct mx_following *f)
{
	for (size_t i = 0; i <= SPREAD_SERVERS_MAX; i++) {
		mem_free(f->said[i]);
		f->said[i] = NULL;
	}
}

static int watch_once(struct mx_following *f, bool first, bool *clean_out)
{
	struct arena *a = arena_new();
	struct spread_found *found = arena_alloc(a, sizeof(*found));
	int code = look(f);

	if (code == CLI_DONE)
		code = find(f, a, found);
	if (code == CLI_DONE) {
		if (found->rows.n != f->n)
			forget_said(f);
		f->n = found->rows.n;
		for (size_t i = 0; i < found->rows.n; i++)
			say_change(f, found, i, first);
		*clean_out = found->judged.state == SPREAD_CLEAN;
		if (first || *clean_out)
			spread_show_domain(f->c, f->domain, found);
		fflush(f->c->out.to);
	}
	arena_free(a);
	return code;
}

static void on_timer(void *arg)
{
	*(bool *)arg = true;
}

static void wait_ms(int64_t ms)
{
	struct loop *l = loop_new(&clock_system);
	struct timer t;
	bool over = false;

	timer_init(&t, l, on_timer, &over);
	timer_set(&t, ms);
	while (!over)
		loop_once(l, (int)ms);
	timer_fini(&t);
	loop_free(l);
}

/* Until it is clean. */
static int watch(struct mx_following *f, int64_t every_ms)
{
	bool clean = false;
	int code = watch_once(f, true, &clean);

	while (code == CLI_DONE && !clean) {
		wait_ms(every_ms);
		code = watch_once(f, false, &clean);
	}
	forget_said(f);
	return code;
}

/* ---- the commands -------------------------------------------------------- */

static int run_propagation(struct cli *c)
{
	const char *every = cli_value(c, "every"), *leg = cli_value(c, "leg");
	struct mx_following f = {.c = c, .conf = cli_conf(c), .leg = leg};
	const struct conf_verdict *v;
	int64_t us = EVERY_MS * INT64_C(1000);

	if (f.conf == NULL)
		return CLI_NO;
	if (every != NULL && (clock_duration(slice_str(every), &us) < 0 ||
				 us < EVERY_MIN_MS * INT64_C(1000)))
		return cli_usage(c, "--every %s: write a time of a second or "
		    "more, such as 30s", every);
	if (leg != NULL && conf_leg_by_name(f.conf, slice_str(leg)) == NULL)
		return cli_fail(c, "no leg is called \"%s\"; see `posthouse "
		    "leg list`", leg);
	v = conf_verdict(f.conf, SLICE(""));
	if (leg == NULL && v != NULL)
		f.leg = v->leg;
	f.domain = own_domain(c, f.conf, c->arg[0]);
	if (f.domain == NULL)
		return CLI_NO;
	return cli_flag(c, "watch") ? watch(&f, us / 1000) : show(&f);
}

static int take_times(struct cli *c, struct spread_stated *out)
{
	const char *ttl = cli_value(c, "old-ttl");
	const char *changed = cli_value(c, "changed");
	int64_t now_us = clock_wall_us(&clock_system), us;

	if (ttl == NULL || changed == NULL || cli_value(c, "note") == NULL)
		return cli_usage(c, "it wants --old-ttl T, --changed TIME and "
		    "--note TEXT: how that is known");
	if (clock_duration(slice_str(ttl), &us) < 0 ||
	    us / 1000000 > SPREAD_TTL_MAX_S)
		return cli_usage(c, "--old-ttl %s: write a time such as 1d, at "
		    "most 68 years (RFC 2181 8)", ttl);
	out->ttl_s = (uint32_t)(us / 1000000);
	if (clock_parse(slice_str(changed), now_us, &out->changed_us) < 0)
		return cli_usage(c, "--changed %s: write a time such as "
		    "2026-11-22T20:00:00Z, or -2d", changed);
	if (out->changed_us > now_us || out->changed_us <= 0)
		return cli_usage(c, "--changed %s is not past", changed);
	return CLI_DONE;
}

static int run_set(struct cli *c)
{
	const struct conf *conf = cli_conf(c);
	struct stated s = {.who = c->who, .host = c->host,
	    .command = "propagation set", .note = cli_value(c, "note"),
	    .time_us = clock_wall_us(&clock_system)};
	char changed[CLOCK_LOCAL_MAX];
	struct error err;
	int code;

	if (conf == NULL)
		return CLI_NO;
	code = take_times(c, &s.what);
	if (code != CLI_DONE)
		return code;
	s.domain = own_domain(c, conf, c->arg[0]);
	if (s.domain == NULL)
		return CLI_NO;
	if (stated_put(conf->table.path, &s, &err) < 0)
		return cli_fail(c, "%s", err.text);
	clock_local(s.what.changed_us, changed);
	out_say(&c->out, "%s: the MX was changed %s, its TTL was %s, as stated "
	    "by %s", s.domain, changed, cli_value(c, "old-ttl"), s.who);
	return CLI_DONE;
}

static const struct cli_option options[] = {
	{"leg", "L", "The leg that is left; without it that of the verdict "
		"without a name, else each."},
	{"kept", NULL, "What the daemon heard last; nothing is asked."},
	{"watch", NULL, "Asks again and again, and tells each change, until "
		"all is clean."},
	{"every", "T", "How often, with --watch; 30s."},
	{NULL, NULL, NULL},
};

static const struct cli_option set_options[] = {
	{"old-ttl", "T", "The largest TTL on the way to the old MX: of the MX, "
		"of its address, of the delegation."},
	{"changed", "TIME", "When the last name server had the new MX."},
	{"note", "TEXT", "How that is known, kept with the decision."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_propagation[] = {
	/* The first whose words fit is taken. */
	{.name = "propagation set", .args = "DOMAIN",
	    .summary = "States when the MX of a domain was changed, and the "
		       "TTL of before",
	    .details = "For a change that was made before the daemon could see "
		"it. It is shown as stated,\nand never shortens what was "
		"seen.",
	    .example = "posthouse propagation set example.com --old-ttl 1d "
		       "--changed 2026-11-22T20:00:00Z --note 'zone file of "
		       "before'",
	    .options = set_options, .min_args = 1, .max_args = 1,
	    .run = run_set},
	{.name = "propagation", .args = "DOMAIN",
	    .summary = "Where the MX of a domain leads, by each name server",
	    .details = "Each resolver, each name server of the zone by each "
		"address, the delegation of the\nzone above, and servers of "
		"before; until when an old answer may live; and of the "
		"MX\nnames that lead to us the certificate, TLSA records and "
		"MTA-STS. Exit 0 only if all\nis clean (doc/propagation.md).",
	    .example = "posthouse propagation example.com\n"
		       "posthouse propagation example.com --watch",
	    .options = options, .min_args = 1, .max_args = 1,
	    .run = run_propagation},
	{.name = NULL},
};
