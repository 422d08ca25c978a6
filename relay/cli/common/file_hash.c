/* SPDX-License-Identifier: ISC
 *
 * Hashes, and copies that are hashed. Blocks of zeros are not written: a
 * segment is mostly a hole when little is in it.
 */
#include "relay/cli/common/file_hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/assert.h"
#include "relay/base/mem.h"

enum { PIECE = 256 << 10 };

struct file_hash {
	EVP_MD_CTX *md;
};

struct file_hash *file_hash_new(void)
{
	struct file_hash *h = NEW(struct file_hash);
	int ok;

	h->md = EVP_MD_CTX_new();
	ok = h->md != NULL && EVP_DigestInit_ex(h->md, EVP_sha256(), NULL);
	PH_ASSERT(ok);
	return h;
}

void file_hash_add(struct file_hash *h, const void *p, size_t n)
{
	int ok = EVP_DigestUpdate(h->md, p, n);

	PH_ASSERT(ok);
}

void file_hash_end(struct file_hash *h, char out[FILE_HASH_TEXT])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	int ok = EVP_DigestFinal_ex(h->md, sum, &n);

	PH_ASSERT(ok && 2 * n + 1 == FILE_HASH_TEXT);
	for (unsigned i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
	EVP_MD_CTX_free(h->md);
	mem_free(h);
}

/* ---- copies ---- */

static bool is_zero(const char *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

static int put_piece(int to, const char *p, size_t n, uint64_t at)
{
	while (n > 0) {
		ssize_t k = pwrite(to, p, n, (off_t)at);

		if (k < 0 && errno != EINTR)
			return -1;
		if (k <= 0)
			continue;
		p += k;
		n -= (size_t)k;
		at += (uint64_t)k;
	}
	return 0;
}

static int get_piece(int from, char *p, size_t n, uint64_t at)
{
	while (n > 0) {
		ssize_t k = pread(from, p, n, (off_t)at);

		if (k == 0)
			errno = EBADMSG;
		if (k == 0 || (k < 0 && errno != EINTR))
			return -1;
		if (k < 0)
			continue;
		p += k;
		n -= (size_t)k;
		at += (uint64_t)k;
	}
	return 0;
}

static int copy_pieces(int from, int to, struct file_part part, char *piece,
    struct file_hash *h)
{
	for (uint64_t at = 0; at < part.size; at += PIECE) {
		size_t all = part.size - at < PIECE ? part.size - at : PIECE;
		size_t n = at >= part.bytes ? 0 :
			part.bytes - at < all ? part.bytes - at : all;

		memset(piece + n, 0, all - n);
		if (get_piece(from, piece, n, at) < 0)
			return -1;
		file_hash_add(h, piece, all);
		if (to >= 0 && !is_zero(piece, all) &&
		    put_piece(to, piece, all, at) < 0)
			return -1;
	}
	if (to >= 0 && (ftruncate(to, (off_t)part.size) < 0 || fsync(to) < 0))
		return -1;
	return 0;
}

int file_hash_copy(int from, int to, struct file_part part,
    char out[FILE_HASH_TEXT])
{
	struct file_hash *h = file_hash_new();
	char *piece = mem_new(PIECE);
	int rc, no;

	if (part.size < part.bytes)
		part.size = part.bytes;
	rc = copy_pieces(from, to, part, piece, h);
	no = errno;
	file_hash_end(h, out);
	mem_free(piece);
	errno = no;
	return rc;
}
