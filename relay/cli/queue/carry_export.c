/* SPDX-License-Identifier: ISC
 *
 * queue export --all: all mail that waits, to be carried to another Posthouse.
 */
#include "relay/cli/queue/carry_files.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "config.h"
#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/base/newfile.h"
#include "relay/cli/common/file_hash.h"
#include "relay/cli/common/folder.h"
#include "relay/cli/common/json_get.h"
#include "relay/cli/queue/queue_files.h"

struct exporting {
	struct cli *c;
	const char *dir;
	uint64_t messages, deliveries, bytes, gone;
	uint64_t unread; /* the daemon could not give them */
	bool delivering; /* a leg is not suspended */
	bool broken;	 /* here a file could not be written */
	/* of the message at hand */
	json_t *envelope; /* NULL: it is over */
	json_t *recipients, *waits;
	struct file_hash *hash;
	FILE *body;
	uint64_t written;
};

/* ---- a message ---- */

static void take_chunk(struct exporting *x, const json_t *row)
{
	size_t n;
	unsigned char *bytes = queue_file_bytes(row, &n);

	if (bytes == NULL)
		return; /* the size is wrong then */
	file_hash_add(x->hash, bytes, n);
	x->written += fwrite(bytes, 1, n, x->body);
	mem_free(bytes);
}

static void on_row(void *arg, json_t *row)
{
	struct exporting *x = arg;
	json_t *section = json_incref(json_object_get(row, "section"));
	const char *name = json_string_value(section);

	json_object_del(row, "section");
	if (name == NULL)
		;
	else if (strcmp(name, "body") == 0)
		take_chunk(x, row);
	else if (strcmp(name, "envelope") == 0 && x->envelope == NULL)
		x->envelope = json_incref(row);
	else if (strcmp(name, "recipient") == 0)
		json_array_append(x->recipients, row);
	else if (strcmp(name, "delivery") == 0)
		json_array_append(x->waits, row);
	json_decref(section);
}

/* Another message would fare no better. */
static int cannot_write(struct exporting *x, const char *path)
{
	x->broken = true;
	return cli_fail(x->c, "%s: %s", path, strerror(errno));
}

static int wrong_size(const struct exporting *x, const char *path)
{
	int64_t size = json_number(x->envelope, "size");

	if ((uint64_t)size == x->written)
		return CLI_DONE;
	return cli_fail(x->c, "%s: the daemon gave %" PRIu64 " bytes of a "
	    "message of %" PRId64, path, x->written, size);
}

/* The pair is whole when the second name is there. Both are synced with all
 * others before the manifest is written, without which they do not count. */
static int keep(struct exporting *x, const char *id, const char *part,
    const char *path, const char *sha)
{
	char name[64];

	json_object_set_new(x->envelope, "posthouse_mail",
	    json_integer(CARRY_FORMAT));
	json_object_set_new(x->envelope, "sha256", json_string(sha));
	json_object_set(x->envelope, "recipients", x->recipients);
	json_object_set(x->envelope, "deliveries", x->waits);
	if (newfile_keep(part, path) != 0)
		return cannot_write(x, path);
	x->messages++;
	x->deliveries += json_array_size(x->waits);
	x->bytes += x->written;
	snprintf(name, sizeof(name), "%s.json", id);
	x->broken = folder_write_json(x->c, x->dir, name, x->envelope,
			false) != CLI_DONE;
	return x->broken ? CLI_NO : CLI_DONE;
}

/* Closes the body. */
static int fetch(struct exporting *x, const char *id, const char *path)
{
	const struct cli_talk talk = {.command = "queue.export", .about = id,
	    .args = json_pack("{s:s, s:b}", "id", id, "envelope", 1),
	    .row = on_row, .arg = x};
	int code = cli_converse(x->c, &talk);
	bool written = fflush(x->body) == 0 && ferror(x->body) == 0;

	if (fclose(x->body) != 0 || !written)
		code = cannot_write(x, path);
	if (code == CLI_DONE && x->envelope != NULL)
		code = wrong_size(x, path);
	return code;
}

static int write_message(struct exporting *x, const char *id, int fd,
    const char *part, const char *path)
{
	char sha[FILE_HASH_TEXT];
	int code;

	x->body = fdopen(fd, "w");
	if (x->body == NULL) {
		close(fd);
		return cannot_write(x, path);
	}
	x->hash = file_hash_new();
	code = fetch(x, id, path);
	file_hash_end(x->hash, sha);
	if (code == CLI_DONE && x->envelope != NULL)
		return keep(x, id, part, path, sha);
	x->gone += code == CLI_DONE;
	unlink(part);
	return code;
}

