/* SPDX-License-Identifier: ISC
 *
 * Walks the chain of the table's history (policy/change_chain.h) and names the
 * first line, row or decision that is not as it was written.
 */
#ifndef POLICY_CHECK_CHAIN_VERIFY_H
#define POLICY_CHECK_CHAIN_VERIFY_H

#include "policy/db.h"
#include "relay/base/strbuf.h"

enum chain_fault {
	CHAIN_WHOLE,
	CHAIN_LINE,	/* `number` does not follow `before` */
	CHAIN_ROWS,	/* the rows of `number` are not those of its digest */
	CHAIN_STRAY,	/* rows of `number`, which has no line */
	CHAIN_DECISION, /* decision `number` does not follow `before` */
	CHAIN_DECIDED,	/* change `number` holds a decision that is not there;
			 * `before`: the last one that is */
};

struct chain_state {
	uint64_t lines, decisions;
	enum chain_fault fault; /* the first */
	uint64_t number, before; /* before 0: there is none */
	uint64_t rows, recipients; /* CHAIN_ROWS: found; of the line */
	bool gap; /* numbers between the two may be missing: `table accept` */
};

/* `rows`: the digests too, which reads the whole log. -1: it cannot be read.
 * Any thread with a handle of its own, in one read transaction. */
int chain_verify(struct db *db, bool rows, struct chain_state *state_out,
    struct error *err) PH_CHECK;
/* The fault as the rest of a sentence: "change 7 was edited, …". */
void chain_fault_text(const struct chain_state *s, struct strbuf *out);

#endif
