/* SPDX-License-Identifier: ISC
 *
 * See servertest.h.
 */
#include "tests/unit/servertest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/net/stream_int.h"
#include "tests/unit/conf_defaults.h"

enum { TURNS = 3000, TURN_MS = 2, QUIET = 20 };

/* ---- the owner ---------------------------------------------------------- */

static bool is(struct slice who, const char *local)
{
	return slice_starts(who, slice_str(local));
}

static enum answer give(struct owner *o, struct session *s, struct reply *r)
{
	if (!o->later)
		return ANSWER_NOW;
	o->owed = *r;
	o->session = s;
	memset(r, 'x', sizeof(*r)); /* must not be looked at */
	if (o->slow_ms != 0)
		timer_set(&o->slow_answer, o->slow_ms);
	else
		loop_defer(o->rig->loop, &o->answer);
	return ANSWER_LATER;
}

static void on_answer(void *arg)
{
	struct owner *o = arg;

	/* Other sessions were read meanwhile. */
	memset(o->rig->scratch->bytes, '#', sizeof(o->rig->scratch->bytes));
	if (o->mail_owed && o->owed.code >= 300)
		o->in_tx = false; /* refused: no `reset` comes */
	o->mail_owed = false;
	session_answer(o->session, &o->owed);
}

static void on_resume(void *arg)
{
	struct owner *o = arg;

	o->holding = false;
	session_resume(o->session);
}

static bool connected(void *arg, struct session *s, struct reply *r)
{
	struct owner *o = arg;
	char ip[NETADDR_TEXT];

	must(o->many || (!o->connected && !o->closed));
	o->connected = true;
	netaddr_ip(session_client(s), ip);
	strbuf_addf(&o->log, "connected %s\n", ip);
	if (o->bar)
		reply_set(r, 554, "5.7.1", "Not you");
	return !o->bar;
}

static enum answer on_login(void *arg, struct session *s,
    const struct credentials *c, struct reply *r)
{
	struct owner *o = arg;

	must(o->connected && !o->closed && !o->in_tx);
	must(*session_tls(s) != '\0' && *session_login(s) == '\0');
	strbuf_addf(&o->log, "login %.*s %.*s\n", (int)c->name.n, c->name.p,
	    (int)c->password.n, c->password.p);
	reply_set(r, 235, "2.7.0", "Logged in");
	if (is(c->password, "wrong"))
		reply_set(r, 535, "5.7.8", "Wrong");
	else if (is(c->password, "busy"))
		reply_set(r, 454, "4.7.0", "Busy");
	else if (is(c->password, "slam"))
		reply_set(r, 421, "4.7.0", "Too many");
	return give(o, s, r);
}

static enum answer on_mail(void *arg, struct session *s,
    const struct mail_from *m, struct reply *r)
{
	struct owner *o = arg;
	struct slice from = m->from.text;

	must(o->connected && !o->closed && !o->in_tx);
	must(slice_eq(session_from(s), from));
	strbuf_addf(&o->log, "mail %.*s\n", (int)from.n, from.p);
	snprintf(o->tls_text, sizeof(o->tls_text), "%s", session_tls(s));
	reply_set(r, 250, "2.1.0", "Ok");
	if (is(from, "refuse"))
		reply_set(r, 554, "5.7.1", "Refused");
	else if (is(from, "busy"))
		reply_set(r, 451, "4.3.0", "Busy");
	else if (is(from, "slam"))
		reply_set(r, 421, "4.7.0", "Go away");
	o->mail_owed = o->later;
	o->in_tx = o->later || r->code == 250;
	o->in_body = o->ended = false;
	strbuf_reset(&o->body);
	return give(o, s, r);
}

static enum answer on_rcpt(void *arg, struct session *s,
    const struct rcpt_to *t, struct reply *r)
{
	struct owner *o = arg;
	struct slice to = t->to.text;

	must(o->in_tx && !o->in_body);
	strbuf_addf(&o->log, "rcpt %.*s\n", (int)to.n, to.p);
	reply_set(r, 250, "2.1.5", "Ok");
	if (is(to, "unknown"))
		reply_set(r, 550, "5.1.1", "Unknown");
	else if (is(to, "defer"))
		reply_set(r, 450, "4.2.0", "Later");
	return give(o, s, r);
}

static enum answer on_body_begin(void *arg, struct session *s, uint64_t expect,
    struct reply *r)
{
	struct owner *o = arg;

