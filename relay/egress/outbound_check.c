/* SPDX-License-Identifier: ISC
 *
 * See outbound_check.h. Each own domain, and the domains of srs and return, is
 * judged over each egress in use as mail of its postmaster would be.
 */
#include "relay/egress/outbound_check.h"

#include "relay/base/mem.h"
#include "relay/egress/egress_judge.h"
#include "relay/egress/egress_text.h"
#include "relay/egress/outbound_hosts.h"

enum { LINE_MAX_BYTES = 2048, BOUNCE_DOMAINS = 2 };

enum check_kind { CHECK_RECORD, CHECK_MX, CHECK_NAME };

struct check_task {
	enum check_kind kind;
	const char *domain;
	const struct conf_leg *egress;
};

struct read_record {
	const char *domain;
	unsigned lookups;
	bool silent; /* it has ?all: it says nothing of others */
};

struct outbound_check {
	struct outbound_check_config c;
	struct conf *conf; /* the same, counted */
	struct defer next;
	struct check_task *task; /* one after the other */
	int tasks, at;
	unsigned warnings;
	struct outbound_hosts *hosts;
	/* The record that is looked at. */
	struct egress_judge *judge;
	struct egress_question *question;
	struct spf_wait wait;
	struct read_record record;
	struct strbuf sender;
};

static void warn(void *arg, const char *line)
{
	struct outbound_check *k = arg;

	k->warnings++;
	k->c.warn(k->c.arg, line);
}

/* ---- records of SPF ------------------------------------------------------ */

/* The terms of all egresses in use: "ip4:192.0.2.1/32 include:x.example". */
static void add_terms(const struct conf *c, struct strbuf *out)
{
	for (int i = 0; i < c->outbound.ways; i++) {
		if (i > 0)
			strbuf_addc(out, ' ');
		egress_add_term(&c->leg[c->outbound.way[i]], out);
	}
}

/* Says it of the record as a whole. False: its verdicts say more. */
static bool say_whole(const struct outbound_check *k, const char *domain,
    enum spf_result result, struct strbuf *out)
{
	switch (result) {
	case SPF_NONE:
		strbuf_addf(out, "%s has no SPF record, so receivers cannot "
		    "tell its mail from forged mail; add a TXT record "
		    "\"v=spf1 ", domain);
		add_terms(k->c.conf, out);
		strbuf_adds(out, " ~all\"");
		return true;
	case SPF_PERMERROR:
		strbuf_addf(out, "the SPF record of %s is in error, which "
		    "receivers take for a failure; posthouse spf check says "
		    "where", domain);
		return true;
	case SPF_TEMPERROR:
		strbuf_addf(out, "the SPF record of %s cannot be read now; "
		    "check again when the DNS answers", domain);
		return true;
	default:
		return false;
	}
}

static void say_way(const struct outbound_check *k, const char *domain,
    const struct egress_verdict *v, struct strbuf *out)
{
	const struct conf_leg *leg = conf_leg_by_id(k->c.conf, v->leg);

	strbuf_addf(out, "the SPF record of %s says %s of egress \"%s\" (%s); "
	    "add ", domain, spf_result_text(v->result), leg->name,
	    v->mechanism);
	egress_add_term(leg, out);
	strbuf_adds(out, " to it");
}

static void say_verdicts(struct outbound_check *k, const char *domain,
    const struct egress_judged *judged)
{
	struct strbuf line;
	bool whole = false;

	for (unsigned i = 0; i < judged->n && !whole; i++) {
		if (judged->way[i].result == SPF_PASS)
			continue;
		strbuf_init(&line, LINE_MAX_BYTES);
		whole = say_whole(k, domain, judged->way[i].result, &line);
		if (!whole)
			say_way(k, domain, &judged->way[i], &line);
		warn(k, strbuf_cstr(&line));
		strbuf_fini(&line);
	}
}

/* ---- what a record costs ------------------------------------------------- */

static bool has_term(struct slice record, struct slice term)
{
	struct slice word;

	while (slice_next(&record, ' ', &word))
		if (slice_case_eq(word, term))
			return true;
	return slice_case_eq(record, term);
}

