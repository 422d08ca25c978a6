/* SPDX-License-Identifier: ISC
 *
 * A resolver for tests: answers dns_ask() from a table, later, as the true
 * one does. A program that links it does not get relay/net/dns_ask.c.
 */
#ifndef TESTS_UNIT_TESTDNS_H
#define TESTS_UNIT_TESTDNS_H

#include "relay/net/dns.h"

struct testdns_row {
	const char *name;
	enum dns_type type;
	/* "192.0.2.1 192.0.2.2", "10 mx.example 20 .", or one of
	 * "NXDOMAIN" "NODATA" "FAILED"; what is not in the table is NXDOMAIN.
	 * TLSA: "3 1 1 00ff,2 1 1 …". "AD " before it: it is signed;
	 * behind that "ALIAS name ": the name's own records. */
	const char *answer;
};

/* Rows end with a NULL name; the caller's. */
struct dns *testdns_new(struct loop *l, const struct testdns_row *rows);
void testdns_free(struct dns *d); /* pending questions are dropped */
int testdns_pending(const struct dns *d);

#endif
