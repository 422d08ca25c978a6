/* SPDX-License-Identifier: ISC
 *
 * When the certificates of the configuration end. What counts is what was
 * read with the snapshot; the file may hold another one by now, and then only
 * a reload is missing.
 */
#include "relay/watch/certificates.h"

#include <stdio.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/watch/alarm.h"
#include "relay/net/tls_look.h"

struct certificate {
	const char *file, *used_by;
	struct tls_certificate seen;
};

struct certificates {
	const struct clock *clock;
	struct alarms *alarms;
	struct arena *arena;
	struct certificate *row;
	unsigned rows;
	int64_t before_ms;
	struct timer daily;
};

static void add(struct certificates *c, const char *kind, const char *name,
    const char *file)
{
	struct certificate *r = &c->row[c->rows];
	char used_by[200];
	struct error err;

	if (tls_certificate_file(file, c->arena, &r->seen, &err) < 0) {
		log_warn("certificate.unread", kv_err(&err));
		return;
	}
	snprintf(used_by, sizeof(used_by), "%s %s", kind, name);
	r->used_by = arena_strdup(c->arena, used_by);
	r->file = arena_strdup(c->arena, file);
	c->rows++;
}

static void read_all(struct certificates *c, const struct conf *conf)
{
	int n = conf->legs;

	for (int i = 0; i < conf->listens; i++)
		n += conf->listen[i].certificates;
	arena_free(c->arena);
	c->arena = arena_new();
	c->row = arena_alloc(c->arena, (size_t)n * sizeof(c->row[0]));
	c->rows = 0;
	c->before_ms = conf->alarm.certificate_ms;
	for (int i = 0; i < conf->listens; i++)
		for (int k = 0; k < conf->listen[i].certificates; k++)
			add(c, "listen", conf->listen[i].name,
			    conf->listen[i].certificate[k].cert);
	for (int i = 0; i < conf->legs; i++)
		if (conf->leg[i].certificate[0] != '\0')
			add(c, conf->leg[i].egress ? "egress" : "leg",
			    conf->leg[i].name, conf->leg[i].certificate);
}

bool certificate_alarm(const struct certificate_end *e, struct strbuf *out)
{
	bool days = e->left_s >= DAY_S;
	long long n = e->left_s / (days ? DAY_S : HOUR_S);

	if (e->left_s > e->before_s)
		return false;
	if (e->left_s <= 0)
		strbuf_addf(out, "the certificate of %s has expired, ",
		    e->used_by);
	else
		strbuf_addf(out, "the certificate of %s ends in %lld %s%s, ",
		    e->used_by, n, days ? "day" : "hour", n == 1 ? "" : "s");
	strbuf_adds(out, e->renewed
		? "and its file holds a newer one: reload posthoused"
		: "renew it and reload posthoused");
	return true;
}

static bool is_renewed(const struct certificate *r)
{
	struct arena *a = arena_new();
	struct tls_certificate now;
	struct error err;
	bool newer = tls_certificate_file(r->file, a, &now, &err) == 0 &&
		     now.until_s > r->seen.until_s;

	arena_free(a);
	return newer;
}

static void look(struct certificates *c)
{
	int64_t now_us = clock_wall_us(c->clock);
	struct strbuf text;

	strbuf_init(&text, 1024);
	for (unsigned i = 0; i < c->rows; i++) {
		const struct certificate *r = &c->row[i];
		const struct certificate_end e = {
		    .left_s = r->seen.until_s - now_us / 1000000,
		    .before_s = c->before_ms / 1000, .used_by = r->used_by,
		    .renewed = is_renewed(r)};

		strbuf_reset(&text);
		if (certificate_alarm(&e, &text))
			alarm_raise(c->alarms, ALARM_CERTIFICATE, r->file,
			    strbuf_cstr(&text));
	}
	strbuf_fini(&text);
}

static void on_daily(void *arg)
{
	struct certificates *c = arg;

	look(c);
	timer_set(&c->daily, DAY_MS);
}

struct certificates *certificates_new(struct loop *l, const struct clock *clock,
    struct alarms *alarms, const struct conf *conf)
{
	struct certificates *c = NEW(struct certificates);

	c->clock = clock;
	c->alarms = alarms;
	timer_init(&c->daily, l, on_daily, c);
	read_all(c, conf);
	return c;
}

void certificates_watch(struct certificates *c)
{
	on_daily(c);
}

void certificates_configure(struct certificates *c, const struct conf *conf)
{
	read_all(c, conf);
	on_daily(c);
}

void certificates_free(struct certificates *c)
{
	if (c == NULL)
		return;
	timer_fini(&c->daily);
	arena_free(c->arena);
	mem_free(c);
}

unsigned certificates_count(const struct certificates *c)
{
	return c == NULL ? 0 : c->rows;
}

void certificates_print(const struct certificates *c, unsigned i,
    struct jout *j)
{
	const struct certificate *r = &c->row[i];
	int64_t left_s = r->seen.until_s -
			 clock_wall_us(c->clock) / 1000000;
	struct strbuf names;

	jout_str(j, "used_by", r->used_by);
	jout_str(j, "file", r->file);
	strbuf_init(&names, 20 * 1024);
	for (int k = 0; k < r->seen.names; k++)
		strbuf_addf(&names, "%s%s", k > 0 ? " " : "", r->seen.name[k]);
	jout_slice(j, "names", strbuf_view(&names));
	strbuf_fini(&names);
	jout_time(j, "expires", r->seen.until_s * 1000000);
	jout_int(j, "days_left", left_s / DAY_S);
	jout_str(j, "state", left_s <= 0			 ? "expired"
			     : left_s <= c->before_ms / 1000 ? "ends soon"
								 : "ok");
}
