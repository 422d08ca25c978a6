/* SPDX-License-Identifier: ISC
 *
 * The values of a row as the table keeps them: text in one canonical form,
 * so that two equal values are equal bytes (undo compares them). Pure.
 *
 *   route      "legacy+cloud"
 *   tags       "sales wave-1"            sorted, each once, a blank between
 *   addresses  "cloud=ann@t.example"     sorted by leg, LF between (a quoted
 *                                        local part may hold blanks)
 */
#ifndef POLICY_ROW_H
#define POLICY_ROW_H

#include "policy/table.h"
#include "relay/mail/addr.h"

enum { ROW_TEXT_MAX = 4096, TAG_MAX = 64, MAILBOX_MAX = 320 };

/* A stored route; legs that `names` lacks are added. ROUTE_NONE when it can
 * not be read. */
void row_route(struct slice text, struct names *names, struct route *route_out);
/* Blanks and commas separate, semicolons do not. 0, or -1 and why. */
int row_tags(struct slice in, struct strbuf *out, struct error *err) PH_CHECK;
/* Tags with those of `add`, without those of `drop`; all in canonical form. */
int row_patch_tags(struct slice tags, struct slice add, struct slice drop,
    struct strbuf *out, struct error *err) PH_CHECK;
/* Tags without those that have one of the keys (row_tag_parts()), a blank
 * between each. */
void row_drop_keys(struct slice tags, struct slice keys, struct strbuf *out);
bool row_has_tag(struct slice tags, struct slice tag);
/* "client=apple" is key "client", value "apple"; "vip" and "=vip" have no key.
 */
void row_tag_parts(struct slice tag, struct slice *key_out,
    struct slice *value_out);
/* The rewrites of `old` with those of `patch` put over them; an empty
 * address in the patch clears its leg. */
void row_addresses(struct slice old, struct slice patch, struct strbuf *out);
/* The next "leg=address"; false at the end. */
bool row_next_address(struct slice *rest, struct slice *leg_out,
    struct slice *address_out);
/* Without blanks at the ends, also those that only typesetters know. */
struct slice row_trim(struct slice s);
/* An address without what it is copied with: blanks, a name and brackets,
 * "mailto:", "SMTP:". -1: it belongs to another system ("X500:…"). Nothing
 * else is checked. */
int row_address(struct slice text, struct slice *address_out,
    struct error *err) PH_CHECK;
/* Key of an address, or of "@domain", as people write and copy them. */
int row_key(struct slice text, struct strbuf *key_out, struct error *err)
    PH_CHECK;
/* The same as text that ends with NUL. */
int row_key_text(struct slice text, char key_out[ADDR_MAX], struct error *err)
    PH_CHECK;
/* The part after the '@'. */
struct slice row_domain(struct slice key);
/* A mailbox name: printable, no blank at its ends. */
int row_mailbox(struct slice in, struct error *err) PH_CHECK;

#endif
