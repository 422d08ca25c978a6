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

/* Rows of a file have the same few sets of tags. Where one of `places` keeps
 * what is known of such a text: a cheap hash, as a collision costs time
 * alone. */
static inline size_t tag_text_place(struct slice text, size_t places)
{
	uint32_t h = 2166136261; /* FNV-1a */

	for (size_t i = 0; i < text.n; i++)
		h = (h ^ (unsigned char)text.p[i]) * 16777619;
	return (h ^ h >> 16) % places;
}

#endif
