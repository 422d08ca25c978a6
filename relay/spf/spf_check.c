/* SPDX-License-Identifier: ISC
 *
 * Checks of SPF on a worker's loop (RFC 7208 4).
 *
 * A round is one question to the helper and all questions to the DNS that its
 * reply wants, side by side. The first of all, the record of the domain, is
 * asked for without asking the helper.
 */
#include "relay/spf/spf_check.h"

#include "relay/base/assert.h"
#include "relay/spf/spf_check_int.h"
#include "relay/spf/spf_helper.h"

enum {
	/* Under way; beyond, a temperror at once. Those of our ways out, many
	 * for each message, leave room for mail that comes in. */
	CHECKS_MAX = 2000,
	OURS_MAX = CHECKS_MAX / 2,
	OWN_BYTES = 16 << 20, /* of verdicts that are not shared */
	CLIENTS_MAX = 16384, /* whose questions are counted */
	TTL_MIN_MS = 1000, /* as the DNS cache keeps an answer */
};

static const char client_too_much[] =
    "too many questions to the DNS for one client";
static const struct spf_checked nothing = {.verdict = {.result = SPF_NONE}};

struct spf_checker *spf_checker_new(struct loop *l, struct dns *dns,
    struct spf_helper *helper, struct shared_verdicts *verdicts)
{
	struct spf_checker *c = NEW(struct spf_checker);

	c->loop = l;
	c->dns = dns;
	c->helper = helper;
	if (verdicts == NULL)
		verdicts = c->own = shared_verdicts_new(OWN_BYTES);
	c->verdicts = verdicts;
	c->rate = query_rate_new(SPF_CLIENT_MAX, CLIENTS_MAX);
	return c;
}

void spf_checker_forget(struct spf_checker *c, uint64_t epoch)
{
	PH_ASSERT(epoch > c->epoch);
	c->epoch = epoch;
}

bool spf_checker_evaluates(const struct spf_checker *c)
{
	return c->helper != NULL;
}

const struct spf_check_counts *spf_check_counts(const struct spf_checker *c)
{
	return &c->counts;
}

/* ---- the life of a check ---- */

static struct slice arena_slice(struct arena *a, struct slice s)
{
	return slice_of(arena_slicedup(a, s), s.n);
}

static void on_limit(void *arg);

static struct spf_run *run_new(struct spf_checker *c,
    const struct spf_subject *s, const struct spf_identity *i,
    struct slice key)
{
	struct arena *a = arena_new();
	struct spf_run *r = arena_alloc(a, sizeof(*r));

	r->arena = a;
	r->checker = c;
	r->client = *s->client;
	r->ours = s->ours;
	r->explain = s->explain;
	r->epoch = c->epoch;
	r->id = *i;
	r->id.helo = arena_slice(a, i->helo);
	r->id.local = arena_slice(a, i->local);
	r->key = arena_slice(a, key);
	r->ttl_ms = SPF_TTL_MAX_MS;
	list_init(&r->waits);
	strbuf_init(&r->answers, SPF_FRAME_MAX);
	timer_init(&r->limit, c->loop, on_limit, r);
	timer_set(&r->limit, SPF_CHECK_MS);
	HASH_ADD_KEYPTR(hh, c->runs, r->key.p, r->key.n, r);
	c->ours += r->ours;
	return r;
}

/* Ends all that the check waits for; its memory stays. */
static void run_stop(struct spf_run *r)
{
	HASH_DEL(r->checker->runs, r);
	r->checker->ours -= r->ours;
	timer_fini(&r->limit);
	spf_helper_cancel(&r->ask);
	for (int i = 0; i < r->questions; i++)
		dns_cancel(r->question[i].query);
	strbuf_fini(&r->answers);
}

void spf_checker_free(struct spf_checker *c)
{
	struct spf_run *r, *next;

	if (c == NULL)
		return;
	HASH_ITER(hh, c->runs, r, next) {
		while (!list_empty(&r->waits))
			list_remove(r->waits.next);
		run_stop(r);
		arena_free(r->arena);
	}
	shared_verdicts_free(c->own);
	verdict_copy_fini(&c->copy);
	query_rate_free(c->rate);
	mem_free(c);
}

static void count(struct spf_checker *c, const struct spf_verdict *v)
{
	if (v->result == SPF_TEMPERROR)
		atomic_fetch_add(&c->counts.temperrors, 1);
}

/* An asker that is told may begin another check, or end others. */
static void finish(struct spf_run *r, struct spf_checked *checked)
{
	struct spf_wait *w;

	run_stop(r);
	checked->of_helo = r->id.of_helo;
	checked->queries = r->questions;
	checked->rounds = r->rounds;
	while ((w = LIST_FIRST(&r->waits, struct spf_wait, node)) != NULL) {
		list_remove(&w->node);
		count(r->checker, &checked->verdict);
		w->done(w->arg, checked);
	}
	arena_free(r->arena);
}

