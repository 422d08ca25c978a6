/* SPDX-License-Identifier: ISC
 *
 * The waves in posthouse status: from the table, since the daemon's answer
 * may be that of a user who has no other way to it.
 */
#include "relay/cli/wave/wave_status.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "relay/cli/common/human.h"
#include "relay/cli/wave/wave_open.h"

static const struct out_column columns[] = {
	{"name", "WAVE", false},   {"state", "STATE", false},
	{"share", "DONE", true},   {"failed", "FAILED", true},
	{"route", "TO", false},	   {"at", "AT", false},
	{"reason", "REASON", false}, {NULL, NULL, false},
};

struct wave_lines {
	struct cli *c;
	struct wave_file *f;
	uint64_t state[WAVE_STATES];
	uint64_t shown;
};

static void put_wave(struct cli *c, const struct wave *w,
    const struct wave_counts *n)
{
	struct jout *j = out_row(&c->out);
	struct strbuf share;

	jout_str(j, "section", "wave");
	jout_str(j, "name", w->name);
	jout_str(j, "state", wave_state_text((int)w->state));
	jout_int(j, "members", (int64_t)n->members);
	jout_int(j, "done", (int64_t)n->state[MEMBER_DONE]);
	jout_int(j, "failed", (int64_t)n->state[MEMBER_FAILED]);
	jout_str(j, "route", w->route);
	if (w->at_us != 0)
		jout_time(j, "at", w->at_us);
	jout_str(j, "reason", w->reason);
	if (!c->json) {
		strbuf_init(&share, 100);
		human_count((int64_t)n->state[MEMBER_DONE], &share);
		strbuf_addc(&share, '/');
		human_count((int64_t)n->members, &share);
		jout_str(j, "share", strbuf_cstr(&share));
		strbuf_fini(&share);
	}
	out_row_end(&c->out);
}

static void on_wave(void *arg, const struct wave *w)
{
	struct wave_lines *l = arg;
	struct wave_counts n;
	struct error ignored;

	l->state[w->state]++;
	if (!l->c->json && !wave_state_active(w->state))
		return;
	if (wave_count(l->f, w->id, &n, &ignored) < 0)
		return;
	if (l->shown++ == 0) {
		out_say(&l->c->out, "%s", "");
		out_table(&l->c->out, columns);
	}
	put_wave(l->c, w, &n);
}

static void say_others(const struct wave_lines *l)
{
	struct strbuf b;

	strbuf_init(&b, 300);
	for (int i = 0; i < WAVE_STATES; i++) {
		if (wave_state_active((enum wave_state)i) || l->state[i] == 0)
			continue;
		strbuf_adds(&b, b.n == 0 ? "" : ", ");
		human_count((int64_t)l->state[i], &b);
		strbuf_addf(&b, " %s", wave_state_text(i));
	}
	if (b.n > 0 && l->shown == 0)
		out_say(&l->c->out, "%s", "");
	if (b.n > 0)
		out_say(&l->c->out, "waves: %s; posthouse wave list",
		    strbuf_cstr(&b));
	strbuf_fini(&b);
}

void wave_status(struct cli *c)
{
	const struct conf *conf = cli_conf_try(c);
	struct wave_lines l = {.c = c};
	struct error ignored;

	if (conf == NULL || access(conf->table.path, R_OK | W_OK) != 0)
		return;
	l.f = wave_open(c, false);
	if (l.f == NULL)
		return;
	if (wave_each(l.f, on_wave, &l, &ignored) == 0) {
		out_end(&c->out);
		say_others(&l);
	}
	wave_file_close(l.f);
}
