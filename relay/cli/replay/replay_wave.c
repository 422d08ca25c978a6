/* SPDX-License-Identifier: ISC
 *
 * The members of a wave as flips that are taken back. A wave began after it
 * was created, so that is the moment since which mail counts.
 */
#include "relay/cli/replay/replay_wave.h"

#include "policy/table.h"
#include "policy/wave/file/wave_file.h"
#include "relay/base/mem.h"
#include "relay/cli/table/cli_table.h"

struct back_members {
	struct replay_back *back;
	const struct wave *wave;
};

static void on_member(void *arg, const struct member *m)
{
	struct back_members *b = arg;

	if (m->was != NULL && m->now != NULL &&
	    strcmp(m->now, b->wave->route) == 0)
		replay_back_add(b->back, m->address, m->now, m->was);
}

/* CLI_DONE and the wave, whose texts live as long as the file. */
static int open_wave(struct cli *c, const char *name, struct wave_file **f_out,
    struct wave *w)
{
	const char *path = cli_table_path(c);
	struct error err = {0};

	if (path == NULL)
		return CLI_NO;
	*f_out = wave_file_open(path, false, &err);
	if (*f_out != NULL && wave_need(*f_out, name, w, &err) >= 0)
		return CLI_DONE;
	return cli_fail(c, "%s", err.text);
}

int replay_wave_preview(struct cli *c, const char *wave,
    struct replay_back **back_out)
{
	struct wave_file *f = NULL;
	struct wave w;
	struct back_members b = {.wave = &w};
	struct error err = {0};
	int code = open_wave(c, wave, &f, &w);

	if (code == CLI_DONE) {
		b.back = *back_out = replay_back_new(c, w.created_us, wave);
		if (wave_members(f, &(struct member_page){.id = w.id,
			.state = MEMBER_DONE, .fn = on_member, .arg = &b},
			&err) < 0)
			code = cli_fail(c, "%s", err.text);
	}
	wave_file_close(f);
	return code == CLI_DONE ? replay_back_preview(*back_out) : code;
}

static int start_change(struct cli *c, const char *wave, uint64_t change)
{
	struct wave_file *f = NULL;
	struct wave w;
	struct replay_back *b = NULL;
	struct table *t = NULL;
	struct error err = {0};
	int code = open_wave(c, wave, &f, &w);

	if (code == CLI_DONE)
		t = cli_table(c);
	if (t != NULL) {
		b = replay_back_new(c, w.created_us, wave);
		code = table_change_rows(t, change, replay_back_row, b,
			   &err) < 0 ? cli_fail(c, "%s", err.text)
				     : replay_back_start(b, change);
	}
	replay_back_free(b);
	table_close(t);
	wave_file_close(f);
	return code;
}

int replay_wave_start(struct cli *c, struct replay_back *back,
    const char *wave, uint64_t change)
{
	return change == 0 ? replay_back_start(back, 0)
			   : start_change(c, wave, change);
}
