/* SPDX-License-Identifier: ISC
 *
 * Asking a leg about a recipient. One question for all sessions of a worker
 * that want to know the same; it lives until the client has reported it, also
 * when nobody waits any more. A worker's loop.
 */
#include "relay/daemon/ask.h"

#include <stdio.h>

#include "policy/reply_class.h"
#include "relay/base/hash.h"
#include "relay/base/log.h"
#include "relay/daemon/askcache.h"
#include "relay/mail/domain.h"

enum {
	QUESTIONS_MAX = 200, /* of a worker: beyond, there is no answer    */
	LOOK_MS = 20,	     /* for a connection, and for who is late      */
	QUIET_MS = 10000,    /* a silent leg is left alone so long         */
	HOUR_MS = 3600 * 1000,
};

struct question {
	struct list node; /* in asker.queued or .sent */
	struct asker *asker;
	struct list waits; /* struct ask_wait */
	struct ask_key key;
	uint64_t era;
	bool of_domain; /* about a name that nobody has: who is taken? */
	bool late;	/* who waited has given up */
	bool again;	/* it is put for the second time */
	int64_t until_ms;
	struct live *live;
	struct arena *arena;
	struct client_request req;
	struct client_rcpt rcpt;
};

struct asker {
	struct worker *w;
	struct list queued, sent; /* oldest first */
	unsigned count, busy;
	struct timer look;
	bool draining;
	bool had_turn[NAMES_MAX]; /* the last free connection */
};

/* ---- questions ---- */

static struct askcache *cache(const struct asker *a)
{
	return a->w->app->asked;
}

static struct question *question_new(struct asker *a,
    const struct ask_key *k)
{
	struct question *q = NEW(struct question);

	q->asker = a;
	q->key = *k;
	q->era = askcache_era(cache(a));
	q->live = live_ref(a->w->live);
	q->until_ms = loop_now_ms(a->w->loop) +
		      q->live->conf->probe.timeout_ms;
	q->arena = arena_new();
	list_init(&q->waits);
	list_push_back(&a->queued, &q->node);
	a->count++;
	if (!a->look.set)
		timer_set(&a->look, LOOK_MS);
	return q;
}

static void question_free(struct question *q)
{
	list_remove(&q->node);
	q->asker->count--;
	live_unref(q->live);
	arena_free(q->arena);
	mem_free(q);
}

static struct question *find_in(struct list *l, const struct ask_key *k)
{
	list_each(n, l) {
		struct question *q = LIST_ENTRY(n, struct question, node);

		if (q->key.leg == k->leg && q->key.whole == k->whole)
			return q;
	}
	return NULL;
}

static struct question *find(struct asker *a, const struct ask_key *k)
{
	struct question *q = find_in(&a->queued, k);

	return q != NULL ? q : find_in(&a->sent, k);
}

/* Who is told may ask the next thing, or go away with others: the list is
 * never walked. */
static void tell(struct question *q, enum ask_answer answer)
{
	struct ask_wait *wait;

	while ((wait = LIST_FIRST(&q->waits, struct ask_wait, node)) != NULL) {
		list_remove(&wait->node);
		wait->done(wait->arg, answer);
	}
}

static void fill(struct question *q, const char *address, bool utf8,
    void (*done)(void *arg, struct client_request *r))
{
	struct client_request *r = &q->req;

	q->rcpt = (struct client_rcpt){.address = address, .orcpt = ""};
	r->conf = q->live->conf;
	r->leg = conf_leg_by_id(q->live->conf, q->key.leg);
	r->from = r->envid = "";
	r->ask = true;
	r->utf8 = utf8;
	r->rcpt = &q->rcpt;
	r->rcpts = 1;
	r->arena = q->arena;
	r->done = done;
	r->arg = q;
}

static bool start(struct question *q);

/* ---- what the leg says ---- */

static enum ask_answer answer_of(struct question *q)
{
	struct result *r = &q->rcpt.result;

	(void)reply_classify(q->req.leg->replies, r);
	if (strcmp(r->stage, "rcpt") != 0 || r->code == 0)
		return ASK_NO_ANSWER;
	if (r->outcome == OUT_DELIVERED)
		return ASK_YES;
	return r->outcome == OUT_FAILED && r->code >= 500 &&
		       r->class == CLASS_RECIPIENT
		   ? ASK_NO : ASK_NO_ANSWER;
}

