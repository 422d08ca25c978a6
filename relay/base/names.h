/* SPDX-License-Identifier: ISC
 *
 * Leg names and their small numbers, for the life of the process: a leg that
 * leaves the configuration keeps its number, so a delivery that still names
 * it can be read. Only ever added to; any thread. On disk a leg is its name.
 */
#ifndef RELAY_BASE_NAMES_H
#define RELAY_BASE_NAMES_H

#include "relay/base/slice.h"

enum {
	NAMES_MAX = 256,
	NAME_BYTES = 32,    /* longest name */
	ROUTE_LEGS_MAX = 8, /* of one route */
};

struct names;

struct names *names_new(void);
void names_free(struct names *n);
/* The number of a name, adding it when new; -1 when the table is full or the
 * name is empty or over NAME_BYTES. */
int names_id(struct names *n, struct slice name);
int names_find(const struct names *n, struct slice name); /* -1: none */
const char *names_text(const struct names *n, int id); /* "?" when unknown */
int names_count(const struct names *n);

#endif
