/* SPDX-License-Identifier: ISC
 *
 * Joins the lines of a log. What is under way is bounded: the oldest message is
 * forgotten, and its deliveries then count without their client.
 */
#include "relay/straggler/log_import.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "relay/audit/straggler/straggler_conf.h"
#include "relay/audit/straggler/straggler_fold.h"
#include "relay/mail/addr.h"

enum {
	OPEN_MAX = 100000,  /* messages under way */
	FOLD_ROWS = 20000,  /* are written at once */
	CLIENT_BYTES = INET6_ADDRSTRLEN,
	KEY_BYTES = 2 * ADDR_MAX,
};

/* A message between its arrival and its end. uthash keeps the order in which
 * they were added. */
struct log_message {
	UT_hash_handle hh;
	char client[CLIENT_BYTES]; /* "": not known, or none */
	char *from;		   /* NULL: not known yet */
	size_t n;
	char id[];
};

struct log_inside {
	UT_hash_handle hh;
	char *from;
	int64_t time_us;
	uint64_t deliveries;
	char to[];
};

struct log_import {
	enum log_format format;
	struct oldlog_clock clock;
	struct oldlog_columns columns;
	struct straggler_conf *conf;
	struct imported *to;
	struct log_message *open;
	struct straggler_fold clients;
	struct log_inside *inside;
	struct log_import_counts counts;
};

static const char *const names[LOG_FORMATS] = {
	[LOG_EXCHANGE] = "exchange-tracking",
	[LOG_POSTFIX] = "postfix",
	[LOG_EXIM] = "exim",
};

int log_format_find(struct slice name)
{
	for (int i = 0; i < LOG_FORMATS; i++)
		if (slice_eq(name, slice_str(names[i])))
			return i;
	return -1;
}

const char *log_format_name(enum log_format f)
{
	return names[f];
}

struct log_import *log_import_new(const struct conf *c, struct imported *to,
    enum log_format format, const struct oldlog_clock *clock)
{
	struct log_import *l = NEW(struct log_import);

	l->format = format;
	l->clock = *clock;
	l->conf = straggler_conf_new(c);
	l->to = to;
	return l;
}

static void message_free(struct log_import *l, struct log_message *m)
{
	HASH_DEL(l->open, m);
	mem_free(m->from);
	mem_free(m);
}

static void forget_inside(struct log_import *l)
{
	struct log_inside *d, *next;

	HASH_ITER(hh, l->inside, d, next) {
		HASH_DEL(l->inside, d);
		mem_free(d->from);
		mem_free(d);
	}
}

void log_import_free(struct log_import *l)
{
	struct log_message *m, *next;

	if (l == NULL)
		return;
	HASH_ITER(hh, l->open, m, next)
		message_free(l, m);
	straggler_fold_clear(&l->clients);
	forget_inside(l);
	straggler_conf_free(l->conf);
	mem_free(l);
}

const struct log_import_counts *log_import_counts(const struct log_import *l)
{
	return &l->counts;
}

/* ---- messages under way -------------------------------------------------- */

static struct log_message *find(struct log_import *l, struct slice id)
{
	struct log_message *m = NULL;

	if (id.n > 0)
		HASH_FIND(hh, l->open, id.p, id.n, m);
	return m;
}

static struct log_message *begin(struct log_import *l, struct slice id)
{
	struct log_message *m = find(l, id);

	if (m != NULL) /* the id is used again */
		message_free(l, m);
	if (HASH_COUNT(l->open) >= OPEN_MAX)
		message_free(l, l->open);
	m = mem_new(sizeof(*m) + id.n + 1);
	memcpy(m->id, id.p, id.n);
	m->n = id.n;
	HASH_ADD_KEYPTR(hh, l->open, m->id, m->n, m);
	return m;
}

/* ---- clients ------------------------------------------------------------- */

/* The one form of an address; false: it is none, is the server itself, or is
 * no straggler. */
