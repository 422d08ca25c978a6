/* SPDX-License-Identifier: ISC
 *
 * Questions to the DNS on a loop, by c-ares: one channel per loop, a TTL
 * cache with a bound before it (positive and negative, RFC 2308), and one
 * question for many askers. Nothing blocks. Callbacks come later, from the
 * loop, never from inside a call.
 */
#ifndef RELAY_NET_DNS_H
#define RELAY_NET_DNS_H

#include "conf/conf.h"
#include "relay/base/loop.h"
#include "relay/net/sockaddr.h"

enum dns_type { DNS_A = 1, DNS_NS = 2, DNS_SOA = 6, DNS_PTR = 12, DNS_MX = 15,
	DNS_TXT = 16, DNS_AAAA = 28, DNS_TLSA = 52 };
enum dns_status {
	DNS_OK,
	DNS_NODATA,   /* the name is there, this type is not */
	DNS_NXDOMAIN,
	DNS_FAILED,   /* timeout, SERVFAIL, nonsense: ask later */
};

struct dns_mx {
	int preference;
	char *host; /* "" is the null MX (RFC 7505) */
};

/* RFC 6698 2.1: which certificate a server has, or who signed it. */
enum { TLSA_DANE_TA = 2, TLSA_DANE_EE = 3 };
struct dns_tlsa {
	uint8_t usage, selector, matching;
	struct slice data;
};

/* Names are lower case, without a final dot, and may have any octet in them but
 * NUL and a dot that parts no labels: what a zone says is not what a host may
 * be called (RFC 2181 11). See dns_is_host(). */
struct dns_answer { /* counted by the cache; borrowed in the callback */
	enum dns_status status;
	enum dns_type type;
	/* The AD bit of a resolver that the configuration calls validating. */
	bool secure;
	char *alias_of; /* who owns the records; NULL: who was asked */
	uint32_t ttl_s;
	int count;
	union {
		struct netaddr *addr; /* A, AAAA; port 0 */
		struct dns_mx *mx;    /* by preference, equals shuffled */
		struct slice *txt;    /* strings of a record joined */
		char **name;	      /* PTR */
		struct dns_tlsa *tlsa;
	};
	const char *why; /* of DNS_FAILED */
};

typedef void (*dns_fn)(void *arg, const struct dns_answer *a);

struct dns;
struct dns_query;

struct dns *dns_new(struct loop *l, const struct conf *c, struct error *err);
/* Other servers, or the same as they are now; what is asked is asked again
 * there, and so is what was known, which serves until they have answered.
 * Where signatures begin or end to count it is forgotten. -1: everything
 * stays as it was. */
int dns_configure(struct dns *d, const struct conf *c, struct error *err)
    PH_CHECK;
void dns_free(struct dns *d); /* no callback of a pending query follows */
/* `name` without a final dot, of any octets: a dot parts labels, nothing is an
 * escape. One that cannot be in the DNS is NXDOMAIN unasked. An answer that may
 * serve as stale comes after 1.8 s if the servers have not spoken by then. The
 * handle dies with its callback. */
struct dns_query *dns_ask(struct dns *d, enum dns_type type, const char *name,
    dns_fn fn, void *arg);
void dns_cancel(struct dns_query *q); /* no callback; NULL is fine */
/* From now on that name has this one TXT record, whatever the servers say; of
 * several calls the last one counts. */
void dns_set_txt(struct dns *d, const char *name, const char *text);
/* Would dns_ask() cost no question, because the answer is at hand, the same
 * question is under way, or the name cannot be asked for? */
bool dns_known(const struct dns *d, enum dns_type type, const char *name);
/* How long the answer that is at hand may still be believed; 0: there is none,
 * or it is stale. */
int64_t dns_left_ms(const struct dns *d, enum dns_type type,
    const char *name);

/* Is the name one that commands, logs and notices may show: printable ASCII
 * without a blank or a backslash? Pure. */
bool dns_is_host(const char *name);
/* Pure, fuzzed: the answer section of a raw reply; `secure` is its AD bit as
 * it came. 0, or -1 and why. */
int dns_reply_parse(struct slice packet, enum dns_type type,
    struct dns_answer *answer_out, const char **why_out);
void dns_answer_fini(struct dns_answer *a);

#endif
