/* SPDX-License-Identifier: ISC
 *
 * Tags and the addresses that get them, gathered in order of the addresses
 * and given in order of the tags. In memory; one thread.
 */
#ifndef POLICY_CHANGE_TAG_LIST_H
#define POLICY_CHANGE_TAG_LIST_H

#include "policy/change/rows_feed.h"
#include "relay/base/slice.h"

struct tag_list;

struct tag_list *tag_list_new(void);
void tag_list_free(struct tag_list *l);
/* Both are copied. */
void tag_list_add(struct tag_list *l, struct slice address, struct slice tag);
/* All tags of a row, in canonical form. */
void tag_list_add_all(struct tag_list *l, struct slice address,
    struct slice tags);
size_t tag_list_count(const struct tag_list *l);

/* The pairs, once, in order of key, value, address, which are the first
 * columns of the feed; in parts, as one tag of many addresses need not be given
 * with each. */
struct tag_part {
	struct rows_feed *feed;
	struct slice tag; /* of all rows; p NULL: they have several */
};
void tag_list_sort(struct tag_list *l);
/* The next part; false: there is none. */
bool tag_list_next(struct tag_list *l, struct tag_part *part_out);

#endif
