/* SPDX-License-Identifier: ISC
 *
 * Tells stragglers from other clients, and counts them.
 */
#include "relay/audit/straggler/straggler_counts.h"

#include <pthread.h>
#include <stdio.h>

#include "relay/audit/straggler/straggler_conf.h"

enum { DOMAIN_BYTES = 1024, CUSTOMERS_MAX = 32 /* of one message */ };

struct straggler_counts {
	/* Of all threads. */
	pthread_mutex_t lock;
	struct straggler_conf *conf;
	bool wanting;
	char wants[STRAGGLER_CLIENT_TEXT];

	/* The projector's alone. */
	struct straggler_fold now;  /* of this transaction of the index */
	struct straggler_fold wait; /* for ledger.db */
	int64_t gap_us;
	bool begun; /* the file says since when it counts */
};

/* ---- a life -------------------------------------------------------------- */

struct straggler_counts *straggler_counts_new(const struct conf *c)
{
	struct straggler_counts *s = NEW(struct straggler_counts);

	pthread_mutex_init(&s->lock, NULL);
	straggler_counts_configure(s, c);
	return s;
}

void straggler_counts_free(struct straggler_counts *s)
{
	if (s == NULL)
		return;
	straggler_fold_clear(&s->now);
	straggler_fold_clear(&s->wait);
	straggler_conf_free(s->conf);
	pthread_mutex_destroy(&s->lock);
	mem_free(s);
}

void straggler_counts_configure(struct straggler_counts *s,
    const struct conf *c)
{
	struct straggler_conf *fresh = straggler_conf_new(c), *old;

	pthread_mutex_lock(&s->lock);
	old = s->conf;
	s->conf = fresh;
	pthread_mutex_unlock(&s->lock);
	straggler_conf_free(old);
}

static bool client_net(const char *client, struct conf_net *out)
{
	const char *why;

	return conf_net_parse(slice_str(client), out, &why) == 0;
}

/* ---- accepted ------------------------------------------------------------ */

static void count_sender(struct straggler_row *r, const char *from)
{
	struct strbuf room;

	strbuf_init(&room, DOMAIN_BYTES);
	straggler_domain(from, &room);
	straggler_senders_add(&r->senders, strbuf_view(&room), 1);
	strbuf_fini(&room);
}

static void count_message(struct straggler_row *r, const struct envelope *e,
    unsigned recipients)
{
	struct straggler_day *day;

	straggler_row_seen(r, e->accepted_us);
	day = straggler_row_day(r, e->accepted_us);
	day->messages++;
	day->recipients += recipients;
	r->messages++;
	r->recipients += recipients;
	r->judged += e->spf[0] != '\0';
	r->passed += strcmp(e->spf, "pass") == 0;
	straggler_row_text(&r->name, slice_str(e->client_name));
	straggler_row_text(&r->helo, slice_str(e->helo));
	straggler_row_text(&r->tls, slice_str(e->tls));
	count_sender(r, e->from);
}

/* A row for each customer of its recipients: nearly always one. */
static void count_customers(struct straggler_counts *s,
    const struct envelope *e)
{
	struct straggler_key key = {e->client, e->listen, ""};
	const char *customer[CUSTOMERS_MAX];
	unsigned of[CUSTOMERS_MAX] = {0}, n = 0, at;
	struct straggler_row *r;

	for (unsigned i = 0; i < e->rcpts; i++) {
		const char *c = straggler_conf_customer(s->conf,
		    e->rcpt[i].to);

		for (at = 0; at < n && strcmp(customer[at], c) != 0; at++)
			;
		if (at == CUSTOMERS_MAX)
			at = CUSTOMERS_MAX - 1;
		else if (at == n)
			customer[n++] = c;
		of[at]++;
	}
	for (at = 0; at < n; at++) {
		key.customer = customer[at];
		r = straggler_fold_row(&s->now, &key);
		if (r != NULL)
			count_message(r, e, of[at]);
		else
			s->gap_us = e->accepted_us;
	}
}

void straggler_counts_accepted(struct straggler_counts *s,
    const struct envelope *e)
{
	struct conf_net client;

	if (e->listen[0] == '\0' || e->login[0] != '\0' ||
	    e->came_from[0] != '\0' || !envelope_names_client(e) ||
	    !client_net(e->client, &client))
		return;
	pthread_mutex_lock(&s->lock);
	if (straggler_conf_counts(s->conf, &client, e->listen))
		count_customers(s, e);
	pthread_mutex_unlock(&s->lock);
}

/* ---- delivered ----------------------------------------------------------- */

/* Without a verdict nothing speaks against it: an error of the DNS must not
 * read as good news. */
