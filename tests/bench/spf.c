/* SPDX-License-Identifier: ISC
 *
 * Processor time of a check of SPF, that of the helper process included, that
 * of the DNS server left out: it is another process.
 *
 *   spf serve             a DNS server; prints its port
 *   spf check PORT HELPER [PART]   prints a line of JSON; PART of the counts
 *
 * Three figures: a verdict that is known; the verdict of another client from
 * records that are known; and nothing known, with ten includes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "relay/net/dns.h"
#include "relay/spf/spf_check.h"
#include "relay/spf/spf_helper.h"
#include "relay/spf/spf_wire.h"
#include "tests/unit/dnsserver.h"

enum {
	VERDICTS = 2000000,
	CLIENTS = 20000,
	DOMAINS = 100, /* of ten includes each: the server looks at each row */
	ROUNDS = 20, /* over all of them, each from the beginning */
	INCLUDES = 10,
	TEXT = 2000,
};

/* ---- the DNS ---- */

static char *printed(const char *text)
{
	return mem_strdup(text);
}

static void add_domain(struct dnsserver_row *row, int d)
{
	char name[64], text[TEXT];
	size_t n = (size_t)snprintf(text, sizeof(text), "@ 3600 TXT v=spf1");

	for (int i = 0; i < INCLUDES; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    " include:i%d.d%d.example", i, d);
	snprintf(text + n, sizeof(text) - n, " -all");
	snprintf(name, sizeof(name), "d%d.example", d);
	row[0] = (struct dnsserver_row){printed(name), "TXT", 0,
	    printed(text)};
	for (int i = 0; i < INCLUDES; i++) {
		snprintf(name, sizeof(name), "i%d.d%d.example", i, d);
		snprintf(text, sizeof(text), "@ 3600 TXT v=spf1 "
		    "ip4:198.51.100.%d ip4:203.0.113.0/28 -all", i);
		row[1 + i] = (struct dnsserver_row){printed(name), "TXT", 0,
		    printed(text)};
	}
}

static int serve(void)
{
	enum { ROWS = 1 + INCLUDES };
	struct dnsserver_row *rows = NEW_ARRAY(struct dnsserver_row,
	    DOMAINS * ROWS + 2);
	struct loop *l = loop_new(&clock_system);
	struct dnsserver s;

	rows[0] = (struct dnsserver_row){"known.example", "TXT", 0,
	    "@ 86400 TXT v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/28 "
	    "ip6:2001:db8::/32 -all"};
	for (int d = 0; d < DOMAINS; d++)
		add_domain(rows + 1 + (ptrdiff_t)d * ROWS, d);
	dnsserver_open(&s, l, rows);
	printf("%d\n", s.port);
	fflush(stdout);
	loop_run(l);
	return 0;
}

/* ---- checks ---- */

struct bench {
	struct loop *loop;
	struct dns *dns;
	struct spf_helper *helper;
	struct spf_checker *checker;
	struct spf_subject subject;
	struct netaddr client;
	bool done;
	enum spf_result result;
};

static PH_NORETURN void die(const char *what)
{
	fprintf(stderr, "spf: %s\n", what);
	exit(1);
}

static double cpu_us(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void on_done(void *arg, const struct spf_checked *c)
{
	struct bench *b = arg;

	b->done = true;
	b->result = c->verdict.result;
}

static void check(struct bench *b, const char *sender, enum spf_result want)
{
	struct spf_wait wait = {.done = on_done, .arg = b};
	const struct spf_checked *c;

	b->subject.sender = slice_str(sender);
	b->done = false;
	c = spf_check(b->checker, &b->subject, &wait);
	if (c != NULL)
		b->result = c->verdict.result;
	while (c == NULL && !b->done)
		loop_once(b->loop, 1000);
	if (b->result != want)
		die(spf_result_text(b->result));
}

static void set_client(struct bench *b, uint32_t ip)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(ip)};

	netaddr_from(&b->client, (struct sockaddr *)&in);
}

static void begin(struct bench *b, int port, const char *program)
{
	static struct spf_starter starter;
	static char host[] = "127.0.0.1";
	static struct conf conf;
	static struct conf_hostport at;
	struct error err;

	at = (struct conf_hostport){host, port, true};
	conf.resolver.server = &at;
	conf.resolver.servers = 1;
	conf.resolver.timeout_ms = 10000;
	starter = spf_starter_fork(program);
	b->loop = loop_new(&clock_system);
	b->dns = dns_new(b->loop, &conf, &err);
	b->helper = spf_helper_new(&(struct spf_helper_config){
	    .loop = b->loop, .starter = &starter});
	b->checker = spf_checker_new(b->loop, b->dns, b->helper, NULL);
	b->subject = (struct spf_subject){.client = &b->client,
	    .helo = SLICE("mx.example"), .ours = true};
	if (b->dns == NULL)
		die(err.text);
}

/* Ends the helper, so that its time is known. */
static double end(struct bench *b, double begun_us, int checks)
{
	spf_checker_free(b->checker);
	spf_helper_free(b->helper);
	dns_free(b->dns);
	loop_free(b->loop);
	return (cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN) - begun_us) /
	       checks;
}

static double begun_us(void)
{
	return cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN);
}

static double known_verdict(int port, const char *program, int n)
{
	struct bench b;
	double begun;

	begin(&b, port, program);
	set_client(&b, 0xc6336401);
	check(&b, "ann@known.example", SPF_PASS);
	begun = begun_us();
	for (int i = 0; i < n; i++)
		check(&b, "ann@known.example", SPF_PASS);
	return end(&b, begun, n);
}

static double known_records(int port, const char *program, int n)
{
	struct bench b;
	double begun;

	begin(&b, port, program);
	set_client(&b, 0xc6336401);
	check(&b, "ann@known.example", SPF_PASS);
	begun = begun_us();
	for (int i = 0; i < n; i++) {
		set_client(&b, 0x5b000000 + (uint32_t)i);
		check(&b, "ann@known.example", SPF_FAIL);
	}
	return end(&b, begun, n);
}

/* The helper's start is left out: it has answered before. */
static double nothing_known(int port, const char *program)
{
	struct bench b;
	double begun;

	begin(&b, port, program);
	set_client(&b, 0xc6336401);
	check(&b, "ann@known.example", SPF_PASS);
	set_client(&b, 0x5b000001); /* in no include's network */
	begun = begun_us();
	for (int i = 0; i < DOMAINS; i++) {
		char sender[64];

		snprintf(sender, sizeof(sender), "ann@d%d.example", i);
		check(&b, sender, SPF_FAIL);
	}
	return end(&b, begun, DOMAINS);
}

static double mean_of_rounds(int port, const char *program, int rounds)
{
	double sum = 0;

	for (int i = 0; i < rounds; i++)
		sum += nothing_known(port, program);
	return sum / rounds;
}

int main(int argc, char **argv)
{
	int port, part;

	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		return serve();
	if (argc < 4 || strcmp(argv[1], "check") != 0)
		die("serve, or check PORT HELPER [PART]");
	port = (int)strtol(argv[2], NULL, 10);
	part = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 1;
	if (part < 1 || part > 100)
		die("a PART of 1 to 100");
	printf("{\"verdict_us\": %.3f, \"records_us\": %.1f, "
	       "\"cold_us\": %.1f}\n",
	    known_verdict(port, argv[3], VERDICTS / part),
	    known_records(port, argv[3], CLIENTS / part),
	    mean_of_rounds(port, argv[3], 1 + ROUNDS / part));
	return 0;
}
