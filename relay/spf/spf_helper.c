/* SPDX-License-Identifier: ISC
 *
 * The requests that wait for a helper's process, and those that get nothing.
 */
#include "relay/spf/spf_helper.h"

#include <stdio.h>

#include "relay/base/mem.h"
#include "relay/spf/spf_blame.h"
#include "relay/spf/spf_helper_int.h"

static void ask_free(struct spf_ask *a)
{
	strbuf_fini(&a->frame);
	mem_free(a);
}

void spf_ask_answer(struct spf_ask *a, const struct slice *reply)
{
	void (*fn)(void *arg, const struct slice *reply) = a->fn;
	void *arg = a->arg;

	ask_free(a);
	fn(arg, reply);
}

static void unqueue(struct spf_ask *a)
{
	list_remove(&a->node);
	a->waits = false;
	a->h->waiting_n--;
	a->h->waiting_bytes -= a->frame.n;
}

static void refuse(struct spf_ask *a)
{
	struct spf_helper *h = a->h;

	atomic_fetch_add(&h->counts.unasked, 1);
	list_push_back(&h->refused, &a->node);
	loop_defer(h->c.loop, &h->refuse);
}

void spf_ask_refuse_waiting(struct spf_helper *h)
{
	struct spf_ask *a;

	while ((a = LIST_FIRST(&h->waiting, struct spf_ask, node)) != NULL) {
		unqueue(a);
		refuse(a);
	}
}

/* A callback may ask again: that one is due in the next turn. */
static void on_refuse(void *arg)
{
	struct spf_helper *h = arg;
	struct list last;

	list_node_init(&last);
	list_push_back(&h->refused, &last);
	while (h->refused.next != &last) {
		struct spf_ask *a = LIST_FIRST(&h->refused, struct spf_ask,
		    node);

		list_remove(&a->node);
		spf_ask_answer(a, NULL);
	}
	list_remove(&last);
}

static bool barred(const struct spf_helper *h, const char *domain)
{
	return h->c.blame != NULL && spf_blame_barred(h->c.blame, domain);
}

struct spf_ask *spf_ask_next(struct spf_helper *h)
{
	struct spf_ask *a;

	while ((a = LIST_FIRST(&h->waiting, struct spf_ask, node)) != NULL) {
		unqueue(a);
		if (!barred(h, a->domain))
			break;
		refuse(a);
	}
	return a;
}

/* ---- the door ---- */

struct spf_helper *spf_helper_new(const struct spf_helper_config *c)
{
	struct spf_helper *h = NEW(struct spf_helper);

	h->c = *c;
	list_init(&h->waiting);
	list_init(&h->refused);
	defer_init(&h->refuse, on_refuse, h);
	spf_process_init(h);
	return h;
}

void spf_helper_begin(struct spf_helper *h)
{
	if (h->begun)
		return;
	h->begun = true;
	if (h->c.starter != NULL) {
		spf_process_start(h);
	} else {
		snprintf(h->why, sizeof(h->why), "the program posthouse-spf "
		    "is neither beside this one nor in %s", PH_LIBEXECDIR);
		timer_set(&h->timer, 0);
	}
}

static void free_list(struct list *l)
{
	list_each_safe(n, l) {
		list_remove(n);
		ask_free(LIST_ENTRY(n, struct spf_ask, node));
	}
}

void spf_helper_free(struct spf_helper *h)
{
	if (h == NULL)
		return;
	spf_process_fini(h);
	defer_cancel(&h->refuse);
	if (h->head != NULL)
		ask_free(h->head);
	free_list(&h->waiting);
	free_list(&h->refused);
	mem_free(h);
}

const struct spf_helper_counts *spf_helper_counts(const struct spf_helper *h)
{
	return &h->counts;
}

static bool hopeless(const struct spf_helper *h, const struct spf_ask *a)
{
	return h->c.starter == NULL || h->failed >= SPF_HELPER_TRIES ||
	       h->waiting_n >= SPF_HELPER_WAITING_MAX ||
	       h->waiting_bytes + a->frame.n > SPF_HELPER_WAITING_BYTES ||
	       spf_frame_bytes(strbuf_view(&a->frame)) != (long)a->frame.n ||
	       barred(h, a->domain);
}

struct spf_ask *spf_helper_ask(struct spf_helper *h, struct slice frame,
    const char *domain, void (*fn)(void *arg, const struct slice *reply),
    void *arg)
{
	struct spf_ask *a = NEW(struct spf_ask);

	spf_helper_begin(h);
	a->h = h;
	a->fn = fn;
	a->arg = arg;
	list_node_init(&a->node);
	strbuf_init(&a->frame, SPF_FRAME_MAX);
	strbuf_addsl(&a->frame, frame);
	snprintf(a->domain, sizeof(a->domain), "%s", domain);
	if (!strbuf_ok(&a->frame) || hopeless(h, a)) {
		refuse(a);
		return a;
	}
	list_push_back(&h->waiting, &a->node);
	a->waits = true;
	h->waiting_n++;
	h->waiting_bytes += a->frame.n;
	spf_process_next(h);
	return a;
}

void spf_helper_cancel(struct spf_ask **ask)
{
	struct spf_ask *a = *ask;

	*ask = NULL;
	if (a == NULL)
		return;
	if (a->h->head == a)
		a->h->head = NULL; /* its answer is awaited all the same */
	else if (a->waits)
		unqueue(a);
	else
		list_remove(&a->node);
	ask_free(a);
}
