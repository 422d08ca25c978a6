/* SPDX-License-Identifier: ISC
 *
 * Which stragglers: a small expression over what was counted of them.
 *
 *   name like '%.scanner.example' and messages > 10
 *   helo = ylmf-pc or (last < -30d and not sender = partner.example)
 *   after >= 50
 *
 * Texts are compared with = != like, case folded; counts, times and `after`
 * (percent of the messages that came after the old TTL had ended) with
 * = != < > <= >=. A value is a word or stands in quotes. Pure; one thread an
 * expression.
 */
#ifndef POLICY_STRAGGLER_STRAGGLER_WHERE_H
#define POLICY_STRAGGLER_STRAGGLER_WHERE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/error.h"
#include "relay/base/slice.h"

enum { STRAGGLER_WHERE_MAX = 4096, STRAGGLER_WHERE_NODES = 128,
	STRAGGLER_WHERE_DEPTH = 32 };

enum straggler_text { TEXT_CLIENT, TEXT_NAME, TEXT_HELO, TEXT_LISTEN,
	TEXT_CUSTOMER, TEXT_SENDER, STRAGGLER_TEXTS };
enum straggler_number { NUMBER_FIRST, NUMBER_LAST, NUMBER_MESSAGES,
	NUMBER_RECIPIENTS, NUMBER_REFUSED, NUMBER_DELIVERED, NUMBER_AFTER,
	STRAGGLER_NUMBERS };

struct straggler_values {
	/* TEXT_SENDER: words, every second of which is a count, as
	 * straggler_senders_print() writes them. */
	struct slice text[STRAGGLER_TEXTS];
	/* Times in us; NUMBER_AFTER -1: not known, and no test is true. */
	int64_t number[STRAGGLER_NUMBERS];
};

struct straggler_where;
/* Relative times count from `now_us`. NULL and one sentence that points at the
 * fault. */
struct straggler_where *straggler_where_parse(struct slice text,
    int64_t now_us, struct error *err) PH_CHECK;
void straggler_where_free(struct straggler_where *w); /* NULL is fine */
bool straggler_where_match(const struct straggler_where *w,
    const struct straggler_values *v);
/* Does it ask for `after`? */
bool straggler_where_asks_after(const struct straggler_where *w);

#endif