static void take_record(struct read_record *r, const struct spf_checked *found)
{
	r->lookups = found->verdict.lookups;
	for (int i = 0; i < found->reads; i++)
		if (slice_case_eq(found->read[i].name, slice_str(r->domain)))
			r->silent |= has_term(found->read[i].record,
			    SLICE("?all"));
}

static void say_cost(struct outbound_check *k, const struct read_record *r)
{
	struct strbuf line;

	if (r->lookups <= OUTBOUND_CHECK_LOOKUPS)
		return;
	strbuf_init(&line, LINE_MAX_BYTES);
	strbuf_addf(&line, "the SPF record of %s needs %u lookups, and over 10 "
	    "receivers take it for an error (RFC 7208 4.6.4); write addresses "
	    "(ip4:, ip6:) instead of names until it needs %d at most",
	    r->domain, r->lookups, OUTBOUND_CHECK_LOOKUPS);
	warn(k, strbuf_cstr(&line));
	strbuf_fini(&line);
}

/* It judges a copy by the true client, which no record of ours lists. */
static void say_strict(struct outbound_check *k, const struct read_record *r)
{
	struct strbuf line;

	for (int i = 0; i < k->c.conf->legs && !r->silent; i++) {
		const struct conf_leg *leg = &k->c.conf->leg[i];

		if (strcmp(r->domain, k->c.conf->ret.domain) != 0 ||
		    !leg_looks_through(leg))
			continue;
		strbuf_init(&line, LINE_MAX_BYTES);
		strbuf_addf(&line, "leg \"%s\" looks through us, so it judges "
		    "copies from return addresses at %s by the client's "
		    "address; add ?all as the last term of its SPF record",
		    leg->name, r->domain);
		warn(k, strbuf_cstr(&line));
		strbuf_fini(&line);
	}
}

/* ---- one after the other ------------------------------------------------- */

/* From the loop: what called may be in the middle of an object of ours. */
static void end_task(struct outbound_check *k)
{
	k->at++;
	loop_defer(k->c.loop, &k->next);
}

static void end_record(struct outbound_check *k,
    const struct spf_checked *found)
{
	take_record(&k->record, found);
	say_cost(k, &k->record);
	say_strict(k, &k->record);
}

static void on_read(void *arg, const struct spf_checked *found)
{
	struct outbound_check *k = arg;

	end_record(k, found);
	end_task(k);
}

/* A client of no network (RFC 1112 4) has each term of the record evaluated.
 * False: it waits. */
static bool read_record(struct outbound_check *k)
{
	struct netaddr nowhere;
	struct spf_subject s = {.client = &nowhere, .ours = true,
	    .helo = slice_str(k->c.conf->hostname),
	    .sender = strbuf_view(&k->sender)};
	const struct spf_checked *found;

	if (netaddr_parse(&nowhere, SLICE("240.0.0.1"), 0) != 0)
		return true;
	found = spf_check(k->c.checker, &s, &k->wait);
	if (found == NULL)
		return false;
	end_record(k, found);
	return true;
}

static void on_judged(void *arg, const struct egress_judged *judged)
{
	struct outbound_check *k = arg;

	k->question = NULL;
	say_verdicts(k, k->record.domain, judged);
	if (read_record(k))
		end_task(k);
}

static bool begin_record(struct outbound_check *k, const char *domain)
{
	struct egress_subject s = {.conf = k->c.conf};
	const struct egress_judged *judged;
	const char *why;

	k->record = (struct read_record){.domain = domain};
	strbuf_reset(&k->sender);
	strbuf_addf(&k->sender, "postmaster@%s", domain);
	if (addr_parse(strbuf_view(&k->sender), true, &s.from, &why) != 0)
		return true;
	judged = egress_judge(k->judge, &s, on_judged, k, &k->question);
	if (judged == NULL)
		return false;
	say_verdicts(k, domain, judged);
	return read_record(k);
}

