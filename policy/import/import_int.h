/* SPDX-License-Identifier: ISC
 *
 * Shared by the readers of the formats.
 */
#ifndef POLICY_IMPORT_IMPORT_INT_H
#define POLICY_IMPORT_IMPORT_INT_H

#include "policy/csv/csv.h"
#include "policy/import/import.h"

enum { IMPORT_TEXT = 4096 }; /* of tags or addresses of a row */

struct import_run {
	const struct import_how *how;
	const struct import_sink *sink;
	struct import_counts *counts;
	uint64_t lines; /* at the last call of sink->read */
};

/* The canonical key of "name@domain"; of the domain if the name is empty. -1:
 * it is none. */
int import_key_at(struct slice name, struct slice domain, char out[ADDR_MAX],
    struct error *err) PH_CHECK;
/* Is the address, in canonical form, at a domain of ours? */
bool import_is_ours(const struct import_run *r, const char *key);
/* Counts an address at a domain that is not ours. */
void import_foreign(struct import_run *r, const char *key);
/* Gives a row to the sink, with the route of `how` if it has none, or counts it
 * as foreign. -1: the line is wrong. */
int import_give(struct import_run *r, const struct import_row *row,
    struct error *err) PH_CHECK;
void import_fault(struct import_run *r, uint64_t line, const char *why);
/* Tells how far the file is read, every few thousand lines. */
void import_progress(struct import_run *r, const struct csv *c);
/* The leg that has the domain of the key among its own, which is no domain of
 * ours; NULL: there is none. */
const struct conf_leg *import_leg_of(const struct import_run *r,
    const char *key);

/* One reader a format; each reads the file to its end. */
void directory_read(struct import_run *r, int fd); /* exchange, google */
void transport_read(struct import_run *r, int fd);
void virtual_read(struct import_run *r, int fd);
void passwd_read(struct import_run *r, int fd);

#endif
