/* SPDX-License-Identifier: ISC
 *
 * Detects the coding at the head of the file, then converts block by block.
 * A character that a block cuts in two waits in `raw` for its rest.
 */
#include "policy/csv/textfile.h"

#include <errno.h>
#include <unistd.h>

#include "relay/base/mem.h"

enum { DETECT_BYTES = 4 };

void textfile_init(struct textfile *t, int fd)
{
	*t = (struct textfile){.fd = fd};
	t->raw = mem_new(TEXTFILE_BLOCK);
}

void textfile_fini(struct textfile *t)
{
	mem_free(t->raw);
	t->raw = NULL;
}

static int fill(struct textfile *t, struct error *err)
{
	ssize_t got;

	do
		got = read(t->fd, t->raw + t->raw_n,
		    TEXTFILE_BLOCK - t->raw_n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_sys(err, errno, "it can not be read");
	t->eof = got == 0;
	t->raw_n += (size_t)got;
	t->bytes += (uint64_t)got;
	return 0;
}

static void drop(struct textfile *t, size_t n)
{
	t->raw_n -= n;
	memmove(t->raw, t->raw + n, t->raw_n);
}

static void detect(struct textfile *t)
{
	static const struct {
		unsigned char head[3];
		size_t n;
		enum text_coding coding;
	} marks[] = {
	    {{0xef, 0xbb, 0xbf}, 3, TEXT_UTF8},
	    {{0xff, 0xfe}, 2, TEXT_UTF16_LE},
	    {{0xfe, 0xff}, 2, TEXT_UTF16_BE},
	};

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (t->raw_n >= marks[i].n &&
		    memcmp(t->raw, marks[i].head, marks[i].n) == 0) {
			t->coding = marks[i].coding;
			drop(t, marks[i].n);
			return;
		}
	t->coding = TEXT_UTF8;
	if (t->raw_n >= 2 && t->raw[0] != '\0' && t->raw[1] == '\0')
		t->coding = TEXT_UTF16_LE;
	else if (t->raw_n >= 2 && t->raw[0] == '\0' && t->raw[1] != '\0')
		t->coding = TEXT_UTF16_BE;
}

static unsigned unit_at(const struct textfile *t, size_t at)
{
	unsigned a = t->raw[at], b = t->raw[at + 1];

	return t->coding == TEXT_UTF16_LE ? b << 8 | a : a << 8 | b;
}

/* The character at `at`: how many bytes it takes, 0 when its rest is not
 * read yet, -1 when it is none (RFC 2781, 2.2). */
static int character(const struct textfile *t, size_t at, unsigned *out)
{
	unsigned high, low;

	if (at + 2 > t->raw_n)
		return 0;
	high = unit_at(t, at);
	*out = high;
	if (high < 0xd800 || high > 0xdfff)
		return 2;
	if (high > 0xdbff)
		return -1;
	if (at + 4 > t->raw_n)
		return 0;
	low = unit_at(t, at + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	*out = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	return 4;
}

static size_t put_utf8(unsigned u, char *out)
{
	if (u < 0x80) {
		out[0] = (char)u;
		return 1;
	}
	if (u < 0x800) {
		out[0] = (char)(0xc0 | u >> 6);
		out[1] = (char)(0x80 | (u & 0x3f));
		return 2;
	}
	if (u < 0x10000) {
		out[0] = (char)(0xe0 | u >> 12);
		out[1] = (char)(0x80 | (u >> 6 & 0x3f));
		out[2] = (char)(0x80 | (u & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | u >> 18);
	out[1] = (char)(0x80 | (u >> 12 & 0x3f));
	out[2] = (char)(0x80 | (u >> 6 & 0x3f));
	out[3] = (char)(0x80 | (u & 0x3f));
	return 4;
}

static ssize_t convert(struct textfile *t, char *out, size_t room,
    struct error *err)
{
	size_t at = 0, n = 0;
	unsigned u;
	int took = 0;

	while (n + 4 <= room && (took = character(t, at, &u)) > 0) {
		n += put_utf8(u, out + n);
		at += (size_t)took;
	}
	drop(t, at);
	if (n == 0 && (took < 0 || (t->eof && t->raw_n > 0)))
		return error_set(err, "it is broken UTF-16: save it as "
		    "\"CSV UTF-8\"");
	return (ssize_t)n;
}

static ssize_t pass_on(struct textfile *t, char *out, size_t room)
{
	size_t n = t->raw_n < room ? t->raw_n : room;

	memcpy(out, t->raw, n);
	drop(t, n);
	return (ssize_t)n;
}

ssize_t textfile_read(struct textfile *t, char *out, size_t room,
    struct error *err)
{
	size_t want = t->coding == TEXT_UNKNOWN ? DETECT_BYTES : 1;
	ssize_t n = 0;

	while (n == 0) {
		while (t->raw_n < want && !t->eof)
			if (fill(t, err) < 0)
				return -1;
		if (t->coding == TEXT_UNKNOWN)
			detect(t);
		n = t->coding == TEXT_UTF8 ? pass_on(t, out, room)
					   : convert(t, out, room, err);
		if (t->eof && t->raw_n == 0)
			break;
		/* Half a character: at least one byte more. */
		want = t->raw_n + 1;
	}
	return n;
}
