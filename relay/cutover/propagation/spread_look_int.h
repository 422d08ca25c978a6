/* SPDX-License-Identifier: ISC
 *
 * Shared by the files of a look.
 */
#ifndef RELAY_CUTOVER_PROPAGATION_SPREAD_LOOK_INT_H
#define RELAY_CUTOVER_PROPAGATION_SPREAD_LOOK_INT_H

#include "relay/cutover/propagation/spread_look.h"
#include "relay/net/dns_direct.h"
#include "relay/net/dns_told.h"

enum {
	LOOK_RESOLVERS = 8,
	LOOK_ADDRESSES = 16, /* of a name        */
	LOOK_NAMES = 64,     /* of one list      */
	LOOK_MX = 16,	     /* of one server    */
	LOOK_LEADS = 256,    /* of all legs      */
};

/* A host name and its addresses; a port is not looked at. */
struct look_name {
	const char *name;
	struct netaddr address[LOOK_ADDRESSES];
	size_t n;
	uint32_t ttl_s; /* the largest */
	bool known; /* a resolver has answered, if only that there is none */
	bool more;  /* addresses than fit */
};

struct look_names {
	struct look_name name[LOOK_NAMES];
	size_t n;
	bool more; /* than fit */
};

struct look_mx {
	int preference;
	struct look_name host;
};

/* One server in a look. */
struct look_server {
	struct spread_seen seen; /* its answer is built at the end */
	struct netaddr address;	 /* AF_UNSPEC: its name has none */
	bool recurse;
	struct look_mx mx[LOOK_MX];
	size_t n;
	bool more; /* MX than fit */
};

/* An address of a leg. */
struct look_lead {
	const char *leg;
	struct netaddr address;
};

struct look_run {
	struct spread_look_how how;
	struct arena *a;
	const char *domain, *zone; /* zone "" : not found */
	struct netaddr resolver[LOOK_RESOLVERS + 1];
	size_t resolvers;
	struct look_server *server[SPREAD_SERVERS_MAX];
	size_t servers;
	bool more;
	struct look_lead lead[LOOK_LEADS];
	size_t leads;
};

/* ---- look_names.c: what the resolvers say, one after the other ----------- */

int look_resolvers(struct look_run *k, struct error *err);
/* The first reply of a resolver that has a meaning; false: there is none. */
bool look_told(struct look_run *k, enum dns_type type, const char *name,
    struct dns_told *out);
void look_names_add(struct look_names *l, const char *name);
/* Fills the addresses of all. */
void look_names_resolve(struct look_run *k, struct look_names *l);
struct dns_direct look_question(const struct look_run *k,
    const struct netaddr *server, enum dns_type type, const char *name);
/* Takes the addresses of a reply in; false: it says nothing of them. */
bool look_addresses(const struct dns_direct *q, struct look_name *to);
/* Is `name` in the zone `zone`? */
bool look_is_under(const char *name, const char *zone);
/* MX of a reply, with `domain` itself where there is none (RFC 5321 5.1).
 * False: it says nothing of them. */
bool look_take_mx(struct look_run *k, const struct dns_direct *q,
    struct look_server *to);

/* ---- look_servers.c: which servers there are ----------------------------- */

void look_find_servers(struct look_run *k);

/* ---- look_ask.c: what they say ------------------------------------------- */

void look_ask_servers(struct look_run *k);

/* ---- look_leads.c: where an address leads -------------------------------- */

void look_find_legs(struct look_run *k);
/* `leg_out`: of WAY_LEG. */
enum spread_way look_way(const struct look_run *k, const char *host,
    const struct netaddr *address, const char **leg_out);
/* Sets what was heard of each server, and its answer as text. */
void look_judge(struct look_run *k);

#endif
