/* SPDX-License-Identifier: ISC
 *
 * Watermarks as they stand in ledger.db: for the command line and the daemon,
 * beside the projector that writes them. What is posted and not yet committed
 * is not to be seen. One thread a reader; it holds no transaction between two
 * calls.
 *
 * A watermark speaks only of mail that passed here: a legacy server also
 * delivers inside itself.
 */
#ifndef RELAY_AUDIT_DELIVERED_WATERMARK_READER_H
#define RELAY_AUDIT_DELIVERED_WATERMARK_READER_H

#include "conf/conf.h"
#include "relay/audit/delivered/watermark_row.h"
#include "relay/base/error.h"

struct watermark_reader;

/* ledger.db in the folder audit.path of `c`, which is only read in the call.
 * NULL: it is not there, of another format, or cannot be read. */
struct watermark_reader *watermark_reader_open(const struct conf *c,
    struct error *err) PH_CHECK;
/* The same of the file at `path`. */
struct watermark_reader *watermark_reader_open_at(const char *path,
    const struct conf *c, struct error *err) PH_CHECK;
void watermark_reader_close(struct watermark_reader *r); /* NULL is fine */

/* Deliveries from then on are known (wall, us): "none on record since". */
int64_t watermark_reader_since(const struct watermark_reader *r);

/* Strings are borrowed for the call. */
typedef void watermark_fn(void *arg, const struct watermark *w);

/* Those of one address, in its lookup form, a row a leg. Returns how many, or
 * -1 with `err`. */
int watermark_reader_get(struct watermark_reader *r, struct slice address,
    watermark_fn *fn, void *arg, struct error *err);

/* The key of an address in its lookup form, watermark.recipient. */
int64_t watermark_reader_key(const struct watermark_reader *r,
    struct slice address);

enum watermark_which {
	WATERMARKS_ALL,
	WATERMARKS_TODO, /* not reached, or not told        */
	WATERMARKS_HOOK, /* hook.on_watermark is to be told */
};
/* A page of them, in order of their keys, behind (recipient, leg). */
struct watermark_page {
	enum watermark_which which;
	int64_t recipient; /* INT64_MIN: from the first */
	int leg;	   /* -1 */
	unsigned limit;
	bool full; /* `fn` sets it: the page ends with the row in hand */
	watermark_fn *fn;
	void *arg;
};
/* Moves the page behind the last. Returns how many, or -1. */
int watermark_reader_page(struct watermark_reader *r,
    struct watermark_page *page, struct error *err);

/* Each recipient that ever had mail at a leg, or whose route has left it: its
 * watermark, or one of WATERMARK_NONE where there is none; `address` "": of a
 * delivery whose address is not on record. 0, or -1. */
int watermark_reader_of_leg(struct watermark_reader *r, const char *leg,
    watermark_fn *fn, void *arg, struct error *err);
/* When the last delivery of all on record was (wall, us); 0: none; -1. */
int64_t watermark_reader_last(struct watermark_reader *r, struct error *err);
/* Has it all deliveries since watermark_reader_since()? 1; 0: it is being made
 * again from the index, or an hour of that was missing; -1. */
int watermark_reader_whole(struct watermark_reader *r, struct error *err);

/* Base addresses of a domain that had mail at a leg, in pages. */
struct watermark_domain {
	struct slice domain; /* without the '@' */
	const char *leg;
	int64_t after; /* INT64_MIN: from the first; moves */
	unsigned limit;
	void (*fn)(void *arg, struct slice address);
	void *arg;
};
/* Returns how many rows were looked at, 0 at the end, or -1. */
int watermark_reader_domain(struct watermark_reader *r,
    struct watermark_domain *d, struct error *err);

#endif
