/* SPDX-License-Identifier: ISC
 *
 * Tags of the table from what a directory says of an entry. Each appends one
 * tag with a blank before it, or nothing. Pure.
 */
#ifndef POLICY_IMPORT_ENTRY_TAGS_H
#define POLICY_IMPORT_ENTRY_TAGS_H

#include "relay/base/strbuf.h"

/* RecipientTypeDetails or RecipientType: kind=group, room, shared, contact,
 * public-folder or system; nothing for the mailbox of a person. */
void entry_kind(struct slice type, struct strbuf *out);
/* "/Sales/East Coast": ou=/Sales/East-Coast. Of a path that is longer than a
 * tag the last parts. */
void entry_unit(struct slice path, struct strbuf *out);
/* "Suspended": status=suspended; nothing when it is active. */
void entry_status(struct slice status, struct strbuf *out);
/* True or Yes of a column that is called `status`: its tag. */
void entry_flag(struct slice cell, const char *status, struct strbuf *out);

#endif
