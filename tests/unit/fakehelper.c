/* SPDX-License-Identifier: ISC
 *
 * A helper for tests.
 */
#include "tests/unit/fakehelper.h"

#include <stdlib.h>

#include "relay/base/mem.h"

struct spf_helper {
	struct loop *loop;
	fakehelper_fn fn;
	void *arg;
	int asked, pending;
};

struct spf_ask {
	struct spf_helper *helper;
	struct defer later;
	char *body;
	size_t n;
	void (*fn)(void *arg, const struct slice *reply);
	void *arg;
};

struct spf_helper *fakehelper_new(struct loop *l, fakehelper_fn fn, void *arg)
{
	struct spf_helper *h = NEW(struct spf_helper);

	h->loop = l;
	h->fn = fn;
	h->arg = arg;
	return h;
}

void spf_helper_free(struct spf_helper *h)
{
	if (h != NULL && h->pending != 0)
		abort();
	mem_free(h);
}

int fakehelper_asked(const struct spf_helper *h)
{
	return h->asked;
}

int fakehelper_pending(const struct spf_helper *h)
{
	return h->pending;
}

static void on_later(void *arg)
{
	struct spf_ask *a = arg;
	struct spf_request q;
	struct spf_reply r = {.questions = 0};
	struct strbuf frame;
	struct slice body;
	const char *why;
	bool ok;

	if (spf_request_unpack(slice_of(a->body, a->n), &q, &why) < 0)
		abort();
	ok = a->helper->fn(a->helper->arg, &q, &r);
	a->helper->pending--;
	strbuf_init(&frame, SPF_FRAME_MAX);
	spf_reply_pack(&frame, &r);
	body = spf_frame_body(strbuf_view(&frame));
	a->fn(a->arg, ok ? &body : NULL);
	strbuf_fini(&frame);
	mem_free(a->body);
	mem_free(a);
}

struct spf_ask *spf_helper_ask(struct spf_helper *h, struct slice frame,
    const char *domain, void (*fn)(void *arg, const struct slice *reply),
    void *arg)
{
	struct slice body = spf_frame_body(frame);
	struct spf_ask *a = NEW(struct spf_ask);

	if (domain[0] == '\0')
		abort();
	a->helper = h;
	a->body = mem_dup(body.p, body.n);
	a->n = body.n;
	a->fn = fn;
	a->arg = arg;
	h->asked++;
	h->pending++;
	defer_init(&a->later, on_later, a);
	loop_defer(h->loop, &a->later);
	return a;
}

void spf_helper_cancel(struct spf_ask **ask)
{
	struct spf_ask *a = *ask;

	*ask = NULL;
	if (a == NULL)
		return;
	defer_cancel(&a->later);
	a->helper->pending--;
	mem_free(a->body);
	mem_free(a);
}