/* An error that the helper did not find. A temperror of ours says nothing about
 * the domain, so it is not kept. */
static void fail(struct spf_run *r, enum spf_result result,
    const char *problem)
{
	struct spf_checked checked = {.verdict = {.result = result,
	    .problem = slice_str(problem)}};

	finish(r, &checked);
}

static void keep(struct spf_run *r, const struct spf_verdict *v,
    unsigned used, bool unasked)
{
	struct verdict_found found = {v, used, r->ttl_ms, unasked};
	struct verdict_now now = {r->epoch, loop_now_ms(r->checker->loop)};

	if (v->result == SPF_TEMPERROR)
		found.ttl_ms = SPF_TTL_ERROR_MS;
	shared_verdicts_put(r->checker->verdicts, &now, &r->id, &found);
}

static void on_limit(void *arg)
{
	struct spf_run *r = arg;
	struct spf_checked checked = {.verdict = {.result = SPF_TEMPERROR,
	    .problem = SLICE("the check took too long")}};

	/* It would take as long again. */
	keep(r, &checked.verdict, SPF_USED_HELO | SPF_USED_LOCAL, false);
	finish(r, &checked);
}

/* ---- a round ---- */

static void on_verdict(void *arg, const struct slice *body);

/* Gives the helper all that is known. False: it is more than a frame takes. */
static bool evaluate(struct spf_run *r)
{
	struct spf_request q;
	struct strbuf frame;
	bool ok;

	q.client = slice_of(r->id.ip, r->id.ip_n);
	q.helo = r->id.helo;
	q.local = r->id.local;
	q.domain = spf_identity_domain(&r->id);
	q.answers = r->questions;
	q.others = r->others;
	for (int i = 0; i < r->others; i++)
		q.other[i] = r->other[i];
	strbuf_init(&frame, SPF_FRAME_MAX);
	spf_request_pack(&frame, &q, &r->answers);
	ok = strbuf_ok(&frame);
	r->rounds++;
	if (ok)
		r->ask = spf_helper_ask(r->checker->helper,
		    strbuf_view(&frame), r->id.domain, on_verdict, r);
	strbuf_fini(&frame);
	return ok;
}

/* Goes on when all answers of the round are there. */
static void next_round(struct spf_run *r)
{
	if (r->open == 0 && !evaluate(r))
		fail(r, SPF_PERMERROR, "the records are too large");
}

static void on_answer(void *arg, const struct dns_answer *a)
{
	struct run_question *q = arg;
	struct spf_run *r = q->run;
	int64_t left_ms = dns_left_ms(r->checker->dns, a->type, q->name.p);

	q->query = NULL;
	r->open--;
	left_ms = left_ms < TTL_MIN_MS ? TTL_MIN_MS : left_ms;
	if (a->status != DNS_FAILED && left_ms < r->ttl_ms)
		r->ttl_ms = left_ms;
	spf_answer_keep(q, a);
	next_round(r);
}

/* False: the client has asked for too much. */
static bool ask(struct spf_run *r, enum spf_type type, struct slice name)
{
	struct spf_checker *c = r->checker;
	struct run_question *q = &r->question[r->questions];
	enum dns_type of = (enum dns_type)type;

	q->run = r;
	q->type = type;
	q->name = arena_slice(r->arena, name); /* with a NUL behind it */
	if (!r->ours && !dns_known(c->dns, of, q->name.p) &&
	    !query_rate_take(c->rate, &r->client, loop_now_ms(c->loop)))
		return false;
	r->questions++;
	r->open++;
	q->query = dns_ask(c->dns, of, q->name.p, on_answer, q);
	return true;
}

static bool was_asked(const struct spf_run *r, const struct spf_question *q)
{
	for (int i = 0; i < r->questions; i++)
		if (r->question[i].type == q->type &&
		    slice_eq(r->question[i].name, q->name))
			return true;
	return false;
}

/* The DNS cannot be asked for a NUL; no domain name that means something has
 * one. */
static bool is_strange(const struct spf_question *q)
{
	return slice_find(q->name, '\0') >= 0;
}

/* Asks for what the helper wants. NULL, or why there is no sense in it. */
static const char *ask_all(struct spf_run *r, const struct spf_reply *reply)
{
	for (int i = 0; i < reply->questions; i++) {
		const struct spf_question *q = &reply->question[i];

		if (is_strange(q) || r->questions == SPF_QUESTIONS_MAX)
			return "the check asks for too much";
		if (!was_asked(r, q) && !ask(r, q->type, q->name))
			return client_too_much;
	}
	return r->open > 0 ? NULL : "the check comes to no end";
}

