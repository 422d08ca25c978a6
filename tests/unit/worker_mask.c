/* SPDX-License-Identifier: ISC
 *
 * Takes out of a text what differs from run to run or with the order of the
 * threads: the folder, the ids of messages, times, and the values of some keys.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/base/clock.h"
#include "relay/base/id.h"
#include "tests/unit/worker_rig.h"
#include "tests/unit/worker_script.h"

enum { IDS = 200, TEXT_MAX = 8 << 20, DIGITS_US = 16, DIGITS_S = 10,
       MARK = 16 };

/* Seconds since 1970 at the start of the rig's clock. */
#define START_S INT64_C(1790000000)

static char ids[IDS][ID_TEXT];
static int known;

/* Keys of JSON whose values depend on when a thread ran, on the machine or on
 * the build. */
static const char *const varying[] = {"pid", "pos", "head",
    "ended", "free_bytes", "size_bytes", "boundary", "chunk", "batches",
    "syncs",
    "offset", "cached_percent", "temperror_percent", "helper_unasked"};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static int number_of(struct slice word)
{
	for (int i = 0; i < known; i++)
		if (slice_case_eq(word, slice_str(ids[i])))
			return i + 1;
	CHECK(known < IDS);
	snprintf(ids[known], ID_TEXT, "%.*s", (int)word.n, word.p);
	return ++known;
}

/* An id is of the time that the rig's clock shows. */
static bool is_id(struct slice word)
{
	uint64_t id;

	return word.n == ID_TEXT - 1 && id_parse(word, &id) == 0 &&
	       llabs(id_wall_ms(id) / 1000 - START_S) < 30 * 86400;
}

/* Microseconds or seconds since 1970, of the test's time. */
static bool time_of(struct slice word, int64_t *s_out)
{
	uint64_t n;

	if (!slice_uint(word, INT64_MAX, &n))
		return false;
	if (word.n == DIGITS_US)
		n /= 1000000;
	else if (word.n != DIGITS_S)
		return false;
	*s_out = (int64_t)n - START_S;
	return llabs(*s_out) < 30 * 86400;
}

static struct slice word_at(const char *p)
{
	size_t n = 0;

	while (is_word(p[n]))
		n++;
	return slice_of(p, n);
}

/* 2026-09-21T…Z; its length, or 0. */
static size_t stamp_at(const char *p, int64_t *s_out)
{
	size_t n = strspn(p, "0123456789-:.TZ+");
	int64_t us;

	if (n < 20 || p[4] != '-' || p[10] != 'T' ||
	    clock_parse(slice_of(p, n), 0, &us) < 0)
		return 0;
	*s_out = us / 1000000 - START_S;
	return n;
}

/* Of a key that ends so, its number: where that begins, or 0. */
static size_t key_at(const char *p, const char *end)
{
	size_t n, length = strlen(end);

	if (p[0] != '"')
		return 0;
	n = 1 + strspn(p + 1, "abcdefghijklmnopqrstuvwxyz_");
	return n > length && strncmp(p + n - length, end, length) == 0 &&
	    strncmp(p + n, "\":", 2) == 0 ? n + 2 : 0;
}

/* After a minute the little times of disk and network have added up. */
static int64_t rounded(int64_t s)
{
	return llabs(s) < 60 ? s : (s + (s < 0 ? -5 : 5)) / 10 * 10;
}

/* Behind the key of a varying value: the length of that value. */
static size_t varying_at(const char *p, size_t *key_out)
{
	*key_out = key_at(p, "_ms");
	if (*key_out > 0)
		return strspn(p + *key_out, "0123456789");
	for (size_t i = 0; i < sizeof(varying) / sizeof(varying[0]); i++) {
		size_t n = strlen(varying[i]);

		if (p[0] != '"' || strncmp(p + 1, varying[i], n) != 0 ||
		    strncmp(p + 1 + n, "\":", 2) != 0)
			continue;
		*key_out = n + 3;
		p += n + 3;
		if (*p == '"')
			return strcspn(p + 1, "\"") + 2;
		return strspn(p, "0123456789.-");
	}
	return 0;
}

