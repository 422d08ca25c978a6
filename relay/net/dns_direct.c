/* SPDX-License-Identifier: ISC
 *
 * A channel of c-ares per question, some at a time. c-ares calls back from
 * inside its own calls, where a channel must not be closed: a callback only
 * notes the reply, and the loop around closes.
 */
#include "relay/net/dns_direct.h"

#include "relay/base/mem.h"

enum { TURN_MS = 50 };

struct dns_direct_slot {
	struct dns_channel channel;
	struct dns_direct *q; /* NULL: free */
	bool done;
};

static void on_reply(void *arg, int status, int timeouts, unsigned char *p,
    int n)
{
	struct dns_direct_slot *s = arg;

	(void)timeouts;
	s->done = true;
	if (p != NULL && n > 0) {
		s->q->packet = mem_dup(p, (size_t)n);
		s->q->size = (size_t)n;
		s->q->why = NULL;
	} else {
		s->q->why = status == ARES_ETIMEOUT ? "no answer"
						    : ares_strerror(status);
	}
}

static void start(struct dns_direct_slot *s, struct loop *l,
    struct dns_direct *q)
{
	struct error err;

	s->q = q;
	s->done = false;
	dns_channel_init(&s->channel, l);
	if (dns_channel_open_at(&s->channel, &q->at, &err) < 0) {
		q->why = "it cannot be asked";
		s->done = true;
		return;
	}
	ares_query(s->channel.ares, q->name, DNS_CLASS_IN, (int)q->type,
	    on_reply, s);
	dns_channel_arm(&s->channel);
}

/* An answer that is still open is noted as a failure by c-ares. */
static void end(struct dns_direct_slot *s)
{
	dns_channel_fini(&s->channel);
	s->q = NULL;
}

static bool is_stopped(const _Atomic bool *stop)
{
	return stop != NULL && atomic_load(stop);
}

void dns_direct_run(struct loop *l, struct dns_direct *q, size_t n,
    const _Atomic bool *stop)
{
	struct dns_direct_slot slot[DNS_DIRECT_MAX] = {{.q = NULL}};
	size_t next = 0, open;

	for (size_t i = 0; i < n; i++)
		q[i].why = "it was not asked";
	do {
		open = 0;
		for (size_t i = 0; i < DNS_DIRECT_MAX; i++) {
			if (slot[i].q != NULL && slot[i].done)
				end(&slot[i]);
			if (slot[i].q == NULL && next < n)
				start(&slot[i], l, &q[next++]);
			open += slot[i].q != NULL;
		}
		if (open > 0)
			loop_once(l, TURN_MS);
	} while (open > 0 && !is_stopped(stop));
	for (size_t i = 0; i < DNS_DIRECT_MAX; i++)
		if (slot[i].q != NULL)
			end(&slot[i]);
}

void dns_direct_fini(struct dns_direct *q, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		mem_free(q[i].packet);
		q[i].packet = NULL;
		q[i].size = 0;
	}
}
