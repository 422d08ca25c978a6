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
	/* Most octets of a local part, without quotes and escapes. RFC 5321
	 * 4.5.3.1.1 asks for 64 at least; VERP and SRS senders are longer. */
	ADDR_LOCAL_MAX = 256,
	ADDR_LOCAL_SAFE = 64,  /* what every server takes */
	ADDR_DOMAIN_MAX = 255, /* 4.5.3.1.2; a domain name is at most 253 */
	ADDR_MAX = 2 * ADDR_LOCAL_MAX + sizeof("\"\"@") + ADDR_DOMAIN_MAX,
};

struct addr {
	struct slice text;   /* "local@domain" as it came, no brackets, no
			      * source route, no final dot; empty for the
			      * null path                                  */
	struct slice local;  /* as it came, with its quotes                */
	struct slice domain; /* as it came; empty for bare postmaster      */
	bool utf8;	     /* not ASCII                                  */
	bool utf8_local;     /* so is its local part: it needs SMTPUTF8, a
			      * domain has another form                    */
	bool literal;	     /* domain is an address literal               */
};

/* A Mailbox without brackets; dots where a dot-string has none ("a..b@x") and
 * a final dot of the domain pass. With `utf8` false, 8-bit is an error.
 * Returns 0, or -1 and a constant reason. Slices point into `in`. */
int addr_parse(struct slice in, bool utf8, struct addr *addr_out,
    const char **why_out) PH_CHECK;

enum path_kind { PATH_REVERSE, PATH_FORWARD };
/* The path at the head of `in`, which has no blanks before it (path.c): "<…>"
 * by RFC 5321, and what common servers take besides. A source route is
 * stripped. A reverse path may be null, or a local part alone, whose domain is
 * the caller's to give; a forward path may be "postmaster" or "abuse" alone.
 * The text is an address for addr_parse() again; its slices point into `in`,
 * or into `room` where it had to be written anew. Returns the bytes taken, or
 * -1 and a constant reason; addr_out->text is then what stood there. */
long addr_path_parse(struct slice in, enum path_kind kind,
    char room[ADDR_MAX], struct addr *addr_out, const char **why_out) PH_CHECK;

/* For path.c. Is it atoms and dots, or one quoted string? Its length is not
 * looked at. */
bool addr_local_readable(struct slice local);
/* Bytes of what it contains, quotes and escapes not counted. */
size_t addr_local_length(struct slice local);
/* A local part that contains `plain`, in quotes where it needs them. */
void addr_add_local(struct slice plain, struct strbuf *out);
/* Fills utf8 and utf8_local of an address that is cut; why it is refused. */
const char *addr_utf8_check(struct addr *a);

/* As it is said in a command: quotes where they are needed; with `ascii` the
 * domain as A-label. False: there is no such form, and nothing to be used. */
bool addr_print(const struct addr *a, bool ascii, struct strbuf *out);

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
/* postmaster or abuse (RFC 5321 4.5.1, RFC 2142), in any case, or in quotes. */
bool addr_is_role(const struct addr *a);
/* Would some server read the local part as the way to another host ("u%host",
 * "host!u", "u@host" in quotes)? */
bool addr_leads_on(const struct addr *a);
/* `to` ("x@y") with the detail of `a` put before the '@'; the rewrite of a
 * subaddress (RFC 5233). Quotes are put where the result needs them. Where it
 * would pass ADDR_LOCAL_SAFE the detail is left out: the mail arrives. */
void addr_with_detail(struct slice to, struct slice detail, struct strbuf *out);

#endif
