/* SPDX-License-Identifier: ISC
 *
 * How a row of the table of parameters is written: shared by its files.
 */
#ifndef CONF_SCHEMA_INT_H
#define CONF_SCHEMA_INT_H

#include "conf/schema.h"
#include "relay/base/clock.h"

/* The rows of one file; param_next() goes through all. */
struct param_list {
	const struct conf_param *row;
	int n;
};
extern const struct param_list params_common, params_cutover;

#define IN(s) (1u << SEC_##s)
#define HOP (IN(LEG) | IN(EGRESS))
#define C(field) offsetof(struct conf, field)
#define LISTEN(field) offsetof(struct conf_listen, field)
#define LEG(field) offsetof(struct conf_leg, field)
#define DOMAIN(field) offsetof(struct conf_domain, field)
#define VERDICT(field) offsetof(struct conf_verdict, field)
#define COEXIST(field) offsetof(struct conf_coexist, field)

#define MS(n) ((n) * 1LL)
#define SECS(n) ((n) * 1000LL)
#define MINS(n) ((n) * 60000LL)
#define DAYS(n) ((n) * (int64_t)DAY_MS)
#define KIB(n) ((n) * 1024LL)
#define MIB(n) ((n) * 1048576LL)
#define GIB(n) ((n) * 1073741824LL)

/* Timeouts of the protocol may be made very short: tests live on it. */
#define TIMEOUT MS(10), DAYS(1)

#endif
