/* SPDX-License-Identifier: ISC
 *
 * Asking a leg about a recipient. One question for all sessions of a worker
 * that want to know the same; it lives until the client has reported it, also
 * when no session waits any more. A worker's loop.
 */
#include "relay/delivery/ask_int.h"

#include "relay/delivery/unknown.h"
#include "relay/client/client.h"
#include "relay/post/workers.h"

enum {
	QUESTIONS_MAX = 800, /* of a worker: beyond, there is no answer */
	QUESTIONS_SHARE = QUESTIONS_MAX / 4, /* of one client */
	LOOK_MS = 20,	     /* for a connection, and for who is late   */
};

/* ---- questions ---- */

static struct question *question_new(struct asker *a,
    const struct ask_key *k, uint64_t client)
{
	struct question *q = NEW(struct question);

	q->asker = a;
	q->key = *k;
	q->client = client;
	q->era = ask_cache_era(a->cache);
	ask_way_init(&q->way, a->w, k->leg);
	q->until_ms = loop_now_ms(a->w->loop) +
		      q->way.snapshot->conf->probe.timeout_ms;
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
	ask_way_fini(&q->way);
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

static unsigned count_of(const struct list *l, uint64_t client)
{
	unsigned n = 0;

	list_each(at, l)
		n += LIST_ENTRY(at, struct question, node)->client == client;
	return n;
}

/* A session that is told may ask the next question, or end with others, so the
 * list is never walked. Without an answer the last one counts. */
static void tell(struct question *q, enum ask_answer answer)
{
	struct ask_wait *wait;

	if (answer == ASK_NO_ANSWER && !q->of_domain)
		answer = ask_last_known(q->asker, &q->key, q->way.rcpt.address);
	while ((wait = LIST_FIRST(&q->waits, struct ask_wait, node)) != NULL) {
		list_remove(&wait->node);
		wait->done(wait->arg, answer);
	}
}

static void fill(struct question *q, const char *address, bool utf8,
    void (*done)(void *arg, struct client_request *r))
{
	ask_way_fill(&q->way, "", address, utf8);
	q->way.req.done = done;
	q->way.req.arg = q;
}

static void on_stranger(void *arg, struct client_request *r);

/* The leg took a recipient: does it take a name that does not exist, too? Then
 * its yes means nothing, and it is not asked for an hour. */
static void ask_stranger(struct question *about, const char *domain,
    const struct ask_key *k)
{
	struct asker *a = about->asker;
	struct question *q;
	struct strbuf b;

	if (a->draining || find(a, k) != NULL)
		return;
	q = question_new(a, k, about->client);
	q->of_domain = true;
	strbuf_init(&b, 2 * ADDR_MAX);
	strbuf_addf(&b, "nobody-%016llx%s",
	    (unsigned long long)rng_u64(a->w->shared->rng), domain);
	fill(q, arena_slicedup(q->way.arena, strbuf_view(&b)), false,
	    on_stranger);
	strbuf_fini(&b);
}

/* ---- answers ---- */

static void over(struct question *q)
{
	list_remove(&q->node);
	ask_give_share(q);
	ask_way_over(&q->way);
}

/* A server that counts errors hangs up after some strangers in a row: that was
 * about the connection. */
static bool was_cut(const struct question *q)
{
	const struct result *r = &q->way.rcpt.result;

	return r->code == 421 ||
	       (r->code == 0 && r->class == CLASS_NETWORK &&
		   r->stage == STAGE_RCPT);
}

static bool ask_again(struct question *q)
{
	if (!was_cut(q) || q->again || q->late || list_empty(&q->waits))
		return false;
	q->again = true;
	q->way.rcpt.result = (struct result){.address = NULL};
	list_push_back(&q->asker->queued, &q->node);
	ask_start(q);
	return true;
}

static void on_done(void *arg, struct client_request *r)
{
	struct question *q = arg;
	enum ask_answer answer = ask_answer_of(q);
	char domain[ADDR_MAX + 1];
	struct ask_key k;

	(void)r;
	over(q);
	if (ask_again(q))
		return;
	ask_note_silence(q);
	if (ask_learn(q, answer, domain, &k))
		ask_stranger(q, domain, &k);
	tell(q, answer);
	question_free(q);
}

static void on_stranger(void *arg, struct client_request *r)
{
	struct question *q = arg;
	enum ask_answer answer = ask_answer_of(q);

	(void)r;
	over(q);
	ask_note_silence(q);
	ask_learn_domain(q, answer);
	question_free(q);
}

/* ---- the way to the leg ---- */

/* Connections that other workers keep idle are not in use. */
static void want_connection(struct asker *a, int leg)
{
	if (client_connections(a->w->client, leg) == 0)
		workers_yield(a->w->shared->workers, leg, a->w->index);
}

/* The leg may have been shut meanwhile: what is queued for it hears so. */
static bool closed(const struct asker *a, int leg)
{
	const struct conf_leg *l = conf_leg_by_id(a->w->snapshot->conf, leg);

	return a->draining || l == NULL || l->direct ||
	       atomic_load(&a->w->shared->stopping) ||
	       ledger_gates(a->w->shared->ledger, leg) != 0;
}

/* No session waits for it and nothing was said: it is dropped without a
 * trace. */
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

/* A question that is queued for too long, for a leg that is shut, or for no
 * session.
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
			ask_cache_silent(a->cache, q->key.leg, q->client,
			    QUIET_MS);
		give_up(q);
	}
	while ((q = newly_late(a)) != NULL) {
		q->late = true;
		ask_cache_silent(a->cache, q->key.leg, q->client, QUIET_MS);
		tell(q, ASK_NO_ANSWER);
	}
	list_each_safe(n, &a->queued)
		ask_start(LIST_ENTRY(n, struct question, node));
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

		/* One client's share may be used up; another's is not. */
		if (q->key.leg == leg && !unwanted(q) && ask_start(q))
			return true;
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

/* Loopback and the private networks (RFC 1918, RFC 4193). */
static bool is_inside(const unsigned char *ip, bool v6)
{
	if (v6)
		return (ip[0] & 0xfe) == 0xfc;
	return ip[0] == 127 || ip[0] == 10 ||
	       (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
	       (ip[0] == 192 && ip[1] == 168);
}

uint64_t ask_client(const struct netaddr *a)
{
	unsigned char ip[16];

	if (a->sa.sa_family == AF_INET) {
		memcpy(ip, &a->in.sin_addr, 4);
		return hash_bytes(ip, is_inside(ip, false) ? 4 : 3) | 1;
	}
	if (a->sa.sa_family == AF_INET6) {
		memcpy(ip, &a->in6.sin6_addr, 16);
		return hash_bytes(ip, is_inside(ip, true) ? 16 : 7) | 1;
	}
	return 1;
}

static enum ask_answer wait_for(struct question *q, struct ask_wait *wait)
{
	list_push_back(&q->waits, &wait->node);
	return ASK_LATER;
}

static enum ask_answer ask_anew(struct asker *a, const struct ask_key *k,
    const char *address, bool utf8, struct ask_wait *wait)
{
	struct question *q;

	if (closed(a, k->leg) || a->count >= QUESTIONS_MAX ||
	    count_of(&a->queued, wait->client) +
		    count_of(&a->sent, wait->client) >= QUESTIONS_SHARE ||
	    !ask_cache_may_ask(a->cache, k->leg, wait->client, QUIET_MS))
		return ask_last_known(a, k, address);
	q = question_new(a, k, wait->client);
	fill(q, arena_strdup(q->way.arena, address), utf8, on_done);
	if (!ask_start(q))
		want_connection(a, k->leg);
	return wait_for(q, wait);
}

/* A detail that the leg does not understand must not speak for the mailbox:
 * what it says is of the address as a whole. */
static struct ask_key key_of(const struct decision *d, const struct addr *to)
{
	struct ask_key k = {.leg = d->route.leg[0],
	    .base = ask_hash(slice_str(d->base))};
	struct strbuf whole;

	strbuf_init(&whole, ADDR_MAX);
	k.whole = addr_key(to, '\0', &whole) ? ask_hash(strbuf_view(&whole))
					     : k.base;
	strbuf_fini(&whole);
	return k;
}

/* One who was delivered there lately is not asked about: that is a yes. */
static bool was_delivered(struct asker *a, const struct ask_key *k,
    const struct addr *to)
{
	if (!unknown_delivered(a->w, k->leg, to,
		clock_wall_us(a->w->shared->clock)))
		return false;
	ask_cache_put(a->cache, k, FOUND_YES,
	    a->w->snapshot->conf->probe.positive_ms, ask_cache_era(a->cache));
	return true;
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
	route_address(d, k.leg, to, a->w->snapshot->conf, &address);
	if (ask_known(a, &k, strbuf_cstr(&address), &answer))
		;
	else if (was_delivered(a, &k, to))
		answer = ASK_YES;
	else if (q == NULL)
		answer = ask_anew(a, &k, strbuf_cstr(&address), to->utf8,
		    wait);
	else if (q->late)
		answer = ask_last_known(a, &k, strbuf_cstr(&address));
	else
		answer = wait_for(q, wait);
	strbuf_fini(&address);
	return answer;
}

void ask_cancel(struct ask_wait *wait)
{
	list_remove(&wait->node);
}

/* ---- life ---- */

struct asker *asker_new(struct worker *w, struct ask_cache *cache)
{
	struct asker *a = NEW(struct asker);

	a->w = w;
	a->cache = cache;
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