	must(o->in_tx && !o->in_body);
	o->in_body = true;
	strbuf_addf(&o->log, "begin %llu\n", (unsigned long long)expect);
	reply_set(r, 354, "", "Go on");
	if (is(session_from(s), "full"))
		reply_set(r, 452, "4.3.1", "Full");
	return give(o, s, r);
}

static enum take on_body(void *arg, struct session *s, struct slice bytes,
    struct reply *r)
{
	struct owner *o = arg;

	must(o->in_body && !o->ended && !o->holding && bytes.n > 0);
	must(!defer_pending(&o->answer));
	strbuf_addsl(&o->body, bytes);
	if (is(session_from(s), "virus")) {
		reply_set(r, 554, "5.7.1", "Refused content");
		return TAKE_REFUSED;
	}
	if (!o->hold)
		return TAKE_OK;
	o->holding = true;
	o->session = s;
	if (o->slow_ms != 0)
		timer_set(&o->slow_resume, o->slow_ms);
	else
		loop_defer(o->rig->loop, &o->resume);
	return TAKE_WAIT;
}

static bool on_bare(void *arg, struct session *s, struct reply *r)
{
	struct owner *o = arg;

	must(o->in_body && !o->ended);
	strbuf_adds(&o->log, "bare\n");
	reply_set(r, 554, "5.6.11", "Bare");
	return !is(session_from(s), "plain");
}

static enum answer on_body_end(void *arg, struct session *s,
    const struct body_facts *f, struct reply *r)
{
	struct owner *o = arg;

	must(o->in_body && !o->ended && !o->holding);
	must(f->bytes == o->body.n || !strbuf_ok(&o->body));
	o->ended = true;
	o->facts = *f;
	strbuf_addf(&o->log, "end %llu%s%s%s\n", (unsigned long long)f->bytes,
	    f->bdat ? " bdat" : "", f->bare_lf ? " bare" : "",
	    f->eight_bit ? " 8bit" : "");
	reply_set(r, 250, "2.0.0", "Ok: queued");
	if (is(session_from(s), "late"))
		reply_set(r, 451, "4.3.0", "No");
	else
		o->stored++;
	return give(o, s, r);
}

static void on_reset(void *arg, struct session *s)
{
	struct owner *o = arg;

	(void)s;
	must(o->in_tx && !o->closed);
	o->in_tx = o->in_body = o->holding = false;
	o->resets++;
	defer_cancel(&o->answer);
	defer_cancel(&o->resume);
	timer_del(&o->slow_answer);
	timer_del(&o->slow_resume);
	strbuf_adds(&o->log, "reset\n");
}

static void on_closed(void *arg, struct session *s)
{
	struct owner *o = arg;

	(void)s;
	must(o->many || !o->closed);
	must(!o->in_tx && !defer_pending(&o->answer));
	o->closed = true;
	strbuf_adds(&o->log, "closed\n");
}

static void on_report(void *arg, struct session *s,
    const struct server_report *r)
{
	static const char *const whats[] = {"refused", "aborted", "repaired"};
	struct owner *o = arg;

	(void)s;
	must(!o->closed && (r->what == REPORT_REFUSED
		? r->reply->code >= 400 && r->reply->code < 600 &&
		    r->reply->enh[0] == '0' + r->reply->code / 100 &&
		    r->reply->text[0] != '\0'
		: r->why[0] != '\0'));
	o->refusals += r->what == REPORT_REFUSED;
	strbuf_addf(&o->log, "%s %s <%.*s> <%.*s>", whats[r->what],
	    stage_text(r->stage),
	    (int)r->from.n, r->from.p, (int)r->to.n, r->to.p);
	if (r->what == REPORT_REFUSED)
		strbuf_addf(&o->log, " %d %s\n", r->reply->code,
		    r->reply->enh);
	else
		strbuf_addf(&o->log, " %s\n", r->why);
	if (o->say_words)
		strbuf_addf(&o->log, "said %.*s bytes %u\n", (int)r->said.n,
		    r->said.p, (unsigned)r->bytes);
}

static struct tls_server *on_tls(void *arg, const struct conf *c, int listen)
{
	struct owner *o = arg;

	must(c == &o->rig->conf && listen == 0);
	return o->tls == NULL ? NULL : tls_server_ref(o->tls);
}

static void on_left(void *arg, const struct netaddr *peer)
{
	struct owner *o = arg;
	char ip[NETADDR_TEXT];

	netaddr_ip(peer, ip);
	strbuf_addf(&o->log, "left %s\n", ip);
	o->left++;
}

