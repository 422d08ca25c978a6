/* SPDX-License-Identifier: ISC
 *
 * A small DNS server on a free loopback port, UDP and TCP, on the test's own
 * loop: it tells what its table says, or lies.
 */
#ifndef TESTS_UNIT_DNSSERVER_H
#define TESTS_UNIT_DNSSERVER_H

#include "conf/conf.h"
#include "relay/base/loop.h"
#include "relay/base/strbuf.h"

/* Said only to who asks for it. */
enum { DNSSERVER_AD = 0x20 };
/* Said to all: the answer has authority. */
enum { DNSSERVER_AA = 0x400 };

struct dnsserver_row {
	const char *name;
	const char *type;
	int rcode; /* with DNSSERVER_AD when the zone is signed */
	/* "OWNER TTL TYPE DATA", one a line; "@" is the name that was asked.
	 * A, AAAA, PTR, CNAME, MX ("10 host"), TXT (strings parted by "|"),
	 * TLSA ("3 1 1 00ff"),
	 * NS, SOA (its minimum) and DELEGATION (NS), which go to the authority
	 * section, behind all others. */
	const char *records;
};

enum dnsserver_mood {
	DNSSERVER_HONEST,
	DNSSERVER_SILENT,
	DNSSERVER_WRONG_ID,
	DNSSERVER_WRONG_QUESTION,
	DNSSERVER_GARBAGE,
	DNSSERVER_SERVFAIL,
	DNSSERVER_TRUNCATED, /* over UDP; whole over TCP */
	DNSSERVER_BOASTS, /* AD, asked for or not */
};

struct dns;

struct dnsserver {
	struct conf_hostport at; /* for dnsserver_client() */
	struct loop *loop;
	const struct dnsserver_row *rows; /* ends with a NULL name */
	enum dnsserver_mood mood;
	struct io udp, tcp, client;
	int port, asked, asked_tcp;
};

void dnsserver_open(struct dnsserver *s, struct loop *l,
    const struct dnsserver_row *rows);
void dnsserver_close(struct dnsserver *s);
/* A resolver that asks this server alone; `c` is zeroed and outlives it. */
struct dns *dnsserver_client(struct dnsserver *s, struct conf *c,
    int64_t timeout_ms);
/* A turn of a loop whose clock a test holds: c-ares reads the true clock, so
 * the held one goes on by as much. */
void dnsserver_turn(struct loop *l, struct clock_fake *clock, int wait_ms);
/* The reply to a question, for tests of the parser alone. */
void dnsserver_reply(const struct dnsserver_row *row, uint16_t id,
    struct strbuf *out);
int dnsserver_type(const char *type);

#endif