static bool client_of(const struct log_import *l, struct slice text,
    char out[CLIENT_BYTES])
{
	static const unsigned char ip6_self[16] = {[15] = 1};
	struct conf_net net;
	const char *why;
	bool self;

	if (conf_net_parse(text, &net, &why) != 0)
		return false;
	self = net.family == AF_INET ? net.addr[0] == 127
				     : memcmp(net.addr, ip6_self, 16) == 0;
	return !self && straggler_conf_counts(l->conf, &net, "") &&
	       inet_ntop(net.family, net.addr, out, CLIENT_BYTES) != NULL;
}

static struct straggler_row *row_of(struct log_import *l, const char *client)
{
	struct straggler_key key = {client, "", ""};

	return client[0] == '\0' ? NULL : straggler_fold_row(&l->clients, &key);
}

static void count_sender(struct straggler_row *r, struct slice from)
{
	char *text = mem_slicedup(from);
	struct strbuf domain;

	strbuf_init(&domain, KEY_BYTES);
	straggler_domain(text, &domain);
	straggler_senders_add(&r->senders, strbuf_view(&domain), 1);
	strbuf_fini(&domain);
	mem_free(text);
}

static void on_client(struct log_import *l, const struct oldlog_line *line)
{
	struct log_message *m = begin(l, line->id);
	struct straggler_row *r;

	if (line->has_from)
		m->from = mem_slicedup(line->from);
	if (!client_of(l, line->client, m->client))
		m->client[0] = '\0';
	r = row_of(l, m->client);
	if (r == NULL)
		return;
	l->counts.messages++;
	straggler_row_seen(r, line->time_us);
	r->messages++;
	r->recipients += line->recipients;
	straggler_row_text(&r->name, line->name);
	if (line->helo.n > 0)
		straggler_row_text(&r->helo, line->helo);
	if (line->has_from)
		count_sender(r, line->from);
}

/* Postfix names it again each time that it tries. */
static void on_sender(struct log_import *l, const struct oldlog_line *line)
{
	struct log_message *m = find(l, line->id);
	struct straggler_row *r;

	if (m == NULL)
		m = begin(l, line->id); /* the log begins in the middle */
	if (m->from != NULL)
		return;
	m->from = mem_slicedup(line->from);
	r = row_of(l, m->client);
	if (r == NULL)
		return;
	r->recipients += line->recipients;
	count_sender(r, line->from);
}

static void on_refused(struct log_import *l, const struct oldlog_line *line)
{
	char client[CLIENT_BYTES];
	struct straggler_row *r = NULL;

	if (client_of(l, line->client, client))
		r = row_of(l, client);
	if (r == NULL)
		return;
	straggler_row_seen(r, line->time_us);
	r->refused++;
	if (line->helo.n > 0)
		straggler_row_text(&r->helo, line->helo);
}

/* ---- deliveries ---------------------------------------------------------- */

static void put_inside(struct log_import *l, const char *to, const char *from,
    int64_t time_us)
{
	struct log_inside *d;

	HASH_FIND(hh, l->inside, to, strlen(to), d);
	if (d == NULL) {
		d = mem_new(sizeof(*d) + strlen(to) + 1);
		memcpy(d->to, to, strlen(to) + 1);
		HASH_ADD_KEYPTR(hh, l->inside, d->to, strlen(d->to), d);
	}
	d->deliveries++;
	l->counts.inside++;
	if (time_us < d->time_us)
		return;
	d->time_us = time_us;
	mem_free(d->from);
	d->from = mem_strdup(from);
}

/* One recipient, unless its domain is none of ours. */
static void add_inside(struct log_import *l, struct slice to,
    const char *from, int64_t time_us)
{
	struct strbuf key;
	struct addr a;
	const char *why;

	strbuf_init(&key, KEY_BYTES);
	if (addr_parse(to, true, &a, &why) == 0 && a.domain.n > 0 &&
	    addr_key(&a, '\0', &key) &&
	    !straggler_conf_outside(l->conf, strbuf_cstr(&key)))
		put_inside(l, strbuf_cstr(&key), from, time_us);
	strbuf_fini(&key);
}

