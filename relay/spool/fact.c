/* SPDX-License-Identifier: ISC
 *
 * Facts: a few keyed values that outlive recycling, because each segment
 * begins with all of them. A flat array: there are at most 256.
 */
#include "relay/spool/spool_int.h"

static struct spool_fact *find(struct spool *s, struct slice key)
{
	for (unsigned i = 0; i < s->facts; i++)
		if (slice_eq(slice_str(s->fact[i].key), key))
			return &s->fact[i];
	return NULL;
}

bool fact_fits(const struct spool *s, const struct fact *f)
{
	uint64_t n = f->key.n + f->value.n;

	for (unsigned i = 0; i < s->facts; i++)
		n += strlen(s->fact[i].key) + s->fact[i].value.n;
	return f->value.n == 0 ||
	    (f->key.n + f->value.n <= FACT_BYTES && n <= s->facts_max &&
		s->facts < FACTS_MAX);
}

static void forget(struct spool *s, struct spool_fact *f)
{
	mem_free(f->key);
	strbuf_fini(&f->value);
	*f = s->fact[--s->facts];
}

void fact_set(struct spool *s, struct slice key, struct slice value)
{
	struct spool_fact *f = find(s, key);

	if (value.n == 0) {
		if (f != NULL)
			forget(s, f);
		return;
	}
	if (f == NULL) {
		if (s->facts == FACTS_MAX)
			return;
		f = &s->fact[s->facts++];
		f->key = mem_slicedup(key);
		strbuf_init(&f->value, FACT_BYTES);
	}
	strbuf_reset(&f->value);
	strbuf_addsl(&f->value, value);
}

void facts_clear(struct spool *s)
{
	while (s->facts > 0)
		forget(s, &s->fact[s->facts - 1]);
}

bool spool_fact(struct spool *s, const char *key, struct strbuf *out)
{
	struct spool_fact *f;

	pthread_mutex_lock(&s->lock);
	f = find(s, slice_str(key));
	if (f != NULL)
		strbuf_addsl(out, strbuf_view(&f->value));
	pthread_mutex_unlock(&s->lock);
	return f != NULL;
}
