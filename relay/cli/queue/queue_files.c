/* SPDX-License-Identifier: ISC
 *
 * Messages as files, as they were received.
 */
#include "relay/cli/queue/queue_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/base/newfile.h"
#include "relay/base/utf8.h"
#include "relay/cli/common/folder.h"

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

unsigned char *queue_file_bytes(const json_t *row, size_t *n_out)
{
	const char *text = json_string_value(json_object_get(row, "chunk"));
	size_t n = text == NULL ? 0 : strlen(text);
	unsigned char *bytes = mem_new(n / 4 * 3 + 4);
	int got = n == 0 ? -1 : EVP_DecodeBlock(bytes,
	    (const unsigned char *)text, (int)n);

	*n_out = 0;
	if (got < 0) {
		mem_free(bytes);
		return NULL;
	}
	for (size_t i = n; got > 0 && i > 0 && text[i - 1] == '='; i--)
		got--;
	*n_out = (size_t)got;
	return bytes;
}

bool queue_file_chunk(const json_t *row, FILE *to)
{
	size_t n;
	unsigned char *bytes = queue_file_bytes(row, &n);

	if (bytes == NULL)
		return false;
	if (isatty(fileno(to)))
		show_body(slice_of(bytes, n), to);
	else
		fwrite(bytes, 1, n, to);
	mem_free(bytes);
	return true;
}

int queue_file_unread(struct cli *c, const char *id)
{
	return cli_fail(c, "%s: a part of the content that the daemon sent is "
	    "no base64, so it is left out", id);
}

struct chunks {
	FILE *to;
	bool unread;
};

static void on_chunk(void *arg, json_t *row)
{
	struct chunks *x = arg;

	x->unread |= !queue_file_chunk(row, x->to);
}

int queue_file_message(struct cli *c, const char *id, FILE *to)
{
	struct chunks x = {.to = to};
	int code = cli_call(c, "queue.export", json_pack("{s:s}", "id", id),
	    on_chunk, &x);

	return x.unread ? queue_file_unread(c, id) : code;
}

/* The messages that are meant, each once. */
void queue_file_add(void *arg, json_t *row)
{
	json_t *ids = arg, *id = json_object_get(row, "id");
	size_t n = json_array_size(ids);

	if (n == 0 || !json_equal(json_array_get(ids, n - 1), id))
		json_array_append(ids, id);
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
	code = queue_file_message(c, id, to);
	/* An export may be followed by a delete. */
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
	char path[PATH_MAX];
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

int queue_files_write(struct cli *c, const char *dir, const json_t *ids)
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
		code = folder_sync(c, dir);
	return code;
}
