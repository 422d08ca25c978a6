/* SPDX-License-Identifier: ISC
 *
 * Hints at loops: which message has which key, and how often what has that key
 * was delivered. Each is in a small set of places; where it is full, what was
 * delivered least often makes room, so that a flood of mail does not wash out
 * what goes round. Any thread.
 */
#include "relay/watch/loophint.h"

#include <pthread.h>
#include <string.h>
#include <xxhash.h>

#include "relay/base/clock.h"
#include "relay/base/hash.h"
#include "relay/base/mem.h"

enum { WAYS = 8 };

struct hint_place {
	uint64_t name;	/* an id, or of a key, recipient and leg; 0: empty */
	uint64_t value; /* the key, or how often */
	int64_t until_ms;
};

struct hint_table {
	struct hint_place *place;
	size_t sets; /* a power of two, of WAYS places each */
	bool counts;
};

struct loophints {
	pthread_mutex_t lock;
	const struct clock *clock;
	struct hint_table seen;   /* id → key */
	struct hint_table rounds; /* key, recipient, leg → how often */
};

/* ---- the body ---- */

void loophint_body_init(struct loophint_body *b)
{
	memset(b, 0, sizeof(*b));
	b->digest = XXH64_createState();
	if (b->digest == NULL)
		mem_exhausted(sizeof(*b));
	XXH64_reset(b->digest, 0);
}

void loophint_body_fini(struct loophint_body *b)
{
	XXH64_freeState(b->digest); /* NULL is fine */
	b->digest = NULL;
}

/* One byte of the header; an empty line ends it. */
static void see(struct loophint_body *b, char c)
{
	if (c == '\n') {
		b->in_body = !b->mid_line;
		b->mid_line = b->cr = false;
	} else if (c == '\r' && !b->cr) {
		b->cr = true;
	} else {
		b->mid_line = true;
	}
}

void loophint_body_add(struct loophint_body *b, struct slice bytes)
{
	size_t n = 0;

	while (n < bytes.n && !b->in_body)
		see(b, bytes.p[n++]);
	if (n < bytes.n)
		XXH64_update(b->digest, bytes.p + n, bytes.n - n);
}

uint64_t loophint_key(const char *message_id, const char *from,
    const struct loophint_body *body)
{
	uint64_t part[3] = {hash_slice(slice_str(message_id)),
	    hash_slice(slice_str(from)), XXH64_digest(body->digest)};

	return message_id[0] == '\0' ? 0 : hash_bytes(part, sizeof(part)) | 1;
}

/* ---- tables ---- */

static void table_init(struct hint_table *t, size_t places)
{
	for (t->sets = 1; t->sets * WAYS < places;)
		t->sets *= 2;
	t->place = NEW_ARRAY(struct hint_place, t->sets * WAYS);
}

static struct hint_place *set_of(struct hint_table *t, uint64_t name)
{
	uint64_t mixed = hash_bytes(&name, sizeof(name));

	return &t->place[(size_t)(mixed & (t->sets - 1)) * WAYS];
}

static struct hint_place *find(struct hint_table *t, uint64_t name,
    int64_t now_ms)
{
	struct hint_place *p = set_of(t, name);

	for (int i = 0; i < WAYS; i++)
		if (p[i].name == name && p[i].until_ms > now_ms)
			return &p[i];
	return NULL;
}

/* Is `a` of less use? Of messages (`counts` false) the value is no number. */
static bool is_less(const struct hint_place *a, const struct hint_place *b,
    bool counts, int64_t now_ms)
{
	bool over = a->until_ms <= now_ms, other = b->until_ms <= now_ms;

	if (over != other)
		return over;
	return counts && a->value != b->value ? a->value < b->value
					      : a->until_ms < b->until_ms;
}

/* Its place, with the value that it has, or a new one with 0. */
static struct hint_place *take(struct hint_table *t, uint64_t name,
    int64_t now_ms)
{
	struct hint_place *p = find(t, name, now_ms), *set = set_of(t, name);

	if (p != NULL)
		return p;
	p = set;
	for (int i = 1; i < WAYS; i++)
		if (is_less(&set[i], p, t->counts, now_ms))
			p = &set[i];
	*p = (struct hint_place){.name = name};
	return p;
}

/* ---- hints ---- */

struct loophints *loophints_new(size_t places, const struct clock *clock)
{
	struct loophints *h = NEW(struct loophints);

	pthread_mutex_init(&h->lock, NULL);
	h->clock = clock;
	table_init(&h->seen, places);
	table_init(&h->rounds, places);
	h->rounds.counts = true;
	return h;
}

void loophints_free(struct loophints *h)
{
	if (h == NULL)
		return;
	pthread_mutex_destroy(&h->lock);
	mem_free(h->seen.place);
	mem_free(h->rounds.place);
	mem_free(h);
}

static uint64_t name_of(uint64_t key, uint64_t rcpt, int leg)
{
	uint64_t part[3] = {key, rcpt, (uint64_t)leg};

	return hash_bytes(part, sizeof(part)) | 1;
}

void loophint_stored(struct loophints *h, uint64_t id, uint64_t key)
{
	int64_t now_ms = clock_mono_ms(h->clock);
	struct hint_place *p;

	if (key == 0)
		return;
	pthread_mutex_lock(&h->lock);
	p = take(&h->seen, id, now_ms);
	p->value = key;
	p->until_ms = now_ms + HOUR_MS;
	pthread_mutex_unlock(&h->lock);
}

void loophint_delivered(struct loophints *h, uint64_t id, uint64_t rcpt,
    int leg)
{
	int64_t now_ms = clock_mono_ms(h->clock);
	const struct hint_place *seen;
	struct hint_place *p;

	pthread_mutex_lock(&h->lock);
	seen = find(&h->seen, id, now_ms);
	if (seen != NULL) {
		p = take(&h->rounds, name_of(seen->value, rcpt, leg), now_ms);
		p->value++;
		p->until_ms = now_ms + HOUR_MS;
	}
	pthread_mutex_unlock(&h->lock);
}

unsigned loophint_rounds(struct loophints *h, uint64_t key, uint64_t rcpt,
    int leg)
{
	const struct hint_place *p;
	unsigned n = 0;

	if (key == 0)
		return 0;
	pthread_mutex_lock(&h->lock);
	p = find(&h->rounds, name_of(key, rcpt, leg),
	    clock_mono_ms(h->clock));
	if (p != NULL)
		n = (unsigned)p->value;
	pthread_mutex_unlock(&h->lock);
	return n;
}

int64_t loophint_wait_us(unsigned rounds)
{
	return rounds < LOOPHINT_SLOWS ? 0
	     : (rounds == LOOPHINT_SLOWS ? 5 : 15) * MINUTE_US;
}
