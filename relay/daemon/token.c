/* SPDX-License-Identifier: ISC
 *
 * Tokens: their keys, and who is known by them. RFC 2104 for the mark, RFC
 * 5321 4.4 for the field that it stands in.
 */
#include "relay/daemon/token.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/check.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/mail/received.h"

/* A header may hold as many marks as it has fields; so many are worth a
 * digest. */
enum { PATH_BYTES = 4096, KEY_BYTES = 32, MARKS_MAX = 64 };

static const char purpose[] = "token";

/* ---- keys ---- */

/* The folder of the table with its last slash, or "". */
static struct slice folder_of(const char *table)
{
	struct slice s = slice_str(table);
	long slash = slice_rfind(s, '/');

	return slice_head(s, slash < 0 ? 0 : (size_t)slash + 1);
}

static void draw(struct rng *rng, struct strbuf *out)
{
	unsigned char key[KEY_BYTES];

	rng->fill(rng, key, sizeof(key));
	for (size_t i = 0; i < sizeof(key); i++)
		strbuf_addf(out, "%02x", key[i]);
	strbuf_addc(out, '\n');
}

static int write_synced(const char *path, struct slice text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return -1;
	rc = write(fd, text.p, text.n) == (ssize_t)text.n && fsync(fd) == 0
		 ? 0 : -1;
	close(fd);
	return rc;
}

static int sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

/* It has its name when it is whole and not before. Another daemon that makes
 * it now is as good: the first name stays. */
static int make(struct app *a, const char *path, struct slice folder,
    struct error *err)
{
	struct strbuf fresh, key, dir;
	int rc;

	strbuf_init(&fresh, PATH_BYTES);
	strbuf_init(&key, 4 * KEY_BYTES);
	strbuf_init(&dir, PATH_BYTES);
	strbuf_addf(&fresh, "%s.%ld", path, (long)getpid());
	strbuf_addsl(&dir, folder.n == 0 ? SLICE(".") : folder);
	draw(a->rng, &key);
	rc = write_synced(strbuf_cstr(&fresh), strbuf_view(&key));
	if (rc == 0 && link(strbuf_cstr(&fresh), path) < 0 && errno != EEXIST)
		rc = -1;
	if (rc == 0)
		rc = sync_folder(strbuf_cstr(&dir));
	if (rc < 0)
		error_sys(err, errno, "%s, the key of our tokens, cannot be "
		    "written", path);
	else
		log_info("token.made", kv_str("file", path));
	unlink(strbuf_cstr(&fresh));
	strbuf_fini(&fresh);
	strbuf_fini(&key);
	strbuf_fini(&dir);
	return rc;
}

int token_open(struct app *a, const struct conf *c, struct error *err)
{
	struct slice folder = folder_of(a->table_path);
	struct strbuf path;
	int rc = 0;

	if (c->token.key.count != 0 || a->token_key.count != 0)
		return 0;
	strbuf_init(&path, PATH_BYTES);
	strbuf_addsl(&path, folder);
	strbuf_adds(&path, "token.secrets");
	if (access(strbuf_cstr(&path), F_OK) < 0 && errno == ENOENT)
		rc = make(a, strbuf_cstr(&path), folder, err);
	if (rc == 0 && a->token_arena == NULL)
		a->token_arena = arena_new();
	if (rc == 0)
		rc = secrets_keys(strbuf_cstr(&path), a->token_arena,
		    &a->token_key, err);
	strbuf_fini(&path);
	return rc;
}

void token_close(struct app *a)
{
	if (a->token_arena != NULL)
		arena_free(a->token_arena);
}

/* ---- marks ---- */

static const struct conf_strings *keys(const struct app *a,
    const struct conf *c)
{
	return c->token.key.count != 0 ? &c->token.key : &a->token_key;
}

void token_mark(const struct app *a, const struct conf *c, uint64_t id,
    char mark_out[KEYED_TEXT])
{
	char text[ID_TEXT];

	id_text(id, text);
	keyed_mark(keys(a, c), purpose, slice_str(text), mark_out);
}

static bool is_good(const struct app *a, const struct conf *c,
    const struct received_token *t, uint64_t *id_out)
{
	char text[ID_TEXT];

	if (id_parse(t->id, id_out) < 0)
		return false;
	id_text(*id_out, text);
	return keyed_check(keys(a, c), purpose, slice_str(text), t->mark);
}

static bool is_there(const uint64_t *ids, unsigned n, uint64_t id)
{
	for (unsigned i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

unsigned token_find(const struct app *a, const struct conf *c,
    struct slice header, uint64_t *ids_out, unsigned max)
{
	struct received_token t;
	unsigned n = 0;
	uint64_t id;

	for (int i = 0; i < MARKS_MAX && n < max &&
			received_token_next(&header, &t); i++)
		if (is_good(a, c, &t, &id) && !is_there(ids_out, n, id))
			ids_out[n++] = id;
	return n;
}