/* Did the leg, whatever it said, answer? */
static void note_silence(struct question *q)
{
	const struct result *r = &q->rcpt.result;

	if (r->code != 0)
		askcache_answered(cache(q->asker), q->key.leg);
	else if (r->class == CLASS_NETWORK && !q->late)
		askcache_silent(cache(q->asker), q->key.leg, QUIET_MS);
}

static uint64_t hash_of(struct slice key)
{
	return hash_slice(key) | 1;
}

/* "@domain" of the address, folded, and its key. */
static bool domain_key(const char *address, int leg, char out[ADDR_MAX + 1],
    struct ask_key *k)
{
	struct strbuf b;
	struct addr a;
	const char *why;
	bool ok;

	strbuf_init(&b, ADDR_MAX);
	strbuf_addc(&b, '@');
	ok = addr_parse(slice_str(address), true, &a, &why) == 0 &&
	     domain_normal(a.domain, &b) && strbuf_ok(&b);
	if (ok)
		snprintf(out, ADDR_MAX + 1, "%s", strbuf_cstr(&b));
	k->leg = leg;
	k->base = k->whole = hash_of(strbuf_view(&b));
	strbuf_fini(&b);
	return ok;
}

static void on_stranger(void *arg, struct client_request *r);

/* The leg took somebody: does it take a name that nobody has, too? Then its
 * yes means nothing, and it is not asked for an hour. */
static void ask_stranger(struct question *about, const char *domain,
    const struct ask_key *k)
{
	struct asker *a = about->asker;
	struct question *q;
	struct strbuf b;

	if (a->draining || find(a, k) != NULL)
		return;
	q = question_new(a, k);
	q->of_domain = true;
	strbuf_init(&b, 2 * ADDR_MAX);
	strbuf_addf(&b, "nobody-%016llx%s",
	    (unsigned long long)rng_u64(a->w->app->rng), domain);
	fill(q, arena_slicedup(q->arena, strbuf_view(&b)), false,
	    on_stranger);
	strbuf_fini(&b);
}

/* What a leg takes is worth remembering when it is known that it does not
 * take everything. */
static void learn(struct question *q, enum ask_answer answer)
{
	const struct conf *c = q->live->conf;
	struct askcache *known = cache(q->asker);
	char domain[ADDR_MAX + 1];
	struct ask_key k;

	if (answer == ASK_NO)
		askcache_put(known, &q->key, FACT_NO, c->probe.negative_ms,
		    q->era);
	if (answer != ASK_YES ||
	    !domain_key(q->rcpt.address, q->key.leg, domain, &k))
		return;
	if (askcache_get(known, &k) == FACT_PICKY)
		askcache_put(known, &q->key, FACT_YES, c->probe.positive_ms,
		    q->era);
	else
		ask_stranger(q, domain, &k);
}

static void over(struct question *q)
{
	struct asker *a = q->asker;

	a->busy--;
	list_remove(&q->node);
	worker_count_dialogs(a->w);
}

/* A server that counts errors hangs up after some strangers in a row: that was
 * about the connection. */
static bool was_cut(const struct question *q)
{
	const struct result *r = &q->rcpt.result;

	return r->code == 421 ||
	       (r->code == 0 && r->class == CLASS_NETWORK &&
		   strcmp(r->stage, "rcpt") == 0);
}

static bool ask_again(struct question *q)
{
	if (!was_cut(q) || q->again || q->late || list_empty(&q->waits))
		return false;
	q->again = true;
	q->rcpt.result = (struct result){.address = NULL};
	list_push_back(&q->asker->queued, &q->node);
	start(q);
	return true;
}

static void on_done(void *arg, struct client_request *r)
{
	struct question *q = arg;
	enum ask_answer answer = answer_of(q);

	(void)r;
	over(q);
	if (ask_again(q))
		return;
	note_silence(q);
	learn(q, answer);
	tell(q, answer);
	question_free(q);
}

