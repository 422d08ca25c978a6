/* SPDX-License-Identifier: ISC
 *
 * Bytes on disk.
 */
#include "relay/base/pack.h"

#include <endian.h>

#include "relay/base/assert.h"

void pack_u8(struct strbuf *b, uint8_t v)
{
	strbuf_add(b, &v, sizeof(v));
}

void pack_u16(struct strbuf *b, uint16_t v)
{
	v = htole16(v);
	strbuf_add(b, &v, sizeof(v));
}

void pack_u32(struct strbuf *b, uint32_t v)
{
	v = htole32(v);
	strbuf_add(b, &v, sizeof(v));
}

void pack_u64(struct strbuf *b, uint64_t v)
{
	v = htole64(v);
	strbuf_add(b, &v, sizeof(v));
}

void pack_i64(struct strbuf *b, int64_t v)
{
	pack_u64(b, (uint64_t)v);
}

void pack_bytes(struct strbuf *b, struct slice s)
{
	PH_ASSERT(s.n <= UINT32_MAX);
	pack_u32(b, (uint32_t)s.n);
	strbuf_addsl(b, s);
}

void pack_str(struct strbuf *b, const char *s)
{
	pack_bytes(b, slice_str(s));
}

void unpack_init(struct unpack *u, struct slice s)
{
	*u = (struct unpack){.rest = s};
}

static void take(struct unpack *u, void *to, size_t n)
{
	if (u->bad || u->rest.n < n) {
		u->bad = true;
		memset(to, 0, n);
		return;
	}
	memcpy(to, u->rest.p, n);
	u->rest = slice_from(u->rest, n);
}

uint8_t unpack_u8(struct unpack *u)
{
	uint8_t v;

	take(u, &v, sizeof(v));
	return v;
}

uint16_t unpack_u16(struct unpack *u)
{
	uint16_t v;

	take(u, &v, sizeof(v));
	return le16toh(v);
}

uint32_t unpack_u32(struct unpack *u)
{
	uint32_t v;

	take(u, &v, sizeof(v));
	return le32toh(v);
}

uint64_t unpack_u64(struct unpack *u)
{
	uint64_t v;

	take(u, &v, sizeof(v));
	return le64toh(v);
}

int64_t unpack_i64(struct unpack *u)
{
	return (int64_t)unpack_u64(u);
}

static struct slice take_slice(struct unpack *u, size_t n)
{
	struct slice s;

	if (u->bad || u->rest.n < n) {
		u->bad = true;
		return slice_of("", 0);
	}
	s = slice_head(u->rest, n);
	u->rest = slice_from(u->rest, n);
	return s;
}

struct slice unpack_bytes(struct unpack *u)
{
	return take_slice(u, unpack_u32(u));
}

struct slice unpack_short(struct unpack *u)
{
	return take_slice(u, unpack_u8(u));
}

bool unpack_ok(const struct unpack *u)
{
	return !u->bad;
}

bool unpack_end(const struct unpack *u)
{
	return !u->bad && u->rest.n == 0;
}
