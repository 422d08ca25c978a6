/* SPDX-License-Identifier: ISC
 *
 * A leg says anything: the real client on a pair of sockets, the input in
 * portions, each said after the client had its turn. The first two bytes
 * choose the requests and the leg. Whatever is said, each request is answered
 * once, nothing is delivered that was not sent in full, every slot comes back,
 * and no answer to a login has the password in its result.
 */
#include <fcntl.h>
#include <unistd.h>

#include "conf/profile.h"
#include "relay/base/log.h"
#include "relay/base/mem.h"
#include "relay/client/client_int.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/conf_defaults.h"
#include "tests/unit/testdns.h"

enum { REQUESTS = 2, RCPTS = 3, PORTION = '~', TAKEN_MAX = 1 << 16 };
#define CONTENT "X: the content\r\n.\r\nof it\r\n"
#define LAST_LINE "of it\r\n"
#define PASSWORD "s3cret"

/* The second byte. */
enum { ASK_FIRST = 1, ASK_SECOND = 2, LMTP = 4, LOGIN = 8, ONE_DOMAIN = 16,
	REFUSE_8BIT = 32, SPLITS = 64 };

struct peer {
	struct loop *loop;
	struct client *client;
	struct strbuf taken; /* all that the client sent */
	int slots, done;
	uint8_t more;
};

struct message {
	struct client_request r;
	struct client_rcpt rcpt[RCPTS];
};

/* struct sock_ops knows no argument: the leg's end of the last connection. */
static int leg_fd = -1;

static int pair_connect(int fd, const struct netaddr *to)
{
	int pair[2];

	(void)to;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	must(dup2(pair[0], fd) == fd);
	close(pair[0]);
	if (leg_fd >= 0)
		close(leg_fd);
	leg_fd = pair[1];
	return 0;
}

static bool take(void *arg, int leg)
{
	(void)leg;
	((struct peer *)arg)->slots--;
	return true;
}

static void give(void *arg, int leg)
{
	(void)leg;
	((struct peer *)arg)->slots++;
}

static bool wanted(void *arg, int leg)
{
	(void)arg;
	(void)leg;
	return false;
}

static bool splits(
    void *arg, const struct conf_leg *leg, const struct result *r)
{
	(void)leg;
	return (((struct peer *)arg)->more & SPLITS) != 0 && r->code % 2 != 0;
}

static void learned(void *arg, int leg, const struct ehlo *e)
{
	(void)arg;
	must(leg == 0 && (e->auth == 0 || (e->ext & EXT_AUTH)));
}

static void check_result(
    const struct peer *p, const struct result *r, bool ask)
{
	must(r->outcome <= OUT_UNTRIED ||
	     (r->outcome == OUT_PARKED && r->code == 0));
	must(r->class < CLASSES);
	must(r->tls_failed != NULL && !has_control(slice_str(r->tls_failed)));
	must(r->tls_failed[0] == '\0' || (p->more & LOGIN) == 0);
	must(r->stage != STAGE_NONE && r->text != NULL && r->remote != NULL);
	must(!has_control(slice_str(r->text)));
	must(!r->uncertain || (r->outcome == OUT_DEFERRED && r->code == 0));
	must(r->stage != STAGE_AUTH ||
	     strstr(r->text, PASSWORD) == NULL);
	must(!ask || !r->uncertain);
	if (r->outcome != OUT_DELIVERED)
		return;
	must(r->code >= 200 && r->code < 300);
	must(r->stage == (ask ? STAGE_RCPT : STAGE_BODY));
	if (ask)
		return;
	must(memmem(p->taken.p, p->taken.n, LAST_LINE, sizeof(LAST_LINE) - 1) !=
	     NULL);
}

static void on_done(void *arg, struct client_request *r)
{
	struct peer *p = arg;

	p->done++;
	for (unsigned i = 0; i < r->rcpts; i++)
		check_result(p, &r->rcpt[i].result, r->ask);
}

/* A login wants TLS. What TLS does is another target's. */
static void believe_in_tls(struct peer *p)
{
	list_each_safe(n, &p->client->dialogs) {
		struct dialog *d = LIST_ENTRY(n, struct dialog, node);

		d->secure = d->secure || d->stage < STAGE_STARTTLS;
	}
}

static void turn(struct peer *p)
{
	char bytes[4096];
	ssize_t n;

	if (p->more & LOGIN)
		believe_in_tls(p);
	for (int i = 0; i < 3; i++)
		loop_once(p->loop, 0);
	while (leg_fd >= 0 && (n = read(leg_fd, bytes, sizeof(bytes))) > 0)
		strbuf_add(&p->taken, bytes, (size_t)n);
}

static void say(struct peer *p, struct slice text)
{
	if (leg_fd >= 0 && text.n > 0 &&
	    send(leg_fd, text.p, text.n, MSG_NOSIGNAL) < 0)
		return;
	turn(p);
}

