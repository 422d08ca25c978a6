/* SPDX-License-Identifier: ISC
 *
 * Marks that only we can make (RFC 2104, RFC 4648 6). Pure.
 */
#include "policy/keyed.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

enum { MARK_BYTES = 10, LETTER_BITS = 5 };

static void to_text(const unsigned char *in, char out[KEYED_TEXT])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned bits = 0, held = 0;

	for (unsigned i = 0; i < MARK_BYTES; i++) {
		held = held << 8 | in[i];
		for (bits += 8; bits >= LETTER_BITS; bits -= LETTER_BITS)
			*out++ = letters[held >> (bits - LETTER_BITS) & 31];
	}
	*out = '\0';
}

/* The purpose with its NUL stands before the text: neither runs into the
 * other. */
static void make(const char *key, const char *purpose, struct slice text,
    char out[KEYED_TEXT])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct strbuf b;

	strbuf_init(&b, 1 << 20);
	strbuf_add(&b, purpose, strlen(purpose) + 1);
	strbuf_addsl(&b, text);
	if (!strbuf_ok(&b) ||
	    HMAC(EVP_sha256(), key, (int)strlen(key),
		(const unsigned char *)b.p, b.n, digest, NULL) == NULL)
		abort(); /* no memory, or no SHA-256 */
	strbuf_fini(&b);
	to_text(digest, out);
}

void keyed_mark(const struct conf_strings *keys, const char *purpose,
    struct slice text, char mark_out[KEYED_TEXT])
{
	make(keys->s[0], purpose, text, mark_out);
}

bool keyed_check(const struct conf_strings *keys, const char *purpose,
    struct slice text, struct slice mark)
{
	char lower[KEYED_TEXT], good[KEYED_TEXT];
	bool found = false;

	if (mark.n != KEYED_TEXT - 1)
		return false;
	for (size_t i = 0; i < mark.n; i++)
		lower[i] = mark.p[i] >= 'A' && mark.p[i] <= 'Z'
			       ? (char)(mark.p[i] + 32) : mark.p[i];
	for (int i = 0; i < keys->count; i++) {
		make(keys->s[i], purpose, text, good);
		found |= CRYPTO_memcmp(good, lower, mark.n) == 0;
	}
	return found;
}
