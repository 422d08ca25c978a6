/* SPDX-License-Identifier: ISC
 *
 * queue export: messages as they were received, one on standard output or
 * any number as files. queue.export answers body rows; that a message was
 * read is on record.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/base/newfile.h"
#include "relay/cli/queue/queue_select.h"

enum { PATH_BYTES = 4096 };

/* A file or a pipe gets the very bytes; a terminal would obey some. */
static void show_body(struct slice bytes, FILE *to)
{
	struct slice line;
	bool first = true;
	struct strbuf b;

	strbuf_init(&b, 4 * bytes.n + 1);
	while (slice_next(&bytes, '\n', &line)) {
		strbuf_adds(&b, first ? "" : "\n");
		first = false;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		utf8_show(line, &b);
	}
	fputs(strbuf_cstr(&b), to);
	strbuf_fini(&b);
}

void queue_write_chunk(const json_t *row, FILE *to)
{
	const char *text = json_string_value(json_object_get(row, "chunk"));
	size_t n = text == NULL ? 0 : strlen(text);
	unsigned char *bytes;
	int got;

	if (n == 0)
		return;
	bytes = mem_new(n / 4 * 3 + 4);
	got = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)n);
	for (size_t i = n; got > 0 && i > 0 && text[i - 1] == '='; i--)
		got--;
	if (got > 0 && isatty(fileno(to)))
		show_body(slice_of(bytes, (size_t)got), to);
	else if (got > 0)
		fwrite(bytes, 1, (size_t)got, to);
	mem_free(bytes);
}

static void on_chunk(void *arg, json_t *row)
{
	queue_write_chunk(row, arg);
}

static int write_message(struct cli *c, const char *id, FILE *to)
{
	return cli_call(c, "queue.export", json_pack("{s:s}", "id", id),
	    on_chunk, to);
}

/* ---- many, as files ---------------------------------------------------- */

/* The messages that are meant, each once. */
void queue_add_id(void *arg, json_t *row)
{
	json_t *ids = arg, *id = json_object_get(row, "id");
	size_t n = json_array_size(ids);

	if (n == 0 || !json_equal(json_array_get(ids, n - 1), id))
		json_array_append(ids, id);
}

static int find(struct cli *c, json_t *ids)
{
	json_t *args = json_object();
	int code = queue_choose(c, args);

	if (code != CLI_DONE) {
		json_decref(args);
		return code;
	}
	code = cli_call(c, "queue.list", args, queue_add_id, ids);
	if (code == CLI_DONE && json_array_size(ids) == 0)
		return cli_fail(c, "nothing in the queue fits");
	return code;
}

/* `fd` is closed. */
static int write_file(struct cli *c, const char *id, int fd, const char *path)
{
	FILE *to = fdopen(fd, "w");
	bool written;
	int code;

	if (to == NULL) {
		close(fd);
		return cli_fail(c, "%s: %s", path, strerror(errno));
	}
	code = write_message(c, id, to);
	/* Whoever exports mail may delete it next. */
	written = fflush(to) == 0 && ferror(to) == 0 && fsync(fd) == 0;
	if (fclose(to) != 0 || !written)
		code = cli_fail(c, "%s: %s", path, strerror(errno));
	return code;
}

/* A file that is there is left alone. */
static int export_one(struct cli *c, const char *id, const char *path)
{
	char part[NEWFILE_PATH];
	int fd = newfile_open(path, part), code;

	if (fd < 0)
		return cli_fail(c, "%s: %s", path, strerror(errno));
	code = write_file(c, id, fd, path);
	if (code == CLI_DONE && newfile_keep(part, path) < 0)
		code = cli_fail(c, "%s: %s", path, strerror(errno));
	if (code != CLI_DONE)
		unlink(part);
	return code;
}

static const struct out_column file_columns[] = {
	{"id", "ID", false}, {"file", "FILE", false}, {NULL, NULL, false},
};

static int export_next(struct cli *c, const char *dir, const char *id)
{
	char path[PATH_BYTES];
	struct jout *j;
	int code;

	snprintf(path, sizeof(path), "%s/%s.eml", dir, id);
	code = export_one(c, id, path);
	if (code != CLI_DONE)
		return code;
	j = out_row(&c->out);
	jout_str(j, "id", id);
	jout_str(j, "file", path);
	out_row_end(&c->out);
	return code;
}

/* The names, as the contents. */
static int sync_folder(struct cli *c, const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = CLI_DONE;

	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		code = cli_fail(c, "%s: %s", dir, strerror(errno));
	if (fd >= 0)
		close(fd);
	return code;
}

int queue_export_all(struct cli *c, const char *dir, const json_t *ids)
{
	struct progress bar;
	int code = CLI_DONE;
	json_t *id;
	size_t i;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return cli_fail(c, "%s: %s", dir, strerror(errno));
	out_table(&c->out, file_columns);
	progress_begin(&bar, "export", json_array_size(ids));
	json_array_foreach(ids, i, id) {
		int rc = export_next(c, dir, json_string_value(id));

		if (rc != CLI_DONE)
			code = rc;
		if (rc == CLI_NO_DAEMON)
			break;
		progress_at(&bar, i + 1);
	}
	progress_end(&bar);
	if (code == CLI_DONE)
		code = sync_folder(c, dir);
	return code;
}

static int run_export(struct cli *c)
{
	const char *dir = cli_value(c, "to-dir");
	json_t *ids = json_array();
	int code;

	if (dir == NULL && (c->args != 1 || c->givens != cli_flag(c, "json"))) {
		json_decref(ids);
		return cli_usage(c, "one id is written to standard output; for "
		    "more, or with --leg, --to, --from, --customer, --age or "
		    "--state, say "
		    "--to-dir DIR");
	}
	if (dir == NULL) {
		json_decref(ids);
		return write_message(c, c->arg[0], c->out.to);
	}
	code = find(c, ids);
	if (code == CLI_DONE)
		code = queue_export_all(c, dir, ids);
	json_decref(ids);
	return code;
}

static const struct cli_option export_options[] = {
	QUEUE_FILTERS,
	{"to-dir", "DIR", "Each message as DIR/ID.eml."},
	{NULL, NULL, NULL},
};

const struct cli_command cmd_queue_export[] = {
	{.name = "queue export",
	    .args = "ID | --to-dir DIR [ID...]",
	    .summary = "Messages as they were received, on standard output or "
		       "as files",
	    .details = "That a message was read is on record. Files that "
		       "exist are left alone.",
	    .example = "posthouse queue export 01JD5K3W7Q2MA > mail.eml\n"
		       "posthouse queue export --state parked --to-dir parked",
	    .options = export_options,
	    .max_args = -1,
	    .run = run_export},
	{.name = NULL},
};
