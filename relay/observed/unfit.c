/* SPDX-License-Identifier: ISC
 *
 * The members of a wave that would fail, by its last preflight.
 */
#include "relay/observed/unfit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/strbuf.h"

struct unfit_row {
	const char *address, *why;
};

struct unfit {
	const char *dir;
	char *wave; /* whose rows these are; NULL: none yet */
	int64_t created_us;
	struct arena *arena;
	int64_t asked_us;
	struct error fault; /* text "": none */
	struct unfit_row *row; /* in order of addresses */
	size_t n, room;
};

struct unfit *unfit_new(const char *dir)
{
	struct unfit *u = NEW(struct unfit);

	u->dir = dir;
	u->arena = arena_new();
	return u;
}

void unfit_free(struct unfit *u)
{
	if (u == NULL)
		return;
	mem_free(u->wave);
	mem_free(u->row);
	arena_free(u->arena);
	mem_free(u);
}

static void on_row(void *arg, const struct asked_row *row)
{
	struct unfit *u = arg;
	struct strbuf why;

	if (row->kind == ASKED_RANDOM)
		return;
	if (u->n == u->room) {
		u->room = u->room == 0 ? 64 : 2 * u->room;
		u->row = mem_resize(u->row, u->room * sizeof(*u->row));
	}
	strbuf_init(&why, 600);
	strbuf_addf(&why, "preflight: %s said ", row->leg);
	if (row->code != 0)
		strbuf_addf(&why, "%d %s ", row->code, row->enh);
	strbuf_addf(&why, "%.250s", row->reply);
	u->row[u->n++] = (struct unfit_row){
	    arena_strdup(u->arena, row->address),
	    arena_slicedup(u->arena, strbuf_view(&why))};
	strbuf_fini(&why);
}

/* Another wave may have had the name, or this one another route. */
static int find(struct unfit *u, struct observed *o,
    const struct unfit_wave *w, struct asking *at, struct error *err)
{
	const struct asking_which which = {.kind = ASKING_WAVE,
	    .about = w->name};
	int rc = asking_get(o, &which, u->arena, at, err);

	if (rc > 0 && (at->created_us != w->created_us ||
			  strcmp(at->route, w->route) != 0))
		return 0;
	return rc;
}

static void load(struct unfit *u, const struct unfit_wave *w)
{
	struct asked_page page = {.fails = true, .fn = on_row, .arg = u};
	struct observed *o;
	struct asking at;
	struct error err = {0};
	int rc;

	mem_free(u->wave);
	u->wave = mem_strdup(w->name);
	u->created_us = w->created_us;
	u->n = 0;
	u->asked_us = 0;
	u->fault = (struct error){0};
	o = observed_read(u->dir, &err);
	rc = o == NULL ? -1 : find(u, o, w, &at, &err);
	if (rc > 0) {
		u->asked_us = at.started_us;
		page.number = at.number;
		rc = asked_rows(o, &page, &err);
	}
	if (rc < 0) { /* as if it had none, and so a start says */
		u->asked_us = 0;
		u->n = 0;
		if (err.no != ENOENT)
			u->fault = err;
	}
	observed_close(o);
}

static bool is_of(const struct unfit *u, const struct unfit_wave *w)
{
	return u->wave != NULL && strcmp(u->wave, w->name) == 0 &&
	       u->created_us == w->created_us;
}

static int by_address(const void *a, const void *b)
{
	const struct unfit_row *x = a, *y = b;

	return strcmp(x->address, y->address);
}

bool unfit_member(struct unfit *u, const struct unfit_wave *w,
    struct slice address, char *why, size_t why_size)
{
	char key[1000];
	const struct unfit_row wanted = {key, NULL}, *found;

	if (!is_of(u, w))
		load(u, w);
	snprintf(key, sizeof(key), "%.*s", (int)address.n, address.p);
	if (u->n == 0)
		return false;
	found = bsearch(&wanted, u->row, u->n, sizeof(*u->row), by_address);
	if (found != NULL)
		snprintf(why, why_size, "%s", found->why);
	return found != NULL;
}

int64_t unfit_asked_at(struct unfit *u, const struct unfit_wave *w)
{
	if (!is_of(u, w))
		load(u, w);
	return u->asked_us;
}

size_t unfit_count(struct unfit *u, const struct unfit_wave *w)
{
	if (!is_of(u, w))
		load(u, w);
	return u->n;
}

const char *unfit_fault(const struct unfit *u)
{
	return u->fault.text;
}