/* Mon, 21 Sep 2026 14:13:22 +0000; its length, or 0. */
static size_t date_at(const char *p, int64_t *s_out)
{
	struct tm tm = {0};
	const char *end;

	if (strnlen(p, 4) < 4 || p[3] != ',')
		return 0;
	end = strptime(p, "%a, %d %b %Y %H:%M:%S +0000", &tm);
	if (end == NULL)
		return 0;
	*s_out = timegm(&tm) - START_S;
	return (size_t)(end - p);
}

/* The mark of an address of ours: base 32, with a digit in it. */
static bool is_mark(struct slice word)
{
	size_t n = strspn(word.p, "abcdefghijklmnopqrstuvwxyz234567");

	return word.n == MARK && n == MARK &&
	       strcspn(word.p, "234567") < MARK;
}

/* Made of random numbers: a token of ours in a Received field, a boundary of
 * MIME, a name that a leg is asked about; its length, or 0. */
static size_t random_at(const char *p)
{
	if (strncmp(p, "(t=", 3) == 0)
		return strcspn(p, ")");
	if (strncmp(p, "=_", 2) == 0)
		return 2 + strspn(p + 2, "0123456789abcdef");
	if (strncmp(p, "nobody-", 7) == 0)
		return 7 + strspn(p + 7, "0123456789abcdef");
	return 0;
}

/* Puts what stands at `p` and says how much that was. */
static size_t mask_one(struct strbuf *to, const char *p)
{
	size_t folder = strlen(rig_folder()), key = 0, n;
	struct slice word = word_at(p);
	int64_t s;

	if (strncmp(p, rig_folder(), folder) == 0) {
		strbuf_adds(to, "DIR");
		return folder;
	}
	if ((n = varying_at(p, &key)) > 0) {
		strbuf_add(to, p, key);
		strbuf_adds(to, "#");
		return key + n;
	}
	if ((n = key_at(p, "_s")) > 0) {
		strbuf_add(to, p, n);
		key = strspn(p + n, "0123456789");
		if (key > 0)
			strbuf_addf(to, "%lld",
			    (long long)rounded(strtoll(p + n, NULL, 10)));
		return n + key;
	}
	if ((n = random_at(p)) > 0) {
		strbuf_addf(to, "%.2s#", p);
		return n;
	}
	if ((n = stamp_at(p, &s)) == 0)
		n = date_at(p, &s);
	if (n == 0 && time_of(word, &s))
		n = word.n;
	if (n > 0)
		strbuf_addf(to, "T+%lld", (long long)rounded(s));
	else if (is_id(word))
		strbuf_addf(to, "ID%d", number_of(word));
	else if (is_mark(word))
		strbuf_adds(to, "#");
	else
		strbuf_add(to, p, word.n);
	n = n > 0 ? n : word.n;
	if (n > 0)
		return n;
	strbuf_add(to, p, 1);
	return 1;
}

void worker_mask(struct strbuf *to, const char *text)
{
	while (*text != '\0')
		text += mask_one(to, text);
}

const char *worker_unmask(const char *text)
{
	static struct strbuf b;
	char *end;

	if (b.max == 0)
		strbuf_init(&b, TEXT_MAX);
	strbuf_reset(&b);
	while (*text != '\0') {
		long n = strncmp(text, "ID", 2) == 0 ?
		    strtol(text + 2, &end, 10) : 0;

		if (n > 0 && n <= known) {
			strbuf_adds(&b, ids[n - 1]);
			text = end;
		} else if (strncmp(text, "DIR", 3) == 0) {
			strbuf_adds(&b, rig_folder());
			text += 3;
		} else {
			strbuf_add(&b, text++, 1);
		}
	}
	return strbuf_cstr(&b);
}
