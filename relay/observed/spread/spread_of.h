/* SPDX-License-Identifier: ISC
 *
 * Judges the change of one domain's MX by what is known of it: the looks of
 * the daemon (observed.db) and what a person has stated (the file of the
 * cutover table). Reads files; any thread that may wait.
 */
#ifndef RELAY_OBSERVED_SPREAD_SPREAD_OF_H
#define RELAY_OBSERVED_SPREAD_SPREAD_OF_H

#include "conf/conf.h"
#include "policy/propagation/file/stated.h"
#include "relay/observed/spread/spread_rows.h"

struct spread_asked {
	const struct conf *conf; /* its folders, propagation.* */
	const char *domain;	 /* in normal form */
	const char *leg; /* that is left; NULL: each that is not ourselves */
	int64_t now_us;	 /* wall clock */
};

struct spread_found {
	struct spread_judged judged; /* its `worst` is in rows.server */
	struct spread_facts facts;   /* for spread_server_state() */
	struct spread_rows rows;
	struct stated stated; /* .what.changed_us 0: nothing is stated */
};

/* -1: a file is missing, damaged or of another version, with what is wrong in
 * `err`; nothing is known then. A domain that was never looked at is found,
 * as SPREAD_UNKNOWN. */
int spread_of(const struct spread_asked *q, struct arena *a,
    struct spread_found *out, struct error *err) PH_CHECK;

#endif
