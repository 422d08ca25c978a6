/* SPDX-License-Identifier: ISC
 *
 * Which way out to the internet a message takes, and under whose name (E1):
 * the first egress that the sender's domain vouches for; else the first that
 * it does not speak against; else under a domain of ours (SRS). doc/egress.md
 * has the table. And the sender that a leg of the table is told: under our SRS
 * domain, where it would judge our address and the sender's domain fails that;
 * a return address of ours, where its bounce would reach a sender that never
 * wrote. Pure; any thread.
 */
#ifndef POLICY_EGRESS_H
#define POLICY_EGRESS_H

#include "conf/conf.h"
#include "relay/base/delivery.h"
#include "relay/mail/spf_result.h"

enum egress_sender {
	EGRESS_OWN,	/* at a domain of ours */
	EGRESS_FOREIGN, /* a stranger's mail that the old side forwards */
	EGRESS_NULL,	/* <>: judged is postmaster at the EHLO name, which is
			 * ours */
};

/* A way out, in the order of outbound.use, with what is known of it. */
struct egress_way {
	bool ours_only;		/* it relays senders at domains of ours alone */
	enum spf_result sender; /* for the sender as it is */
	enum spf_result srs;	/* for our SRS domain */
};

struct egress_case {
	enum egress_sender from;
	bool srs; /* there is an SRS domain, and an address in it to make */
	bool waited; /* outbound.temperror_wait is over */
	/* The From domain's DMARC policy is quarantine or reject, and the
	 * message has no signature aligned with it: SRS does not help. */
	bool dmarc_fails;
	const struct egress_way *way; /* `n` of them, EGRESSES_MAX at most */
	unsigned n;
};

enum egress_why {
	EGRESS_PASS,	  /* the record passes it */
	EGRESS_SILENT,	  /* none or neutral: no word against it */
	EGRESS_BROKEN,	  /* the record is in error; alarm */
	EGRESS_DOUBTED,	  /* softfail, and nothing to rewrite with */
	EGRESS_REWRITTEN, /* SRS */
	EGRESS_TEMPERROR, /* waits: the DNS does not answer */
	EGRESS_FORBIDDEN, /* waits: every way fails; alarm */
	EGRESS_DMARC,	  /* waits: SRS would not help; alarm */
	EGRESS_SRS_FAILS, /* waits: our SRS domain's record fails; alarm */
	EGRESS_NOT_OURS,  /* waits: no way relays a foreign sender; alarm */
	EGRESS_NO_WAY,	  /* waits: outbound.use is empty by now; alarm */
	EGRESS_WHYS
};

struct egress_choice {
	int way; /* in egress_case.way; -1: it waits */
	bool rewrite;
	enum egress_why why;
	/* An own domain that needed SRS, or waits: its record lacks a term. */
	bool own_record;
	/* A foreign sender's rewritten mail will fail DMARC. */
	bool dmarc_would_fail;
};

/* THE choice. Never a way that is judged `fail`, unless under our own name. */
struct egress_choice egress_choose(const struct egress_case *e);
const char *egress_why_name(enum egress_why why); /* "srs-fails" */

/* ---- the sender for a leg of the table (rewrite_sender, doc/spf.md) ----- */

enum leg_sender {
	LEG_SENDER_OWN,	   /* as it came */
	LEG_SENDER_SRS,	   /* srs.h */
	LEG_SENDER_RETURN, /* return_addr.h */
	LEG_SENDER_ASK,	   /* SPF decides: leg_sender_judged() */
};

/* The deliveries of an attempt. `spf`: the sender's result when the message
 * came in, and `stranger`: one of the recipients has no row of its own; both
 * as dsn_guard_parks() takes them. */
struct leg_mail {
	enum role role;
	const char *from, *spf;
	bool stranger;
};
enum leg_sender leg_sender_choose(const struct conf *c,
    const struct conf_leg *leg, const struct leg_mail *m);
/* By what the sender's domain says of the addresses that the leg sees, the
 * worst of them. Without an answer of the DNS it is rewritten, too: that
 * loses no mail, while a leg that gets an answer might refuse it. */
enum leg_sender leg_sender_judged(enum spf_result result);
/* The same as a choice of one way. The mail goes also where the policy of the
 * From domain (`dmarc_fails`, as in egress_case) will fail it there: as it
 * came it would fail SPF as well. */
struct egress_choice leg_sender_choice(enum spf_result result,
    bool dmarc_fails);

#endif
