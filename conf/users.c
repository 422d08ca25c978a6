/* SPDX-License-Identifier: ISC
 *
 * See users.h. The parameters of a hash are looked at and not only its
 * method: "$2b$04$" is quick to guess, "$2b$31$" takes a thread for hours.
 */
#include "conf/users.h"

#include <stdlib.h>

#include "conf/types.h"
#include "relay/base/utf8.h"
#include "relay/mail/addr.h"
#include "relay/mail/domain.h"

/* ---- hashes ------------------------------------------------------------ */

enum {
	BCRYPT_COST_MIN = 10, BCRYPT_COST_MAX = 14, BCRYPT_BYTES = 60,
	SHA512_ROUNDS_MIN = 5000, SHA512_ROUNDS_MAX = 1000000,
	SHA512_BYTES = 86, /* of its last part */
	YESCRYPT_BYTES = 43,
	YESCRYPT_MEMORY_MIN = 1 << 20,
	FIELDS_MAX = 5,
};

static const char not_whole[] = "is not whole";

/* The parts between '$', without the empty one before the first. */
static int split(struct slice hash, struct slice field[FIELDS_MAX])
{
	struct slice rest = slice_from(hash, 1);
	int n = 0;

	while (n < FIELDS_MAX && slice_next(&rest, '$', &field[n]))
		n++;
	return rest.n == 0 ? n : FIELDS_MAX + 1;
}

