/* SPDX-License-Identifier: ISC
 *
 * Shared by the files of the hosts: hops_find.c asks for them, hops.c says in
 * which order they are tried.
 */
#ifndef RELAY_CLIENT_HOPS_INT_H
#define RELAY_CLIENT_HOPS_INT_H

#include "relay/client/client_int.h"

enum {
	HOSTS_MAX = 16,
	ADDRS_MAX = 8,	/* of a family and host */
	TLSA_MAX = 16,	/* of a host */
	TRIES_MAX = 10, /* connections for one attempt */
};

enum family { FAMILY_V6, FAMILY_V4, FAMILIES };

struct address {
	struct netaddr addr;
	bool tried;
};

struct host {
	struct hops *hops;
	char *name;
	int port;
	int preference; /* of an MX; else 0 */
	struct dns_query *query[FAMILIES];
	struct address addr[FAMILIES][ADDRS_MAX];
	int addrs[FAMILIES];
	/* Why it may have no address to try; for people. */
	bool self, unfit, exists, literal;
	const char *failed; /* of a constant text, or NULL */
	/* tls = dane */
	bool insecure; /* an answer that led here was not signed */
	bool unsafe;   /* what its certificate must be cannot be known now */
	char *alias_of; /* the name that owns its addresses; or NULL */
	bool by_alias;	/* the records are that name's */
	struct dns_query *tlsa_query;
	struct dns_tlsa tlsa[TLSA_MAX];
	int tlsas;
};

struct hops {
	struct client *client;
	const struct client_request *req;
	void (*ready)(void *arg);
	void *arg;
	struct dns_query *mx_query;
	bool mx;	/* hosts have preferences */
	bool mx_insecure; /* … which were not signed */
	bool waiting;	/* HOPS_WAIT was said     */
	bool self;	/* we were among them     */
	bool unfit;	/* there may be addresses of the other family */
	bool exists;	/* … or none at all, of a name that is there  */
	bool unknown;	/* a question found no answer, now */
	bool concluded; /* `fault` says why there is no host at all */
	int self_from;	/* from this preference on hosts are dropped */
	int tries;
	struct host host[HOSTS_MAX];
	int hosts;
	struct host *last; /* whose address was given out … */
	const struct netaddr *last_addr; /* … and which */
	struct netaddr source;
	bool bound; /* to a source address */
	char why[128];
	struct hops_fault fault;
};
/* Is a question about it on its way? */
bool hops_asked_for(const struct host *t);
/* The family that goes last, or is not used at all. */
enum family hops_second_family(const struct hops *h);
bool hops_one_family(const struct hops *h);
/* The domain whose MX is asked for: the leg's, or that of a direct
 * recipient. */
const char *hops_domain(const struct hops *h);
/* There is no host at all, and why; for good only of a direct recipient. */
void hops_conclude(
    struct hops *h, bool for_good, const char *enh, const char *text);
void hops_conclude_unknown(struct hops *h);

#endif