static void on_delivered(struct log_import *l, const struct oldlog_line *line)
{
	struct log_message *m = find(l, line->id);
	struct slice list = line->to, to;
	char *said = line->has_from ? mem_slicedup(line->from) : NULL;
	const char *from = said != NULL ? said
	    : m == NULL || m->from == NULL ? "" : m->from;
	struct straggler_row *r = m == NULL ? NULL : row_of(l, m->client);

	if (r != NULL)
		r->delivered++;
	if (line->inside) {
		while (slice_next(&list, ';', &to))
			add_inside(l, slice_trim(to), from, line->time_us);
		if (line->orig_to.n > 0 &&
		    !slice_case_eq(line->orig_to, line->to))
			add_inside(l, line->orig_to, from, line->time_us);
	}
	mem_free(said);
}

/* ---- writing ------------------------------------------------------------- */

static int flush(struct log_import *l, struct error *err)
{
	struct straggler_entry *e, *e_next;
	struct log_inside *d, *d_next;
	int rc = 0;

	HASH_ITER(hh, l->clients.table, e, e_next)
		if (rc == 0)
			rc = imported_put_client(l->to, e->key.client, &e->row,
			    err);
	HASH_ITER(hh, l->inside, d, d_next)
		if (rc == 0)
			rc = imported_put_inside(l->to,
			    &(struct imported_inside){d->to, d->from,
				d->time_us, d->deliveries}, err);
	straggler_fold_clear(&l->clients);
	forget_inside(l);
	return rc;
}

/* ---- lines --------------------------------------------------------------- */

static struct oldlog_line read_line(struct log_import *l, struct slice line)
{
	switch (l->format) {
	case LOG_EXCHANGE:
		return oldlog_exchange(line, &l->columns);
	case LOG_EXIM:
		return oldlog_exim(line, &l->clock);
	default:
		return oldlog_postfix(line, &l->clock);
	}
}

static void note_unread(struct log_import *l, struct slice line)
{
	uint64_t at = l->counts.unread++;

	if (at >= LOG_UNREAD_SHOWN)
		return;
	l->counts.shown[at].line = l->counts.lines;
	snprintf(l->counts.shown[at].text, LOG_UNREAD_BYTES, "%.*s",
	    (int)slice_head(line, LOG_UNREAD_BYTES - 1).n, line.p);
}

static void note_time(struct log_import *l, int64_t time_us)
{
	if (time_us == 0)
		return;
	if (l->counts.first_us == 0 || time_us < l->counts.first_us)
		l->counts.first_us = time_us;
	if (time_us > l->counts.last_us)
		l->counts.last_us = time_us;
}

static void take(struct log_import *l, const struct oldlog_line *line)
{
	struct log_message *m;

	switch (line->kind) {
	case OLDLOG_CLIENT:
		on_client(l, line);
		break;
	case OLDLOG_SENDER:
		on_sender(l, line);
		break;
	case OLDLOG_DELIVERED:
		on_delivered(l, line);
		break;
	case OLDLOG_REFUSED:
		on_refused(l, line);
		break;
	case OLDLOG_END:
		m = find(l, line->id);
		if (m != NULL)
			message_free(l, m);
		break;
	default:
		break;
	}
}

int log_import_line(struct log_import *l, struct slice line,
    struct error *err)
{
	struct oldlog_line read = read_line(l, line);

	l->counts.lines++;
	if (read.kind == OLDLOG_UNREAD && slice_trim(line).n > 0)
		note_unread(l, line);
	note_time(l, read.time_us);
	take(l, &read);
	return l->clients.n >= FOLD_ROWS || HASH_COUNT(l->inside) >= FOLD_ROWS
		   ? flush(l, err) : 0;
}

void log_import_bad_line(struct log_import *l)
{
	l->counts.lines++;
	note_unread(l, SLICE("(too long, or no text)"));
}

int log_import_end(struct log_import *l, struct error *err)
{
	return flush(l, err);
}
