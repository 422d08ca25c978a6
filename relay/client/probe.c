/* SPDX-License-Identifier: ISC
 *
 * A look at a leg that brings no mail: every address of it at the same time,
 * connect, greeting, EHLO, STARTTLS, EHLO, then a transaction without content
 * (probe_try.c), QUIT. What a dialog would find in its way is found here, by
 * the same hosts, reply parser and TLS, but nothing ends early: a certificate
 * that would be refused is looked at. One worker's loop.
 */
#include <stdio.h>

#include "relay/base/mem.h"
#include "relay/client/probe_int.h"

static void probe_end(struct probe *p)
{
	struct client_probe *job = p->job;

	list_remove(&p->node);
	defer_cancel(&p->over);
	hops_free(p->hops);
	mem_free(p);
	job->done(job->arg, job);
}

static void look_fail(struct probe_look *k, const char *fmt, const char *what)
{
	char text[600];

	snprintf(text, sizeof(text), fmt, what);
	probe_end_look(k, arena_strdup(k->probe->job->arena, text));
}

static void say_hello(struct probe_look *k)
{
	const struct client_probe *job = k->probe->job;

	wire_hello(job->leg, job->conf, stream_out(k->stream));
	probe_enter(k, STAGE_EHLO, NULL, "");
}

static bool is_ourselves(struct probe_look *k)
{
	const struct client_probe *job = k->probe->job;

	if (!wire_names_us(job->leg, job->conf, strbuf_view(&k->reply.text)))
		return false;
	probe_end_look(k, "it says our own name: it leads to ourselves, or two "
		    "machines have one hostname; give each its own");
	return true;
}

static const char *refusal(const struct probe_look *k)
{
	return probe_say(k->probe->job, "it answered %d %s: %s",
	    k->reply.code, k->reply.enh, probe_reply(k));
}

static void refused(struct probe_look *k)
{
	probe_end_look(k, refusal(k));
}

static void on_greeting(struct probe_look *k)
{
	k->row->greeting_ms = look_now_ms(k) - k->since_ms;
	k->row->greeting = probe_reply(k);
	if (k->reply.code != 220)
		refused(k);
	else if (!is_ourselves(k))
		say_hello(k);
}

static void keep_offers(struct probe_look *k)
{
	struct slice text = strbuf_view(&k->reply.text), line;
	struct probe_row *r = k->row;

	ehlo_parse(text, &r->ehlo);
	r->offers = 0;
	slice_next(&text, '\n', &line);
	while (r->offers < PROBE_LINES && slice_next(&text, '\n', &line))
		r->offer[r->offers++] =
		    arena_slicedup(k->probe->job->arena, line);
}

static void on_ehlo(struct probe_look *k)
{
	const struct client_probe *job = k->probe->job;

	if (k->reply.code >= 500 && job->leg->protocol != PROTOCOL_LMTP) {
		wire_helo(job->leg, job->conf, stream_out(k->stream));
		probe_enter(k, STAGE_HELO, NULL, "");
		return;
	}
	if (k->reply.code != 250) {
		refused(k);
		return;
	}
	if (is_ourselves(k))
		return;
	keep_offers(k);
	if (!k->in_tls && !k->in_clear &&
	    (k->row->ehlo.ext & EXT_STARTTLS) != 0) {
		k->row->starttls = true;
		probe_enter(k, STAGE_STARTTLS, "STARTTLS", "");
		return;
	}
	probe_try(k);
}

static void on_helo(struct probe_look *k)
{
	if (k->reply.code == 250)
		probe_try(k);
	else
		refused(k);
}

static void on_starttls(struct probe_look *k)
{
	if (k->reply.code != 220 && k->reply.code != 421 &&
	    look_in_clear(k, refusal(k))) {
		probe_try(k);
		return;
	}
	if (k->reply.code != 220) {
		refused(k);
		return;
	}
	probe_enter(k, STAGE_TLS, NULL, "");
	loop_defer(k->probe->client->cfg.loop, &k->later);
}

static void on_reply(struct probe_look *k)
{
	switch (k->stage) {
	case STAGE_GREETING:
		on_greeting(k);
		break;
	case STAGE_EHLO:
		on_ehlo(k);
		break;
	case STAGE_HELO:
		on_helo(k);
		break;
	case STAGE_STARTTLS:
		on_starttls(k);
		break;
	default:
		probe_try_reply(k);
		break;
	}
}

static void on_later(void *arg)
{
	struct probe_look *k = arg;
	const struct client_probe *job = k->probe->job;
	SSL *ssl = tls_client_dane(
	    job->tls, k->hop.host, &k->hop.dane, &k->row->usable);

	if (!stream_tls_connect(k->stream, ssl))
		probe_end_look(k,
		    "it spoke between its answer to STARTTLS and the "
		    "handshake: somebody may have put that in");
}

static void on_line(struct probe_look *k, struct slice line)
{
	switch (reply_parser_line(&k->reply, line)) {
	case REPLY_MORE:
		break;
	case REPLY_DONE:
		on_reply(k);
		if (k->probe != NULL && k->stream != NULL)
			reply_parser_reset(&k->reply);
		break;
	case REPLY_BAD:
		look_fail(k, "it does not speak SMTP: %s", k->reply.why);
		break;
	}
}