static bool on_recount(void *arg, const struct netaddr *from,
    const struct netaddr *to)
{
	struct owner *o = arg;
	char a[NETADDR_TEXT], b[NETADDR_TEXT];

	netaddr_ip(from, a);
	netaddr_ip(to, b);
	strbuf_addf(&o->log, "recount %s %s\n", a, b);
	return !o->crowd;
}

const struct server_ops owner_ops = {
	.connected = connected,
	.login = on_login,
	.mail = on_mail,
	.rcpt = on_rcpt,
	.body_begin = on_body_begin,
	.body = on_body,
	.bare = on_bare,
	.body_end = on_body_end,
	.reset = on_reset,
	.closed = on_closed,
	.report = on_report,
	.tls = on_tls,
};

/* ---- the rig ------------------------------------------------------------ */

static char host[] = "relay.example", name[] = "test";

static void rig_conf(struct rig *r)
{
	struct conf *c = &r->conf;

	r->listen = (struct conf_listen){.name = name, .leg = -1};
	c->refs = 1;
	c->hostname = host;
	c->listen = &r->listen;
	c->listens = 1;
	conf_defaults(SEC_LIMITS, c);
	conf_defaults(SEC_OUTBOUND, c);
	c->limits.message_bytes = 100000;
	c->limits.recipients = 10;
	c->limits.commands = 50;
}

void rig_init(struct rig *r)
{
	rig_init_on(r, &sock_system);
}

void rig_init_on(struct rig *r, const struct sock_ops *sock)
{
	struct server_config sc;

	*r = (struct rig){.fd = -1};
	r->o.rig = r;
	rig_conf(r);
	strbuf_init(&r->in, 4 << 20);
	strbuf_init(&r->o.log, 1 << 20);
	strbuf_init(&r->o.body, 4 << 20);
	defer_init(&r->o.answer, on_answer, &r->o);
	defer_init(&r->o.resume, on_resume, &r->o);
	r->loop = loop_new(&clock_system);
	timer_init(&r->o.slow_answer, r->loop, on_answer, &r->o);
	timer_init(&r->o.slow_resume, r->loop, on_resume, &r->o);
	r->scratch = stream_scratch_new();
	sc = (struct server_config){.loop = r->loop, .scratch = r->scratch,
	    .sock = sock, .ops = &owner_ops, .arg = &r->o,
	    .left = on_left, .recount = on_recount};
	r->server = server_new(&sc);
}

