/* SPDX-License-Identifier: ISC
 *
 * queue import: mail that was carried here. The daemon accepts each message;
 * it is counted when the journal has it.
 */
#include "relay/cli/queue/carry_files.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <unistd.h>

#include "relay/base/id.h"
#include "relay/base/mem.h"
#include "relay/cli/common/file_hash.h"
#include "relay/cli/common/folder.h"
#include "relay/cli/common/json_get.h"

enum { PART = 100 /* recipients or deliveries a line */ };

struct carrying {
	struct cli *c;
	const char *dir;
	bool delivering;
	uint64_t imported, known, refused;
	/* of the message at hand */
	const char *id;
	json_t *mail;
	size_t rcpts, waits; /* sent */
	int fd;
	struct file_hash *hash;
	bool ended;
};

static json_t *read_json(struct carrying *m, const char *name, const char *key)
{
	return folder_read_json(m->c, m->dir,
	    &(struct folder_json){name, key, CARRY_FORMAT});
}

/* ---- the lines of a message ---- */

/* The next part of a list; NULL: all was sent. */
static json_t *part_of(const json_t *list, size_t *at)
{
	json_t *part;

	if (*at >= json_array_size(list))
		return NULL;
	part = json_array();
	for (int i = 0; i < PART && *at < json_array_size(list); i++)
		json_array_append(part, json_array_get(list, (*at)++));
	return part;
}

static json_t *chunk_line(struct carrying *m, const char *bytes, size_t n)
{
	char *text = mem_new(n / 3 * 4 + 8);
	json_t *line;

	file_hash_add(m->hash, bytes, n);
	EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes,
	    (int)n);
	line = json_pack("{s:s}", "chunk", text);
	mem_free(text);
	return line;
}

/* All was sent: is it what was exported? */
static json_t *end_line(struct carrying *m)
{
	char sha[FILE_HASH_TEXT];

	m->ended = true;
	file_hash_end(m->hash, sha);
	m->hash = NULL;
	if (strcmp(sha, json_text(m->mail, "sha256")) == 0)
		return json_pack("{s:b}", "end", 1);
	cli_fail(m->c, "%s/%s.eml: it is not what %s.json says (SHA-256): "
	    "spoilt, or of another export", m->dir, m->id, m->id);
	return NULL;
}

static json_t *on_more(void *arg)
{
	struct carrying *m = arg;
	json_t *part = part_of(json_object_get(m->mail, "recipients"),
	    &m->rcpts);
	char bytes[CARRY_CHUNK];
	ssize_t n;

	if (part != NULL)
		return json_pack("{s:o}", "recipients", part);
	part = part_of(json_object_get(m->mail, "deliveries"), &m->waits);
	if (part != NULL)
		return json_pack("{s:o}", "deliveries", part);
	if (m->ended)
		return NULL;
	n = read(m->fd, bytes, sizeof(bytes));
	if (n > 0)
		return chunk_line(m, bytes, (size_t)n);
	if (n == 0)
		return end_line(m);
	cli_fail(m->c, "%s/%s.eml: %s", m->dir, m->id, strerror(errno));
	return NULL;
}

static void on_row(void *arg, json_t *row)
{
	struct carrying *m = arg;

	if (strcmp(json_text(row, "state"), "imported") == 0)
		m->imported++;
	else
		m->known++;
}

/* ---- a message ---- */

static json_t *envelope_of(const struct carrying *m)
{
	json_t *o = json_copy(m->mail);

	json_object_del(o, "recipients");
	json_object_del(o, "deliveries");
	json_object_set_new(o, "delivering", json_boolean(m->delivering));
	return o;
}

static int send_pair(struct carrying *m)
{
	char about[PATH_MAX];
	struct cli_talk talk = {.command = "queue.import", .about = about,
	    .args = envelope_of(m), .row = on_row, .more = on_more, .arg = m};
	int code;

	snprintf(about, sizeof(about), "%s/%s", m->dir, m->id);
	m->rcpts = m->waits = 0;
	m->ended = false;
	m->hash = file_hash_new();
	code = cli_converse(m->c, &talk);
	if (m->hash != NULL) {
		char sha[FILE_HASH_TEXT];

		file_hash_end(m->hash, sha);
	}
	return code;
}

