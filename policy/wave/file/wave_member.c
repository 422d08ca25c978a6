/* SPDX-License-Identifier: ISC
 *
 * The members of waves as they are read and marked.
 */
#include "policy/wave/file/wave_member.h"

#include "policy/route.h"
#include "relay/mail/addr.h"

/* NULL for NULL, which "" is not. */
static const char *nullable(sqlite3_stmt *st, int column)
{
	return sqlite3_column_type(st, column) == SQLITE_NULL
		   ? NULL : db_str(st, column);
}

int wave_member_at(const struct wave_file *f, sqlite3_stmt *st,
    struct member *m, struct error *err)
{
	int state = sqlite3_column_int(st, 1);

	if (state < 0 || state >= MEMBER_STATES)
		return error_set(err, "%s: member %s has the state %d, which "
		    "this version does not know", f->db.path, db_str(st, 0),
		    state);
	*m = (struct member){
	    .address = db_text(st, 0),
	    .state = (enum member_state)state,
	    .was = nullable(st, 2),
	    .line = (uint64_t)sqlite3_column_int64(st, 3),
	    .change = (uint64_t)sqlite3_column_int64(st, 4),
	    .slice = (uint64_t)sqlite3_column_int64(st, 5),
	    .run = (unsigned)sqlite3_column_int(st, 6),
	    .reason = db_str(st, 7),
	    .now = nullable(st, 8),
	    .held = sqlite3_column_int(st, 9) != 0,
	};
	return 0;
}

int wave_members(struct wave_file *f, const struct member_page *page,
    struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, page->alone ? WS_MEMBERS_ALONE
						    : WS_MEMBERS, err);
	struct member m;
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, page->id);
	sqlite3_bind_int(st, 2, page->state);
	while ((rc = wave_step(f, st, err)) > 0) {
		if (wave_member_at(f, st, &m, err) < 0) {
			rc = -1;
			break;
		}
		page->fn(page->arg, &m);
	}
	sqlite3_reset(st);
	return rc;
}

int wave_member_keys(struct wave_file *f, const struct member_keys *page,
    struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_MEMBER_KEYS, err);
	int rc, n = 0;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, page->id);
	sqlite3_bind_text(st, 2, page->after.p == NULL ? "" : page->after.p,
	    (int)page->after.n, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 3, page->limit);
	for (; (rc = wave_step(f, st, err)) > 0; n++)
		page->fn(page->arg, db_text(st, 0));
	sqlite3_reset(st);
	return rc < 0 ? -1 : n;
}

int wave_aliases(struct wave_file *f, int64_t id,
    void (*fn)(void *arg, struct slice address), void *arg,
    struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_ALIASES, err);
	int rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, id);
	while ((rc = wave_step(f, st, err)) > 0)
		fn(arg, db_text(st, 0));
	return rc;
}

int wave_has(struct wave_file *f, struct slice wave, struct slice address,
    struct error *err)
{
	int rc = wave_absent(f, err);
	sqlite3_stmt *st;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = wave_stmt(f, WS_HAS, err);
	if (st == NULL)
		return -1;
	db_bind(st, 1, wave);
	db_bind(st, 2, address);
	rc = wave_step(f, st, err);
	sqlite3_reset(st);
	return rc;
}

/* By the row of its address, else by that of the base, as a route is found. */
static int has_key(struct wave_file *f, const struct conf *conf,
    struct slice wave, struct slice key, struct error *err)
{
	int rc = wave_has(f, wave, key, err);
	struct strbuf base;

	if (rc != 0)
		return rc;
	strbuf_init(&base, ADDR_MAX);
	if (route_base(conf, key, &base) && !slice_eq(strbuf_view(&base), key))
		rc = wave_has(f, wave, strbuf_view(&base), err);
	strbuf_fini(&base);
	return rc;
}

int wave_has_recipient(struct wave_file *f, const struct conf *conf,
    const char *wave, const char *to, struct error *err)
{
	struct strbuf key;
	struct addr a;
	const char *why;
	int rc = 0;

	if (addr_parse(slice_str(to), true, &a, &why) < 0)
		return 0;
	strbuf_init(&key, 2 * ADDR_MAX);
	if (addr_key(&a, '\0', &key))
		rc = has_key(f, conf, slice_str(wave), strbuf_view(&key), err);
	strbuf_fini(&key);
	return rc;
}

int wave_of(struct wave_file *f, struct slice address, struct wave *wave_out,
    struct error *err)
{
	int rc = wave_absent(f, err);
	sqlite3_stmt *st;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = wave_stmt(f, WS_OF, err);
	if (st == NULL)
		return -1;
	db_bind(st, 1, address);
	rc = wave_step(f, st, err);
	if (rc > 0 && wave_keep(f, st, wave_out, err) < 0)
		rc = -1;
	sqlite3_reset(st);
	return rc;
}

int wave_mark(struct wave_file *f, const struct wave *w,
    struct slice address, const struct member_mark *mark, struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, WS_MARK, err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, w->id);
	db_bind(st, 2, address);
	sqlite3_bind_int(st, 3, (int)mark->state);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)mark->change);
	sqlite3_bind_int64(st, 5, (sqlite3_int64)mark->slice);
	sqlite3_bind_int64(st, 6, w->run);
	db_bind_str(st, 7, mark->reason == NULL ? "" : mark->reason);
	return wave_do(f, st, NULL, err);
}
