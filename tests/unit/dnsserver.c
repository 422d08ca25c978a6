/* SPDX-License-Identifier: ISC
 *
 * A small DNS server for tests.
 */
#include "tests/unit/dnsserver.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/net/dns.h"
#include "tests/unit/conf_defaults.h"

enum { HEADER = 12, REPLY_MAX = 65535 };

static void must(bool ok)
{
	if (!ok)
		abort();
}

int dnsserver_type(const char *type)
{
	static const struct { const char *text; int type; } types[] = {
		{"A", 1}, {"NS", 2}, {"DELEGATION", 2}, {"CNAME", 5},
		{"SOA", 6}, {"PTR", 12}, {"MX", 15},
		{"TXT", 16}, {"AAAA", 28}, {"TLSA", 52},
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(types[i].text, type) == 0)
			return types[i].type;
	}
	abort();
}

static void put16(struct strbuf *b, unsigned v)
{
	strbuf_addc(b, (char)(v >> 8));
	strbuf_addc(b, (char)v);
}

static void put32(struct strbuf *b, uint32_t v)
{
	put16(b, v >> 16);
	put16(b, v & 0xffff);
}

static void put_name(struct strbuf *b, const char *name)
{
	struct slice rest = slice_str(name), label;

	while (slice_next(&rest, '.', &label)) {
		if (label.n == 0)
			break;
		strbuf_addc(b, (char)label.n);
		strbuf_addsl(b, label);
	}
	strbuf_addc(b, '\0');
}

static void put_txt(struct strbuf *b, const char *text)
{
	struct slice rest = slice_str(text), string;

	while (slice_next(&rest, '|', &string)) {
		while (string.n > 255) {
			strbuf_addc(b, (char)255);
			strbuf_add(b, string.p, 255);
			string = slice_from(string, 255);
		}
		strbuf_addc(b, (char)string.n);
		strbuf_addsl(b, string);
	}
}

/* "3 1 1 00ff…" */
static void put_tlsa(struct strbuf *b, const char *text)
{
	unsigned n[3];
	int at;

	must(sscanf(text, "%u %u %u %n", &n[0], &n[1], &n[2], &at) == 3);
	for (int i = 0; i < 3; i++)
		strbuf_addc(b, (char)n[i]);
	for (unsigned v; sscanf(text + at, "%2x", &v) == 1; at += 2)
		strbuf_addc(b, (char)v);
}

static void put_data(struct strbuf *b, int type, const char *data)
{
	unsigned char ip[16];

	if (type == 1 || type == 28) {
		must(inet_pton(type == 1 ? AF_INET : AF_INET6, data, ip) == 1);
		strbuf_add(b, ip, type == 1 ? 4 : 16);
	} else if (type == 15) {
		put16(b, (unsigned)strtoul(data, NULL, 10));
		put_name(b, strchr(data, ' ') + 1);
	} else if (type == 16) {
		put_txt(b, data);
	} else if (type == 52) {
		put_tlsa(b, data);
	} else if (type == 6) {
		put_name(b, "ns.example");
		put_name(b, "root.example");
		for (int i = 0; i < 4; i++)
			put32(b, 1);
		put32(b, (uint32_t)strtoul(data, NULL, 10));
	} else {
		put_name(b, data);
	}
}

static bool put_record(struct strbuf *b, const char *asked, const char *line)
{
	char owner[256], type[16], data[60000] = "";
	unsigned ttl;
	size_t length_at;

	must(sscanf(line, "%255s %u %15s %59999[^\n]", owner, &ttl, type,
		 data) >= 3);
	put_name(b, strcmp(owner, "@") == 0 ? asked : owner);
	put16(b, (unsigned)dnsserver_type(type));
	put16(b, 1);
	put32(b, ttl);
	length_at = b->n;
	put16(b, 0);
	put_data(b, dnsserver_type(type), data);
	b->p[length_at] = (char)((b->n - length_at - 2) >> 8);
	b->p[length_at + 1] = (char)(b->n - length_at - 2);
	return dnsserver_type(type) == 6 || strcmp(type, "DELEGATION") == 0;
}

