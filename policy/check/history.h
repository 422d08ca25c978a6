/* SPDX-License-Identifier: ISC
 *
 * The history of the cutover table as of one moment, to be compared with what
 * others recorded of it. Reads only; one thread a handle.
 */
#ifndef POLICY_CHECK_HISTORY_H
#define POLICY_CHECK_HISTORY_H

#include "policy/change_chain.h"
#include "policy/check/chain_verify.h"

struct history_view;

/* NULL and `err`: the table cannot be opened or read. One of an older format
 * has no heads and is refused. */
struct history_view *history_open(const char *path, struct error *err) PH_CHECK;
void history_close(struct history_view *h);
/* Walks the chain, rows too. */
int history_verify(struct history_view *h, struct chain_state *state_out,
    struct error *err) PH_CHECK;

enum history_fit {
	HISTORY_SAME,
	HISTORY_OTHER,	  /* the line has another hash */
	HISTORY_GIVEN_UP, /* `table accept` passed its number over */
	HISTORY_GONE,	  /* the table has no such line */
};
/* How a change, or a decision, whose hash was `head`, in hexadecimal digits,
 * fits what has that number. -1: it cannot be read. */
int history_compare_decision(struct history_view *h, uint64_t decision,
    const char *head, enum history_fit *fit_out, struct error *err) PH_CHECK;
int history_compare(struct history_view *h, uint64_t change, const char *head,
    enum history_fit *fit_out, struct error *err) PH_CHECK;

#endif
