/* SPDX-License-Identifier: ISC
 *
 * whereis: one line about a recipient: where its mail goes now, since when, by
 * which change, its wave and watermarks, and what waits for it. The table is
 * asked as at RCPT; the daemon for what waits, where it answers.
 */
#include "relay/cli/route/whereis.h"

#include "policy/route.h"
#include "policy/wave/file/wave_file.h"
#include "relay/cli/route/route_commands.h"
#include "relay/cli/table/cli_table.h"
#include "relay/ops/ctl.h"

/* ---- asked ------------------------------------------------------------- */

static int read_address(struct cli *c, struct whereis *w)
{
	const char *why;

	if (addr_parse(slice_str(c->arg[0]), true, &w->to, &why) < 0)
		return cli_usage(c, "'%s' is no address: %s", c->arg[0], why);
	return CLI_DONE;
}

static int ask_table(struct cli *c, struct whereis *w, struct table *t)
{
	const struct decision *d = &w->d;
	struct error err = {0};
	int rc = table_begin(t, &err);

	if (rc == 0) {
		route_decide(c->conf, t, &w->to, c->arena, &w->d);
		if (d->row.found)
			rc = table_routed(t, &(struct table_at){
			    slice_str(d->key), d->row.change}, c->arena,
			    &w->by, &err);
		w->known = rc > 0;
		table_end(t);
	}
	return rc < 0 ? cli_fail(c, "%s", err.text) : CLI_DONE;
}

static int ask_waves(struct cli *c, struct whereis *w)
{
	struct error err = {0};
	struct wave_file *f = wave_file_open(c->conf->table.path, false,
	    &err);
	struct wave wave;
	const char *key = w->d.key[0] == '@' ? w->d.base : w->d.key;
	int rc = f == NULL ? -1 : wave_of(f, slice_str(key), &wave, &err);

	if (rc > 0) {
		w->wave = arena_strdup(c->arena, wave.name);
		w->wave_state = wave_state_text((int)wave.state);
	}
	wave_file_close(f);
	return rc < 0 ? cli_fail(c, "%s", err.text) : CLI_DONE;
}

static void on_watermark(void *arg, const struct watermark *m)
{
	struct whereis *w = arg;

	if (w->marks == WHEREIS_MARKS)
		return;
	w->mark[w->marks] = *m;
	w->mark[w->marks].leg = arena_strdup(w->arena, m->leg);
	w->mark[w->marks++].address = "";
}

/* The file is there once the daemon ran. */
static void ask_watermarks(struct cli *c, struct whereis *w)
{
	struct error err = {0};
	struct watermark_reader *r = watermark_reader_open(c->conf, &err);

	if (r == NULL || watermark_reader_get(r, slice_str(w->d.base),
			     on_watermark, w, &err) < 0)
		w->no_marks = arena_strdup(c->arena, err.text);
	watermark_reader_close(r);
}

static void on_open(void *arg, json_t *row)
{
	struct whereis *w = arg;

	json_decref(w->open);
	w->open = json_incref(row);
}

static void ask_daemon(struct cli *c, struct whereis *w)
{
	struct error err = {0};
	struct ctl_question q = {
	    .path = c->conf->control.socket,
	    .command = "recipient.open",
	    .row = on_open,
	    .arg = w,
	};

	if (w->d.base[0] == '\0') {
		w->no_open = "no recipient of ours";
		return;
	}
	q.args = json_pack("{s:s}", "address", w->d.base);
	if (ctl_call(&q, &err) != 0 || w->open == NULL)
		w->no_open = arena_strdup(c->arena, err.text);
}

static int ask_all(struct cli *c, struct whereis *w)
{
	struct table *t = cli_table(c);
	int code = t == NULL ? CLI_NO : ask_table(c, w, t);

	table_close(t);
	if (code == CLI_DONE)
		code = ask_waves(c, w);
	if (code != CLI_DONE)
		return code;
	ask_watermarks(c, w);
	ask_daemon(c, w);
	return CLI_DONE;
}

static int run_whereis(struct cli *c)
{
	struct whereis w = {.arena = c->arena};
	int code;

	if (cli_conf(c) == NULL)
		return CLI_NO;
	code = read_address(c, &w);
	if (code == CLI_DONE)
		code = ask_all(c, &w);
	if (code == CLI_DONE)
		whereis_print(c, &w);
	json_decref(w.open);
	return code;
}

const struct cli_command cmd_whereis[] = {
	{
	    .name = "whereis",
	    .args = "ADDR",
	    .summary = "Says in one line where the mail of an address goes "
		       "now",
	    .details = "Its legs, as at RCPT (a detail, the domain's row); "
		       "since when and by which change;\nits wave; its "
		       "watermarks, which speak only of mail that passed "
		       "here; and what waits\nfor it, which the daemon alone "
		       "knows: without it ? and the reason.",
	    .example = "posthouse whereis ann+news@example.com",
	    .min_args = 1,
	    .max_args = 1,
	    .run = run_whereis,
	},
	{.name = NULL},
};