void dnsserver_reply(const struct dnsserver_row *row, uint16_t id,
    struct strbuf *out)
{
	unsigned answers = 0, authority = 0;
	const char *line = row->records;

	put16(out, id);
	put16(out, 0x8180u | (unsigned)row->rcode);
	put16(out, 1);
	for (int i = 0; i < 3; i++)
		put16(out, 0);
	put_name(out, row->name);
	put16(out, (unsigned)dnsserver_type(row->type));
	put16(out, 1);
	while (line != NULL && *line != '\0') {
		const char *nl = strchr(line, '\n');

		if (put_record(out, row->name, line))
			authority++;
		else
			answers++;
		line = nl == NULL ? NULL : nl + 1;
	}
	out->p[6] = (char)(answers >> 8);
	out->p[7] = (char)answers;
	out->p[9] = (char)authority;
}

/* The question of a packet as "name" and type. */
static int read_question(const unsigned char *p, size_t n, char name[256])
{
	size_t at = HEADER, used = 0;

	while (at < n && p[at] != 0) {
		must(at + 1 + p[at] < n && used + p[at] < 254);
		if (used > 0)
			name[used++] = '.';
		memcpy(name + used, p + at + 1, p[at]);
		used += p[at];
		at += 1 + p[at];
	}
	name[used] = '\0';
	must(at + 3 <= n);
	return p[at + 1] << 8 | p[at + 2];
}

static const struct dnsserver_row *find(const struct dnsserver *s,
    const char *name, int type)
{
	const struct dnsserver_row *r = s->rows;

	for (; r->name != NULL; r++) {
		if (slice_case_eq(slice_str(r->name), slice_str(name)) &&
		    dnsserver_type(r->type) == type)
			return r;
	}
	return NULL;
}

static void make_reply(struct dnsserver *s, const unsigned char *p, size_t n,
    struct strbuf *out)
{
	uint16_t id = (uint16_t)(p[0] << 8 | p[1]);
	struct dnsserver_row none = {.rcode = 3, .type = "A"};
	const struct dnsserver_row *row;
	char name[256];

	row = find(s, name, read_question(p, n, name));
	none.name = name;
	dnsserver_reply(row == NULL ? &none : row, id, out);
	if (row == NULL) /* the type that was asked */
		memcpy(out->p + out->n - 4, p + HEADER + strlen(name) + 2, 2);
	if (s->mood == DNSSERVER_BOASTS)
		out->p[3] |= DNSSERVER_AD;
	else if ((p[3] & DNSSERVER_AD) == 0)
		out->p[3] &= ~DNSSERVER_AD;
	if (s->mood == DNSSERVER_WRONG_ID)
		out->p[0] ^= 0x55;
	else if (s->mood == DNSSERVER_WRONG_QUESTION)
		out->p[HEADER + 1] ^= 1;
	else if (s->mood == DNSSERVER_SERVFAIL)
		out->p[3] = (char)0x82;
	else if (s->mood == DNSSERVER_GARBAGE)
		memset(out->p + 2, 0xff, out->n - 2);
}

static void on_udp(void *arg, int what)
{
	struct dnsserver *s = arg;
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	unsigned char in[2048];
	struct strbuf out;
	ssize_t n = recvfrom(s->udp.fd, in, sizeof(in), MSG_DONTWAIT,
	    (struct sockaddr *)&from, &len);

	(void)what;
	if (n < HEADER)
		return;
	s->asked++;
	if (s->mood == DNSSERVER_SILENT)
		return;
	strbuf_init(&out, REPLY_MAX);
	make_reply(s, in, (size_t)n, &out);
	if (s->mood == DNSSERVER_TRUNCATED) {
		out.p[2] |= 0x02;
		memset(out.p + 6, 0, 4);
		out.n = HEADER + strlen(out.p + HEADER) + 5;
	}
	sendto(s->udp.fd, out.p, out.n, 0, (struct sockaddr *)&from, len);
	strbuf_fini(&out);
}

