/* SPDX-License-Identifier: ISC
 *
 * Hours, their file names, and the hashes that are searched for. Pure, but
 * for the listing.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "relay/audit/hourfile.h"
#include "relay/base/clock.h"
#include "relay/base/id.h"
#include "relay/base/mem.h"

enum { NAME_DIGITS = 10, HASH_BYTES = 1024 };

int64_t hour_of(int64_t wall_us)
{
	return wall_us / 1000000 / HOUR_S;
}

void hour_name(int64_t hour, char out[HOUR_NAME])
{
	time_t t = (time_t)(hour * HOUR_S);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, HOUR_NAME, "%Y%m%d%H.db", &tm);
}

int hour_parse(struct slice name, int64_t *hour_out)
{
	struct tm tm = {0};
	uint64_t n;
	char again[HOUR_NAME];

	if (name.n != NAME_DIGITS + 3 ||
	    !slice_uint(slice_head(name, NAME_DIGITS), 9999123123, &n))
		return -1;
	tm.tm_year = (int)(n / 1000000) - 1900;
	tm.tm_mon = (int)(n / 10000 % 100) - 1;
	tm.tm_mday = (int)(n / 100 % 100);
	tm.tm_hour = (int)(n % 100);
	*hour_out = timegm(&tm) / HOUR_S;
	hour_name(*hour_out, again); /* 31 February is no such name */
	return slice_eq(name, slice_str(again)) ? 0 : -1;
}

static int by_hour(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

int hour_list(const char *dir, int64_t **hours_out, size_t *n_out,
    struct error *err)
{
	DIR *d = opendir(dir);
	size_t cap = 0;
	struct dirent *e;
	int64_t hour;

	*hours_out = NULL;
	*n_out = 0;
	if (d == NULL)
		return error_sys(err, errno, "%s", dir);
	while ((e = readdir(d)) != NULL) {
		if (hour_parse(slice_str(e->d_name), &hour) != 0)
			continue;
		if (*n_out == cap) {
			cap = cap == 0 ? 64 : cap * 2;
			*hours_out =
			    mem_resize(*hours_out, cap * sizeof(**hours_out));
		}
		(*hours_out)[(*n_out)++] = hour;
	}
	closedir(d);
	if (*n_out > 0)
		qsort(*hours_out, *n_out, sizeof(**hours_out), by_hour);
	return 0;
}

int64_t hour_first(const int64_t *hours, size_t n, uint64_t id)
{
	int64_t first = hour_of(id_wall_ms(id) * 1000);

	while (n > 0 && hours[n - 1] >= first)
		n--;
	return n > 0 ? hours[n - 1] : first;
}

static int64_t hash(struct slice s)
{
	char folded[HASH_BYTES];
	uint64_t h;

	s = slice_head(s, sizeof(folded));
	if (s.n == 0)
		return 0;
	for (size_t i = 0; i < s.n; i++)
		folded[i] = ascii_lower(s.p[i]);
	h = XXH3_64bits(folded, s.n);
	return (int64_t)(h == 0 ? 1 : h);
}

int64_t hour_hash(const char *s)
{
	return hash(slice_str(s));
}

int64_t hour_hash_message_id(const char *s)
{
	struct slice id = slice_trim(slice_str(s));

	if (id.n >= 2 && id.p[0] == '<' && id.p[id.n - 1] == '>')
		id = slice_of(id.p + 1, id.n - 2);
	return hash(id);
}
