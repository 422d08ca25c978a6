/* SPDX-License-Identifier: ISC
 *
 * Bytes on disk: little endian, strings with a length before them. Reading
 * is sticky like strbuf: take what you need, then ask once. Rows read back
 * are input: every length is checked against what is there.
 */
#ifndef RELAY_BASE_PACK_H
#define RELAY_BASE_PACK_H

#include "relay/base/strbuf.h"

void pack_u8(struct strbuf *b, uint8_t v);
void pack_u16(struct strbuf *b, uint16_t v);
void pack_u32(struct strbuf *b, uint32_t v);
void pack_u64(struct strbuf *b, uint64_t v);
void pack_i64(struct strbuf *b, int64_t v);
void pack_bytes(struct strbuf *b, struct slice s); /* u32 length, bytes */
void pack_str(struct strbuf *b, const char *s);	   /* NULL as ""        */

struct unpack {
	struct slice rest;
	bool bad; /* something was longer than the bytes that are there */
};

void unpack_init(struct unpack *u, struct slice s);
uint8_t unpack_u8(struct unpack *u);
uint16_t unpack_u16(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
int64_t unpack_i64(struct unpack *u);
struct slice unpack_bytes(struct unpack *u); /* borrowed */
struct slice unpack_short(struct unpack *u); /* up to 255 bytes */
bool unpack_ok(const struct unpack *u) PH_CHECK;
/* As unpack_ok(), and nothing is left over. */
bool unpack_end(const struct unpack *u) PH_CHECK;

#endif
