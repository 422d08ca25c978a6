/* SPDX-License-Identifier: ISC
 *
 * The recipients that had mail, as they stand in ledger.db: a page at a time.
 * One thread.
 */
#ifndef RELAY_AUDIT_DELIVERED_SEEN_READER_H
#define RELAY_AUDIT_DELIVERED_SEEN_READER_H

#include "conf/conf.h"
#include "relay/base/error.h"

/* In the order of their keys, behind `after`. */
struct seen_page {
	int64_t after; /* INT64_MIN: from the first; moved by the call */
	unsigned limit;
	/* `address`: in its lookup form, borrowed; `last_us`: wall, of the last
	 * delivery to any leg. False: no more of this page. */
	bool (*fn)(void *arg, const char *address, int64_t last_us);
	void *arg;
};

/* Of ledger.db in audit.path of `c`. How many, 0 at the end; or -1: it is not
 * there, of another format, or cannot be read. */
int seen_read(const struct conf *c, struct seen_page *page,
    struct error *err) PH_CHECK;

#endif
