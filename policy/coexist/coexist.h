/* SPDX-License-Identifier: ISC
 *
 * Tells the server behind one leg which recipients other legs have, and how
 * their mail gets there. doc/coexist.md has the formats. Pure,
 * any thread.
 */
#ifndef POLICY_COEXIST_COEXIST_H
#define POLICY_COEXIST_COEXIST_H

#include "conf/conf.h"
#include "policy/table.h"
#include "relay/base/strbuf.h"
#include "relay/mail/addr.h"

enum coexist_format { COEXIST_EXCHANGE, COEXIST_POSTFIX, COEXIST_EXIM,
	COEXIST_GOOGLE };
enum coexist_map { COEXIST_TRANSPORT, COEXIST_RECIPIENT };

struct coexist_how {
	const struct conf *conf;
	enum coexist_format format;
	enum coexist_map map;
	const struct conf_leg *leg; /* whose server reads it */
	struct slice via; /* the host of the next hop; empty: the hosts of the
			   * leg are used */
	int via_port;
	uint64_t change; /* of the table, as it is read */
	bool part; /* of some recipients: those of the leg are named too */
};

/* As people write it; NULL and "" are what is not said. */
struct coexist_said {
	const char *format, *map, *leg, *via;
};
/* Fills all but change and part. -1 and err: what would be right. */
int coexist_read(const struct conf *c, const struct coexist_said *said,
    struct coexist_how *how_out, struct error *err) PH_CHECK;

enum coexist_where {
	COEXIST_AWAY,	/* another leg has it */
	COEXIST_HERE,	/* the leg has it, or no leg */
	COEXIST_NOWHERE, /* away, and there is no address to name */
	COEXIST_ODD,	/* its address fits in no such file */
};

/* A row of the table. */
struct coexist_entry {
	struct slice key; /* "@example.com": all that have no row */
	enum coexist_where where;
	const struct conf_leg *leg; /* away: the first of its route */
	char address[ADDR_MAX]; /* … and its address there */
	bool domain_away; /* the row of its domain is away */
};
void coexist_judge(const struct coexist_how *how, struct slice key,
    const struct table_row *row, struct coexist_entry *entry_out);

/* The begin of a file: its heading, the change, domains of legs. */
void coexist_head(const struct coexist_how *how, struct strbuf *out);
/* The line of an entry, with its end; nothing where none is wanted. */
void coexist_line(const struct coexist_how *how,
    const struct coexist_entry *entry, struct strbuf *out);

#endif
