/* SPDX-License-Identifier: ISC
 *
 * The facts of a verdict, all reasons one after the other.
 */
#include "relay/cli/verdict/gather.h"

#include <stdarg.h>

#include "relay/base/clock.h"
#include "relay/cli/table/cli_table.h"

enum { FACT_BYTES = 1000 };

const char *gather_text(struct verdict_look *g, const char *fmt, ...)
{
	char text[FACT_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return arena_strdup(g->f.arena, text);
}

const char *gather_moment(struct verdict_look *g, int64_t us)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(us, text);
	return arena_strdup(g->f.arena, text);
}

void gather_fact(struct verdict_look *g, enum fact_id id, int64_t at_us,
    const char *fmt, ...)
{
	char text[FACT_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	facts_add(&g->f, id, slice_str(text), at_us);
}

void gather_ignore(void *arg, json_t *row)
{
	(void)arg;
	(void)row;
}

bool gather_has(const struct verdict_look *g, struct slice address)
{
	long at = slice_rfind(address, '@');

	return at >= 0 && conf_verdict_has(g->conf, g->v,
	    slice_from(address, (size_t)at + 1));
}

int gather_leg(const struct conf *c, struct slice name)
{
	const struct conf_leg *l = conf_leg_by_name(c, name);

	return l == NULL ? -1 : (int)(l - c->leg);
}

int gather_all(struct verdict_look *g)
{
	struct error err = {0};

	g->f.arena = g->c->arena;
	g->leg = gather_leg(g->conf, slice_str(g->v->leg));
	g->now_us = clock_wall_us(&clock_system);
	g->table_path = cli_table_path(g->c);
	if (g->table_path == NULL)
		return CLI_NO;
	g->file = verdict_file_open(g->table_path, false, &err);
	if (g->file == NULL ||
	    verdict_heads(g->file, &g->heads, &err) < 0 ||
	    waivers_get(g->file, g->v->name, g->f.arena, g->waiver, &err) < 0)
		return cli_fail(g->c, "%s", err.text);
	gather_rows(g);
	gather_open(g);
	gather_marks(g);
	gather_spread(g);
	gather_clients(g);
	gather_watch(g);
	return CLI_DONE;
}

void gather_end(struct verdict_look *g)
{
	mem_free(g->waived);
	mem_free(g->synced);
	mem_free(g->synced_part);
	mem_free(g->public);
	verdict_file_close(g->file);
	g->file = NULL;
}
