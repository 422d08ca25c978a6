/* SPDX-License-Identifier: ISC
 *
 * How far the change of a domain's MX has spread: what each name server said,
 * and until when an answer of before may live in caches. Pure: no clock, no
 * file, no socket. Times are wall clock in us, 0 where there is none.
 */
#ifndef POLICY_PROPAGATION_SPREAD_H
#define POLICY_PROPAGATION_SPREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SPREAD_TTL_UNSEEN_S = 7 * 86400, /* for a TTL that was not seen */
	SPREAD_TTL_MAX_S = INT32_MAX,	 /* RFC 2181 8 */
};

enum spread_kind {
	SPREAD_RESOLVER,      /* of the configuration                      */
	SPREAD_AUTHORITATIVE, /* a name server of the zone, by one address */
	SPREAD_PARENT,	      /* of the zone above: who is named there     */
	SPREAD_RETIRED,	      /* was a name server of the zone             */
	SPREAD_KINDS
};

enum spread_said {
	SAID_NOTHING, /* it was not asked yet                           */
	SAID_ANSWER,  /* with authority, or from a resolver             */
	SAID_SILENT,  /* no answer, or it has no address                */
	SAID_REFUSED, /* an answer without the zone: refused, no AA, ... */
	SAID_COUNT
};

/* Where an MX of an answer leads. */
enum spread_way {
	WAY_US,
	WAY_LEG,       /* to a host of a leg                         */
	WAY_ELSEWHERE, /* to an address that is of no leg            */
	WAY_NOWHERE,   /* its name has no address; or it is null MX  */
	WAY_SERVER,    /* of SPREAD_PARENT: a name server            */
	WAY_COUNT
};

/* A way that answers of a server have had, and when. */
struct spread_target {
	enum spread_way way;
	const char *name; /* the leg, the name server; else "" */
	int64_t first_us, last_us; /* looks in which it was there         */
	int64_t ended_us; /* first answer behind them without it; 0: none */
	uint32_t ttl_s;	  /* the largest: MX, address, or delegation      */
};

struct spread_server {
	enum spread_kind kind;
	const char *name;    /* host name; "" of a resolver       */
	const char *address; /* "" : its name has none            */
	enum spread_said said;
	int64_t at_us;	  /* of the last look                     */
	int64_t since_us; /* of the first look in a row that said so */
	const struct spread_target *target;
	size_t targets;
};

/* The decision of a person: what the TTL was, and when the MX was changed. */
struct spread_stated {
	int64_t changed_us; /* 0: nothing is stated */
	uint32_t ttl_s;
};

struct spread_facts {
	const char *leg; /* that is left; NULL: whichever leg is not ours */
	int64_t now_us;
	int64_t interval_us, stale_us; /* propagation.interval, .stale */
	bool more; /* there are servers that are not in the list */
	struct spread_stated stated;
	const struct spread_server *server;
	size_t servers;
};

enum spread_state {
	SPREAD_CLEAN,
	SPREAD_WAITS,	/* of a domain: clean, but an old answer may live  */
	SPREAD_UNKNOWN, /* no answer, an old look, or one that says nothing */
	SPREAD_OLD,	/* an MX leads to the leg, elsewhere, or nowhere    */
	SPREAD_STATES
};

struct spread_judged {
	enum spread_state state; /* of the domain: the worst; SPREAD_CLEAN is
				  * the only good one */
	unsigned count[SPREAD_STATES]; /* of its servers */
	const struct spread_server *worst; /* one of that state, or NULL */
	const char *why; /* of the domain's state; constant */
	/* An old answer may live until then; 0: the clock has not begun. */
	int64_t until_us;
	int64_t changed_us; /* the last server did, or the clock began */
	uint32_t ttl_s;	    /* and the largest TTL of before */
	bool stated;	    /* both are as a person stated them */
	bool unseen;	    /* the TTL was neither seen nor stated */
};

/* SPREAD_CLEAN, SPREAD_OLD or SPREAD_UNKNOWN; why_out: constant. */
enum spread_state spread_server_state(const struct spread_facts *f,
    const struct spread_server *s, const char **why_out);
void spread_judge(const struct spread_facts *f, struct spread_judged *out);
/* Does it lead where mail must not go any more? */
bool spread_target_is_old(const struct spread_facts *f,
    const struct spread_target *t);

const char *spread_kind_text(enum spread_kind k);
const char *spread_state_text(enum spread_state s);

#endif
