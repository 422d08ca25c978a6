/* SPDX-License-Identifier: ISC
 *
 * The tables by which rows are found, made from the log of a change. Tags that
 * rows get are gathered and written in the order of the table `tag`: an
 * import of millions appends, where each tag by itself would look for its
 * place. Rewritten addresses likewise.
 */
#include "policy/change/change_index.h"

#include "policy/change/tag_list.h"

/* So many are gathered before they are written: of some 30 and 200 bytes. */
enum { TAGS_MAX = 1 << 22, REWRITES_MAX = 1 << 21 };

/* ---- tags -------------------------------------------------------------- */

static int drop_tag(struct change *ch, struct slice tag, struct slice address,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(&ch->db, CS_TAG_DROP, err);

	if (st == NULL)
		return -1;
	change_bind_tag(st, tag);
	db_bind(st, 3, address);
	return db_run(&ch->db, st, err);
}

/* The tags of row `st` (address, old, new) that go, and those that come. */
static int move_tags(struct change *ch, struct tag_list *l, sqlite3_stmt *st,
    struct error *err)
{
	struct slice address = db_text(st, 0), tag;
	struct slice old = db_text(st, 1), fresh = db_text(st, 2);
	struct slice was = old, is = fresh;

	if (old.n == 0) {
		tag_list_add_all(l, address, fresh);
		return 0;
	}
	while (slice_next(&was, ' ', &tag))
		if (tag.n > 0 && !row_has_tag(fresh, tag) &&
		    drop_tag(ch, tag, address, err) < 0)
			return -1;
	while (slice_next(&is, ' ', &tag))
		if (tag.n > 0 && !row_has_tag(old, tag))
			tag_list_add(l, address, tag);
	return 0;
}

static int write_part(struct change *ch, const struct tag_part *part,
    struct error *err)
{
	bool one = part->tag.p != NULL;
	sqlite3_stmt *st =
	    db_stmt(&ch->db, one ? CS_TAG_ADD : CS_TAGS_ADD, err);
	int rc;

	if (st == NULL)
		return -1;
	if (one)
		change_bind_tag(st, part->tag);
	ch->feed = part->feed;
	rc = db_run(&ch->db, st, err);
	ch->feed = NULL;
	return rc;
}

static int write_tags(struct change *ch, struct tag_list *l,
    struct error *err)
{
	struct tag_part part;
	int rc = 0;

	tag_list_sort(l);
	while (rc == 0 && tag_list_next(l, &part))
		rc = write_part(ch, &part, err);
	return rc;
}

/* Rows of the log from the one at hand on, as many as a list takes: 1 there
 * are more, 0 it was the last, -1. */
static int gather_tags(struct change *ch, struct tag_list *l,
    sqlite3_stmt *st, struct error *err)
{
	int rc = 1;

	while (rc > 0 && tag_list_count(l) < TAGS_MAX)
		rc = move_tags(ch, l, st, err) < 0 ? -1
						    : change_next(ch, st, err);
	return rc;
}

int change_index_tags(struct change *ch, int64_t number, struct error *err)
{
	sqlite3_stmt *st;
	int rc = change_ask(ch, CS_TAGS, number, &st, err);

	while (rc > 0) {
		struct tag_list *l = tag_list_new();

		rc = gather_tags(ch, l, st, err);
		if (rc >= 0 && write_tags(ch, l, err) < 0)
			rc = -1;
		tag_list_free(l);
	}
	sqlite3_reset(st);
	return rc;
}

/* ---- rewritten addresses ----------------------------------------------- */

static bool has_line(struct slice lines, struct slice leg,
    struct slice address)
{
	struct slice l, a;

	while (row_next_address(&lines, &l, &a))
		if (slice_eq(l, leg) && slice_eq(a, address))
			return true;
	return false;
}

static int drop_rewrite(struct change *ch, const struct staged *s,
    struct error *err)
{
	sqlite3_stmt *st = db_stmt(&ch->db, CS_REWRITE_DROP, err);

	if (st == NULL)
		return -1;
	db_bind(st, 1, s->key);
	db_bind(st, 2, s->route);
	db_bind(st, 3, s->mailbox);
	return db_run(&ch->db, st, err);
}

/* The lines of `of` that `other` has not: they go when `h` is NULL, else they
 * come into it. The key of the rewritten address, the leg and the address of
 * the row are its key, route and mailbox. */
static int move_lines(struct change *ch, struct heap *h, struct slice address,
    const struct slice of[2], struct error *err)
{
	struct slice rest = of[0], rewritten;
	struct staged s = {.mailbox = address};
	struct strbuf key;
	int rc = 0;

	strbuf_init(&key, ROW_TEXT_MAX);
	while (rc == 0 && row_next_address(&rest, &s.route, &rewritten)) {
		if (has_line(of[1], s.route, rewritten))
			continue;
		strbuf_reset(&key);
		rc = row_key(rewritten, &key, err);
		s.key = strbuf_view(&key);
		if (rc == 0 && h == NULL)
			rc = drop_rewrite(ch, &s, err);
		else if (rc == 0)
			heap_add(h, &s);
	}
	strbuf_fini(&key);
	return rc;
}

/* Row `st`: address, old, new. */
static int move_rewrites(struct change *ch, struct heap *h, sqlite3_stmt *st,
    struct error *err)
{
	struct slice address = db_text(st, 0);
	struct slice was = db_text(st, 1), is = db_text(st, 2);

	if (move_lines(ch, NULL, address, (struct slice[]){was, is}, err) < 0)
		return -1;
	return move_lines(ch, h, address, (struct slice[]){is, was}, err);
}

static int write_rewrites(struct change *ch, struct heap *h,
    struct error *err)
{
	int rc;

	heap_sort(h);
	ch->feed = heap_feed(h);
	rc = change_run(ch, CS_REWRITES_ADD, 0, err);
	ch->feed = NULL;
	return rc;
}

int change_index_rewrites(struct change *ch, int64_t number,
    struct error *err)
{
	sqlite3_stmt *st;
	int rc = change_ask(ch, CS_REWRITES, number, &st, err);

	while (rc > 0) {
		struct heap *h = heap_new();

		while (rc > 0 && heap_count(h) < REWRITES_MAX)
			rc = move_rewrites(ch, h, st, err) < 0
				 ? -1 : change_next(ch, st, err);
		if (rc >= 0 && write_rewrites(ch, h, err) < 0)
			rc = -1;
		heap_free(h);
	}
	sqlite3_reset(st);
	return rc;
}