struct straggler_origin straggler_origin_of(const struct envelope *e)
{
	bool known = e->listen[0] != '\0' && e->came_from[0] == '\0';

	return (struct straggler_origin){known ? e->client : "",
	    known ? e->listen : "", e->spf[0] == '\0' ||
		strcmp(e->spf, "pass") == 0 ||
		strcmp(e->spf, "temperror") == 0};
}

void straggler_counts_delivered(struct straggler_counts *s,
    const struct straggler_origin *from, const char *to)
{
	struct straggler_key key = {from->client, from->listen, ""};
	struct straggler_row *r;
	struct conf_net client;

	if (from->client[0] == '\0' || !client_net(from->client, &client))
		return;
	pthread_mutex_lock(&s->lock);
	if (straggler_conf_counts(s->conf, &client, from->listen)) {
		key.customer = straggler_conf_customer(s->conf, to);
		r = straggler_fold_row(&s->now, &key);
		if (r != NULL) {
			r->delivered++;
			r->proven += from->proven;
		}
	}
	pthread_mutex_unlock(&s->lock);
}

/* ---- refused ------------------------------------------------------------- */

/* It was refused mail to the outside (route.c's "Relaying denied"); also a
 * leg: a legacy server that is in no outbound.clients. */
static bool wants_outbound(const struct straggler_conf *c,
    const struct conf_net *client, const struct straggler_refusal *r)
{
	return strcmp(r->stage, "rcpt") == 0 &&
	       strcmp(r->enhanced, "5.7.1") == 0 &&
	       straggler_conf_may_want(c, client) &&
	       straggler_conf_outside(c, r->to);
}

static void count_refusal(struct straggler_counts *s,
    const struct conf_net *client, const struct straggler_refusal *r)
{
	struct straggler_key key = {r->client, r->listen,
	    straggler_conf_customer(s->conf, r->to)};
	bool wants = wants_outbound(s->conf, client, r);
	bool straggler = straggler_conf_counts(s->conf, client, r->listen);
	struct straggler_row *row;

	if (!wants && !straggler)
		return;
	row = straggler_fold_row(&s->now, &key);
	if (row == NULL) {
		s->gap_us = r->time_us;
		return;
	}
	if (wants) {
		row->wants += (uint64_t)r->count;
		row->wants_us = r->time_us;
		s->wanting = true;
		snprintf(s->wants, sizeof(s->wants), "%s", r->client);
	}
	if (straggler) {
		straggler_row_seen(row, r->time_us);
		row->refused += (uint64_t)r->count;
		straggler_row_day(row, r->time_us)->refused +=
		    (uint64_t)r->count;
	}
}

void straggler_counts_refused(struct straggler_counts *s,
    const struct straggler_refusal *r)
{
	struct conf_net client;

	if (r->count <= 0 || !client_net(r->client, &client))
		return;
	pthread_mutex_lock(&s->lock);
	count_refusal(s, &client, r);
	pthread_mutex_unlock(&s->lock);
}

bool straggler_counts_wanting(struct straggler_counts *s,
    char client_out[STRAGGLER_CLIENT_TEXT])
{
	bool wanting;

	pthread_mutex_lock(&s->lock);
	wanting = s->wanting;
	s->wanting = false;
	memcpy(client_out, s->wants, STRAGGLER_CLIENT_TEXT);
	pthread_mutex_unlock(&s->lock);
	return wanting;
}

/* ---- what waits ---------------------------------------------------------- */

void straggler_counts_keep(struct straggler_counts *s)
{
	int64_t newest = 0;
	struct straggler_entry *e, *next;

	if (s->now.n == 0)
		return;
	HASH_ITER(hh, s->now.table, e, next)
		if (e->row.last_us > newest)
			newest = e->row.last_us;
	if (!straggler_fold_merge(&s->wait, &s->now))
		straggler_counts_gap(s, newest);
}

void straggler_counts_drop(struct straggler_counts *s)
{
	straggler_fold_clear(&s->now);
}

void straggler_counts_gap(struct straggler_counts *s, int64_t now_us)
{
	if (now_us > s->gap_us)
		s->gap_us = now_us;
}

bool straggler_counts_due(const struct straggler_counts *s)
{
	return !s->begun || s->gap_us != 0 ||
	       s->wait.n >= STRAGGLER_FOLD_MAX / 4;
}

struct straggler_fold *straggler_counts_waiting(struct straggler_counts *s,
    int64_t *gap_us_out)
{
	*gap_us_out = s->gap_us;
	return &s->wait;
}

void straggler_counts_written(struct straggler_counts *s)
{
	straggler_fold_clear(&s->wait);
	s->gap_us = 0;
	s->begun = true;
}