/* The value of a digit of crypt(5)'s base 64, -1: it is none. */
static int crypt_digit(char c)
{
	static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

static bool is_coded(struct slice s, size_t n)
{
	for (size_t i = 0; i < s.n; i++)
		if (crypt_digit(s.p[i]) < 0)
			return false;
	return s.n == n;
}

/* "$2b$10$" and 53 characters of salt and hash. */
static const char *bcrypt_fault(const struct slice *field, int n)
{
	uint64_t cost;

	if (n != 3 || field[1].n != 2 || !slice_uint(field[1], 99, &cost) ||
	    !is_coded(field[2], BCRYPT_BYTES - 7))
		return not_whole;
	if (cost < BCRYPT_COST_MIN)
		return "is bcrypt of a cost below 10, which is quick to guess";
	if (cost > BCRYPT_COST_MAX)
		return "is bcrypt of a cost over 14, which takes seconds for "
		       "each login";
	return NULL;
}

/* "$6$SALT$HASH", "$6$rounds=N$SALT$HASH". */
static const char *sha512_fault(const struct slice *field, int n)
{
	uint64_t rounds = SHA512_ROUNDS_MIN;
	bool written = n == 4 && slice_starts(field[1], SLICE("rounds="));

	if ((n != 3 && !written) || field[n - 2].n == 0 ||
	    field[n - 2].n > 16 || !is_coded(field[n - 2], field[n - 2].n) ||
	    !is_coded(field[n - 1], SHA512_BYTES))
		return not_whole;
	if (written &&
	    !slice_uint(slice_from(field[1], 7), 999999999, &rounds))
		return not_whole;
	if (rounds < SHA512_ROUNDS_MIN)
		return "is SHA-512 of less than 5000 rounds, which is quick to "
		       "guess";
	if (rounds > SHA512_ROUNDS_MAX)
		return "is SHA-512 of over 1000000 rounds, which takes seconds "
		       "for each login";
	return NULL;
}

/* "$y$j9T$SALT$HASH": behind the "j" the power of two of N, and r, of which
 * a login takes 128 * N * r bytes; further parameters make it slower. */
static const char *yescrypt_fault(const struct slice *field, int n)
{
	int power, r;
	uint64_t bytes;

	if (n != 4 || field[1].n < 3 || field[2].n == 0 ||
	    !is_coded(field[2], field[2].n) ||
	    !is_coded(field[3], YESCRYPT_BYTES))
		return not_whole;
	power = crypt_digit(field[1].p[1]) + 1;
	r = crypt_digit(field[1].p[2]) + 1;
	if (field[1].p[0] != 'j' || field[1].n != 3 || power <= 0 || r <= 0)
		return "is yescrypt with parameters that are not those of "
		       "crypt_gensalt(3)";
	if (power > 30)
		return "is yescrypt that takes too much memory";
	bytes = ((uint64_t)128 << power) * (uint64_t)r;
	if (bytes < YESCRYPT_MEMORY_MIN)
		return "is yescrypt of less than 1 MB, which is quick to guess";
	if (bytes > USER_MEMORY_MAX)
		return "is yescrypt that takes over 128 MB for each login";
	return NULL;
}

const char *user_hash_fault(struct slice hash)
{
	struct slice field[FIELDS_MAX];
	int n;

	if (hash.n == 0)
		return "is empty";
	if (hash.n > USER_HASH_MAX)
		return "is too long";
	if (hash.p[0] != '$')
		return "is of a weak method, or the password itself";
	n = split(hash, field);
	if (n == 0 || n > FIELDS_MAX)
		return not_whole;
	if (slice_eq(field[0], SLICE("y")))
		return yescrypt_fault(field, n);
	if (slice_eq(field[0], SLICE("6")))
		return sha512_fault(field, n);
	if (slice_eq(field[0], SLICE("2b")) ||
	    slice_eq(field[0], SLICE("2y")) || slice_eq(field[0], SLICE("2a")))
		return bcrypt_fault(field, n);
	return "is of a method that is weak or not known here";
}

/* ---- names and senders ------------------------------------------------- */

const char *user_name_fault(struct slice name)
{
	if (name.n == 0)
		return "is empty";
	if (name.n > USER_NAME_MAX)
		return "is longer than 255 characters";
	if (name.p[0] == '#')
		return "begins with #";
	for (struct slice s = name; s.n > 0;) {
		size_t n = utf8_next(s);

		if (n == 0 || utf8_kind(utf8_point(slice_head(s, n))) ==
				  UTF8_CONTROL)
			return "has characters that cannot be printed";
		if (s.p[0] == ':')
			return "has a colon";
		s = slice_from(s, n);
	}
	return NULL;
}

/* The key of an address, or "@domain". */
static bool sender_key(struct slice text, struct strbuf *out)
{
	const char *why;
	struct addr a;

	if (text.n > 0 && text.p[0] == '@') {
		strbuf_addc(out, '@');
		return domain_of_host(slice_from(text, 1), true, &why) &&
		       domain_normal(slice_from(text, 1), out) &&
		       strbuf_ok(out);
	}
	return addr_parse(text, true, &a, &why) == 0 && a.domain.n > 0 &&
	       addr_key(&a, '\0', out) && strbuf_ok(out);
}

bool user_sender_ok(struct slice text)
{
	struct strbuf key;
	bool ok;

	strbuf_init(&key, ADDR_MAX);
	ok = sender_key(text, &key);
	strbuf_fini(&key);
	return ok;
}

struct users_file {
	const char *path;
	int line;
	struct arena *a;
	struct error *err;
};

static int add_sender(const struct users_file *f, struct conf_user *u,
    struct slice text)
{
	struct strbuf key;
	int rc = 0;

	if (u->senders.count == USER_SENDERS_MAX)
		return error_at(f->err, f->path, f->line, "user \"%s\" has "
		    "more than %d senders; name a domain as @DOMAIN", u->name,
		    USER_SENDERS_MAX);
	strbuf_init(&key, ADDR_MAX);
	if (sender_key(text, &key))
		u->senders.s[u->senders.count++] =
		    arena_slicedup(f->a, strbuf_view(&key));
	else
		rc = error_at(f->err, f->path, f->line, "\"%.*s\" is no sender "
		    "of user \"%s\"; write an address, or a domain as "
		    "@example.com", (int)slice_head(text, 80).n, text.p,
		    u->name);
	strbuf_fini(&key);
	return rc;
}

static int add_senders(const struct users_file *f, struct conf_user *u,
    struct slice list)
{
	struct slice one;
	size_t commas = 0;

	for (size_t i = 0; i < list.n; i++)
		commas += list.p[i] == ',';
	if (commas > USER_SENDERS_MAX)
		commas = USER_SENDERS_MAX;
	u->senders.s = arena_alloc(f->a, (commas + 2) * sizeof(char *));
	while (list.n > 0 && slice_next(&list, ',', &one))
		if (add_sender(f, u, slice_trim(one)) != 0)
			return -1;
	return 0;
}

/* ---- lines ------------------------------------------------------------- */

static int add_user(const struct users_file *f, struct slice line,
    struct conf_user *u)
{
	struct slice name, hash;
	const char *why;

	if (!slice_next(&line, ':', &name) || line.p == NULL)
		return error_at(f->err, f->path, f->line, "there is no colon; "
		    "write NAME:HASH:SENDERS, as posthouse passwd NAME prints "
		    "it");
	why = user_name_fault(name);
	if (why != NULL)
		return error_at(f->err, f->path, f->line, "the name of a user "
		    "%s; write printable characters without a colon", why);
	u->name = arena_slicedup(f->a, name);
	u->line = f->line;
	(void)slice_next(&line, ':', &hash);
	why = user_hash_fault(hash);
	if (why != NULL)
		return error_at(f->err, f->path, f->line, "user \"%.80s\": the "
		    "hash %s; take the line that posthouse passwd %.80s "
		    "prints", u->name, why, u->name);
	u->hash = arena_slicedup(f->a, hash);
	return line.p == NULL ? 0 : add_senders(f, u, slice_trim(line));
}

/* By bytes, as conf_user() looks. */
static int by_name(const void *a, const void *b)
{
	const struct conf_user *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int sort(const struct users_file *f, struct conf_user *user, int n)
{
	qsort(user, (size_t)n, sizeof(*user), by_name);
	for (int i = 1; i < n; i++) {
		int a = user[i - 1].line, b = user[i].line;

		if (by_name(&user[i - 1], &user[i]) == 0)
			return error_at(f->err, f->path, a > b ? a : b, "user "
			    "\"%.80s\" has line %d already; keep one of the "
			    "two", user[i].name, a > b ? b : a);
	}
	return 0;
}

static int count_lines(struct slice text)
{
	int n = 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

int users_parse(struct slice text, const char *path, struct arena *a,
    struct conf *c, struct error *err)
{
	struct users_file f = {.path = path, .a = a, .err = err};
	int room = count_lines(text), n = 0;
	struct conf_user *user;
	struct slice line;

	if (room > USERS_MAX)
		return error_at(err, path, USERS_MAX, "the file is longer than "
		    "%d lines; keep to so many users", USERS_MAX);
	user = arena_alloc(a, (size_t)room * sizeof(*user));
	while (text.n > 0 && slice_next(&text, '\n', &line)) {
		f.line++;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (add_user(&f, line, &user[n++]) != 0)
			return -1;
	}
	if (sort(&f, user, n) != 0)
		return -1;
	c->outbound.user = user;
	c->outbound.user_count = n;
	return 0;
}
