/* SPDX-License-Identifier: ISC
 *
 * Tells an expression which waves a recipient is in, and the members of one.
 */
#include "policy/wave/file/wave_where.h"

#include "policy/wave/file/wave_file_int.h"

int wave_names_of(struct wave_file *f, struct slice address,
    struct strbuf *names_out, struct error *err)
{
	sqlite3_stmt *st;
	int rc = wave_absent(f, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = wave_stmt(f, WS_NAMES_OF, err);
	if (st == NULL)
		return -1;
	db_bind(st, 1, address);
	while ((rc = wave_step(f, st, err)) > 0) {
		strbuf_addsl(names_out, db_text(st, 0));
		strbuf_addc(names_out, ' ');
	}
	return rc;
}

struct wave_where {
	char *path;
	struct wave_file *f; /* NULL: nothing was asked yet */
};

static struct wave_file *opened(struct wave_where *q, struct error *err)
{
	if (q->f == NULL)
		q->f = wave_file_open(q->path, false, err);
	return q->f;
}

static int find(struct wave_file *f, struct slice name, int64_t *id_out,
    struct error *err)
{
	struct arena *a = arena_new();
	struct wave w;
	int rc = wave_need(f, arena_slicedup(a, name), &w, err);

	*id_out = rc < 0 ? 0 : w.id;
	arena_free(a);
	return rc < 0 ? -1 : 0;
}

static int known(void *arg, const struct where *w, struct error *err)
{
	struct wave_file *f = opened(arg, err);
	struct slice name[WHERE_NODES];
	unsigned n = where_named(w, WHERE_WAVE, name);
	int64_t id;

	if (f == NULL)
		return -1;
	for (unsigned i = 0; i < n; i++)
		if (find(f, name[i], &id, err) < 0)
			return -1;
	return 0;
}

static int of(void *arg, struct slice address, struct strbuf *names_out,
    struct error *err)
{
	struct wave_file *f = opened(arg, err);

	return f == NULL ? -1 : wave_names_of(f, address, names_out, err);
}

struct giving {
	int (*fn)(void *arg, struct slice address, struct error *err);
	void *arg;
	struct error *err;
	int rc;
};

static void on_member(void *arg, const struct member *m)
{
	struct giving *g = arg;

	if (g->rc == 0)
		g->rc = g->fn(g->arg, m->address, g->err);
}

static int members(void *arg, struct slice wave, where_member_fn *fn,
    void *fn_arg, struct error *err)
{
	struct wave_file *f = opened(arg, err);
	struct giving g = {fn, fn_arg, err, 0};
	struct member_page page = {.state = -1, .fn = on_member, .arg = &g};

	if (f == NULL || find(f, wave, &page.id, err) < 0 ||
	    wave_members(f, &page, err) < 0)
		return -1;
	return g.rc;
}

static void end(void *arg)
{
	struct wave_where *q = arg;

	wave_file_close(q->f);
	mem_free(q->path);
	mem_free(q);
}

struct where_waves wave_where_new(const char *path)
{
	struct wave_where *q = NEW(struct wave_where);

	q->path = mem_strdup(path);
	return (struct where_waves){q, known, of, members, end};
}
