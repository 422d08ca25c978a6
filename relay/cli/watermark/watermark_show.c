/* SPDX-License-Identifier: ISC
 *
 * A watermark as a row, for people and programs.
 */
#include "relay/cli/watermark/watermark_show.h"

#include "relay/base/id.h"

const struct out_column watermark_columns[] = {
	{"address", "ADDRESS", false}, {"leg", "LEG", false},
	{"state", "STATE", false},     {"last", "LAST", false},
	{"since", "NONE SINCE", false}, {"id", "ID", false},
	{"open", "OPEN", true},	       {"hook", "HOOK", false},
	{"waived", "WAIVED", false},   {"note", "NOTE", false},
	{NULL, NULL, false},
};

static const char *const hooks[] = {"", "due", "taken", "failed"};

void watermark_show(struct cli *c, const struct watermark *w,
    int64_t since_us)
{
	struct jout *j = out_row(&c->out);
	char id[ID_TEXT];

	jout_str(j, "address", w->address);
	jout_str(j, "leg", w->leg);
	jout_str(j, "state", watermark_state_text((int)w->state));
	jout_time(j, "at", w->at_us);
	jout_int(j, "change", (int64_t)w->change);
	if (w->time_us != 0) {
		id_text(w->id, id);
		jout_time(j, "last", w->time_us);
		jout_str(j, "id", id);
	} else if (w->state != WATERMARK_PENDING) {
		jout_time(j, "since", since_us);
	}
	if (w->open != 0)
		jout_int(j, "open", w->open);
	if (w->hook != HOOK_NONE)
		jout_str(j, "hook", hooks[w->hook]);
	if (w->waived)
		jout_bool(j, "waived", true);
	if (w->note[0] != '\0')
		jout_str(j, "note", w->note);
	out_row_end(&c->out);
}

void watermark_show_end(struct cli *c)
{
	out_say(&c->out, "A watermark speaks of mail that passed here: what a "
	    "legacy server delivers by itself, inside or from its own clients, "
	    "is not in it.");
}

struct showing {
	struct cli *c;
	int64_t since_us;
	size_t rows;
};

static void on_watermark(void *arg, const struct watermark *w)
{
	struct showing *s = arg;

	if (s->rows++ == 0)
		out_table(&s->c->out, watermark_columns);
	watermark_show(s->c, w, s->since_us);
}

void watermark_show_of(struct cli *c, const struct slice *address, size_t n)
{
	struct conf *conf = cli_conf_try(c);
	struct error err;
	struct watermark_reader *r =
	    conf == NULL ? NULL : watermark_reader_open(conf, &err);
	struct showing s = {.c = c};
	int rc = 0;

	if (r == NULL)
		return;
	s.since_us = watermark_reader_since(r);
	for (size_t i = 0; i < n && rc >= 0; i++)
		rc = watermark_reader_get(r, address[i], on_watermark, &s,
		    &err);
	if (s.rows > 0) {
		out_end(&c->out);
		watermark_show_end(c);
	}
	watermark_reader_close(r);
}
