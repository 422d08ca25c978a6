/* SPDX-License-Identifier: ISC
 *
 * The record of the outside world: mails that senders gave to the relay and
 * what they were told, what each leg took, notices that came back, and the
 * routes of the table by time. Kept apart from the daemon, and compared with
 * it.
 */
#ifndef TESTS_SIM_SIM_WITNESS_H
#define TESTS_SIM_SIM_WITNESS_H

#include "relay/base/strbuf.h"
#include "tests/sim/sim_world.h"

enum { WITNESS_MAILS = 600, MAIL_RCPTS = 6, WITNESS_ROUTES = 400 };

enum promise_made {
	PROMISE_NONE,  /* refused, or not sent whole */
	PROMISE_OPEN,  /* whole, and no answer came: both are right */
	PROMISE_TAKEN, /* 250 */
};

enum notice_kind { NOTICE_FAILED, NOTICE_DELAYED, NOTICE_DONE, NOTICE_KINDS };

struct witness_rcpt {
	int user; /* SIM_USERS and above: of another domain */
	bool taken; /* at RCPT */
	unsigned got[SIM_LEGS];
	int64_t got_us[SIM_LEGS]; /* the last time */
	bool doubtful[SIM_LEGS]; /* the relay may not know that it was taken */
	unsigned told[NOTICE_KINDS];
};

struct witness_mail {
	unsigned tag;
	enum promise_made promise;
	int sender; /* -1: the null sender; a user; or from outside */
	bool never; /* NOTIFY=NEVER */
	char id[14]; /* of the relay: "queued as" */
	int64_t answered_us;
	unsigned rcpts;
	struct witness_rcpt rcpt[MAIL_RCPTS];
	struct strbuf content;
};

struct witness_mail *witness_new(void); /* the next tag */
struct witness_mail *witness_mail(unsigned tag); /* NULL: there is none */
unsigned witness_mails(void);
/* "u3@corp.example", "o1@far.example"; -1: neither. */
int witness_user(const char *address);
void witness_address(int user, char out[40]);

/* A leg took this content for these; `from` as it was told. `sure`: it said
 * so, and the answer arrived. `since_us`: its connection, or the transaction
 * before, is of then. */
struct leg_took {
	int leg;
	const char *from;
	char (*rcpt)[60];
	unsigned rcpts;
	struct slice content;
	bool sure;
	int64_t since_us;
};
void witness_took(const struct leg_took *t);

/* A leg refused for good: that recipient (`unknown`: as one that it does not
 * have), or, address "", a whole transaction. */
void witness_refused(int leg, const char *address, bool unknown);
/* Did it, for that recipient or for all, since? */
bool witness_was_refused(int leg, int user, int64_t since_us);
/* … and said of it only that it is unknown? */
bool witness_was_unknown(int leg, int user, int64_t since_us);

/* The relay was stopped, or its disk failed: of what legs took since, it may
 * know nothing. */
void witness_doubt(int64_t since_us);

/* ---- the table's routes ---- */

/* From now on: a bit a leg, primary first; held. */
struct witness_route {
	int64_t at_us;
	int user; /* -1: the domain's row */
	uint64_t change;
	bool row, held;
	int leg[2]; /* -1: none */
};
void witness_routed(const struct witness_route *r);
/* Did the route of `user` name the leg, unheld, at some moment since? */
bool witness_named(int user, int leg, int64_t since_us);

/* Has the row (the domain's, if it has none) been the same since? */
bool witness_route_since(int user, int64_t since_us,
    struct witness_route *route_out);
/* Has that user a row of its own? */
bool witness_has_row(int user);
/* Was its route another one since, or its row made? False where the clock was
 * set since then: what is soon is measured by it. */
bool witness_flipped(int user, int64_t since_us);
/* The route answers RCPT with a refusal, and did so then. */
bool witness_refuses(int user, int64_t since_us);

void witness_clock_set(void);
/* Something is not as it should be: for a moment, or until the next word on
 * it (`lasts`). */
enum trouble {
	TROUBLE_START, TROUBLE_DISK, TROUBLE_DNS,
	TROUBLE_LEG, /* + its number: its mood */
	TROUBLE_GATE = TROUBLE_LEG + SIM_LEGS, /* it is suspended */
	TROUBLES = TROUBLE_GATE + SIM_LEGS
};
void witness_trouble(int what, bool lasts);
/* The moment since when nothing is wrong, but for legs; and with that leg.
 * INT64_MAX: something is. */
int64_t witness_calm_since(void);
int64_t witness_leg_calm_since(int leg);

/* A sync failed: refused mail may reappear (T2). */
void witness_sync_failed(void);

#endif