static int export_one(struct exporting *x, const char *id)
{
	char path[PATH_MAX], part[NEWFILE_PATH];
	int fd, code;

	if (snprintf(path, sizeof(path), "%s/%s.eml", x->dir, id) >=
	    (int)sizeof(path))
		return cli_fail(x->c, "%s: the name is too long", x->dir);
	fd = newfile_open(path, part);
	if (fd < 0)
		return cannot_write(x, path);
	x->envelope = NULL;
	x->recipients = json_array();
	x->waits = json_array();
	x->written = 0;
	code = write_message(x, id, fd, part, path);
	json_decref(x->envelope);
	json_decref(x->recipients);
	json_decref(x->waits);
	return code;
}

/* ---- all ---- */

static void on_leg(void *arg, json_t *row)
{
	struct exporting *x = arg;

	if (strcmp(json_text(row, "state"), "suspended") != 0)
		x->delivering = true;
}

static int write_manifest(struct exporting *x)
{
	json_t *o = json_object();
	int code;

	json_object_set_new(o, "posthouse_export", json_integer(CARRY_FORMAT));
	json_object_set_new(o, "version", json_string(PACKAGE_VERSION));
	json_object_set_new(o, "hostname",
	    json_string(x->c->conf == NULL ? "" : x->c->conf->hostname));
	json_object_set_new(o, "time_us",
	    json_integer(clock_wall_us(&clock_system)));
	json_object_set_new(o, "messages",
	    json_integer((json_int_t)x->messages));
	json_object_set_new(o, "deliveries",
	    json_integer((json_int_t)x->deliveries));
	json_object_set_new(o, "bytes", json_integer((json_int_t)x->bytes));
	json_object_set_new(o, "unread", json_integer((json_int_t)x->unread));
	json_object_set_new(o, "delivering", json_boolean(x->delivering));
	code = folder_sync_all(x->c, x->dir);
	if (code == CLI_DONE)
		code = folder_write_json(x->c, x->dir, CARRY_MANIFEST, o, true);
	json_decref(o);
	return code == CLI_DONE ? folder_sync(x->c, x->dir) : code;
}

static const struct out_column columns[] = {
	{"messages", "MESSAGES", true}, {"deliveries", "DELIVERIES", true},
	{"bytes", "BYTES", true}, {"gone", "OVER MEANWHILE", true},
	{"unread", "UNREADABLE", true}, {NULL, NULL, false},
};

static void show(struct exporting *x)
{
	struct out *o = &x->c->out;
	struct jout *j;

	out_table(o, columns);
	j = out_row(o);
	jout_int(j, "messages", (int64_t)x->messages);
	jout_int(j, "deliveries", (int64_t)x->deliveries);
	jout_int(j, "bytes", (int64_t)x->bytes);
	jout_int(j, "gone", (int64_t)x->gone);
	jout_int(j, "unread", (int64_t)x->unread);
	out_row_end(o);
	out_end(o);
	if (x->delivering)
		out_say(o, "not all legs are suspended: mail that goes out "
		    "from here later, goes out there again");
	out_say(o, "%s: copy it, then `posthouse queue import` there; nothing "
	    "was deleted here", x->dir);
}

/* One that cannot be read is named and counted; the others are as good. */
static int export_each(struct exporting *x, const json_t *ids)
{
	struct progress bar;
	int code = CLI_DONE;
	json_t *id;
	size_t i;

	progress_begin(&bar, "export", json_array_size(ids));
	json_array_foreach(ids, i, id) {
		code = export_one(x, json_string_value(id));
		if (code == CLI_NO_DAEMON || x->broken)
			break;
		x->unread += code != CLI_DONE;
		code = CLI_DONE;
		progress_at(&bar, i + 1);
	}
	progress_end(&bar);
	return code;
}

static int export_all(struct exporting *x, const json_t *ids)
{
	int code = export_each(x, ids);

	if (code == CLI_DONE)
		code = write_manifest(x);
	if (code != CLI_DONE)
		return code;
	show(x);
	return x->unread == 0 ? CLI_DONE : cli_fail(x->c, "%" PRIu64
	    " could not be read and %s not in %s; all else is", x->unread,
	    x->unread == 1 ? "is" : "are", x->dir);
}

int carry_export(struct cli *c, const char *dir)
{
	struct exporting x = {.c = c, .dir = dir};
	json_t *ids = json_array();
	int code = cli_call(c, "leg.list", NULL, on_leg, &x);

	if (code == CLI_DONE)
		code = cli_call(c, "queue.list", NULL, queue_file_add, ids);
	if (code == CLI_DONE)
		code = folder_make(c, dir);
	if (code == CLI_DONE)
		code = export_all(&x, ids);
	json_decref(ids);
	return code;
}
