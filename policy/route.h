/* SPDX-License-Identifier: ISC
 *
 * Where: routes as values, THE decision, and what a changed route makes of
 * the deliveries that are there. Pure functions over their arguments (the
 * table is asked by the caller through table.h); any thread.
 */
#ifndef POLICY_ROUTE_H
#define POLICY_ROUTE_H

#include "conf/conf.h"
#include "policy/rule.h"
#include "policy/table.h"
#include "relay/base/delivery.h"
#include "relay/mail/addr.h"
#include "relay/mail/reply.h"

/* "legacy+cloud", "defer"; `both` is expanded with the domain's setting.
 * Legs must be in the configuration and no egress. 0, or -1 and why. */
int route_parse(struct slice text, const struct conf *c,
    const struct conf_domain *d, struct route *route_out, struct error *err);
void route_print(const struct route *r, const struct names *n,
    struct strbuf *out);

enum verdict { VERDICT_ACCEPT, VERDICT_REFUSE };

/* Everything that was decided of one recipient, and why. */
struct decision {
	enum verdict verdict;
	struct reply reply;	/* of VERDICT_REFUSE */
	enum decision_rule rule;
	char key[ADDR_MAX];	/* the row that matched, or the address' key */
	char base[ADDR_MAX];	/* the folded base address: the queue's hash */
	struct table_row row;	/* valid when row.found                      */
	struct route route;
	bool held;
	bool ask;		/* accepted when the route's first leg knows
				 * the recipient (unknown = "probe")         */
	uint64_t change;	/* table's number at the lookup */
};

/* Checks what holds of every decision: mail that is accepted has a leg to go
 * to, or came to a return address of ours; a refusal has a reply. For
 * assertions. */
bool decision_ok(const struct decision *d);

/* Exact address beats subaddress base beats the domain's row (T7); unknown
 * policy, postmaster and abuse (T5), never an open relay (T4), a leg's own
 * domains. `t` is inside a read transaction; NULL is a table that can not be
 * read: VERDICT_REFUSE with 451 4.3.0. Strings of the row live in `a`.
 *
 * A row of its own for postmaster@ or abuse@ that names legs is taken before
 * the configuration's postmaster: it was written on purpose. A held row is
 * accepted when its route names a leg; else there is no leg to hold the mail
 * for, and the route answers. */
void route_decide(const struct conf *c, struct table *t,
    const struct addr *to, struct arena *a, struct decision *decision_out);

/* The route for mail that is queued: as above, but what acts at RCPT only
 * does not act (D1). reject, gone and defer name no leg; the unknown policy
 * is not asked, so a recipient whose row was deleted goes by the domain's
 * row. No row at all: ROUTE_NONE. False when the table cannot be read. */
bool route_resolve(const struct conf *c, struct table *t,
    const struct addr *to, struct arena *a, struct decision *decision_out);

/* Would route_resolve() give the row with that key, whose route is `r`, for an
 * address that is the key? Then the table need not be asked. False also where
 * that takes more than a look at the key. */
bool route_own_row(const struct conf *c, struct slice key,
    const struct route *r);

/* The folded base address of a key of the change log: what queued mail is
 * hashed by. False for a domain's row, which concerns all. */
bool route_base(const struct conf *c, struct slice key, struct strbuf *out);

/* Is a recipient's row found by its own address? False: only the table says
 * which recipient it is (a leg's own address, a role). */
bool route_is_itself(const struct conf *c, const struct addr *to);

/* The address to say to that leg: the row's rewrite, detail kept; else the
 * address as it came. For rule "postmaster" it is the configuration's. A
 * rewrite that is a domain ("@tenant.example") keeps the local part. */
void route_address(const struct decision *d, int leg, const struct addr *to,
    const struct conf *c, struct strbuf *out);

/* Takes a leg out; the next is primary then. False: none is left, and it is
 * ROUTE_NONE. */
bool route_without(struct route *r, int leg);

/* ---- what follows from a changed route (doc/routing.md) ---- */

/* A delivery of one recipient, as it stands. */
struct plan_have {
	uint32_t number;
	uint16_t leg;
	uint8_t role, state, uncertain;
	bool claimed;	  /* in flight: left alone until it is over */
	bool pinned;	  /* replay: never rerouted */
	bool dsn_sent;	  /* bounced as primary, or parked after its DSN */
	bool no_route;	  /* parked because the route named no leg */
};
enum plan_do {
	PLAN_CREATE,	/* a new delivery: leg, role, state */
	PLAN_SUPERSEDE, /* number */
	PLAN_ROLE,	/* number: its role changes */
	PLAN_HOLD, PLAN_RELEASE, /* number; released ones are queued */
	PLAN_PARK,	/* number: the route names no leg */
};
struct plan_step {
	enum plan_do what;
	uint32_t number;
	uint16_t leg;
	uint8_t role, state;
};
enum { PLAN_MAX = 64 };
/* Returns how many steps; 0: nothing changes. Run it before a result is
 * written, with the deliveries of that attempt not claimed: a copy that has
 * become the primary is then judged as the primary. */
unsigned route_plan(const struct route *route, bool held,
    const struct plan_have *have, unsigned n, struct plan_step out[PLAN_MAX]);
/* Is there a delivery for each leg that the route names, whatever became of
 * it? */
bool route_served(const struct route *route, const struct plan_have *have,
    unsigned n);

#endif