static void on_stranger(void *arg, struct client_request *r)
{
	struct question *q = arg;
	enum ask_answer answer = answer_of(q);
	const struct result *said = &q->rcpt.result;
	bool asked = strcmp(said->stage, "rcpt") == 0 && said->code != 0;
	enum ask_fact fact = answer == ASK_YES ? FACT_EVERYBODY : FACT_PICKY;

	(void)r;
	over(q);
	note_silence(q);
	if (asked &&
	    askcache_put(cache(q->asker), &q->key, fact, HOUR_MS, q->era) &&
	    fact == FACT_EVERYBODY)
		log_warn("ask.everybody", kv_str("leg", q->req.leg->name),
		    kv_str("took", q->rcpt.address),
		    kv_str("effect", "it is not asked for an hour"));
	question_free(q);
}

/* ---- the way to the leg ---- */

/* Deliveries keep the last quarter of a leg's slots. */
static bool take_slot(struct asker *a, int leg)
{
	struct ledger *l = a->w->app->ledger;
	int limit = ledger_limit(l, leg);

	return ledger_used(l, leg) < limit - limit / 4 &&
	       !ledger_wanted(l, leg) && ledger_take_spare(l, leg);
}

static bool start(struct question *q)
{
	struct asker *a = q->asker;
	bool slot = false;

	if (!client_has_idle(a->w->client, q->key.leg)) {
		slot = take_slot(a, q->key.leg);
		if (!slot)
			return false;
	}
	if (!client_send(a->w->client, &q->req, slot)) {
		if (slot)
			ledger_give(a->w->app->ledger, q->key.leg);
		return false;
	}
	list_remove(&q->node);
	list_push_back(&a->sent, &q->node);
	a->busy++;
	worker_count_dialogs(a->w);
	return true;
}

/* What other workers keep idle is in nobody's use. */
static void want_connection(struct asker *a, int leg)
{
	if (client_connections(a->w->client, leg) == 0)
		app_yield(a->w->app, leg, a->w->index);
}

/* The leg may have been shut meanwhile: what is queued for it hears so. */
static bool closed(const struct asker *a, int leg)
{
	const struct conf_leg *l = conf_leg_by_id(a->w->live->conf, leg);

	return a->draining || l == NULL || l->direct ||
	       atomic_load(&a->w->app->stopping) ||
	       ledger_gates(a->w->app->ledger, leg) != 0;
}

/* Nobody waits for it, nothing was said: gone without a trace. */
static bool unwanted(const struct question *q)
{
	return list_empty(&q->waits) && !q->of_domain;
}

static void give_up(struct question *q)
{
	list_remove(&q->node);
	tell(q, ASK_NO_ANSWER);
	question_free(q);
}

/* One that is queued for too long, or for a leg that is shut, or for nobody.
 */
static struct question *hopeless(struct asker *a)
{
	int64_t now = loop_now_ms(a->w->loop);

	list_each(n, &a->queued) {
		struct question *q = LIST_ENTRY(n, struct question, node);

		if (now >= q->until_ms || closed(a, q->key.leg) || unwanted(q))
			return q;
	}
	return NULL;
}

static struct question *newly_late(struct asker *a)
{
	int64_t now = loop_now_ms(a->w->loop);

	list_each(n, &a->sent) {
		struct question *q = LIST_ENTRY(n, struct question, node);

		if (!q->late && now >= q->until_ms)
			return q;
	}
	return NULL;
}

static void on_look(void *arg)
{
	struct asker *a = arg;
	struct question *q;

	while ((q = hopeless(a)) != NULL) {
		if (!closed(a, q->key.leg) && !unwanted(q))
			askcache_silent(cache(a), q->key.leg, QUIET_MS);
		give_up(q);
	}
	while ((q = newly_late(a)) != NULL) {
		q->late = true;
		askcache_silent(cache(a), q->key.leg, QUIET_MS);
		tell(q, ASK_NO_ANSWER);
	}
	list_each_safe(n, &a->queued)
		start(LIST_ENTRY(n, struct question, node));
	/* Again: it was in use when it was wanted first. */
	q = LIST_FIRST(&a->queued, struct question, node);
	if (q != NULL)
		want_connection(a, q->key.leg);
	if (a->count != 0)
		timer_set(&a->look, LOOK_MS);
}

