/* SPDX-License-Identifier: ISC
 *
 * Tables behind a wave: members, slices, decisions, watermarks.
 */
#include "relay/cli/wave/wave_rows.h"

#include "policy/wave/file/decided.h"
#include "relay/base/mem.h"
#include "relay/cli/watermark/watermark_show.h"

static const struct out_column member_columns[] = {
	{"address", "MEMBER", false}, {"state", "STATE", false},
	{"was", "WAS", false},	      {"now", "NOW", false},
	{"slice", "SLICE", true},     {"change", "CHANGE", true},
	{"reason", "REASON", false},  {NULL, NULL, false},
};

static void put_member(void *arg, const struct member *m)
{
	struct cli *c = arg;
	struct jout *j = out_row(&c->out);

	jout_slice(j, "address", m->address);
	jout_str(j, "state", member_state_text(m->state));
	jout_str(j, "was", m->was);
	jout_str(j, "now", m->now);
	if (m->slice != 0)
		jout_int(j, "slice", (int64_t)m->slice);
	if (m->change != 0)
		jout_int(j, "change", (int64_t)m->change);
	jout_str(j, "reason", m->reason);
	out_row_end(&c->out);
}

static const struct out_column slice_columns[] = {
	{"run", "RUN", true},	      {"slice", "SLICE", true},
	{"time", "TIME", false},      {"moved", "MEMBERS", true},
	{"change", "CHANGE", true},   {NULL, NULL, false},
};

static void put_slice(void *arg, const struct slice_row *s)
{
	struct cli *c = arg;
	struct jout *j = out_row(&c->out);

	jout_int(j, "run", s->run);
	jout_int(j, "slice", (int64_t)s->slice);
	jout_time(j, "time", s->time_us);
	jout_int(j, "moved", (int64_t)s->members);
	if (s->change != 0)
		jout_int(j, "change", (int64_t)s->change);
	out_row_end(&c->out);
}

static const struct out_column decision_columns[] = {
	{"time", "TIME", false},      {"who", "WHO", false},
	{"host", "HOST", false},      {"command", "COMMAND", false},
	{"about", "ABOUT", false},    {"detail", "DECIDED", false},
	{"why", "NOTE", false},
	{NULL, NULL, false},
};

static void put_decision(void *arg, const struct decided *d)
{
	struct cli *c = arg;
	struct jout *j = out_row(&c->out);

	jout_int(j, "decision", (int64_t)d->number);
	jout_time(j, "time", d->time_us);
	jout_str(j, "who", d->who);
	jout_str(j, "host", d->host);
	jout_str(j, "command", d->command);
	jout_str(j, "about", d->about);
	jout_str(j, "detail", d->detail);
	jout_str(j, "why", d->note);
	out_row_end(&c->out);
}

/* About one wave, or (NULL) all. */
static int put_decisions(struct cli *c, struct wave_file *f,
    const char *about, struct error *err)
{
	const struct decided_page page = {.about = about,
	    .fn = put_decision, .arg = c};
	int rc;

	out_table(&c->out, decision_columns);
	rc = decided_each(f, &page, err);
	out_end(&c->out);
	return rc;
}

int wave_decisions(struct cli *c, struct wave_file *f, struct error *err)
{
	return put_decisions(c, f, NULL, err);
}

struct address_list {
	struct arena *a;
	struct slice *address;
	size_t n, room;
};

static void add_address(void *arg, const struct member *m)
{
	struct address_list *l = arg;

	if (l->n == l->room) {
		l->room = l->room == 0 ? 1024 : 2 * l->room;
		l->address = mem_resize(l->address,
		    l->room * sizeof(*l->address));
	}
	l->address[l->n++] = slice_str(arena_slicedup(l->a, m->address));
}

/* Of the members, in that state. */
static int put_watermarks(struct cli *c, struct wave_file *f,
    const struct wave_of *of, struct error *err)
{
	struct address_list l = {.a = c->arena};
	const struct member_page page = {.id = of->wave->id,
	    .state = of->state, .fn = add_address, .arg = &l};
	int rc = wave_members(f, &page, err);

	if (rc == 0)
		watermark_show_of(c, l.address, l.n);
	mem_free(l.address);
	return rc;
}

int wave_rows(struct cli *c, struct wave_file *f, const struct wave_of *of,
    struct error *err)
{
	const struct wave *w = of->wave;
	const struct member_page members = {.id = w->id, .state = of->state,
	    .fn = put_member, .arg = c};
	bool marks = cli_flag(c, "watermarks");
	int rc = 0;

	if (cli_flag(c, "slices")) {
		out_table(&c->out, slice_columns);
		rc = wave_slices(f, w->id, put_slice, c, err);
		out_end(&c->out);
	}
	if (rc == 0 && cli_flag(c, "decisions"))
		rc = put_decisions(c, f, w->name, err);
	if (rc == 0 && (cli_flag(c, "members") || (of->state >= 0 && !marks))) {
		out_table(&c->out, member_columns);
		rc = wave_members(f, &members, err);
		out_end(&c->out);
	}
	if (rc == 0 && marks)
		rc = put_watermarks(c, f, of, err);
	return rc;
}
