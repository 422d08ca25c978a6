/* SPDX-License-Identifier: ISC
 *
 * Gathers the facts of a verdict: from the file of the table, ledger.db,
 * observed.db, the DNS, and the daemon. Each function looks at one reason, and
 * says in verdict_facts what it found or why it could not look.
 */
#ifndef RELAY_CLI_VERDICT_GATHER_H
#define RELAY_CLI_VERDICT_GATHER_H

#include "policy/verdict/file/verdict_file.h"
#include "relay/cli/common/cli.h"

/* A recipient whose watermark a person does without, for the report. */
struct gather_waived {
	const char *address, *who, *note;
	int64_t time_us;
	uint64_t change; /* a later watermark is not done without */
};

/* When a recipient was synchronized, for the logs of the server: millions are
 * looked up, each in a row of the file would take a minute. */
struct gather_synced {
	int64_t recipient, at_us;
};

/* A way that still leads to the server in public, for the end of the report. */
struct gather_public {
	const char *domain, *what, *text;
};

enum { SYNCED_BITS = 20, SYNCED_PARTS = 1 << SYNCED_BITS };

struct verdict_look {
	struct cli *c;
	const struct conf *conf;
	const struct conf_verdict *v;
	int leg; /* its index in conf.leg */
	const char *table_path;
	int64_t now_us; /* wall */
	struct verdict_file *file;
	struct verdict_facts f;
	struct chain_heads heads;
	const struct waiver *waiver[REASONS];
	struct gather_waived *waived;
	size_t waiveds;
	struct gather_public *public;
	size_t publics;
	struct gather_synced *synced; /* by gather_marks(), by recipient */
	size_t synceds;
	/* Where those of its first bits begin: keys are hashes, so each has a
	 * few. SYNCED_PARTS + 1 of them; NULL: there is none. */
	uint32_t *synced_part;
	/* By gather_clients(): when the last client that matters was seen,
	 * which silence is counted from; 0: none was. And the one that is
	 * waited for the longest. */
	int64_t last_client_us;
	struct {
		int64_t quiet_at_us, last_us;
		const char *client;
	} longest;
	/* By gather_marks(): the last change by which a route left the leg, the
	 * first mailbox that was synchronized; 0: none. */
	int64_t last_flip_us, first_sync_us;
};

/* All of it. CLI_DONE, or what was said. */
int gather_all(struct verdict_look *g);
void gather_end(struct verdict_look *g);

/* The index in conf.leg; -1: there is none of that name. */
int gather_leg(const struct conf *c, struct slice name);
/* Is the address, or its "@domain", one that the verdict is about? */
bool gather_has(const struct verdict_look *g, struct slice address);
/* printf into the arena. */
const char *gather_text(struct verdict_look *g, const char *fmt, ...)
    PH_PRINTF(2, 3);
/* A time (wall, us) as RFC 3339 has it, in the arena. */
const char *gather_moment(struct verdict_look *g, int64_t us);
/* As gather_text(), as a fact. */
void gather_fact(struct verdict_look *g, enum fact_id id, int64_t at_us,
    const char *fmt, ...) PH_PRINTF(4, 5);

/* When the recipient of that key was synchronized; 0: it was not. */
int64_t gather_synced_at(const struct verdict_look *g, int64_t recipient);

/* A row of the daemon that says nothing. */
void gather_ignore(void *arg, json_t *row);

void gather_rows(struct verdict_look *g);
void gather_open(struct verdict_look *g);
void gather_marks(struct verdict_look *g);
void gather_spread(struct verdict_look *g);
void gather_clients(struct verdict_look *g); /* stragglers and inside */
void gather_watch(struct verdict_look *g);   /* from-leg and observed */

/* For a report: what leads there in public. Asks name servers, so it takes its
 * time. */
void gather_public(struct verdict_look *g);

#endif
