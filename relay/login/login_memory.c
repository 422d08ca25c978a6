/* SPDX-License-Identifier: ISC
 *
 * See login_memory.h. HMAC-SHA256 of the three parts, each behind its length.
 */
#include "relay/login/login_memory.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "relay/base/mem.h"
#include "relay/base/strbuf.h"

enum {
	WAYS = 8, SETS = 512 /* a power of two */,
	MARK = 32,
	PARTS_MAX = 2048,
};

struct right_login {
	unsigned char mark[MARK];
	int64_t until_ms; /* 0: empty */
};

struct login_memory {
	unsigned char key[MARK];
	struct right_login place[SETS * WAYS];
};

struct login_memory *login_memory_new(struct rng *rng)
{
	struct login_memory *m = NEW(struct login_memory);

	rng->fill(rng, m->key, sizeof(m->key));
	return m;
}

void login_memory_free(struct login_memory *m)
{
	if (m != NULL)
		explicit_bzero(m, sizeof(*m));
	mem_free(m);
}

/* The parts, each behind its length; empty when they are too long. */
static void join(const struct login_proof *p, struct strbuf *out)
{
	const struct slice part[] = {p->name, p->hash, p->password};

	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		uint64_t n = part[i].n;

		strbuf_add(out, &n, sizeof(n));
		strbuf_addsl(out, part[i]);
	}
	if (!strbuf_ok(out))
		strbuf_reset(out);
}

/* False: the parts are longer than those of any user. */
static bool make_mark(const struct login_memory *m,
    const struct login_proof *p, unsigned char mark[MARK])
{
	struct strbuf all;
	unsigned n = MARK;
	bool whole;

	strbuf_init(&all, PARTS_MAX);
	strbuf_reserve(&all, PARTS_MAX);
	join(p, &all);
	whole = all.n > 0;
	if (HMAC(EVP_sha256(), m->key, MARK, (const void *)all.p, all.n, mark,
		&n) == NULL)
		mem_exhausted(0);
	explicit_bzero(all.p, all.cap);
	strbuf_fini(&all);
	return whole;
}

static size_t set_of(const unsigned char mark[MARK])
{
	return (size_t)((mark[0] | mark[1] << 8) & (SETS - 1)) * WAYS;
}

bool login_memory_has(const struct login_memory *m,
    const struct login_proof *p, int64_t now_ms)
{
	unsigned char mark[MARK];
	const struct right_login *set;
	bool found = false;

	if (!make_mark(m, p, mark))
		return false;
	set = m->place + set_of(mark);
	for (int i = 0; i < WAYS; i++)
		found |= set[i].until_ms > now_ms &&
			 CRYPTO_memcmp(set[i].mark, mark, MARK) == 0;
	return found;
}

void login_memory_put(struct login_memory *m, const struct login_proof *p,
    int64_t now_ms)
{
	unsigned char mark[MARK];
	struct right_login *set, *at;

	if (!make_mark(m, p, mark))
		return;
	at = set = m->place + set_of(mark);
	for (int i = 0; i < WAYS; i++) {
		if (memcmp(set[i].mark, mark, MARK) == 0) {
			at = &set[i];
			break;
		}
		if (set[i].until_ms < at->until_ms)
			at = &set[i];
	}
	memcpy(at->mark, mark, MARK);
	at->until_ms = now_ms + LOGIN_MEMORY_MS;
}