static void conclude(struct spf_run *r, const struct spf_reply *reply)
{
	struct spf_checked checked = {.verdict = reply->verdict};

	for (int i = 0; i < reply->reads; i++)
		checked.read[checked.reads++] = (struct spf_read){
		    reply->read[i], spf_record_of(r, reply->read[i])};
	keep(r, &reply->verdict, reply->used, reply->questions > 0);
	spf_others_keep(r, reply);
	finish(r, &checked);
}

static void on_verdict(void *arg, const struct slice *body)
{
	struct spf_run *r = arg;
	struct spf_reply reply;
	const char *why;
	bool failed;

	r->ask = NULL;
	if (body == NULL) {
		fail(r, SPF_TEMPERROR, "the evaluation failed");
		return;
	}
	if (spf_reply_unpack(*body, &reply, &why) < 0) {
		fail(r, SPF_TEMPERROR, why);
		return;
	}
	failed = reply.verdict.result == SPF_FAIL;
	if (reply.questions == 0 || (failed && !r->explain)) {
		conclude(r, &reply);
		return;
	}
	why = r->rounds < SPF_ROUNDS_MAX ? ask_all(r, &reply)
					 : "the check comes to no end";
	/* A fail stands, explained or not. */
	if (why != NULL && failed)
		conclude(r, &reply);
	else if (why != NULL)
		fail(r, SPF_TEMPERROR, why);
}

/* ---- asked by a session ---- */

/* All that a verdict may depend on. */
static void run_key(const struct spf_subject *s, const struct spf_identity *i,
    struct strbuf *out)
{
	strbuf_addc(out, (char)(i->ip_n << 3 | (unsigned)i->of_helo << 2 |
	    (unsigned)s->explain << 1 | (unsigned)s->ours));
	strbuf_add(out, i->ip, i->ip_n);
	strbuf_addsl(out, spf_identity_domain(i));
	strbuf_addc(out, '\0');
	strbuf_addsl(out, i->helo);
	strbuf_addc(out, '\0');
	strbuf_addsl(out, i->local);
}

/* A temperror at once. */
static const struct spf_checked *refuse(struct spf_checker *c,
    const struct spf_identity *i, const char *problem)
{
	c->known = (struct spf_checked){.of_helo = i->of_helo,
	    .verdict = {.result = SPF_TEMPERROR,
		.problem = slice_str(problem)}};
	count(c, &c->known.verdict);
	return &c->known;
}

/* A new check, and its first question. NULL: *problem_out says why none. */
static struct spf_run *begin(struct spf_checker *c,
    const struct spf_subject *s, const struct spf_identity *i,
    const struct strbuf *key, const char **problem_out)
{
	struct spf_run *r;

	*problem_out = "there is no program that evaluates";
	if (c->helper == NULL)
		return NULL;
	*problem_out = "too many checks are under way";
	if (HASH_COUNT(c->runs) >= CHECKS_MAX ||
	    (s->ours && c->ours >= OURS_MAX) || !strbuf_ok(key))
		return NULL;
	r = run_new(c, s, i, strbuf_view(key));
	spf_others_find(r, s->legs);
	if (ask(r, SPF_TYPE_TXT, spf_identity_domain(i)))
		return r;
	*problem_out = client_too_much;
	run_stop(r);
	arena_free(r->arena);
	return NULL;
}

/* Waits for the same check that is under way, or for a new one. */
static const struct spf_checked *join(struct spf_checker *c,
    const struct spf_subject *s, const struct spf_identity *i,
    struct spf_wait *wait)
{
	const char *problem = NULL;
	struct strbuf key;
	struct spf_run *r;

	strbuf_init(&key, SPF_FRAME_MAX);
	run_key(s, i, &key);
	HASH_FIND(hh, c->runs, key.p, key.n, r);
	if (r != NULL)
		atomic_fetch_add(&c->counts.cached, 1);
	else
		r = begin(c, s, i, &key, &problem);
	strbuf_fini(&key);
	if (r == NULL)
		return refuse(c, i, problem);
	list_push_back(&r->waits, &wait->node);
	return NULL;
}

const struct spf_checked *spf_check(struct spf_checker *c,
    const struct spf_subject *s, struct spf_wait *wait)
{
	struct verdict_now now = {c->epoch, loop_now_ms(c->loop)};
	struct spf_identity i;

	list_node_init(&wait->node);
	if (!spf_identity_make(s, &i))
		return &nothing;
	atomic_fetch_add(&c->counts.checks, 1);
	if (!shared_verdicts_find(c->verdicts, &now, &i, s->explain, &c->copy))
		return join(c, s, &i, wait);
	atomic_fetch_add(&c->counts.cached, 1);
	count(c, &c->copy.verdict);
	c->known = (struct spf_checked){.verdict = c->copy.verdict,
	    .cached = true, .of_helo = i.of_helo};
	return &c->known;
}

void spf_check_cancel(struct spf_wait *wait)
{
	list_remove(&wait->node);
}
