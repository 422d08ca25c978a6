/* SPDX-License-Identifier: ISC
 *
 * Growing bytes with a ceiling.
 */
#include "relay/base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>

#include "relay/base/assert.h"
#include "relay/base/mem.h"

/* Most texts end below the first; few that outgrow it end below twice that. */
enum { SMALL = 128, LARGE = 1024 };

void strbuf_init(struct strbuf *b, size_t max)
{
	*b = (struct strbuf){.max = max};
}

void strbuf_fini(struct strbuf *b)
{
	mem_free(b->p);
	*b = (struct strbuf){.max = b->max};
}

void strbuf_reset(struct strbuf *b)
{
	b->n = 0;
	b->overflow = false;
}

char *strbuf_reserve(struct strbuf *b, size_t n)
{
	size_t want, cap = b->cap;

	PH_ASSERT(b->n <= b->max);
	if (b->overflow || n > b->max - b->n) {
		b->overflow = true;
		return NULL;
	}
	want = b->n + n + 1;
	if (want > cap) {
		cap = cap < SMALL ? SMALL : cap < LARGE ? cap * 4 : cap * 2;
		if (cap > b->max + 1)
			cap = b->max + 1;
		if (cap < want)
			cap = want;
		b->p = mem_resize(b->p, cap);
		b->cap = cap;
	}
	return b->p + b->n;
}

void strbuf_used(struct strbuf *b, size_t n)
{
	/* The room that was reserved has a place for the final NUL, too. */
	PH_ASSERT(n == 0 || (b->n < b->cap && n < b->cap - b->n));
	b->n += n;
}

void strbuf_add(struct strbuf *b, const void *p, size_t n)
{
	char *to;

	if (n == 0)
		return;
	/* Mostly there is room, for the final NUL, too. */
	to = !b->overflow && n < b->cap - b->n ? b->p + b->n
					       : strbuf_reserve(b, n);
	if (to == NULL)
		return;
	memcpy(to, p, n);
	b->n += n;
}

void strbuf_adds(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_addsl(struct strbuf *b, struct slice s)
{
	strbuf_add(b, s.p, s.n);
}

/* Mostly there is room, and copying one byte costs less than a call. */
void strbuf_addc(struct strbuf *b, char c)
{
	if (!b->overflow && b->n + 1 < b->cap)
		b->p[b->n++] = c;
	else
		strbuf_add(b, &c, 1);
}

/* A tenth of what vsnprintf() costs; sizes are in every dialog. */
void strbuf_addu(struct strbuf *b, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	strbuf_add(b, digits + at, sizeof(digits) - at);
}

/* Into the room that is there; once more if that was not enough. */
void strbuf_addv(struct strbuf *b, const char *fmt, va_list ap)
{
	size_t room = b->overflow ? 0 : b->cap - b->n;
	va_list again;
	int len;
	char *to;

	va_copy(again, ap);
	len = vsnprintf(room > 0 ? b->p + b->n : NULL, room, fmt, again);
	va_end(again);
	if (len <= 0)
		return;
	if ((size_t)len < room) {
		b->n += (size_t)len;
		return;
	}
	to = strbuf_reserve(b, (size_t)len);
	if (to == NULL)
		return;
	vsnprintf(to, (size_t)len + 1, fmt, ap);
	b->n += (size_t)len;
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_addv(b, fmt, ap);
	va_end(ap);
}

bool strbuf_ok(const struct strbuf *b)
{
	return !b->overflow;
}

struct slice strbuf_view(const struct strbuf *b)
{
	return slice_of(b->p, b->n);
}

const char *strbuf_cstr(struct strbuf *b)
{
	if (b->p == NULL)
		return "";
	b->p[b->n] = '\0';
	return b->p;
}

void strbuf_drop_front(struct strbuf *b, size_t n)
{
	if (n < b->n)
		memmove(b->p, b->p + n, b->n - n);
	b->n = n < b->n ? b->n - n : 0;
}
