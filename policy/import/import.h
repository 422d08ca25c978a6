/* SPDX-License-Identifier: ISC
 *
 * Rows of the cutover table out of files that other programs write: exports of
 * directories, maps of Postfix, passwd. doc/import.md has the formats. Pure but
 * for reading the file, in bounded memory except for the aliases of one
 * virtual map; any thread.
 */
#ifndef POLICY_IMPORT_IMPORT_H
#define POLICY_IMPORT_IMPORT_H

#include "conf/conf.h"
#include "relay/base/error.h"
#include "relay/mail/addr.h"

enum import_format { IMPORT_CSV, IMPORT_EXCHANGE, IMPORT_GOOGLE,
	IMPORT_TRANSPORT, IMPORT_VIRTUAL, IMPORT_PASSWD };

/* The format of that name; -1: there is none. */
int import_format_of(const char *name);

struct import_how {
	const struct conf *conf;
	enum import_format format; /* not IMPORT_CSV: see change_csv() */
	const char *route;  /* of rows for which the file says none; NULL */
	const char *domain; /* of names without one, normal form; NULL */
	uint64_t uid_min, uid_max; /* of passwd: users that are taken */
};

/* A row in words of struct change_row; NULL keeps what is there. */
struct import_row {
	uint64_t line;
	const char *key;       /* in canonical form, at a domain of ours */
	const char *route;     /* that the file or `how` says; NULL: none */
	const char *mailbox;   /* the key of its primary address */
	const char *tags;      /* to be added */
	const char *keys;      /* earlier tags with these keys are replaced */
	const char *addresses; /* "leg=address" */
};

struct import_sink {
	/* Texts live until it returns. -1 and err: the line is wrong. */
	int (*row)(void *arg, const struct import_row *row, struct error *err);
	/* A line that cannot be taken; reading goes on. */
	void (*fault)(void *arg, uint64_t line, const char *why);
	/* Now and then: bytes that are read. */
	void (*read)(void *arg, uint64_t bytes);
	void *arg;
};

/* The parts of the file that became no row. */
struct import_counts {
	uint64_t foreign;  /* addresses at domains that are not ours */
	uint64_t nameless; /* entries of a directory without an address */
	uint64_t passed;   /* lines that name no recipient of ours */
	char first_foreign[ADDR_MAX];
};

/* Reads `fd` to its end. Whatever is wrong with the file is told as faults. */
void import_read(const struct import_how *how, int fd,
    const struct import_sink *sink, struct import_counts *counts_out);

#endif
