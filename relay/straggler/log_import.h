/* SPDX-License-Identifier: ISC
 *
 * Takes in a log of the old server, line by line: joins its lines by queue id,
 * folds clients and deliveries, and writes them into imported.db. Between
 * imported_begin() and imported_end(); one thread.
 */
#ifndef RELAY_STRAGGLER_LOG_IMPORT_H
#define RELAY_STRAGGLER_LOG_IMPORT_H

#include "conf/conf.h"
#include "relay/oldlog/oldlog.h"
#include "relay/straggler/imported.h"

enum log_format { LOG_EXCHANGE, LOG_POSTFIX, LOG_EXIM, LOG_FORMATS };
/* "exchange-tracking", "postfix", "exim"; -1: there is none of that name. */
int log_format_find(struct slice name);
const char *log_format_name(enum log_format f);

enum { LOG_UNREAD_SHOWN = 5, LOG_UNREAD_BYTES = 120 };

struct log_import_counts {
	uint64_t lines, unread, messages, inside;
	int64_t first_us, last_us; /* times in it; 0: none */
	/* The first lines that were not read: number and beginning. */
	struct {
		uint64_t line;
		char text[LOG_UNREAD_BYTES];
	} shown[LOG_UNREAD_SHOWN];
};

struct log_import;
/* Deliveries count for recipients of the domains of `c`, clients unless they
 * are legs of it. `c`, `to` and the zone outlive it. */
struct log_import *log_import_new(const struct conf *c, struct imported *to,
    enum log_format format, const struct oldlog_clock *clock);
void log_import_free(struct log_import *l); /* NULL is fine */
/* One line, without its end. 0, or -1 with `err`: it cannot be written. */
int log_import_line(struct log_import *l, struct slice line,
    struct error *err) PH_CHECK;
/* A line that is longer than any, or cannot be decoded. */
void log_import_bad_line(struct log_import *l);
/* Writes what is still folded. */
int log_import_end(struct log_import *l, struct error *err) PH_CHECK;
const struct log_import_counts *log_import_counts(const struct log_import *l);

#endif
