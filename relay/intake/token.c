/* SPDX-License-Identifier: ISC
 *
 * Tokens: their keys, how a mark is made, and which marks of a header are
 * good. RFC 2104 for the mark, RFC 5321 4.4 for the field that it stands in.
 */
#include "relay/intake/token.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/check.h"
#include "relay/base/id.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/mail/header.h"
#include "relay/mail/received.h"

/* A header may hold as many marks as it has fields; so many are worth a
 * digest. */
enum { KEY_BYTES = 32, MARKS_MAX = 64 };

/* Marks of "token" were over the id alone, and good in any message. */
static const char purpose[] = "token-2";

struct tokens {
	struct rng *rng;
	char *table_path;
	struct arena *arena;
	struct conf_strings key;
};

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
static int make(struct rng *rng, const char *path, struct slice folder,
    struct error *err)
{
	struct strbuf fresh, key, dir;
	int rc;

	strbuf_init(&fresh, PATH_MAX);
	strbuf_init(&key, 4 * KEY_BYTES);
	strbuf_init(&dir, PATH_MAX);
	strbuf_addf(&fresh, "%s.%ld", path, (long)getpid());
	strbuf_addsl(&dir, folder.n == 0 ? SLICE(".") : folder);
	draw(rng, &key);
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

struct tokens *tokens_new(struct rng *rng, const char *table_path)
{
	struct tokens *t = NEW(struct tokens);

	t->rng = rng;
	t->table_path = mem_strdup(table_path);
	return t;
}

void tokens_free(struct tokens *t)
{
	if (t == NULL)
		return;
	if (t->arena != NULL)
		arena_free(t->arena);
	mem_free(t->table_path);
	mem_free(t);
}

int tokens_open(struct tokens *t, const struct conf *c, struct error *err)
{
	struct slice folder = folder_of(t->table_path);
	struct strbuf path;
	int rc = 0;

	if (c->token.key.count != 0 || t->key.count != 0)
		return 0;
	strbuf_init(&path, PATH_MAX);
	strbuf_addsl(&path, folder);
	strbuf_adds(&path, "token.secrets");
	if (access(strbuf_cstr(&path), F_OK) < 0 && errno == ENOENT)
		rc = make(t->rng, strbuf_cstr(&path), folder, err);
	if (rc == 0 && t->arena == NULL)
		t->arena = arena_new();
	if (rc == 0)
		rc = secrets_keys(strbuf_cstr(&path), t->arena, &t->key, err);
	strbuf_fini(&path);
	return rc;
}

/* ---- marks ---- */

static const struct conf_strings *keys(const struct tokens *t,
    const struct conf *c)
{
	return c->token.key.count != 0 ? &c->token.key : &t->key;
}

/* Bytes that bind a mark, after the id and the date of its field. */
enum { BOUND_BYTES = 8192, WORD_BYTES = 998 };

static void add_field(struct slice header, const char *name,
    struct strbuf *out)
{
	struct slice value = slice_of("", 0);

	strbuf_addc(out, '\0');
	if (header_find(header, name, &value))
		header_words(value, WORD_BYTES, out);
}

static void bind_field(struct slice id, struct slice date,
    struct strbuf *out)
{
	strbuf_reset(out);
	strbuf_addsl(out, id);
	strbuf_addc(out, '\0');
	header_words(date, WORD_BYTES, out);
}

/* False: it has none. */
static bool add_message_id(struct slice header, struct strbuf *out)
{
	size_t before = out->n;

	add_field(header, "Message-ID", out);
	return out->n > before + 1;
}

static void add_rest(struct slice header, struct strbuf *out)
{
	strbuf_addc(out, '\0'); /* where a Message-ID would stand */
	add_field(header, "Date", out);
	add_field(header, "From", out);
	add_field(header, "Subject", out);
}

void token_mark(const struct tokens *t, const struct conf *c,
    const struct envelope *e, struct slice header, char mark_out[KEYED_TEXT])
{
	char id[ID_TEXT], date[CLOCK_RFC5322_MAX];
	struct strbuf bound;
	size_t n;

	id_text(e->id, id);
	clock_rfc5322(e->accepted_us, date);
	strbuf_init(&bound, BOUND_BYTES);
	bind_field(slice_str(id), slice_str(date), &bound);
	n = bound.n;
	if (!add_message_id(header, &bound)) {
		bound.n = n;
		add_rest(header, &bound);
	}
	keyed_mark(keys(t, c), purpose, strbuf_view(&bound), mark_out);
	strbuf_fini(&bound);
}

/* `below`: what stands below the field that has the mark. Other servers add
 * fields above it, and may add a Message-ID to a message that had none. */
static bool is_good(const struct tokens *t, const struct conf *c,
    const struct received_token *field, struct slice below, struct slice id)
{
	struct strbuf bound;
	bool good;
	size_t n;

	strbuf_init(&bound, BOUND_BYTES);
	bind_field(id, field->date, &bound);
	n = bound.n;
	good = add_message_id(below, &bound) &&
	       keyed_check(keys(t, c), purpose, strbuf_view(&bound),
	       field->mark);
	if (!good) {
		bound.n = n;
		add_rest(below, &bound);
		good = keyed_check(keys(t, c), purpose, strbuf_view(&bound),
		    field->mark);
	}
	strbuf_fini(&bound);
	return good;
}

static void add_id(struct token_found *f, uint64_t id)
{
	for (unsigned i = 0; i < f->ids; i++)
		if (f->id[i] == id)
			return;
	f->id[f->ids++] = id;
}

void token_find(const struct tokens *t, const struct conf *c,
    struct slice header, struct token_found *found_out)
{
	struct received_token field;
	char text[ID_TEXT];
	uint64_t id;

	*found_out = (struct token_found){.ids = 0};
	for (int i = 0; i < MARKS_MAX && found_out->ids < TOKEN_IDS &&
			received_token_next(&header, &field); i++) {
		if (id_parse(field.id, &id) < 0)
			continue;
		id_text(id, text);
		if (is_good(t, c, &field, header, slice_str(text)))
			add_id(found_out, id);
		else if (found_out->foreign.n == 0 &&
		    slice_case_eq(field.by, slice_str(c->hostname)))
			found_out->foreign = field.id;
	}
}
