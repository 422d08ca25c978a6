/* SPDX-License-Identifier: ISC
 *
 * Opens a change of the cutover table, shows how far its file is read, and
 * says why a change was not made.
 */
#include "relay/cli/table/cli_change.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/change/table_make.h"
#include "policy/wave/file/wave_where.h"
#include "relay/base/clock.h"
#include "relay/cli/table/cli_table.h"

enum { NOTE_MAX = 1000, FAULTS_NAMED = 20 };

static void on_fault(void *arg, uint64_t line, const char *why)
{
	struct cli *c = arg;

	if (c->input_faults++ >= FAULTS_NAMED)
		return;
	progress_clear(&c->bar);
	if (line > 0)
		cli_fail(c, "%s: line %" PRIu64 ": %s", c->input, line, why);
	else
		cli_fail(c, "%s: %s", c->input, why);
}

static void on_read(void *arg, uint64_t bytes)
{
	struct cli *c = arg;

	progress_at(&c->bar, bytes);
}

static void on_phase(void *arg, const char *what)
{
	struct cli *c = arg;

	if (what == NULL)
		progress_clear(&c->bar);
	else
		progress_phase(&c->bar, what);
}

static void on_waits(void *arg, int64_t limit_ms)
{
	struct cli *c = arg;

	progress_clear(&c->bar);
	cli_fail(c, "another change is being made; waiting up to %lld s for "
	    "its end", (long long)(limit_ms + 999) / 1000);
}

static void watch(struct cli *c, struct change *ch)
{
	struct change_watch watch = {
	    .arg = c,
	    .fault = c->input == NULL ? NULL : on_fault,
	    .read = on_read,
	    .phase = isatty(STDERR_FILENO) ? on_phase : NULL,
	    .waits = on_waits,
	    .wait_ms = c->timeout_ms,
	};

	change_watch(ch, &watch);
}

void cli_watch_file(struct cli *c, struct change *ch, const char *name,
    int fd)
{
	struct stat st = {0};

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		st.st_size = 0;
	c->input = strcmp(name, "-") == 0 ? "standard input" : name;
	c->input_faults = 0;
	progress_begin(&c->bar, "reading", (uint64_t)st.st_size);
	watch(c, ch);
}

int cli_change_fail(struct cli *c, const struct change *ch,
    const struct error *err)
{
	uint64_t n = change_faults(ch);

	progress_end(&c->bar);
	if (n == 0 || c->input == NULL)
		return cli_fail(c, "%s%s%s", c->input == NULL ? "" : c->input,
		    c->input == NULL ? "" : ": ", err->text);
	return cli_fail(c, "%s: %" PRIu64 " line%s wrong%s; nothing was "
	    "changed", c->input, n, n == 1 ? " is" : "s are",
	    n > FAULTS_NAMED ? ", the first 20 are named" : "");
}

struct change *cli_change_from(struct cli *c, const char *name, int *fd_out)
{
	struct change *ch;

	*fd_out = cli_open_input(c, name);
	if (*fd_out < 0)
		return NULL;
	ch = cli_change(c);
	if (ch == NULL)
		close(*fd_out);
	return ch;
}

struct change *cli_change(struct cli *c)
{
	const char *path = cli_table_path(c), *note = cli_value(c, "note");
	struct error err = {0};
	struct change *ch = NULL;
	struct where_waves waves;

	if (path == NULL)
		return NULL;
	if (note != NULL && strlen(note) > NOTE_MAX) {
		cli_fail(c, "the note is longer than %d bytes", NOTE_MAX);
		return NULL;
	}
	if (table_prepare(path, c->conf, c->who, &err) == 0)
		ch = change_open(path, c->conf, &err);
	if (ch == NULL) {
		cli_fail(c, "%s", err.text);
		return NULL;
	}
	waves = wave_where_new(path);
	change_take_waves(ch, &waves);
	progress_begin(&c->bar, "", 0);
	watch(c, ch);
	return ch;
}