static void on_tcp_client(void *arg, int what)
{
	struct dnsserver *s = arg;
	unsigned char in[2048];
	struct strbuf out;
	ssize_t n = recv(s->client.fd, in, sizeof(in), MSG_DONTWAIT);
	int fd = s->client.fd;

	(void)what;
	if (n > HEADER + 2) {
		s->asked_tcp++;
		strbuf_init(&out, REPLY_MAX);
		make_reply(s, in + 2, (size_t)n - 2, &out);
		in[0] = (unsigned char)(out.n >> 8);
		in[1] = (unsigned char)out.n;
		must(send(fd, in, 2, MSG_NOSIGNAL) == 2);
		must(send(fd, out.p, out.n, MSG_NOSIGNAL) == (ssize_t)out.n);
		strbuf_fini(&out);
		return;
	}
	io_fini(&s->client);
	close(fd);
	s->client.fd = -1;
}

static void on_tcp(void *arg, int what)
{
	struct dnsserver *s = arg;
	int fd = accept(s->tcp.fd, NULL, NULL);

	(void)what;
	if (fd < 0 || s->client.fd >= 0)
		return;
	io_init(&s->client, s->loop, fd, on_tcp_client, s);
	io_want(&s->client, IO_READ);
}

static int bind_to(int type, int *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)*port)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(fd >= 0);
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0) {
		close(fd);
		return -1;
	}
	must(getsockname(fd, (struct sockaddr *)&in, &len) == 0);
	*port = ntohs(in.sin_port);
	return fd;
}

void dnsserver_open(struct dnsserver *s, struct loop *l,
    const struct dnsserver_row *rows)
{
	int udp, tcp = -1;

	*s = (struct dnsserver){.loop = l, .rows = rows};
	s->client.fd = -1;
	/* A port that is free for both; a hundred tries are plenty. */
	for (int i = 0; i < 100 && tcp < 0; i++) {
		s->port = 0;
		udp = bind_to(SOCK_DGRAM, &s->port);
		must(udp >= 0);
		tcp = bind_to(SOCK_STREAM, &s->port);
		if (tcp < 0)
			close(udp);
	}
	must(tcp >= 0 && listen(tcp, 4) == 0);
	io_init(&s->udp, l, udp, on_udp, s);
	io_init(&s->tcp, l, tcp, on_tcp, s);
	io_want(&s->udp, IO_READ);
	io_want(&s->tcp, IO_READ);
}

static void close_io(struct io *io)
{
	int fd = io->fd;

	if (fd < 0)
		return;
	io_fini(io);
	close(fd);
	io->fd = -1;
}

void dnsserver_close(struct dnsserver *s)
{
	close_io(&s->udp);
	close_io(&s->tcp);
	close_io(&s->client);
}

struct dns *dnsserver_client(struct dnsserver *s, struct conf *c,
    int64_t timeout_ms)
{
	static char host[] = "127.0.0.1";
	struct error err;
	struct dns *d;

	conf_defaults(SEC_RESOLVER, c);
	s->at = (struct conf_hostport){host, s->port, true};
	c->resolver.server = &s->at;
	c->resolver.servers = 1;
	c->resolver.timeout_ms = timeout_ms;
	d = dns_new(s->loop, c, &err);
	if (d == NULL)
		abort();
	return d;
}

void dnsserver_turn(struct loop *l, struct clock_fake *clock, int wait_ms)
{
	int64_t begun_us = clock_system.mono_us(&clock_system);

	loop_once(l, wait_ms);
	clock_fake_step(clock, clock_system.mono_us(&clock_system) - begun_us);
}