void rig_hang_up(struct rig *r)
{
	SSL_free(r->ssl);
	r->ssl = NULL;
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

void rig_fini(struct rig *r)
{
	rig_hang_up(r);
	server_free(r->server);
	must(r->conf.refs == 1);
	timer_fini(&r->o.slow_answer);
	timer_fini(&r->o.slow_resume);
	stream_scratch_free(r->scratch);
	loop_free(r->loop);
	strbuf_fini(&r->in);
	strbuf_fini(&r->o.log);
	strbuf_fini(&r->o.body);
}

void rig_accept(struct rig *r, int fd, const char *ip)
{
	struct accepted *a = NEW(struct accepted);

	a->fd = fd;
	a->conf = conf_ref(&r->conf);
	must(netaddr_parse(&a->peer, slice_str(ip), 4000) == 0);
	r->o.connected = r->o.closed = false;
	server_accept(r->server, a);
}

void rig_connect(struct rig *r, const char *ip)
{
	int fd[2];

	if (r->fd >= 0) {
		rig_hang_up(r);
		for (int i = 0; i < TURNS && !r->o.closed; i++)
			rig_poll(r);
	}
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	strbuf_reset(&r->in);
	r->eof = false;
	r->fd = fd[0];
	rig_accept(r, fd[1], ip);
}

static ssize_t take(struct rig *r, char *buf, size_t size)
{
	int n;

	if (r->ssl == NULL)
		return recv(r->fd, buf, size, 0);
	n = SSL_read(r->ssl, buf, (int)size);
	if (n > 0)
		return n;
	errno = EAGAIN;
	return SSL_get_error(r->ssl, n) == SSL_ERROR_WANT_READ ? -1 : 0;
}

static void turn(struct rig *r, int wait_ms)
{
	char buf[4096];
	ssize_t n = 1;

	loop_once(r->loop, wait_ms);
	while (r->fd >= 0 && !r->eof && n > 0) {
		n = take(r, buf, sizeof(buf));
		if (n > 0)
			strbuf_add(&r->in, buf, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			r->eof = true;
	}
}

void rig_turn(struct rig *r)
{
	turn(r, TURN_MS);
}

void rig_poll(struct rig *r)
{
	turn(r, 0);
}

void rig_send(struct rig *r, const void *p, size_t n)
{
	const char *at = p;

	for (int turns = 0; n > 0 && !r->eof; turns++) {
		ssize_t sent;

		must(turns < TURNS);
		sent = r->ssl != NULL ? SSL_write(r->ssl, at, (int)n)
				      : send(r->fd, at, n, MSG_NOSIGNAL);
		if (sent <= 0)
			rig_turn(r);
		if (sent < 0 && errno == EPIPE)
			return;
		if (sent > 0) {
			at += sent;
			n -= (size_t)sent;
		}
	}
}

void rig_say(struct rig *r, const char *text)
{
	rig_send(r, text, strlen(text));
}

/* Bytes of the first whole reply, 0: not all there yet. */
static size_t whole_reply(struct slice in)
{
	size_t at = 0;

	for (;;) {
		struct slice line = slice_from(in, at);
		long lf = slice_find(line, '\n');

		if (lf < 0)
			return 0;
		must(lf >= 4 && line.p[lf - 1] == '\r');
		at += (size_t)lf + 1;
		if (line.p[3] == ' ')
			return at;
		must(line.p[3] == '-');
	}
}

void rig_hear(struct rig *r, char *out, size_t size)
{
	size_t n = 0;

	for (int turns = 0; turns < TURNS; turns++) {
		n = whole_reply(strbuf_view(&r->in));
		if (n > 0 || r->eof)
			break;
		rig_turn(r);
	}
	if (n > 0) {
		snprintf(out, size, "%.*s", (int)n, r->in.p);
		strbuf_drop_front(&r->in, n);
	} else {
		snprintf(out, size, r->eof ? "END" : "NOTHING");
	}
}

const char *rig_expect(struct rig *r, const char *want)
{
	static char got[8192];
	struct slice list = slice_str(want), one;

	while (list.n > 0 && slice_next(&list, '\n', &one)) {
		rig_hear(r, got, sizeof(got));
		if (!slice_starts(slice_str(got), one))
			return got;
	}
	/* A reply too many shows with the next thing that is heard; here only
	 * what is there already. */
	for (int i = 0; i < QUIET && r->in.n == 0 && !r->eof; i++)
		rig_poll(r);
	if (r->in.n > 0) {
		rig_hear(r, got, sizeof(got));
		return got;
	}
	return NULL;
}

/* ---- dialogues ---------------------------------------------------------- */

static void run_step(struct rig *r, const char *title, const struct step *st)
{
	const char *got;

	if (st->say != NULL)
		rig_say(r, st->say);
	got = rig_expect(r, st->hear);
	if (got == NULL)
		return;
	fprintf(stderr, "%s\n  said:   %s\n  wanted: %s\n  heard:  %s\n", title,
	    st->say == NULL ? "" : st->say, st->hear, got);
	abort();
}

static void run_dialogue(const struct dialogue *d, bool later, bool hold)
{
	struct rig r;

	rig_init(&r);
	r.o.later = later;
	r.o.hold = hold;
	rig_connect(&r, "192.0.2.1");
	for (size_t i = 0; i < ARRAY_LEN(d->step); i++)
		if (d->step[i].hear != NULL)
			run_step(&r, d->name, &d->step[i]);
	rig_fini(&r);
	must(r.o.closed && r.o.left == 1);
}

void dialogues_run(const struct dialogue *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		run_dialogue(&d[i], false, false);
		run_dialogue(&d[i], true, false);
		run_dialogue(&d[i], true, true);
	}
}

void rig_begin(struct rig *r, bool data)
{
	static const struct step steps[] = {
		HELLO, MAIL, RCPT, {"DATA\r\n", "354 "},
	};

	for (size_t i = 0; i < ARRAY_LEN(steps) - !data; i++)
		run_step(r, "begin", &steps[i]);
}

int rig_logged(const struct rig *r, const char *line)
{
	struct slice log = strbuf_view(&r->o.log), one;
	int n = 0;

	while (log.n > 0 && slice_next(&log, '\n', &one))
		n += slice_starts(one, slice_str(line));
	return n;
}
