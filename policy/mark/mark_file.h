/* SPDX-License-Identifier: ISC
 *
 * Decisions about watermarks in the file of the cutover table: that a mailbox
 * was synchronized, or that a person does without it. The table `mark`, a row
 * an address, leg and kind, the latest decision. It is no part of the table's
 * format: a program that does not know it leaves it alone.
 *
 * A handle belongs to one thread; it blocks, up to ten seconds for another
 * writer.
 */
#ifndef POLICY_MARK_MARK_FILE_H
#define POLICY_MARK_MARK_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/error.h"
#include "relay/base/slice.h"

struct mark_file;

/* Makes the table where it is missing. NULL and `err`. */
struct mark_file *mark_file_open(const char *path, struct error *err) PH_CHECK;
void mark_file_close(struct mark_file *f); /* NULL is fine */

struct watermark_mark {
	struct slice address; /* base address, lookup form */
	const char *leg;
	bool waived;	 /* else: synchronized */
	uint64_t change; /* of the watermark */
	int64_t time_us; /* wall clock */
	const char *who, *host, *command, *note;
};

/* All of them in one transaction, synced when 0 is returned. */
int mark_put(struct mark_file *f, const struct watermark_mark *marks, size_t n,
    struct error *err) PH_CHECK;
/* 1: time and change are filled; 0: there is none; -1. */
int mark_get(struct mark_file *f, struct watermark_mark *m,
    struct error *err) PH_CHECK;

#endif
