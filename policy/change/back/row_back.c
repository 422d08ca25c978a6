/* SPDX-License-Identifier: ISC
 *
 * Takes a row back, flip by flip. A row that a flip made goes only if it is
 * as it was made; one that is not there stays away.
 */
#include "policy/change/back/row_back.h"

#include "policy/change/row_undo.h"

void row_back_init(struct row_back *b)
{
	strbuf_init(&b->route, ROW_TEXT_MAX);
	strbuf_init(&b->mailbox, ROW_TEXT_MAX);
	strbuf_init(&b->tags, ROW_TEXT_MAX);
	strbuf_init(&b->addresses, 2 * ROW_TEXT_MAX);
	strbuf_init(&b->work, 2 * ROW_TEXT_MAX);
}

void row_back_fini(struct row_back *b)
{
	strbuf_fini(&b->route);
	strbuf_fini(&b->mailbox);
	strbuf_fini(&b->tags);
	strbuf_fini(&b->addresses);
	strbuf_fini(&b->work);
}

static void put(struct strbuf *b, const char *text)
{
	strbuf_reset(b);
	strbuf_adds(b, text);
}

void row_back_begin(struct row_back *b, const struct table_value *now)
{
	b->row = now->row;
	b->gone = false;
	b->altered = false;
	b->held = now->held;
	put(&b->route, now->route);
	put(&b->mailbox, now->mailbox);
	put(&b->tags, now->tags);
	put(&b->addresses, now->addresses);
}

static struct table_value value_of(struct row_back *b)
{
	return (struct table_value){
	    .row = b->row && !b->gone,
	    .held = b->held,
	    .route = strbuf_cstr(&b->route),
	    .mailbox = strbuf_cstr(&b->mailbox),
	    .tags = strbuf_cstr(&b->tags),
	    .addresses = strbuf_cstr(&b->addresses),
	};
}

static bool same(const struct table_value *a, const struct table_value *b)
{
	return a->held == b->held && strcmp(a->route, b->route) == 0 &&
	       strcmp(a->mailbox, b->mailbox) == 0 &&
	       strcmp(a->tags, b->tags) == 0 &&
	       strcmp(a->addresses, b->addresses) == 0;
}

static void take_back_text(struct row_back *b, struct strbuf *now,
    const char *old, const char *given)
{
	if (strcmp(old, given) == 0 || strcmp(strbuf_cstr(now), given) != 0)
		return;
	put(now, old);
	b->altered = true;
}

static struct row_undo undo_of(const char *old, const char *given,
    const struct strbuf *now)
{
	return (struct row_undo){slice_str(old), slice_str(given),
	    strbuf_view(now)};
}

/* The tags or addresses that were made in `work` are the row's. */
static int take_work(struct row_back *b, struct strbuf *to,
    struct error *err)
{
	if (!strbuf_ok(&b->work))
		return error_set(err, "the tags or addresses of a row are too "
		    "long");
	b->altered = b->altered ||
		     !slice_eq(strbuf_view(&b->work), strbuf_view(to));
	put(to, strbuf_cstr(&b->work));
	return 0;
}

static int take_back_lists(struct row_back *b, const struct table_value *old,
    const struct table_value *given, struct error *err)
{
	struct row_undo tags = undo_of(old->tags, given->tags, &b->tags);
	struct row_undo to = undo_of(old->addresses, given->addresses,
	    &b->addresses);

	if (strcmp(old->tags, given->tags) != 0) {
		strbuf_reset(&b->work);
		if (row_undo_tags(&tags, &b->work, err) < 0 ||
		    take_work(b, &b->tags, err) < 0)
			return -1;
	}
	if (strcmp(old->addresses, given->addresses) == 0)
		return 0;
	strbuf_reset(&b->work);
	row_undo_addresses(&to, &b->work);
	return take_work(b, &b->addresses, err);
}

static int take_back(struct row_back *b, const struct table_value *old,
    const struct table_value *given, struct error *err)
{
	if (old->held != given->held && b->held == given->held) {
		b->held = old->held;
		b->altered = true;
	}
	take_back_text(b, &b->route, old->route, given->route);
	take_back_text(b, &b->mailbox, old->mailbox, given->mailbox);
	return take_back_lists(b, old, given, err);
}

int row_back_step(struct row_back *b, const struct row_back_step *step,
    struct error *err)
{
	const struct table_value now = value_of(b);
	const struct row_left left = {step->left, step->arg, step->key,
	    step->old, step->given, &now};

	if (b->gone)
		return 0;
	row_name_left(&left);
	if (!now.row)
		return 0;
	if (step->old->row)
		return take_back(b, step->old, step->given, err);
	b->gone = same(&now, step->given);
	b->altered = b->altered || b->gone;
	return 0;
}
