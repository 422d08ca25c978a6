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
	SEC_SPF,
	SEC_DSN,
	SEC_RETURN,
	SEC_SRS,
	SEC_TOKEN,
	SEC_PROBE,
	SEC_ALARM,
	SEC_HOOK,
	SEC_OUTBOUND,
	SEC_TABLE,
	SEC_SPOOL,
	SEC_AUDIT,
	SEC_CONTROL,
	SEC_RESOLVER,
	SEC_LIMITS,
	SEC_RETRY,
	SEC_QUEUE,
	SEC_WAVE,
	SEC_PROPAGATION,
	SEC_VERDICT,
	SEC_COEXIST,
	SEC_LOG,
	SECTIONS
};

struct section_info {
	const char *name;
	const char *title; /* of a section with a name: one for the sample; ""
			    * where it may stand without one */
	size_t size;	   /* of its struct; 0: its fields are in conf */
	enum effect effect; /* of adding or removing one */
	const char *help;
	const char *more; /* a further section for the sample, or NULL */
};

extern const struct section_info section_table[SECTIONS];
/* Rows in all. */
int param_count(void);

/* May it stand with a name or without one? Then that is "". */
bool section_name_optional(const struct section_info *s);
/* -1: none. */
int section_find(const char *name);
const struct conf_param *param_find(enum section s, const char *name);
/* Those of one section in order: start with NULL; NULL at the end. */
const struct conf_param *param_next(enum section s, const struct conf_param *p);
/* The n-th row of all, from 0. */
const struct conf_param *param_at(int n);
const char *effect_text(enum effect e);

/* A name that a later version has: the text to refuse it with, or NULL. With
 * a `value` the question is for that value of a key that exists. */
bool schema_reserved(enum section s, const char *key, const char *value);
/* The nearest name to a mistyped one, or NULL when none is near. */
const char *schema_nearest(enum section s, const char *name);

#endif
