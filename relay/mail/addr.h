/* SPDX-License-Identifier: ISC
 *
 * Addresses of the envelope (RFC 5321 4.1.2, RFC 6531 3.3). Pure; any thread.
 *
 * The text of an address travels exactly as it came (RFC 5321 2.4); only
 * its key, made by addr_key(), is folded.
 */
#ifndef RELAY_MAIL_ADDR_H
#define RELAY_MAIL_ADDR_H

#include "relay/base/strbuf.h"

enum {
	ADDR_LOCAL_MAX = 64,  /* RFC 5321 4.5.3.1.1 */
	ADDR_DOMAIN_MAX = 255, /* 4.5.3.1.2; a domain name is at most 253 */
	ADDR_MAX = 320,
};

struct addr {
	struct slice text;   /* "local@domain" as it came, no brackets, no
			      * source route; empty for the null path      */
	struct slice local;  /* as it came, with its quotes                */
	struct slice domain; /* as it came; empty for bare postmaster      */
	bool utf8;	     /* needs SMTPUTF8                             */
	bool literal;	     /* domain is an address literal               */
};

/* A Mailbox without brackets. With `utf8` false, 8-bit is an error. Returns 0,
 * or -1 and a constant reason. Slices point into `in`. */
int addr_parse(struct slice in, bool utf8, struct addr *addr_out,
    const char **why_out) PH_CHECK;

enum path_kind { PATH_REVERSE, PATH_FORWARD };
/* "<…>" at the head of `in`: reverse may be "<>", forward may be
 * "<postmaster>" in any case. A source route is stripped. Returns bytes
 * taken, or -1 and a constant reason. */
long addr_path_parse(struct slice in, enum path_kind kind, bool utf8,
    struct addr *addr_out, const char **why_out) PH_CHECK;

/* The lookup form: ASCII case folded, quoting only where it is needed ("ann"
 * is ann), domain as A-label in lower case; bare postmaster has no '@'.
 * `subaddress` non-zero: the detail from that character on is dropped
 * ("ann+news" gives "ann"; a local part that begins with it keeps it). Appends
 * "local@domain"; false when the result would be too long, the domain has no
 * A-label, or for the null path. */
bool addr_key(const struct addr *a, char subaddress, struct strbuf *out);
/* The detail of the local part with its separator ("+news"), or empty. Out of
 * a quoted local part it comes with its escapes and without the quotes. */
struct slice addr_detail(const struct addr *a, char subaddress);
/* Would some server read the local part as the way to another host ("u%host",
 * "host!u", "u@host" in quotes)? */
bool addr_leads_on(const struct addr *a);
/* `to` ("x@y") with the detail of `a` put before the '@'; the rewrite of a
 * subaddress (RFC 5233). Quotes are put where the result needs them. Where it
 * would pass ADDR_LOCAL_MAX the detail is left out: the mail arrives. */
void addr_with_detail(struct slice to, struct slice detail, struct strbuf *out);

#endif
