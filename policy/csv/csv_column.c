/* SPDX-License-Identifier: ISC
 *
 * Headings are compared without case, blanks, '-', '_', '.' and what stands
 * in brackets behind them: Google writes "Email Address [Required]",
 * Exchange "PrimarySmtpAddress". A heading that is not known is refused, for
 * it may be a column of ours, mistyped.
 */
#include "policy/csv/csv_column.h"

#include "relay/base/mem.h"

static const char several[] = "a cell with several addresses: make a row of "
			      "each, all with the same mailbox";
static const char elsewhere[] = "call it LEG_address, by the leg on which "
				"the recipient has that name";

/* clang-format off */
static const struct {
	const char *name;
	enum csv_what what;
} known[] = {
	{"address",              CSV_ADDRESS},
	{"email",                CSV_ADDRESS},
	{"emailaddress",         CSV_ADDRESS},
	{"mail",                 CSV_ADDRESS},
	{"mailaddress",          CSV_ADDRESS},
	{"smtpaddress",          CSV_ADDRESS},
	{"primaryaddress",       CSV_ADDRESS},
	{"primaryemail",         CSV_ADDRESS}, /* Google's Directory API */
	{"primaryemailaddress",  CSV_ADDRESS},
	{"primarysmtpaddress",   CSV_ADDRESS}, /* Get-Mailbox, Get-Recipient */
	{"windowsemailaddress",  CSV_ADDRESS},
	{"recipient",            CSV_ADDRESS},
	{"recipientaddress",     CSV_ADDRESS},
	{"route",                CSV_ROUTE},
	{"mailbox",              CSV_MAILBOX},
	{"mailboxname",          CSV_MAILBOX},
	{"tags",                 CSV_TAGS},
	{"tag",                  CSV_TAGS},
	{"labels",               CSV_TAGS},

	{"alias",                CSV_UNUSED},
	{"city",                 CSV_UNUSED},
	{"comment",              CSV_UNUSED},
	{"company",              CSV_UNUSED},
	{"costcenter",           CSV_UNUSED},
	{"country",              CSV_UNUSED},
	{"database",             CSV_UNUSED},
	{"department",           CSV_UNUSED},
	{"description",          CSV_UNUSED},
	{"displayname",          CSV_UNUSED},
	{"distinguishedname",    CSV_UNUSED},
	{"employeeid",           CSV_UNUSED},
	{"employeetitle",        CSV_UNUSED},
	{"employeetype",         CSV_UNUSED},
	{"exchangeguid",         CSV_UNUSED},
	{"externaldirectoryobjectid", CSV_UNUSED},
	{"familyname",           CSV_UNUSED},
	{"firstname",            CSV_UNUSED},
	{"fullname",             CSV_UNUSED},
	{"givenname",            CSV_UNUSED},
	{"guid",                 CSV_UNUSED},
	{"identity",             CSV_UNUSED},
	{"initials",             CSV_UNUSED},
	{"jobtitle",             CSV_UNUSED},
	{"lastname",             CSV_UNUSED},
	{"lastsignin",           CSV_UNUSED},
	{"legacyexchangedn",     CSV_UNUSED},
	{"manageremail",         CSV_UNUSED},
	{"name",                 CSV_UNUSED},
	{"notes",                CSV_UNUSED},
	{"objectclass",          CSV_UNUSED},
	{"office",               CSV_UNUSED},
	{"organizationalunit",   CSV_UNUSED},
	{"orgunitpath",          CSV_UNUSED},
	{"pscomputername",       CSV_UNUSED},
	{"recipienttype",        CSV_UNUSED},
	{"recipienttypedetails", CSV_UNUSED},
	{"runspaceid",           CSV_UNUSED},
	{"samaccountname",       CSV_UNUSED},
	{"servername",           CSV_UNUSED},
	{"sn",                   CSV_UNUSED},
	{"status",               CSV_UNUSED},
	{"surname",              CSV_UNUSED},
	{"title",                CSV_UNUSED},
	{"userprincipalname",    CSV_UNUSED},
	{"whenchanged",          CSV_UNUSED},
	{"whencreated",          CSV_UNUSED},
};

/* Headings that could mean more than one thing; the sentence says what to write
 * instead. */
static const struct {
	const char *name, *why;
} refused[] = {
	{"emailaddresses",       several},
	{"proxyaddresses",       several},
	{"aliases",              several},
	{"targetaddress",        elsewhere},
	{"externalemailaddress", elsewhere},
	{"remoteroutingaddress", elsewhere},
};
/* clang-format on */

static bool is_between(char c)
{
	return c == ' ' || c == '\t' || c == '-' || c == '_' || c == '.';
}

struct slice csv_heading(struct slice heading, char out[CSV_HEADING])
{
	size_t n = 0;

	for (size_t i = 0; i < heading.n && n < CSV_HEADING; i++) {
		if (heading.p[i] == '[' && i > 0)
			break;
		if (!is_between(heading.p[i]))
			out[n++] = ascii_lower(heading.p[i]);
	}
	return slice_of(out, n);
}

/* LEG_address as we write it; when `loosely`, LEG address and LegAddress. */
static bool names_leg(struct slice heading, const char *leg, bool loosely)
{
	struct slice suffix = loosely ? SLICE("address") : SLICE("_address");
	struct slice name = slice_str(leg);
	char a[CSV_HEADING], b[CSV_HEADING];

	if (loosely) {
		heading = csv_heading(heading, a);
		name = csv_heading(name, b);
	}
	return slice_case_ends(heading, suffix) &&
	       slice_case_eq(slice_head(heading, heading.n - suffix.n), name);
}

static bool takes_leg(struct slice heading, const struct conf *c,
    bool loosely, struct csv_column *column)
{
	for (int i = 0; i < c->legs; i++) {
		if (c->leg[i].egress ||
		    !names_leg(heading, c->leg[i].name, loosely))
			continue;
		*column = (struct csv_column){CSV_LEG,
		    slice_str(c->leg[i].name)};
		return true;
	}
	return false;
}

static int not_known(struct slice heading, struct slice name,
    struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (slice_eq(name, slice_str(refused[i].name)))
			return error_set(err, "the column '%.*s': %s",
			    (int)heading.n, heading.p, refused[i].why);
	if (slice_find(heading, '@') >= 0)
		return error_set(err, "the header is missing: the first line "
		    "must name the columns, such as address,route, and is "
		    "'%.*s'", (int)slice_head(heading, 60).n, heading.p);
	return error_set(err, "the column '%.*s' is none of address, route, "
	    "mailbox, tags and LEG_address of a leg of the configuration; "
	    "leave it out or rename it", (int)slice_head(heading, 60).n,
	    heading.p);
}

int csv_column_named(struct slice heading, const struct conf *c,
    struct csv_column *column_out, struct error *err)
{
	char text[CSV_HEADING];
	struct slice name;

	heading = slice_trim(heading);
	name = csv_heading(heading, text);
	*column_out = (struct csv_column){CSV_UNNAMED, {"", 0}};
	/* A leg may be called "mail": its own column comes first, what is
	 * only like it comes last. */
	if (heading.n == 0 || takes_leg(heading, c, false, column_out))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (slice_eq(name, slice_str(known[i].name))) {
			column_out->what = known[i].what;
			return 0;
		}
	if (takes_leg(heading, c, true, column_out))
		return 0;
	return not_known(heading, name, err);
}