static void hang_up(struct peer *p)
{
	if (leg_fd >= 0)
		close(leg_fd);
	leg_fd = -1;
	turn(p);
}

static void converse(struct peer *p, struct message *m, struct slice script)
{
	struct slice text;
	int sent = 1;

	turn(p);
	while (slice_next(&script, PORTION, &text)) {
		if (text.n == 1 && text.p[0] == '!')
			hang_up(p);
		else
			say(p, text);
		if (p->done == sent && sent < REQUESTS) {
			strbuf_reset(&p->taken);
			must(client_send(p->client, &m[sent++].r, false));
			turn(p);
		}
	}
	hang_up(p);
	client_free(p->client);
	must(p->done == sent && p->slots == 0);
}

static void prepare(struct message *m, struct conf *conf, uint8_t kind,
    bool ask, struct peer *p)
{
	static const char *const to[RCPTS] = {
	    "a@x.test", "b@y.test", "A@x.test"};

	m->r = (struct client_request){.conf = conf,
	    .leg = conf->leg,
	    .id = 1,
	    .from = kind & 1 ? "f@s.test" : "",
	    .from_without_dsn = kind & 2 ? "r@return.test" : NULL,
	    .ask = ask,
	    .utf8 = kind & 2,
	    .bare_lf = kind & 4,
	    .eight_bit = kind & 8,
	    .ret = kind & 16 ? RET_HDRS : RET_NONE,
	    .envid = "e",
	    .rcpt = m->rcpt,
	    .rcpts = 1 + kind / 32 % RCPTS,
	    .content = ask ? NULL : source_of_slice(SLICE(CONTENT)),
	    .arena = arena_new(),
	    .done = on_done,
	    .arg = p};
	for (int i = 0; i < RCPTS; i++)
		m->rcpt[i] = (struct client_rcpt){
		    .address = to[i], .orcpt = "rfc822;o@x.test"};
}

static struct conf_hostport hosts[] = {
    {"192.0.2.1", 25, true}, {"192.0.2.2", 25, true}};

static struct conf_leg leg_of(uint8_t kind, uint8_t more)
{
	static const struct conf_profile one = {.one_domain = true};

	static struct conf_leg defaults;
	static char user[] = "user";
	struct conf_leg leg;

	if (defaults.name == NULL)
		conf_defaults(SEC_LEG, &defaults);
	defaults.name = "leg";
	leg = defaults;
	leg.host = hosts;
	leg.hosts = 2;
	leg.tls = kind & 128 ? TLS_MAY : TLS_NONE;
	if (more & LOGIN)
		leg.auth_user = user;
	leg.password = PASSWORD;
	leg.protocol = more & LMTP ? PROTOCOL_LMTP : PROTOCOL_SMTP;
	leg.replies = more & ONE_DOMAIN ? &one : NULL;
	leg.eightbit = more & REFUSE_8BIT ? EIGHTBIT_REFUSE : EIGHTBIT_SEND;
	leg.max_recipients = 2;
	leg.max_messages = 10;
	leg.max_age_ms = 60000;
	return leg;
}

static struct tls_client *no_tls(
    void *arg, const struct conf *c, const struct conf_leg *leg)
{
	(void)arg;
	(void)c;
	(void)leg;
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct client_slots slots = {take, give, wanted};
	static const struct testdns_row none[] = {{NULL, DNS_A, NULL}};
	struct sock_ops sock = sock_system;
	uint8_t kind = size > 0 ? data[0] : 0;
	uint8_t more = size > 1 ? data[1] : 0;
	struct conf_leg leg = leg_of(kind, more);
	struct conf conf = {.hostname = "relay.test", .leg = &leg, .legs = 1};
	struct peer p = {.loop = loop_new(&clock_system), .more = more};
	struct stream_scratch *scratch = stream_scratch_new();
	struct dns *dns = testdns_new(p.loop, none);
	struct message m[REQUESTS];

	log_setup(-1, LOG_LV_ERROR, &clock_system);
	sock.connect = pair_connect;
	strbuf_init(&p.taken, TAKEN_MAX);
	p.client = client_new(&(struct client_config){.loop = p.loop,
	    .scratch = scratch,
	    .sock = &sock,
	    .dns = dns,
	    .slots = &slots,
	    .slots_arg = &p,
	    .tls = no_tls,
	    .learned = learned,
	    .splits = splits,
	    .arg = &p});
	for (int i = 0; i < REQUESTS; i++)
		prepare(&m[i], &conf, kind, more & (ASK_FIRST << i), &p);
	must(client_send(p.client, &m[0].r, false));
	converse(&p, m, slice_from(slice_of(data, size), 2));
	for (int i = 0; i < REQUESTS; i++) {
		source_free(m[i].r.content);
		arena_free(m[i].r.arena);
	}
	testdns_free(dns);
	strbuf_fini(&p.taken);
	stream_scratch_free(scratch);
	loop_free(p.loop);
	return 0;
}