static size_t on_input(void *arg, struct slice bytes)
{
	struct probe_look *k = arg;
	struct slice rest = bytes, line;

	/* Bytes after the answer to STARTTLS are not taken: see on_later(). */
	while (k->probe != NULL && k->stream != NULL && k->stage != STAGE_TLS &&
	       rest.n > 0) {
		if (wire_line(&rest, &line)) {
			on_line(k, line);
			continue;
		}
		if (rest.n > REPLY_LINE)
			probe_end_look(k, "it does not speak SMTP: a line has "
					  "no end");
		break;
	}
	return bytes.n - rest.n;
}

static void on_ready(void *arg)
{
	struct probe_look *k = arg;
	struct client_probe *job = k->probe->job;

	if (k->stage == STAGE_CONNECT) {
		k->row->connect_ms = look_now_ms(k) - k->since_ms;
		if (hops_met_self(k->probe->hops, k->stream))
			probe_end_look(
			    k, "its address is our own: name the leg's");
		else
			probe_enter(k, STAGE_GREETING, NULL, "");
		return;
	}
	k->row->tls_ms = look_now_ms(k) - k->since_ms;
	k->row->in_tls = k->in_tls = true;
	tls_look(job->tls, stream_ssl(k->stream), k->hop.host, job->arena,
	    &k->row->tls);
	say_hello(k);
}

static void on_ended(void *arg, enum stream_end why)
{
	static const char *const text[] = {
	    [STREAM_EOF] = "the connection was closed%s",
	    [STREAM_RESET] = "the connection was lost: %s",
	    [STREAM_TIMEOUT] = "no answer: %s",
	    [STREAM_TLS] = "TLS: %s",
	    [STREAM_CONNECT] = "it cannot be reached: %s",
	};
	struct probe_look *k = arg;

	if (k->stage == STAGE_QUIT)
		probe_end_look(k, NULL);
	else
		look_fail(k, text[why],
		    why == STREAM_EOF ? "" : stream_error(k->stream));
}

static const struct stream_ops stream_ops = {
    on_input, NULL, on_ready, on_ended};

static void look_begin(struct probe_look *k);

static void on_again(void *arg)
{
	look_begin(arg);
}

static void look_begin(struct probe_look *k)
{
	const struct conf_leg *leg = k->probe->job->leg;
	const struct wire w = {&k->probe->client->cfg, leg, leg->source,
	    &stream_ops, k};

	defer_init(&k->later, on_later, k);
	defer_init(&k->again, on_again, k);
	reply_parser_init(&k->reply);
	k->stage = STAGE_CONNECT;
	k->since_ms = look_now_ms(k);
	k->stream = wire_connect(&w, &k->hop.addr);
	stream_deadline(k->stream, look_timeout(k));
}

/* ---- all of them ---- */

static void fill_row(const struct probe *p, const struct hops_row *h,
    struct probe_row *r)
{
	char ip[NETADDR_TEXT] = "";

	if (h->has_addr)
		netaddr_ip(&h->hop.addr, ip);
	*r = (struct probe_row){.host = arena_strdup(p->job->arena,
				    h->hop.host),
	    .port = h->port,
	    .preference = h->preference,
	    .address = arena_strdup(p->job->arena, ip),
	    .secure = h->secure,
	    .dead = h->dead,
	    .tlsas = h->hop.dane.count,
	    .stage = STAGE_DNS,
	    .problem = h->skipped == NULL ? "" : h->skipped,
	    .note = "",
	    .connect_ms = -1,
	    .greeting_ms = -1,
	    .tls_ms = -1,
	    .greeting = ""};
}

static void on_hosts(void *arg)
{
	struct probe *p = arg;
	struct hops_row list[PROBE_ROWS];

	if (!hops_known(p->hops))
		return;
	p->job->rows = hops_list(p->hops, list, PROBE_ROWS);
	if (p->job->rows == 0)
		p->job->fault = arena_strdup(
		    p->job->arena, hops_fault(p->hops)->text);
	for (unsigned i = 0; i < p->job->rows; i++) {
		fill_row(p, &list[i], &p->job->row[i]);
		if (!list[i].has_addr)
			continue;
		p->look[i] = (struct probe_look){
		    .probe = p, .row = &p->job->row[i], .hop = list[i].hop};
		p->open++;
		look_begin(&p->look[i]);
	}
	if (p->open == 0)
		loop_defer(p->client->cfg.loop, &p->over);
}

static void on_over(void *arg)
{
	struct probe *p = arg;

	if (p->hops != NULL) {
		probe_end(p);
		return;
	}
	p->hops = hops_new(p->client, &p->req, on_hosts, p);
	on_hosts(p);
}

void client_probe(struct client *c, struct client_probe *job)
{
	struct probe *p = NEW(struct probe);

	job->fault = "";
	job->rows = 0;
	p->client = c;
	p->job = job;
	p->req = (struct client_request){
	    .conf = job->conf, .leg = job->leg, .domain = job->domain};
	list_push_back(&c->probes, &p->node);
	defer_init(&p->over, on_over, p);
	loop_defer(c->cfg.loop, &p->over);
}

void probe_stop_all(struct client *c)
{
	while (!list_empty(&c->probes)) {
		struct probe *p =
		    LIST_FIRST(&c->probes, struct probe, node);

		for (unsigned i = 0; i < PROBE_ROWS; i++) {
			if (p->look[i].probe == NULL)
				continue;
			p->look[i].row->problem = "posthoused stopped";
			look_close(&p->look[i]);
		}
		probe_end(p);
	}
}
