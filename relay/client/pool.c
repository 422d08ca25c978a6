/* SPDX-License-Identifier: ISC
 *
 * Idle connections, by leg; of a direct egress by domain too. The one used
 * last is taken first, so that those which are not needed grow old and are
 * swept out. One worker's loop.
 */
#include "relay/base/assert.h"
#include "relay/client/client_int.h"

enum { SWEEP_MS = 1000 };

static bool too_old(const struct dialog *d)
{
	int64_t now = loop_now_ms(d->client->cfg.loop);

	return now >= d->idle_until_ms || now >= d->old_at_ms;
}

static void on_sweep(void *arg)
{
	struct client *c = arg;

	list_each_safe(n, &c->dialogs) {
		struct dialog *d = LIST_ENTRY(n, struct dialog, node);

		if (d->stage == STAGE_IDLE && too_old(d))
			c->pool.quit(d);
	}
	if (c->pool.count > 0)
		timer_set(&c->pool.sweep, SWEEP_MS);
}

void pool_init(struct client *c, void (*quit)(struct dialog *d))
{
	c->pool.quit = quit;
	for (int i = 0; i < NAMES_MAX; i++)
		list_init(&c->pool.idle[i]);
	timer_init(&c->pool.sweep, c->cfg.loop, on_sweep, c);
}

void pool_fini(struct client *c)
{
	timer_fini(&c->pool.sweep);
}

bool pool_takes(const struct dialog *d)
{
	const struct client *c = d->client;

	return !c->draining && d->generation == c->generation &&
	       !pool_spent(d) && loop_now_ms(c->cfg.loop) < d->old_at_ms;
}

bool pool_spent(const struct dialog *d)
{
	return d->messages >= d->messages_max;
}

void pool_put(struct dialog *d)
{
	struct pool *p = &d->client->pool;

	PH_ASSERT(list_empty(&d->idle) && d->tx == NULL && !d->over);
	list_push_front(&p->idle[d->leg], &d->idle);
	p->count++;
	if (!p->sweep.set)
		timer_set(&p->sweep, SWEEP_MS);
}

void pool_remove(struct dialog *d)
{
	if (list_empty(&d->idle))
		return;
	PH_ASSERT(d->client->pool.count > 0);
	list_remove(&d->idle);
	d->client->pool.count--;
}

static bool same_domain(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return slice_case_eq(slice_str(a), slice_str(b));
}

/* RFC 9422 RCPTDOMAINMAX: a session has its domains from its first message. */
static bool other_bound(const struct dialog *d, const struct client_request *r)
{
	const char *to = r->rcpt[0].address;
	long at = slice_rfind(slice_str(to), '@');

	return d->bound != NULL && !same_domain(d->bound, to + at + 1);
}

struct dialog *pool_take(struct client *c, const struct client_request *r)
{
	list_each_safe(n, &c->pool.idle[r->leg->id]) {
		struct dialog *d = LIST_ENTRY(n, struct dialog, idle);

		if (d->apart != r->apart ||
		    !same_domain(d->domain, r->domain) ||
		    other_bound(d, r) || too_old(d))
			continue;
		pool_remove(d);
		return d;
	}
	return NULL;
}

struct dialog *pool_oldest(struct client *c, int leg)
{
	struct list *l = &c->pool.idle[leg];

	return list_empty(l) ? NULL : LIST_ENTRY(l->prev, struct dialog, idle);
}

void pool_close(struct client *c, int leg)
{
	struct dialog *d;

	while ((d = pool_oldest(c, leg)) != NULL)
		c->pool.quit(d);
}

void pool_close_all(struct client *c)
{
	for (int i = 0; i < NAMES_MAX; i++)
		pool_close(c, i);
}
