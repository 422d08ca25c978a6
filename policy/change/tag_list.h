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
/* Those that follow get their tags at this address; copied. */
void tag_list_address(struct tag_list *l, struct slice address);
void tag_list_add(struct tag_list *l, struct slice tag);
size_t tag_list_count(const struct tag_list *l);
/* The pairs, once, in order of key, value, address: columns of these names. */
struct rows_feed *tag_list_feed(struct tag_list *l);

#endif
