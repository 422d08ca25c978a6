/* SPDX-License-Identifier: ISC
 *
 * Growing bytes with a ceiling.
 */
#ifndef RELAY_BASE_STRBUF_H
#define RELAY_BASE_STRBUF_H

#include <stdarg.h>

#include "relay/base/attr.h"
#include "relay/base/slice.h"

/* A growing buffer with a ceiling fixed at birth. Overflow is sticky: add as
 * often as you like, then ask once with strbuf_ok(). */
struct strbuf {
	char *p;
	size_t n, cap, max;
	bool overflow;
};

void strbuf_init(struct strbuf *b, size_t max); /* allocates nothing */
void strbuf_fini(struct strbuf *b);
void strbuf_reset(struct strbuf *b); /* empty, keeps memory */
void strbuf_add(struct strbuf *b, const void *p, size_t n);
void strbuf_adds(struct strbuf *b, const char *s);
void strbuf_addsl(struct strbuf *b, struct slice s);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_addu(struct strbuf *b, uint64_t n); /* decimal */
void strbuf_addv(struct strbuf *b, const char *fmt, va_list ap)
    PH_PRINTF(2, 0);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) PH_PRINTF(2, 3);
bool strbuf_ok(const struct strbuf *b) PH_CHECK;
struct slice strbuf_view(const struct strbuf *b); /* until the next add */
/* With a final NUL that is not counted; "" when empty. */
const char *strbuf_cstr(struct strbuf *b);
/* Room for n more bytes at the end, NULL past the ceiling; then say how many
 * were used. */
char *strbuf_reserve(struct strbuf *b, size_t n);
void strbuf_used(struct strbuf *b, size_t n);
void strbuf_drop_front(struct strbuf *b, size_t n);

#endif