static bool start_next(struct asker *a, int leg)
{
	list_each_safe(n, &a->queued) {
		struct question *q = LIST_ENTRY(n, struct question, node);

		if (q->key.leg == leg && !unwanted(q))
			return start(q);
	}
	return false;
}

bool ask_turn(struct asker *a, int leg)
{
	a->had_turn[leg] = !a->had_turn[leg] && start_next(a, leg);
	return a->had_turn[leg];
}

bool ask_rest(struct asker *a, int leg)
{
	return start_next(a, leg);
}

/* ---- asked by a session ---- */

/* True: the answer is known without a question. */
static bool known(struct asker *a, const struct ask_key *k,
    const char *address, enum ask_answer *answer_out)
{
	enum ask_fact fact = askcache_get(cache(a), k);
	char domain[ADDR_MAX + 1];
	struct ask_key dk;

	if (fact == FACT_NONE && domain_key(address, k->leg, domain, &dk))
		fact = askcache_get(cache(a), &dk);
	*answer_out = fact == FACT_NO ? ASK_NO : ASK_YES;
	return fact != FACT_NONE && fact != FACT_PICKY;
}

static enum ask_answer wait_for(struct question *q, struct ask_wait *wait)
{
	list_push_back(&q->waits, &wait->node);
	return ASK_LATER;
}

static enum ask_answer ask_anew(struct asker *a, const struct ask_key *k,
    struct slice address, bool utf8, struct ask_wait *wait)
{
	struct question *q;

	if (closed(a, k->leg) || a->count >= QUESTIONS_MAX ||
	    !askcache_may_ask(cache(a), k->leg, QUIET_MS))
		return ASK_NO_ANSWER;
	q = question_new(a, k);
	fill(q, arena_slicedup(q->arena, address), utf8, on_done);
	if (!start(q))
		want_connection(a, k->leg);
	return wait_for(q, wait);
}

/* A detail that the leg does not understand must not speak for the mailbox:
 * what it says is of the address as a whole. */
static struct ask_key key_of(const struct decision *d, const struct addr *to)
{
	struct ask_key k = {.leg = d->route.leg[0],
	    .base = hash_of(slice_str(d->base))};
	struct strbuf whole;

	strbuf_init(&whole, ADDR_MAX);
	k.whole = addr_key(to, '\0', &whole) ? hash_of(strbuf_view(&whole))
					     : k.base;
	strbuf_fini(&whole);
	return k;
}

enum ask_answer ask_leg(struct asker *a, const struct decision *d,
    const struct addr *to, struct ask_wait *wait)
{
	struct ask_key k = key_of(d, to);
	struct question *q = find(a, &k);
	enum ask_answer answer;
	struct strbuf address;

	list_node_init(&wait->node);
	strbuf_init(&address, 2 * ADDR_MAX);
	route_address(d, k.leg, to, a->w->live->conf, &address);
	if (!known(a, &k, strbuf_cstr(&address), &answer)) {
		if (q == NULL)
			answer = ask_anew(a, &k, strbuf_view(&address),
			    to->utf8, wait);
		else
			answer = q->late ? ASK_NO_ANSWER : wait_for(q, wait);
	}
	strbuf_fini(&address);
	return answer;
}

void ask_cancel(struct ask_wait *wait)
{
	list_remove(&wait->node);
}

/* ---- life ---- */

struct asker *asker_new(struct worker *w)
{
	struct asker *a = NEW(struct asker);

	a->w = w;
	list_init(&a->queued);
	list_init(&a->sent);
	timer_init(&a->look, w->loop, on_look, a);
	return a;
}

void ask_drain(struct asker *a)
{
	struct question *q;

	a->draining = true;
	while ((q = LIST_FIRST(&a->queued, struct question, node)) != NULL)
		give_up(q);
	list_each_safe(n, &a->sent) {
		q = LIST_ENTRY(n, struct question, node);
		q->late = true;
		tell(q, ASK_NO_ANSWER);
	}
}

void asker_free(struct asker *a)
{
	struct question *q;

	if (a == NULL)
		return;
	while ((q = LIST_FIRST(&a->queued, struct question, node)) != NULL)
		question_free(q);
	timer_fini(&a->look);
	mem_free(a);
}

unsigned ask_busy(const struct asker *a)
{
	return a->busy;
}
