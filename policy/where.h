/* SPDX-License-Identifier: ISC
 *
 * Which rows: a small expression over the columns of the cutover table and
 * its tags.
 *
 *   client=apple-mail and not vip
 *   leg = legacy and (domain in (example.com, example.org) or held)
 *   address like 'a%' and change > 41
 *   wave = july-1 and not tag = 'held'
 *
 * A word, or key=value, that is no column is a tag. It is evaluated here,
 * row by row, and never becomes SQL. Pure; one thread an expression.
 */
#ifndef POLICY_WHERE_H
#define POLICY_WHERE_H

#include "relay/base/error.h"
#include "relay/base/slice.h"
#include "relay/base/strbuf.h"

enum where_field {
	WHERE_ADDRESS, WHERE_DOMAIN, WHERE_CUSTOMER, WHERE_ROUTE, WHERE_LEG,
	WHERE_TAG, WHERE_MAILBOX, WHERE_HELD, WHERE_CHANGE, WHERE_WAVE,
};

struct where_row {
	struct slice address, route, mailbox, tags;
	struct slice customer; /* of its domain, by the configuration */
	struct slice waves; /* that it is a member of, a blank between two */
	uint64_t change;
	bool held;
};

struct where;
typedef int where_member_fn(void *arg, struct slice address,
    struct error *err);
/* Tells which waves a recipient is in, for the column `wave`; made by those who
 * have the waves (policy/wave/file). The functions return 0, or -1 and `err`.
 */
struct where_waves {
	void *arg;
	/* Is there every wave that the expression names as a whole? Behind
	 * `not`, a mistyped name would select all rows. */
	int (*known)(void *arg, const struct where *w, struct error *err);
	/* Appends the names of the waves of which it is a member, each with a
	 * blank behind it. */
	int (*of)(void *arg, struct slice address, struct strbuf *names_out,
	    struct error *err);
	/* Gives each member of the wave; ends when `fn` returns -1. */
	int (*members)(void *arg, struct slice wave, where_member_fn *fn,
	    void *fn_arg, struct error *err);
	void (*end)(void *arg); /* frees it */
};
enum { WHERE_WAVES_TEXT = 1 << 16 }; /* names of the waves of one row */
enum { WHERE_MAX = 4096, WHERE_NODES = 256, WHERE_DEPTH = 32 };

/* NULL and one sentence that points at the fault. */
struct where *where_parse(struct slice text, struct error *err) PH_CHECK;
/* field = value. */
struct where *where_equal(enum where_field field, struct slice value,
    struct error *err) PH_CHECK;
/* Every row; where_narrow() makes it less. */
struct where *where_all(void);
/* Only rows that also have that value; WHERE_HELD takes none, those are
 * held. -1: the value is no such one, or the expression too long. */
int where_narrow(struct where *w, enum where_field field, struct slice value,
    struct error *err) PH_CHECK;
void where_free(struct where *w);

/* `%` is any run of characters, `_` any one; ASCII case folded. */
bool where_like(struct slice text, struct slice pattern);

bool where_match(const struct where *w, const struct where_row *row);
/* Tags, waves and addresses of which every match has at least one, so that only
 * their rows need be looked at: how many, 0 when there are none such. Some may
 * be equal. */
struct where_key {
	enum where_field field; /* WHERE_TAG, WHERE_WAVE, WHERE_ADDRESS */
	struct slice text;
};
unsigned where_keys(const struct where *w,
    struct where_key key_out[WHERE_NODES]);
/* The same when all of them are tags, else 0. */
unsigned where_tags(const struct where *w, struct slice tag_out[WHERE_NODES]);
/* Every tag, or wave, that the expression names as a whole: how many. */
unsigned where_named(const struct where *w, enum where_field field,
    struct slice text_out[WHERE_NODES]);
/* Does it ask for this column? */
bool where_asks(const struct where *w, enum where_field field);
/* May a domain's row ("@example.com") match? Only for `domain = …` made by
 * where_equal(), which is --all, and after where_take_domains(). */
void where_take_domains(struct where *w);
bool where_takes_domains(const struct where *w);

#endif
