/* SPDX-License-Identifier: ISC
 *
 * Files of directories and other mail servers: the rows that each format
 * gives, what contradicts itself, and files that end in the middle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/conf_tmp.h"
#include "tests/unit/import_shown.h"

/* ---- exchange ----------------------------------------------------------- */

/* As Export-Csv of PowerShell 5 writes Get-Recipient. */
static const char recipients[] =
    "#TYPE Selected.Microsoft.Exchange.Data.Directory.Management."
    "ReducedRecipient\r\n"
    "\"DisplayName\",\"PrimarySmtpAddress\",\"EmailAddresses\","
    "\"RecipientTypeDetails\"\r\n"
    "\"Lee, Ann\",\"Ann@Example.com\",\"SMTP:Ann@Example.com "
    "smtp:a.lee@example.com X500:/o=First Organization/ou=Exchange "
    "Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=ann,lee "
    "SIP:ann@example.com smtp:ann@old.example\",\"UserMailbox\"\r\n"
    "\"Room 1\",\"room1@example.com\",\"SMTP:room1@example.com\","
    "\"RoomMailbox\"\r\n"
    "\"Sales\",\"sales@b.example\",\"smtp:sell@b.example;"
    "SMTP:sales@b.example\",\"MailUniversalDistributionGroup\"\r\n"
    "\"Guest\",\"\",\"\",\"User\"\r\n";

#define ANN "ann@example.com mailbox=ann@example.com"
#define A_LEE "a.lee@example.com mailbox=ann@example.com"
#define RECIPIENTS "3 " ANN " tags= keys=kind\n" \
	"3 " A_LEE " tags= keys=kind\n" \
	"4 room1@example.com mailbox=room1@example.com tags=kind=room " \
	"keys=kind\n" \
	"5 sales@b.example mailbox=sales@b.example tags=kind=group " \
	"keys=kind\n" \
	"5 sell@b.example mailbox=sales@b.example tags=kind=group keys=kind\n" \
	"left 1 1 0\n"

static void exchange_gives_mailboxes_with_their_aliases(void **state)
{
	import_shown_is(*state, IMPORT_EXCHANGE, SLICE(recipients),
	    RECIPIENTS);
}

static void utf_16_and_marks_change_nothing(void **state)
{
	for (int form = 0; form < 5; form++) {
		struct strbuf out;

		strbuf_init(&out, 1 << 20);
		import_recode(recipients, form, &out);
		import_shown_is(*state, IMPORT_EXCHANGE, strbuf_view(&out),
		    RECIPIENTS);
		strbuf_fini(&out);
	}
}

static void columns_may_stand_in_any_order(void **state)
{
	static const char *const name[] = {"PrimarySmtpAddress",
	    "RecipientTypeDetails", "EmailAddresses", "Unheard of"};
	static const char *const cell[] = {"ann@example.com", "SharedMailbox",
	    "smtp:a.lee@example.com", "x"};

	for (unsigned order = 0; order < 24; order++) {
		unsigned left[4] = {0, 1, 2, 3}, n = 4, rest = order;
		struct strbuf head, row;

		strbuf_init(&head, 1000);
		strbuf_init(&row, 1000);
		for (; n > 0; n--) {
			unsigned i = rest % n, at = left[i];

			rest /= n;
			strbuf_addf(&head, "%s%s", n == 4 ? "" : ",",
			    name[at]);
			strbuf_addf(&row, "%s%s", n == 4 ? "" : ",", cell[at]);
			left[i] = left[n - 1];
		}
		strbuf_addf(&head, "\n%s\n", strbuf_cstr(&row));
		import_shown_is(*state, IMPORT_EXCHANGE, strbuf_view(&head),
		    "2 " ANN " tags=kind=shared keys=kind\n"
		    "2 " A_LEE " tags=kind=shared keys=kind\n"
		    "left 0 0 0\n");
		strbuf_fini(&head);
		strbuf_fini(&row);
	}
}

/* The whole export has these four; the details count, and the other name of a
 * primary address may be an older one. */
static void of_two_columns_for_one_thing_one_counts(void **state)
{
	import_shown_is(*state, IMPORT_EXCHANGE,
	    SLICE("RecipientType,WindowsEmailAddress,PrimarySmtpAddress,"
		  "RecipientTypeDetails\n"
		  "UserMailbox,x@example.com,ann@example.com,RoomMailbox\n"),
	    "2 " ANN " tags=kind=room keys=kind\n"
	    "left 0 0 0\n");
}

