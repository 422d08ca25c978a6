/* SPDX-License-Identifier: ISC
 *
 * THE table of what may be said in posthouse.conf. The parser, the sample,
 * posthouse.conf(5) and the report of a reload are made from it; a new
 * parameter is a row here and a field in conf.h. Constant; any thread.
 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include "conf/types.h"

enum section {
	SEC_TOP, /* outside any section */
	SEC_LISTEN,
	SEC_LEG,
	SEC_EGRESS,
	SEC_DOMAIN,
	SEC_DSN,
	SEC_RETURN,
	SEC_TOKEN,
	SEC_PROBE,
	SEC_ALARM,
	SEC_OUTBOUND,
	SEC_TABLE,
	SEC_SPOOL,
	SEC_AUDIT,
	SEC_CONTROL,
	SEC_RESOLVER,
	SEC_LIMITS,
	SEC_RETRY,
	SEC_QUEUE,
	SEC_LOG,
	SECTIONS
};

/* When a changed value takes effect after a reload. */
enum effect { LIVE, NEW_SESSIONS, RESTART };

struct section_info {
	const char *name;
	const char *title; /* of a section with a name: one for the sample */
	size_t size;	   /* of its struct; 0: its fields are in conf */
	enum effect effect; /* of adding or removing one */
	const char *help;
	const char *more; /* a further section for the sample, or NULL */
};

struct param {
	unsigned in; /* sections that have it, a bit each */
	const char *name;
	const struct conf_type *type;
	size_t offset;	 /* in conf, or in the struct of its section */
	const char *def; /* a list's elements stand with blanks between */
	int64_t min, max; /* of a number: in ms, bytes or ones */
	enum effect effect;
	const char *example; /* in the sample instead of the default */
	const char *help;    /* whole sentences */
};

extern const struct section_info section_table[SECTIONS];
extern const struct param param_table[];
extern const int param_count;

/* -1: none. */
int section_find(const char *name);
const struct param *param_find(enum section s, const char *name);
/* Those of one section in order: start with NULL; NULL at the end. */
const struct param *param_next(enum section s, const struct param *p);
const char *effect_text(enum effect e);

/* A name that a later version has: the text to refuse it with, or NULL. With
 * a `value` the question is for that value of a key that exists. */
bool schema_reserved(enum section s, const char *key, const char *value);
/* The nearest name to a mistyped one, or NULL when none is near. */
const char *schema_nearest(enum section s, const char *name);

#endif
