/* SPDX-License-Identifier: ISC
 *
 * Tags from what a directory says of an entry. The types of recipients are an
 * open list (Remote…, Linked…, new ones with each release), so they are told by
 * the words in them.
 */
#include "policy/import/entry_tags.h"

#include "policy/row.h"

/* clang-format off */
static const struct {
	const char *word, *kind;
} kinds[] = {
	{"Group",       "group"}, /* MailUniversalDistributionGroup, GroupMailbox */
	{"RoomList",    "group"},
	{"Room",        "room"},
	{"Equipment",   "room"}, /* it answers by itself as a room does */
	{"Shared",      "shared"},
	{"TeamMailbox", "shared"},
	{"Contact",     "contact"},
	{"PublicFolder", "public-folder"},
	{"Arbitration", "system"},
	{"AuditLog",    "system"},
	{"Discovery",   "system"},
	{"Monitoring",  "system"},
	{"System",      "system"},
};
/* clang-format on */

void entry_kind(struct slice type, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (slice_case_has(type, slice_str(kinds[i].word))) {
			strbuf_addf(out, " kind=%s", kinds[i].kind);
			return;
		}
}

static bool ends_a_tag(char c)
{
	return (unsigned char)c <= ' ' || c == 127 || c == ',' || c == ';' ||
	       c == '\'' || c == '"';
}

/* At most `room` bytes of its end: whole parts, else whole characters. */
static struct slice end_of(struct slice path, size_t room)
{
	struct slice end;
	long at;

	if (path.n <= room)
		return path;
	end = slice_from(path, path.n - room);
	at = slice_find(end, '/');
	if (at >= 0 && (size_t)at + 1 < end.n)
		return slice_from(end, (size_t)at);
	while (end.n > 0 && ((unsigned char)end.p[0] & 0xc0) == 0x80)
		end = slice_from(end, 1);
	return end;
}

static void put_tag(const char *key, struct slice value, struct strbuf *out)
{
	value = end_of(row_trim(value), TAG_MAX - strlen(key) - 1);
	if (value.n == 0)
		return;
	strbuf_addf(out, " %s=", key);
	for (size_t i = 0; i < value.n; i++)
		strbuf_addc(out, ends_a_tag(value.p[i]) ? '-' : value.p[i]);
}

void entry_unit(struct slice path, struct strbuf *out)
{
	put_tag("ou", path, out);
}

void entry_status(struct slice status, struct strbuf *out)
{
	char low[TAG_MAX];
	size_t n = 0;

	status = row_trim(status);
	if (slice_case_eq(status, SLICE("active")))
		return;
	for (; n < status.n && n < sizeof(low); n++)
		low[n] = ascii_lower(status.p[n]);
	put_tag("status", slice_of(low, n), out);
}

void entry_flag(struct slice cell, const char *status, struct strbuf *out)
{
	cell = row_trim(cell);
	if (slice_case_eq(cell, SLICE("true")) ||
	    slice_case_eq(cell, SLICE("yes")))
		put_tag("status", slice_str(status), out);
}