/* False: it waits, and goes on by itself. */
static bool begin_task(struct outbound_check *k, const struct check_task *t)
{
	switch (t->kind) {
	case CHECK_RECORD:
		return begin_record(k, t->domain);
	case CHECK_MX:
		outbound_hosts_mx(k->hosts, t->domain);
		return false;
	case CHECK_NAME:
		outbound_hosts_name(k->hosts, t->egress);
		return false;
	}
	return true;
}

static void on_hosts(void *arg)
{
	end_task(arg);
}

static void go_on(void *arg)
{
	struct outbound_check *k = arg;
	struct outbound_check_config c = k->c;
	unsigned warnings;

	for (; k->at < k->tasks; k->at++)
		if (!begin_task(k, &k->task[k->at]))
			return;
	warnings = k->warnings;
	outbound_check_cancel(k);
	c.done(c.arg, warnings);
}

static void add_task(struct outbound_check *k, enum check_kind kind,
    const char *domain, const struct conf_leg *egress)
{
	k->task[k->tasks++] = (struct check_task){kind, domain, egress};
}

static void add_tasks(struct outbound_check *k)
{
	const struct conf *c = k->c.conf;
	const char *for_bounces[BOUNCE_DOMAINS] = {c->srs.domain,
	    c->ret.domain};

	k->task = mem_new(sizeof(*k->task) * (size_t)(c->domains +
		2 * BOUNCE_DOMAINS + c->outbound.ways));
	for (int i = 0; i < c->domains && c->outbound.ways > 0; i++)
		add_task(k, CHECK_RECORD, c->domain[i].name, NULL);
	for (int i = 0; i < BOUNCE_DOMAINS; i++) {
		if (for_bounces[i][0] == '\0')
			continue;
		if (c->outbound.ways > 0)
			add_task(k, CHECK_RECORD, for_bounces[i], NULL);
		add_task(k, CHECK_MX, for_bounces[i], NULL);
	}
	for (int i = 0; i < c->outbound.ways; i++)
		add_task(k, CHECK_NAME, NULL, &c->leg[c->outbound.way[i]]);
}

struct outbound_check *outbound_check_begin(
    const struct outbound_check_config *config)
{
	struct outbound_check *k = NEW(struct outbound_check);
	struct outbound_hosts_config hosts = {config->loop, config->dns,
	    config->conf, warn, on_hosts, k};

	k->c = *config;
	k->conf = conf_ref((struct conf *)config->conf);
	k->judge = egress_judge_new(k->c.loop, k->c.dns, k->c.checker);
	k->hosts = outbound_hosts_new(&hosts);
	k->wait.done = on_read;
	k->wait.arg = k;
	list_node_init(&k->wait.node);
	strbuf_init(&k->sender, ADDR_MAX);
	add_tasks(k);
	defer_init(&k->next, go_on, k);
	loop_defer(k->c.loop, &k->next);
	return k;
}

void outbound_check_cancel(struct outbound_check *k)
{
	if (k == NULL)
		return;
	defer_cancel(&k->next);
	spf_check_cancel(&k->wait);
	egress_forget(k->question);
	egress_judge_free(k->judge);
	outbound_hosts_free(k->hosts);
	conf_unref(k->conf);
	strbuf_fini(&k->sender);
	mem_free(k->task);
	mem_free(k);
}

/* ---- without a loop ------------------------------------------------------ */

struct check_alone {
	void (*warn)(void *arg, const char *line);
	void *arg;
	unsigned warnings;
	bool done;
};

static void tell(void *arg, const char *line)
{
	struct check_alone *a = arg;

	a->warn(a->arg, line);
}

static void on_done(void *arg, unsigned warnings)
{
	struct check_alone *a = arg;

	a->warnings = warnings;
	a->done = true;
}

unsigned outbound_check(struct spf_alone *o, const struct conf *c,
    void (*say)(void *arg, const char *line), void *arg)
{
	struct check_alone a = {.warn = say, .arg = arg};
	struct outbound_check_config config = {spf_alone_loop(o),
	    spf_alone_dns(o), spf_alone_checker(o), c, tell, on_done, &a};

	outbound_check_begin(&config);
	spf_alone_wait(o, &a.done);
	return a.warnings;
}
