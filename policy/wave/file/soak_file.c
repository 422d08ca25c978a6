/* SPDX-License-Identifier: ISC
 *
 * The rows of `soak`.
 */
#include "policy/wave/file/soak_file.h"

#include "policy/wave/file/wave_file_int.h"

static sqlite3_stmt *of(struct wave_file *f, enum wave_statement which,
    const struct wave *w, uint64_t slice, struct error *err)
{
	sqlite3_stmt *st = wave_stmt(f, which, err);

	if (st == NULL)
		return NULL;
	sqlite3_bind_int64(st, 1, w->id);
	sqlite3_bind_int64(st, 2, w->run);
	if (sqlite3_bind_parameter_count(st) > 2)
		sqlite3_bind_int64(st, 3, (sqlite3_int64)slice);
	return st;
}

/* ---- a row ------------------------------------------------------------- */

/* A number that the file may not hold is none. */
static uint64_t number_at(sqlite3_stmt *st, int column)
{
	int64_t n = sqlite3_column_int64(st, column);

	return n < 0 ? 0 : (uint64_t)n;
}

static struct soak_counts counts_at(sqlite3_stmt *st, int column)
{
	return (struct soak_counts){number_at(st, column),
	    number_at(st, column + 1), number_at(st, column + 2)};
}

static int soak_at(struct wave_file *f, sqlite3_stmt *st, struct soak *s,
    struct error *err)
{
	int end = soak_end_named(db_text(st, 4));

	if (end < 0)
		return error_set(err, "%s: a soak has the end '%s', which "
		    "this version does not know", f->db.path, db_str(st, 4));
	s->began_us = sqlite3_column_int64(st, 0);
	s->since_us = sqlite3_column_int64(st, 1);
	s->looked_us = sqlite3_column_int64(st, 2);
	s->ended_us = sqlite3_column_int64(st, 3);
	s->end = (enum soak_end)end;
	s->told = sqlite3_column_int(st, 5) != 0;
	s->back = number_at(st, 6);
	s->who = arena_strdup(f->texts, db_str(st, 7));
	s->of_leg = sqlite3_column_int(st, 8) != 0;
	s->base = counts_at(st, 9);
	s->was = counts_at(st, 12);
	s->now = counts_at(st, 15);
	s->users = number_at(st, 18);
	s->complaints = number_at(st, 19);
	return 0;
}

int soak_get(struct wave_file *f, const struct wave *w, uint64_t slice,
    struct soak *soak_out, struct error *err)
{
	int rc = wave_unwatched(f, err);
	sqlite3_stmt *st;

	*soak_out = (struct soak){.run = w->run, .slice = slice, .who = ""};
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = of(f, WS_SOAK_GET, w, slice, err);
	rc = st == NULL ? -1 : wave_step(f, st, err);
	if (rc > 0 && soak_at(f, st, soak_out, err) < 0)
		rc = -1;
	sqlite3_reset(st);
	return rc;
}

static void bind_counts(sqlite3_stmt *st, int at, const struct soak_counts *c)
{
	sqlite3_bind_int64(st, at, (sqlite3_int64)c->delivered);
	sqlite3_bind_int64(st, at + 1, (sqlite3_int64)c->failed);
	sqlite3_bind_int64(st, at + 2, (sqlite3_int64)c->trouble);
}

int soak_put(struct wave_file *f, const struct wave *w, const struct soak *s,
    struct error *err)
{
	sqlite3_stmt *st = of(f, WS_SOAK_PUT, w, s->slice, err);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 4, s->began_us);
	sqlite3_bind_int64(st, 5, s->since_us);
	sqlite3_bind_int64(st, 6, s->looked_us);
	sqlite3_bind_int64(st, 7, s->ended_us);
	db_bind_str(st, 8, soak_end_text(s->end));
	sqlite3_bind_int(st, 9, s->told);
	sqlite3_bind_int64(st, 10, (sqlite3_int64)s->back);
	db_bind_str(st, 11, s->who == NULL ? "" : s->who);
	sqlite3_bind_int(st, 12, s->of_leg);
	bind_counts(st, 13, &s->base);
	bind_counts(st, 16, &s->was);
	bind_counts(st, 19, &s->now);
	sqlite3_bind_int64(st, 22, (sqlite3_int64)s->users);
	sqlite3_bind_int64(st, 23, (sqlite3_int64)s->complaints);
	return wave_do(f, st, NULL, err);
}

int soak_drop(struct wave_file *f, const struct wave *w, uint64_t slice,
    struct error *err)
{
	sqlite3_stmt *st = of(f, WS_SOAK_DROP, w, slice, err);

	return st == NULL ? -1 : wave_do(f, st, NULL, err);
}

/* ---- what is watched --------------------------------------------------- */

int soak_since(struct wave_file *f, const struct wave *w, int64_t *us_out,
    struct error *err)
{
	int rc = wave_unwatched(f, err);
	sqlite3_stmt *st;

	*us_out = INT64_MAX;
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = of(f, WS_SOAK_SINCE, w, 0, err);
	rc = st == NULL ? -1 : wave_step(f, st, err);
	if (rc > 0)
		*us_out = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

int soak_members(struct wave_file *f, const struct wave *w, uint64_t slice,
    const struct soak_members *to, struct error *err)
{
	sqlite3_stmt *st = of(f, WS_SOAK_MEMBERS, w, slice, err);
	int rc;

	if (st == NULL)
		return -1;
	while ((rc = wave_step(f, st, err)) > 0) {
		const struct soak_member m = {db_text(st, 0), db_str(st, 1),
		    db_str(st, 2)};

		to->fn(to->arg, &m);
	}
	return rc;
}