static void each_kind_of_recipient_has_its_tag(void **state)
{
	static const struct {
		const char *type, *tag;
	} cases[] = {
	    {"UserMailbox", ""}, {"LinkedMailbox", ""},
	    {"RemoteUserMailbox", ""}, {"MailUser", ""},
	    {"MailUniversalSecurityGroup", "kind=group"},
	    {"MailNonUniversalGroup", "kind=group"},
	    {"DynamicDistributionGroup", "kind=group"},
	    {"GroupMailbox", "kind=group"}, {"RoomList", "kind=group"},
	    {"RemoteRoomMailbox", "kind=room"},
	    {"EquipmentMailbox", "kind=room"},
	    {"RemoteSharedMailbox", "kind=shared"},
	    {"TeamMailbox", "kind=shared"}, {"MailContact", "kind=contact"},
	    {"PublicFolder", "kind=public-folder"},
	    {"ArbitrationMailbox", "kind=system"},
	    {"DiscoveryMailbox", "kind=system"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[400], want[400];

		snprintf(text, sizeof(text), "PrimarySmtpAddress,"
		    "RecipientTypeDetails\nann@example.com,%s\n",
		    cases[i].type);
		snprintf(want, sizeof(want), "2 " ANN " tags=%s keys=kind\n"
		    "left 0 0 0\n", cases[i].tag);
		import_shown_is(*state, IMPORT_EXCHANGE, slice_str(text),
		    want);
	}
}

/* A mailbox that has moved already, and the file of `export coexist`. */
static void a_target_behind_a_leg_says_its_route(void **state)
{
	import_shown_is(*state, IMPORT_EXCHANGE,
	    SLICE("PrimarySmtpAddress,ExternalEmailAddress\n"
		  "ann@example.com,SMTP:ann@tenant.example\n"
		  "bob@example.com,SMTP:bob@elsewhere.example\n"),
	    "2 " ANN " route=cloud tags= at=cloud=ann@tenant.example\n"
	    "3 bob@example.com mailbox=bob@example.com tags=\n"
	    "left 0 0 0\n");
	import_shown_is(*state, IMPORT_EXCHANGE,
	    SLICE("address,targetAddress,change\n"
		  "ann@example.com,smtp:ann@tenant.example,42\n"
		  "bob@example.com,,42\n"),
	    "2 " ANN " route=cloud tags= at=cloud=ann@tenant.example\n"
	    "3 bob@example.com mailbox=bob@example.com tags=\n"
	    "left 0 0 0\n");
}

static void a_plain_target_may_have_any_local_part(void **state)
{
	import_shown_is(*state, IMPORT_EXCHANGE,
	    SLICE("PrimarySmtpAddress,ExternalEmailAddress\n"
		  "ann@example.com,sales/a=b@tenant.example\n"),
	    "2 " ANN " route=cloud tags= at=cloud=sales/a=b@tenant.example\n"
	    "left 0 0 0\n");
}

static void a_target_in_another_mail_system_says_nothing(void **state)
{
	import_shown_is(*state, IMPORT_EXCHANGE,
	    SLICE("PrimarySmtpAddress,ExternalEmailAddress\n"
		  "ann@example.com,NOTES:Ann Lee/Org@Org\n"
		  "bob@example.com,\"X400:c=US;a= ;p=Org;s=Bob\"\n"),
	    "2 " ANN " tags=\n"
	    "3 bob@example.com mailbox=bob@example.com tags=\n"
	    "left 0 0 0\n");
}

struct fault_case {
	const char *text, *why; /* import_fault_is() */
};

static void faults_are(void *state, enum import_format format,
    const struct fault_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		import_fault_is(state, format, slice_str(cases[i].text),
		    cases[i].why);
}

static void what_is_wrong_with_an_entry_is_said(void **state)
{
	static const struct fault_case cases[] = {
	    {"", "1: the file is empty"},
	    {"Name,Alias\nAnn,ann\n", "1: the header has neither "
		"PrimarySmtpAddress nor EmailAddresses"},
	    {"PrimarySmtpAddress,Primary Smtp Address\n",
		"1: the column 'Primary Smtp Address' stands twice"},
	    {"PrimarySmtpAddress,EmailAddresses\nann@example.com,"
	     "SMTP:bob@example.com\n", "2: it has two primary addresses, "
		"ann@example.com and bob@example.com"},
	    {"EmailAddresses\nSMTP:ann@example.com SMTP:bob@example.com\n",
		"2: it has two primary addresses"},
	    {"EmailAddresses\nsmtp:ann@example.com\n",
		"2: it has aliases and no primary address"},
	    {"PrimarySmtpAddress,EmailAddresses\nann@example.com,"
	     "System.Collections.ArrayList\n", "2: 'System.Collections."
		"ArrayList' is the name of a type"},
	    {"PrimarySmtpAddress,EmailAddresses\nann@example.com,"
	     "Microsoft.Exchange.Data.ProxyAddressCollection\n", "-join ';'"},
	    {"PrimarySmtpAddress,EmailAddresses\nann@example.com,nonsense\n",
		"2: 'nonsense' is no address"},
	    {"PrimarySmtpAddress,EmailAddresses\nann@example.com\n",
		"2: 1 cells where the header has 2"},
	    {"PrimarySmtpAddress\nann@@example.com\n", "2: 'ann@@example.com' "
		"is no address"},
	    {"PrimarySmtpAddress\n@example.com\n", "2: '@example.com' is no "
		"address: it has no name before the @"},
	    {"PrimarySmtpAddress,EmailAddresses\nann@example.com,"
	     "smtp:@example.com\n", "2: '@example.com' is no address"},
	    {"PrimarySmtpAddress,targetAddress\nann@example.com,"
	     "SMTP:@tenant.example\n", "2: '@tenant.example' is no address"},
	    {"PrimarySmtpAddress\n\"ann@example.com\n", "2: "},
	    {"PrimarySmtpAddress\nJ\xfcrgen@example.com\n",
		"2: it is not UTF-8"},
	};

	faults_are(*state, IMPORT_EXCHANGE, cases, ARRAY_LEN(cases));
}

/* ---- google ------------------------------------------------------------- */

static void google_gives_users_with_unit_and_status(void **state)
{
	import_shown_is(*state, IMPORT_GOOGLE,
	    SLICE("First Name [Required],Last Name [Required],"
		  "Email Address [Required],Password [Required],"
		  "Org Unit Path [Required],Status [READ ONLY],"
		  "Recovery Email,Home Secondary Email\n"
		  "Ann,Lee,ann@example.com,****,\"/Sales/East, Coast\","
		  "Active,ann@home.example,a@home.example\n"
		  "Bob,,Bob@example.com,****,/,Suspended,,\n"),
	    "2 " ANN " tags=ou=/Sales/East--Coast keys=ou status\n"
	    "3 bob@example.com mailbox=bob@example.com "
	    "tags=ou=/ status=suspended keys=ou status\n"
	    "left 0 0 0\n");
}

static void gam_writes_a_column_for_each_alias(void **state)
{
	import_shown_is(*state, IMPORT_GOOGLE,
	    SLICE("primaryEmail,aliases,aliases.0,aliases.1,"
		  "nonEditableAliases.0,suspended,archived,orgUnitPath\n"
		  "ann@example.com,2,a.lee@example.com,lee@example.com,"
		  "ann@example.com.test-google-a.com,False,True,/X\n"),
	    "2 " ANN " tags=status=archived ou=/X keys=ou status\n"
	    "2 " A_LEE " tags=status=archived ou=/X keys=ou status\n"
	    "2 lee@example.com mailbox=ann@example.com "
	    "tags=status=archived ou=/X keys=ou status\n"
	    "left 1 0 0\n");
}

/* A path of 80 characters; the tag has 64 at most. */
static void a_long_unit_is_known_by_its_end(void **state)
{
	import_shown_is(*state, IMPORT_GOOGLE,
	    SLICE("email,orgunitpath\nann@example.com,/aaaaaaaaaaaaaaaaaaaa/"
		  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/cccccccccccccccccccccccccccc"
		  "\nann2@example.com,\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
		  "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
		  "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
		  "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
		  "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\n"),
	    "2 " ANN " tags=ou=/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/"
	    "cccccccccccccccccccccccccccc keys=ou\n"
	    "3 ann2@example.com mailbox=ann2@example.com tags=ou="
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 keys=ou\n"
	    "left 0 0 0\n");
}

/* ---- maps of Postfix ---------------------------------------------------- */

static void transport_rows_are_legs_and_answers(void **state)
{
	import_shown_is(*state, IMPORT_TRANSPORT,
	    SLICE("# a comment\n"
		  "ann@example.com\tsmtp:[192.0.2.20]:25\n"
		  "\n"
		  "b.example smtp:[MAIL-OLD.example.com.]\n"
		  "bob@example.com\n"
		  "  # between\n"
		  "\n"
		  "   relay:mail-old.example.com\n"
		  "\"c d\"@example.com :[IPv6:2001:DB8:0::20]\n"
		  "dan@example.com smtp:[nowhere.example], [192.0.2.20]\n"
		  "e@example.com error:mailbox is gone\n"
		  "f@example.com error:5.1.6 moved\n"
		  "g@example.com retry:later\n"
		  "h@example.com lmtp:inet:192.0.2.20:smtp\n"
		  "i@example.com smtp:by-mx.example\n"
		  "tenant.example smtp:[192.0.2.20]\n"
		  ".sub.example smtp:[x]\n"
		  "* smtp:[smarthost]\n"),
	    "2 ann@example.com route=cloud\n"
	    "4 @b.example route=legacy\n"
	    "5 bob@example.com route=legacy\n"
	    "9 \"c d\"@example.com route=cloud\n"
	    "10 dan@example.com route=cloud\n"
	    "11 e@example.com route=reject\n"
	    "12 f@example.com route=gone\n"
	    "13 g@example.com route=defer\n"
	    "14 h@example.com route=cloud\n"
	    "15 i@example.com route=third\n"
	    "left 1 0 2\n");
}

static void a_port_tells_legs_of_one_host_apart(void **state)
{
	import_shown_is(*state, IMPORT_TRANSPORT,
	    SLICE("ann@example.com smtp:[twin.example]:2525\n"
		  "bob@example.com smtp:[twin.example]:2626\n"),
	    "1 ann@example.com route=twin1\n"
	    "2 bob@example.com route=twin2\n"
	    "left 0 0 0\n");
	import_fault_is(*state, IMPORT_TRANSPORT,
	    SLICE("ann@example.com smtp:[twin.example]\n"),
	    "1: several legs have the host of 'smtp:[twin.example]': write "
	    "its port");
}

static void a_wrong_line_of_a_map_says_why(void **state)
{
	static const struct fault_case cases[] = {
	    {"ann@example.com smtp:[nowhere.example]\n",
		"1: no leg of the configuration has the host"},
	    {"ann@example.com :\n", "1: ':' names no host"},
	    {"\nann@example.com local:\n", "2: 'local:' names no host"},
	    {"ann@example.com lmtp:unix:/run/lmtp\n", "1: no leg"},
	    {"ann@example.com discard:\n", "say by --route"},
	    {"ann@example.com cloud\n", "1: 'cloud' is no next hop"},
	    {"ann@example.com\n", "1: 'ann@example.com' stands alone"},
	    {"  smtp:[x]\n", "1: it begins with a blank"},
	    {".example smtp:[x]\n", "1: '.example' is about b.example too"},
	    {"ann@@example.com smtp:[x]\n", "is no address"},
	};

	faults_are(*state, IMPORT_TRANSPORT, cases, ARRAY_LEN(cases));
}

#define PATTERNS "1: it is a line of a map of patterns"

static void a_map_of_patterns_is_refused(void **state)
{
	static const struct fault_case cases[] = {
	    {"/^ann@/ smtp:[192.0.2.20]\n", PATTERNS},
	    {"!/^ann@/ smtp:[192.0.2.20]\n", PATTERNS},
	    {"if /^ann@/\n", PATTERNS},
	    {"if !/^ann@/\n", PATTERNS},
	};

	faults_are(*state, IMPORT_TRANSPORT, cases, ARRAY_LEN(cases));
	faults_are(*state, IMPORT_VIRTUAL, cases, ARRAY_LEN(cases));
}

static void virtual_aliases_end_at_mailboxes(void **state)
{
	import_shown_is(*state, IMPORT_VIRTUAL,
	    SLICE("example.com anything\n"
		  "info@example.com ann@example.com\n"
		  "x@example.com\n  INFO@example.com\n"
		  "bob bob@b.example\n"
		  "self@example.com self@example.com\n"),
	    "5 bob@example.com mailbox=bob@b.example\n"
	    "5 bob@b.example mailbox=bob@b.example\n"
	    "2 info@example.com mailbox=ann@example.com\n"
	    "2 ann@example.com mailbox=ann@example.com\n"
	    "6 self@example.com\n"
	    "3 x@example.com mailbox=ann@example.com\n"
	    "3 ann@example.com mailbox=ann@example.com\n"
	    "left 0 0 1\n");
}

static void virtual_groups_forwards_and_other_legs(void **state)
{
	import_shown_is(*state, IMPORT_VIRTUAL,
	    SLICE("all@example.com list@example.com\n"
		  "list@example.com ann@example.com,\n\tbob@example.com\n"
		  "fwd@example.com ann@elsewhere.example\n"
		  "moved@example.com m@tenant.example\n"
		  "old@example.com moved@example.com\n"
		  "@b.example @tenant.example\n"
		  "@example.com ann@example.com\n"
		  "x@elsewhere.example ann@example.com\n"),
	    "7 @b.example route=cloud at=cloud=@tenant.example\n"
	    "1 all@example.com mailbox=list@example.com tags=kind=group "
	    "keys=kind\n"
	    "4 fwd@example.com tags=kind=forward keys=kind\n"
	    "2 list@example.com mailbox=list@example.com tags=kind=group "
	    "keys=kind\n"
	    "5 moved@example.com mailbox=moved@example.com route=cloud "
	    "at=cloud=m@tenant.example\n"
	    "6 old@example.com mailbox=moved@example.com route=cloud "
	    "at=cloud=m@tenant.example\n"
	    "left 1 0 1\n");
}

static void a_catch_all_is_no_row_of_its_domain(void **state)
{
	import_shown_is(*state, IMPORT_VIRTUAL,
	    SLICE("@example.com m@tenant.example\n"
		  "@b.example ann@b.example, bob@b.example\n"),
	    "left 0 0 2\n");
}

static void a_target_of_a_domain_alone_keeps_the_name(void **state)
{
	import_shown_is(*state, IMPORT_VIRTUAL,
	    SLICE("x@example.com @tenant.example\n"
		  "y@example.com @b.example\n"),
	    "1 x@example.com route=cloud at=cloud=x@tenant.example\n"
	    "2 y@example.com mailbox=y@b.example\n"
	    "2 y@b.example mailbox=y@b.example\n"
	    "left 0 0 0\n");
}

static void a_bare_key_with_a_dot_must_be_a_domain_of_ours(void **state)
{
	import_shown_is(*state, IMPORT_VIRTUAL,
	    SLICE("B.Example anything\nif bob\n"),
	    "2 if@example.com mailbox=bob@example.com\n"
	    "2 bob@example.com mailbox=bob@example.com\n"
	    "left 0 0 1\n");
	import_fault_is(*state, IMPORT_VIRTUAL, SLICE("\nann.lee bob\n"),
	    "2: 'ann.lee' is no domain of the configuration: if it is a name, "
	    "write its domain behind an @");
}

static void aliases_that_contradict_or_circle_are_named(void **state)
{
	static const struct fault_case cases[] = {
	    {"a@example.com b@example.com\na@example.com c@example.com\n",
		"2: a@example.com leads elsewhere than on line 1"},
	    {"a@example.com b@example.com\nb@example.com a@example.com\n",
		"1: a@example.com leads to itself"},
	    {"a@example.com ,\n", "1: there is no target"},
	};

	faults_are(*state, IMPORT_VIRTUAL, cases, ARRAY_LEN(cases));
	import_shown_is(*state, IMPORT_VIRTUAL,
	    SLICE("a@example.com a@example.com\nA@example.com "
		  "a@example.com\n"), "1 a@example.com\nleft 0 0 0\n");
}

/* ---- passwd ------------------------------------------------------------- */

static void passwd_gives_users_in_the_range(void **state)
{
	static const struct fault_case cases[] = {
	    {"ann:x:1000\n", "1: it has 3 fields where passwd has 7"},
	    {"\nann:x:u:1:::\n", "2: the uid 'u' is no number"},
	    {"a@b:x:1000:1:::\n", "1: 'a@b' is no name of a user"},
	    {":x:1000:1:::\n", "1: '' is no name of a user"},
	};

	import_shown_is(*state, IMPORT_PASSWD,
	    SLICE("root:x:0:0:root:/root:/bin/bash\n"
		  "ann:x:1000:1000:Ann Lee,,,:/home/ann:/bin/bash\r\n"
		  "# a comment\n+nis::::::\n\n"
		  "Bob:*:1001:1001:class:0:0:Bob:/home/bob:/bin/sh\n"
		  "nobody:x:65534:65534:nobody:/:/bin/false\n"),
	    "2 ann@example.com\n6 bob@example.com\nleft 0 0 2\n");
	faults_are(*state, IMPORT_PASSWD, cases, ARRAY_LEN(cases));
}

/* ---- cut ---------------------------------------------------------------- */

/* A file that ends early gives a beginning of its rows, or a fault. */
static void cut_at_each_byte(void *state, enum import_format format,
    struct slice text)
{
	for (size_t n = 0; n <= text.n; n++)
		import_cut_is_well(state, format, text, n);
}

static void files_that_end_at_any_byte_are_taken_or_refused(void **state)
{
	struct strbuf wide;

	cut_at_each_byte(*state, IMPORT_EXCHANGE, SLICE(recipients));
	strbuf_init(&wide, 1 << 20);
	import_recode(recipients, 1, &wide);
	cut_at_each_byte(*state, IMPORT_EXCHANGE, strbuf_view(&wide));
	strbuf_fini(&wide);
	cut_at_each_byte(*state, IMPORT_GOOGLE,
	    SLICE("Email Address [Required],Org Unit Path [Required],alias\n"
		  "ann@example.com,/Sales,a.lee@example.com\n"));
	cut_at_each_byte(*state, IMPORT_TRANSPORT,
	    SLICE("ann@example.com smtp:[192.0.2.20]\n"
		  "bob@example.com\n  smtp:[192.0.2.20]\n"));
	cut_at_each_byte(*state, IMPORT_VIRTUAL,
	    SLICE("b@example.com b@example.com\n"
		  "a@example.com b@example.com,\n c@example.com\n"
		  "d@example.com a@example.com\n"));
	cut_at_each_byte(*state, IMPORT_PASSWD,
	    SLICE("ann:x:1000:1000:Ann:/home/ann:/bin/bash\n"
		  "bob:x:1001:1001:Bob:/home/bob:/bin/bash\n"));
}

static void a_line_that_never_ends_is_refused(void **state)
{
	struct strbuf text;

	strbuf_init(&text, 4 << 20);
	strbuf_adds(&text, "list@example.com a@example.com\n");
	while (text.n < 2 << 20)
		strbuf_adds(&text, "  ,someone.else@example.com\n");
	import_fault_is(*state, IMPORT_VIRTUAL, strbuf_view(&text),
	    "1: it is longer than 1048576 bytes");
	strbuf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(exchange_gives_mailboxes_with_their_aliases),
	    cmocka_unit_test(utf_16_and_marks_change_nothing),
	    cmocka_unit_test(columns_may_stand_in_any_order),
	    cmocka_unit_test(of_two_columns_for_one_thing_one_counts),
	    cmocka_unit_test(each_kind_of_recipient_has_its_tag),
	    cmocka_unit_test(a_target_behind_a_leg_says_its_route),
	    cmocka_unit_test(a_plain_target_may_have_any_local_part),
	    cmocka_unit_test(a_target_in_another_mail_system_says_nothing),
	    cmocka_unit_test(what_is_wrong_with_an_entry_is_said),
	    cmocka_unit_test(google_gives_users_with_unit_and_status),
	    cmocka_unit_test(gam_writes_a_column_for_each_alias),
	    cmocka_unit_test(a_long_unit_is_known_by_its_end),
	    cmocka_unit_test(transport_rows_are_legs_and_answers),
	    cmocka_unit_test(a_port_tells_legs_of_one_host_apart),
	    cmocka_unit_test(a_wrong_line_of_a_map_says_why),
	    cmocka_unit_test(virtual_aliases_end_at_mailboxes),
	    cmocka_unit_test(virtual_groups_forwards_and_other_legs),
	    cmocka_unit_test(a_catch_all_is_no_row_of_its_domain),
	    cmocka_unit_test(a_target_of_a_domain_alone_keeps_the_name),
	    cmocka_unit_test(a_bare_key_with_a_dot_must_be_a_domain_of_ours),
	    cmocka_unit_test(a_map_of_patterns_is_refused),
	    cmocka_unit_test(aliases_that_contradict_or_circle_are_named),
	    cmocka_unit_test(passwd_gives_users_in_the_range),
	    cmocka_unit_test(files_that_end_at_any_byte_are_taken_or_refused),
	    cmocka_unit_test(a_line_that_never_ends_is_refused),
	};

	return cmocka_run_group_tests(tests, import_shown_setup,
	    import_shown_teardown);
}
