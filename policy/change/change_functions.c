/* SPDX-License-Identifier: ISC
 *
 * SQL functions that the statements of a change call.
 */
#include "policy/change/change_int.h"

#include "policy/change/row_undo.h"

static struct slice value_text(sqlite3_value *value)
{
	const void *text = sqlite3_value_text(value);

	return slice_of(text == NULL ? "" : text,
	    (size_t)sqlite3_value_bytes(value));
}

/* merge_addresses(old, patch) */
static void sql_merge(sqlite3_context *ctx, int n, sqlite3_value **arg)
{
	struct slice part[2];
	struct strbuf out;

	for (int i = 0; i < n && i < 2; i++)
		part[i] = value_text(arg[i]);
	strbuf_init(&out, 2 * ROW_TEXT_MAX);
	row_addresses(part[0], part[1], &out);
	if (strbuf_ok(&out))
		sqlite3_result_text(ctx, strbuf_cstr(&out), (int)out.n,
		    SQLITE_TRANSIENT);
	else
		sqlite3_result_error(ctx, "the addresses of a row are too "
		    "long", -1);
	strbuf_fini(&out);
}

/* patch_tags(tags, patch): the patch is the tags to add, a line end, those to
 * drop, a line end, the keys to drop. */
static void sql_patch_tags(sqlite3_context *ctx, int n, sqlite3_value **arg)
{
	struct slice patch = value_text(arg[1]), part[3] = {0};
	struct strbuf out, kept;
	struct error err;

	(void)n;
	strbuf_init(&out, ROW_TEXT_MAX);
	strbuf_init(&kept, ROW_TEXT_MAX);
	for (int i = 0; i < 3 && slice_next(&patch, '\n', &part[i]); i++)
		;
	row_drop_keys(value_text(arg[0]), part[2], &kept);
	if (row_patch_tags(strbuf_view(&kept), part[0], part[1], &out,
		&err) == 0)
		sqlite3_result_text(ctx, strbuf_cstr(&out), (int)out.n,
		    SQLITE_TRANSIENT);
	else
		sqlite3_result_error(ctx, err.text, -1);
	strbuf_fini(&kept);
	strbuf_fini(&out);
}

/* domain_of(address) */
static void sql_domain_of(sqlite3_context *ctx, int n, sqlite3_value **arg)
{
	struct slice domain = row_domain(value_text(arg[0]));

	(void)n;
	sqlite3_result_text(ctx, domain.p, (int)domain.n, SQLITE_TRANSIENT);
}

struct slice change_customer(const struct conf *c, struct slice key)
{
	const struct conf_domain *d = conf_domain(c, row_domain(key));

	return slice_str(d == NULL ? "" : d->customer);
}

/* customer_of(address) */
static void sql_customer_of(sqlite3_context *ctx, int n, sqlite3_value **arg)
{
	const struct conf *c = sqlite3_user_data(ctx);
	struct slice customer = change_customer(c, value_text(arg[0]));

	(void)n;
	/* The configuration outlives the statement. */
	sqlite3_result_text(ctx, customer.p, (int)customer.n, SQLITE_STATIC);
}

/* ---- of an undo ------------------------------------------------------- */

static struct row_undo undo_of(sqlite3_value **arg)
{
	return (struct row_undo){value_text(arg[0]), value_text(arg[1]),
	    value_text(arg[2])};
}

static void give(sqlite3_context *ctx, struct strbuf *text)
{
	if (strbuf_ok(text))
		sqlite3_result_text(ctx, strbuf_cstr(text), (int)text->n,
		    SQLITE_TRANSIENT);
	else
		sqlite3_result_error(ctx, "the addresses of a row are too "
		    "long", -1);
	strbuf_fini(text);
}

/* undo_tags(old, given, now) */
static void sql_undo_tags(sqlite3_context *ctx, int n, sqlite3_value **arg)
{
	struct row_undo u = undo_of(arg);
	struct strbuf out;
	struct error err;

	(void)n;
	strbuf_init(&out, ROW_TEXT_MAX);
	if (row_undo_tags(&u, &out, &err) < 0) {
		sqlite3_result_error(ctx, err.text, -1);
		strbuf_fini(&out);
		return;
	}
	give(ctx, &out);
}

/* undo_addresses(old, given, now) */
static void sql_undo_addresses(sqlite3_context *ctx, int n,
    sqlite3_value **arg)
{
	struct row_undo u = undo_of(arg);
	struct strbuf out;

	(void)n;
	strbuf_init(&out, 2 * ROW_TEXT_MAX);
	row_undo_addresses(&u, &out);
	give(ctx, &out);
}

/* left_addresses(old, given, now) */
static void sql_left_addresses(sqlite3_context *ctx, int n,
    sqlite3_value **arg)
{
	struct row_undo u = undo_of(arg);
	struct strbuf out;

	(void)n;
	strbuf_init(&out, 2 * ROW_TEXT_MAX);
	row_left_addresses(&u, &out);
	give(ctx, &out);
}

static void add_undo_functions(sqlite3 *handle)
{
	static const struct {
		const char *name;
		void (*fn)(sqlite3_context *, int, sqlite3_value **);
	} functions[] = {
	    {"undo_tags", sql_undo_tags},
	    {"undo_addresses", sql_undo_addresses},
	    {"left_addresses", sql_left_addresses},
	};

	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		sqlite3_create_function(handle, functions[i].name, 3,
		    SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
		    NULL, functions[i].fn, NULL, NULL);
}

/* ---- all of them ------------------------------------------------------ */

void change_functions(struct change *ch)
{
	enum { KIND = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS };
	sqlite3 *db = ch->db.handle;

	sqlite3_create_function(db, "merge_addresses", 2, KIND, NULL,
	    sql_merge, NULL, NULL);
	sqlite3_create_function(db, "patch_tags", 2, KIND, NULL,
	    sql_patch_tags, NULL, NULL);
	sqlite3_create_function(db, "domain_of", 1, KIND, NULL, sql_domain_of,
	    NULL, NULL);
	sqlite3_create_function(db, "customer_of", 1, KIND,
	    (void *)(uintptr_t)ch->conf, sql_customer_of, NULL, NULL);
	add_undo_functions(db);
}
