/* SPDX-License-Identifier: ISC
 *
 * Files of secrets: keys that sign, the password of a leg, and the users that
 * may log in. Read when the configuration is; a file that every user can read
 * is refused.
 */
#include "conf/check.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "conf/users.h"

enum { KEY_MIN = 16, KEY_MAX = 256, KEYS_MAX = 16 };

static FILE *open_secret(const char *path, struct error *err)
{
	FILE *f = fopen(path, "re");
	struct stat st;

	if (f == NULL) {
		error_sys(err, errno, "\"%s\" cannot be read", path);
		return NULL;
	}
	if (fstat(fileno(f), &st) == 0 && (st.st_mode & S_IRWXO) == 0)
		return f;
	error_set(err, "\"%s\" can be read or written by everybody on this "
		       "machine; chmod o-rwx it", path);
	fclose(f);
	return NULL;
}

/* The next line without its end; false at the end of the file. */
static bool next_line(FILE *f, char line[KEY_MAX + 2], size_t *n_out)
{
	if (fgets(line, KEY_MAX + 2, f) == NULL)
		return false;
	*n_out = strcspn(line, "\r\n");
	return true;
}

static int add_key(struct conf_strings *keys, struct arena *a,
    const char *path, struct slice key, struct error *err)
{
	if (key.n < KEY_MIN || key.n > KEY_MAX)
		return error_set(err, "\"%s\" has a key of %zu characters; "
		    "write %d to %d", path, key.n, KEY_MIN, KEY_MAX);
	if (keys->count == KEYS_MAX)
		return error_set(err, "\"%s\" has more than %d keys; remove "
		    "old ones", path, KEYS_MAX);
	keys->s[keys->count++] = arena_slicedup(a, key);
	return 0;
}

int secrets_keys(const char *path, struct arena *a,
    struct conf_strings *keys_out, struct error *err)
{
	FILE *f = open_secret(path, err);
	char line[KEY_MAX + 2];
	size_t n;
	int rc = f == NULL ? -1 : 0;

	*keys_out = (struct conf_strings){
	    arena_alloc(a, KEYS_MAX * sizeof(char *)), 0};
	while (rc == 0 && next_line(f, line, &n))
		if (n != 0 && line[0] != '#')
			rc = add_key(keys_out, a, path, slice_of(line, n),
			    err);
	if (rc == 0 && keys_out->count == 0)
		rc = error_set(err, "\"%s\" holds no key; write one a line, of "
		    "%d characters or more", path, KEY_MIN);
	if (f != NULL)
		fclose(f);
	return rc;
}

int secrets_password(const char *path, struct arena *a, char **out,
    struct error *err)
{
	FILE *f = open_secret(path, err);
	char line[KEY_MAX + 2];
	size_t n = 0;

	if (f == NULL)
		return -1;
	if (!next_line(f, line, &n))
		n = 0;
	fclose(f);
	if (n == 0 || n > KEY_MAX || memchr(line, '\0', n) != NULL)
		return error_set(err, "\"%s\" holds no password; write it in "
		    "the first line, at most %d characters", path, KEY_MAX);
	*out = arena_slicedup(a, slice_of(line, n));
	return 0;
}

static int read_all(FILE *f, const char *path, struct strbuf *out,
    struct error *err)
{
	char part[4096];
	size_t n;

	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		strbuf_add(out, part, n);
	if (ferror(f))
		return error_sys(err, errno, "\"%s\" cannot be read", path);
	if (!strbuf_ok(out))
		return error_set(err, "\"%s\" is larger than %d bytes; keep to "
		    "so many", path, USERS_BYTES);
	return 0;
}

int secrets_users(struct conf *c, const struct doc *doc,
    struct error *err)
{
	struct doc_place at = doc_place(doc, SEC_OUTBOUND, "users");
	const char *path = c->outbound.users;
	struct strbuf text;
	struct error why;
	FILE *f;
	int rc;

	if (path[0] == '\0')
		return 0;
	f = open_secret(path, &why);
	if (f == NULL)
		return error_at(err, at.file, at.line, "outbound.users: %s",
		    why.text);
	strbuf_init(&text, USERS_BYTES);
	rc = read_all(f, path, &text, &why);
	fclose(f);
	if (rc != 0)
		error_at(err, at.file, at.line, "outbound.users: %s",
		    why.text);
	else
		rc = users_parse(strbuf_view(&text), path, c->arena, c, err);
	strbuf_fini(&text);
	return rc;
}