static int check_pair(struct carrying *m, uint64_t bytes)
{
	int64_t size = json_number(m->mail, "size");

	if (strcmp(json_text(m->mail, "id"), m->id) != 0)
		return cli_fail(m->c, "%s/%s.json: \"id\" is \"%s\": the file "
		    "was renamed", m->dir, m->id, json_text(m->mail, "id"));
	if ((uint64_t)size == bytes)
		return CLI_DONE;
	return cli_fail(m->c, "%s/%s.eml: it has %" PRIu64 " bytes and should "
	    "have %" PRId64, m->dir, m->id, bytes, size);
}

static int import_one(struct carrying *m, const char *id)
{
	char name[64];
	uint64_t bytes;
	int code = CLI_NO;

	m->id = id;
	m->fd = -1;
	snprintf(name, sizeof(name), "%s.json", id);
	m->mail = read_json(m, name, "posthouse_mail");
	if (m->mail != NULL) {
		snprintf(name, sizeof(name), "%s.eml", id);
		m->fd = folder_open(m->c, m->dir, name, &bytes);
	}
	if (m->fd >= 0) {
		code = check_pair(m, bytes);
		if (code == CLI_DONE)
			code = send_pair(m);
		close(m->fd);
	}
	json_decref(m->mail);
	m->refused += code != CLI_DONE;
	return code;
}

/* ---- all ---- */

struct pair {
	char id[ID_TEXT];
};

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct pair));
}

/* The id of "ID.json"; false: another file. */
static bool id_of_name(const char *name, char id_out[ID_TEXT])
{
	uint64_t id;

	if (strlen(name) != ID_TEXT - 1 + 5 ||
	    strcmp(name + ID_TEXT - 1, ".json") != 0 ||
	    id_parse(slice_of(name, ID_TEXT - 1), &id) != 0)
		return false;
	memcpy(id_out, name, ID_TEXT - 1);
	id_out[ID_TEXT - 1] = '\0';
	return true;
}

/* In the order in which they were accepted. */
static struct pair *list_pairs(struct carrying *m, size_t *n_out)
{
	DIR *d = opendir(m->dir);
	const struct dirent *e;
	struct pair *all = NULL, p;
	size_t n = 0, cap = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (!id_of_name(e->d_name, p.id))
			continue;
		if (n == cap) {
			cap = cap * 2 + 64;
			all = mem_resize(all, cap * sizeof(p));
		}
		all[n++] = p;
	}
	if (d != NULL)
		closedir(d);
	if (n > 0)
		qsort(all, n, sizeof(p), by_id);
	*n_out = n;
	return all;
}

static const struct out_column columns[] = {
	{"imported", "IMPORTED", true}, {"known", "KNOWN ALREADY", true},
	{"refused", "REFUSED", true}, {NULL, NULL, false},
};

static void show(struct carrying *m)
{
	struct jout *j;

	out_table(&m->c->out, columns);
	j = out_row(&m->c->out);
	jout_int(j, "imported", (int64_t)m->imported);
	jout_int(j, "known", (int64_t)m->known);
	jout_int(j, "refused", (int64_t)m->refused);
	out_row_end(&m->c->out);
	out_end(&m->c->out);
}

static int import_all(struct carrying *m, const struct pair *all, size_t n)
{
	struct progress bar;
	int code = CLI_DONE;

	progress_begin(&bar, "import", n);
	for (size_t i = 0; i < n && code != CLI_NO_DAEMON; i++) {
		int rc = import_one(m, all[i].id);

		if (rc != CLI_DONE)
			code = rc;
		progress_at(&bar, i + 1);
	}
	progress_end(&bar);
	show(m);
	return code;
}

static int check_count(struct carrying *m, const json_t *manifest, size_t n)
{
	int64_t want = json_number(manifest, "messages");

	if (want == (int64_t)n)
		return CLI_DONE;
	return cli_fail(m->c, "%s: %zu messages are there, and its manifest "
	    "counts %" PRId64, m->dir, n, want);
}

int carry_import(struct cli *c, const char *dir)
{
	struct carrying m = {.c = c, .dir = dir};
	json_t *manifest = read_json(&m, CARRY_MANIFEST, "posthouse_export");
	struct pair *all;
	size_t n;
	int code, short_of;

	if (manifest == NULL)
		return cli_fail(c, "%s: it is no folder of `queue export "
		    "--all`, or that did not come to its end", dir);
	m.delivering = !json_is_false(
	    json_object_get(manifest, "delivering"));
	all = list_pairs(&m, &n);
	short_of = check_count(&m, manifest, n);
	code = import_all(&m, all, n);
	mem_free(all);
	json_decref(manifest);
	return code == CLI_DONE ? short_of : code;
}
