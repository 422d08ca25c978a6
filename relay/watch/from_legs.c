/* SPDX-License-Identifier: ISC
 *
 * Counts by leg, kind and domain. Domains are those of the configuration, so
 * there are as many rows at most; past a ceiling they count as none of ours.
 */
#include "relay/watch/from_legs.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

enum { ROWS_MAX = 20000, HOP_BYTES = 200 };

struct from_row {
	char *leg, *domain;
	enum from_leg_kind kind;
	struct from_leg n; /* since the last take; its texts are not set */
	char hop[HOP_BYTES];
	int64_t told_us;
};

struct from_legs {
	pthread_mutex_t lock;
	struct from_row *row; /* sorted by compare() */
	size_t rows;
};

struct from_legs *from_legs_new(void)
{
	struct from_legs *f = NEW(struct from_legs);

	pthread_mutex_init(&f->lock, NULL);
	return f;
}

void from_legs_free(struct from_legs *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->rows; i++) {
		mem_free(f->row[i].leg);
		mem_free(f->row[i].domain);
	}
	mem_free(f->row);
	pthread_mutex_destroy(&f->lock);
	mem_free(f);
}

static int compare(const struct from_row *r, const struct from_leg *one,
    const char *domain)
{
	int d = strcmp(r->leg, one->leg);

	if (d == 0)
		d = (int)r->kind - (int)one->kind;
	return d != 0 ? d : strcmp(r->domain, domain);
}

/* Where it is, or belongs. */
static size_t place_of(const struct from_legs *f, const struct from_leg *one,
    const char *domain)
{
	size_t low = 0, high = f->rows;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare(&f->row[mid], one, domain) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct from_row *row_of(struct from_legs *f, const struct from_leg *one)
{
	const char *domain = f->rows < ROWS_MAX ? one->domain : "";
	size_t at = place_of(f, one, domain);

	if (at < f->rows && compare(&f->row[at], one, domain) == 0)
		return &f->row[at];
	f->row = mem_resize(f->row, (f->rows + 1) * sizeof(*f->row));
	memmove(&f->row[at + 1], &f->row[at],
	    (f->rows - at) * sizeof(*f->row));
	f->rows++;
	f->row[at] = (struct from_row){.leg = mem_strdup(one->leg),
	    .domain = mem_strdup(domain), .kind = one->kind};
	return &f->row[at];
}

bool from_legs_add(struct from_legs *f, const struct from_leg *one)
{
	struct from_row *r;
	bool tell;

	pthread_mutex_lock(&f->lock);
	r = row_of(f, one);
	if (r->n.messages == 0)
		r->n.first_us = one->last_us;
	r->n.messages++;
	r->n.last_us = one->last_us;
	r->n.id = one->id;
	if (one->hop[0] != '\0')
		snprintf(r->hop, sizeof(r->hop), "%s", one->hop);
	tell = r->told_us == 0 || one->last_us < r->told_us ||
	       one->last_us - r->told_us > HOUR_US;
	if (tell)
		r->told_us = one->last_us;
	pthread_mutex_unlock(&f->lock);
	return tell;
}

/* The counts of one row, and 0 in their place. False: there are none. */
static bool take_row(struct from_legs *f, size_t i, struct from_leg *out,
    struct from_row *copy)
{
	struct from_row *r;
	bool some = false;

	pthread_mutex_lock(&f->lock);
	if (i < f->rows) {
		r = &f->row[i];
		some = r->n.messages > 0;
		*copy = *r;
		copy->leg = mem_strdup(r->leg);
		copy->domain = mem_strdup(r->domain);
		r->n = (struct from_leg){0};
	}
	pthread_mutex_unlock(&f->lock);
	if (copy->leg == NULL)
		return false;
	*out = copy->n;
	out->leg = copy->leg;
	out->domain = copy->domain;
	out->kind = copy->kind;
	out->hop = copy->hop;
	return some;
}

static size_t rows_of(struct from_legs *f)
{
	size_t n;

	pthread_mutex_lock(&f->lock);
	n = f->rows;
	pthread_mutex_unlock(&f->lock);
	return n;
}

/* A row that comes between two steps is met now or by the next take. */
void from_legs_take(struct from_legs *f,
    void (*fn)(void *arg, const struct from_leg *some), void *arg)
{
	for (size_t i = 0; i < rows_of(f); i++) {
		struct from_row copy = {0};
		struct from_leg some;

		if (take_row(f, i, &some, &copy))
			fn(arg, &some);
		mem_free(copy.leg);
		mem_free(copy.domain);
	}
}
