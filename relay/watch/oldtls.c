/* SPDX-License-Identifier: ISC
 *
 * See oldtls.h.
 */
#include "relay/watch/oldtls.h"

#include <pthread.h>
#include <stdio.h>

#include "relay/base/mem.h"
#include "relay/base/slice.h"

struct seen {
	char listen[64], client[NETADDR_TEXT], version[16];
	uint64_t mails;
	int64_t last_us;
};

struct oldtls {
	pthread_mutex_t lock;
	struct seen seen[OLDTLS_MAX];
	unsigned n;
};

struct oldtls *oldtls_new(void)
{
	struct oldtls *o = NEW(struct oldtls);

	pthread_mutex_init(&o->lock, NULL);
	return o;
}

void oldtls_free(struct oldtls *o)
{
	if (o == NULL)
		return;
	pthread_mutex_destroy(&o->lock);
	mem_free(o);
}

static bool is_old(struct slice version)
{
	return slice_eq(version, SLICE("TLSv1")) ||
	       slice_eq(version, SLICE("TLSv1.1"));
}

/* The row of that client, or a free one, or the oldest. */
static struct seen *find(struct oldtls *o, const struct seen *like)
{
	struct seen *oldest = &o->seen[0];

	for (unsigned i = 0; i < o->n; i++) {
		struct seen *s = &o->seen[i];

		if (strcmp(s->client, like->client) == 0 &&
		    strcmp(s->listen, like->listen) == 0 &&
		    strcmp(s->version, like->version) == 0)
			return s;
		if (s->last_us < oldest->last_us)
			oldest = s;
	}
	if (o->n < OLDTLS_MAX)
		oldest = &o->seen[o->n++];
	*oldest = *like;
	return oldest;
}

void oldtls_note(struct oldtls *o, const char *listen,
    const struct netaddr *client, const char *tls, int64_t now_us)
{
	struct slice words = slice_str(tls), version;
	struct seen like = {.mails = 0}, *s;

	if (!slice_next(&words, ' ', &version) || !is_old(version))
		return;
	snprintf(like.listen, sizeof(like.listen), "%s", listen);
	snprintf(like.version, sizeof(like.version), "%.*s", (int)version.n,
	    version.p);
	netaddr_ip(client, like.client);
	pthread_mutex_lock(&o->lock);
	s = find(o, &like);
	s->mails++;
	s->last_us = now_us;
	pthread_mutex_unlock(&o->lock);
}

unsigned oldtls_count(struct oldtls *o)
{
	unsigned n;

	pthread_mutex_lock(&o->lock);
	n = o->n;
	pthread_mutex_unlock(&o->lock);
	return n;
}

void oldtls_print(struct oldtls *o, unsigned i, struct jout *j)
{
	struct seen s = {.mails = 0};

	pthread_mutex_lock(&o->lock);
	if (i < o->n)
		s = o->seen[i];
	pthread_mutex_unlock(&o->lock);
	jout_str(j, "listen", s.listen);
	jout_str(j, "client", s.client);
	jout_str(j, "version", s.version);
	jout_int(j, "mails", (int64_t)s.mails);
	jout_time(j, "last", s.last_us);
}
