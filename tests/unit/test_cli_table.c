/* SPDX-License-Identifier: ISC
 *
 * The commands that read and change the cutover table, without a daemon: what
 * each says and how it ends, in the order of the lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "relay/base/mem.h"
#include "tests/unit/cli_rig.h"
#include "tests/unit/conf_tmp.h"

/* "DIR" stands for the test's folder, in both. */
struct line {
	const char *say;
	int code;
	const char *out;
};

static const char conf_text[] =
    "hostname = \"relay.test\"\n"
    "leg \"legacy\" { hosts = \"127.0.0.1:1\" tls = \"none\" }\n"
    "leg \"cloud\" { hosts = \"127.0.0.1:1\" tls = \"none\" }\n"
    "domain \"a.example\" { route = \"legacy\" customer = \"acme\"\n"
    "    unknown = \"reject\" }\n"
    "domain \"b.example\" { route = \"cloud\" }\n"
    "table { path = \"DIR/cutover.db\" }\n"
    "spool { path = \"DIR/spool\" }\n"
    "audit { path = \"DIR/audit\" }\n"
    "control { socket = \"DIR/sock\" }\n";

/* `text` with each `from` replaced. */
static char *replaced(const char *text, const char *from, const char *to)
{
	struct strbuf b;
	const char *at;
	char *copy;

	strbuf_init(&b, 2 * CLI_RIG_OUT);
	for (; (at = strstr(text, from)) != NULL; text = at + strlen(from)) {
		strbuf_add(&b, text, (size_t)(at - text));
		strbuf_adds(&b, to);
	}
	strbuf_adds(&b, text);
	copy = mem_strdup(strbuf_cstr(&b));
	strbuf_fini(&b);
	return copy;
}

static void write_files(const char *dir)
{
	char *conf = replaced(conf_text, "DIR", dir);

	conf_tmp_write(dir, "posthouse.conf", conf);
	conf_tmp_write(dir, "in.csv", "address,route,tags\n"
	    "bob@a.example,cloud,wave-2\nnew@b.example,legacy,\n");
	conf_tmp_write(dir, "all.csv", "address,route\n"
	    "@a.example,cloud\n");
	conf_tmp_write(dir, "bad.csv", "address,route\n"
	    "bob@a.example,nowhere\nx y,cloud\n");
	mem_free(conf);
}

static void run_lines(const char *dir, const struct line *line, size_t n)
{
	char *out = mem_new(CLI_RIG_OUT);

	write_files(dir);
	for (size_t i = 0; i < n; i++) {
		char *say = replaced(line[i].say, "DIR", dir), *got;
		int code = cli_rig_run(dir, say, NULL, out);

		got = replaced(out, dir, "DIR");
		assert_string_equal(got, line[i].out);
		assert_int_equal(code, line[i].code);
		mem_free(say);
		mem_free(got);
	}
	mem_free(out);
}

static void rows_are_listed_and_counted(void **state)
{
	static const struct line lines[] = {
		{"route set cloud+legacy ann@a.example --address "
		    "cloud=ann@t.example --tag wave-1 --tag vip --mailbox ann "
		    "--note 'a first try'", 0,
		    "change 2: 1 recipient\n"},
		{"route set legacy bob@a.example --tag wave-2", 0,
		    "change 3: 1 recipient\n"},
		{"route list", 0,
		    "ADDRESS        ROUTE         HELD  MAILBOX  "
		    "TAGS        ADDRESSES            CHANGE\n"
		    "@a.example     legacy        -     -        -   "
		    "        -                         1\n"
		    "@b.example     cloud         -     -        -   "
		    "        -                         1\n"
		    "ann@a.example  cloud+legacy  -     ann      vip "
		    "wave-1  cloud=ann@t.example       2\n"
		    "bob@a.example  legacy        -     -        "
		    "wave-2      -                         3\n"
		    "4 rows\n"},
		{"route list --json --leg cloud", 0,
		    "{\"address\":\"@b.example\",\"route\":\"cloud\","
		    "\"held\":false,\"mailbox\":\"\",\"tags\":[],"
		    "\"addresses\":{},\"change\":1}\n"
		    "{\"address\":\"ann@a.example\","
		    "\"route\":\"cloud+legacy\",\"held\":false,"
		    "\"mailbox\":\"ann\",\"tags\":[\"vip\","
		    "\"wave-1\"],"
		    "\"addresses\":{\"cloud\":\"ann@t.example\"},"
		    "\"change\":2}\n"},
		{"route list --limit 2", 0,
		    "ADDRESS     ROUTE   HELD  MAILBOX  TAGS  "
		    "ADDRESSES  CHANGE\n"
		    "@a.example  legacy  -     -        -     -      "
		    "         1\n"
		    "@b.example  cloud   -     -        -     -      "
		    "         1\n"
		    "there are more\n"},
		{"route list --limit 4", 0,
		    "ADDRESS        ROUTE         HELD  MAILBOX  "
		    "TAGS        ADDRESSES            CHANGE\n"
		    "@a.example     legacy        -     -        -   "
		    "        -                         1\n"
		    "@b.example     cloud         -     -        -   "
		    "        -                         1\n"
		    "ann@a.example  cloud+legacy  -     ann      vip "
		    "wave-1  cloud=ann@t.example       2\n"
		    "bob@a.example  legacy        -     -        "
		    "wave-2      -                         3\n"
		    "4 rows\n"},
		{"route list --limit few", 2,
		    "posthouse: --limit wants a number, not few\n"
		    "usage: posthouse route list\n"
		    "More: posthouse route list --help\n"},
		{"route list --tag vip", 0,
		    "ADDRESS        ROUTE         HELD  MAILBOX  "
		    "TAGS        ADDRESSES            CHANGE\n"
		    "ann@a.example  cloud+legacy  -     ann      vip "
		    "wave-1  cloud=ann@t.example       2\n"
		    "1 row\n"},
		{"route list --where 'tag in (vip, x) and not held'", 0,
		    "ADDRESS        ROUTE         HELD  MAILBOX  "
		    "TAGS        ADDRESSES            CHANGE\n"
		    "ann@a.example  cloud+legacy  -     ann      vip "
		    "wave-1  cloud=ann@t.example       2\n"
		    "1 row\n"},
		{"route list --where 'tag in'", 2,
		    "posthouse: the expression is wrong at its end: "
		    "a list in ( ) is expected\n"
		    "usage: posthouse route list\n"
		    "More: posthouse route list --help\n"},
		{"route list --leg cloud --domain a.example", 0,
		    "ADDRESS        ROUTE         HELD  MAILBOX  "
		    "TAGS        ADDRESSES            CHANGE\n"
		    "ann@a.example  cloud+legacy  -     ann      vip "
		    "wave-1  cloud=ann@t.example       2\n"
		    "1 row\n"},
		{"route list --route legacy", 0,
		    "ADDRESS        ROUTE   HELD  MAILBOX  TAGS    "
		    "ADDRESSES  CHANGE\n"
		    "@a.example     legacy  -     -        -       - "
		    "              1\n"
		    "bob@a.example  legacy  -     -        wave-2  - "
		    "              3\n"
		    "2 rows\n"},
		{"route list --customer acme", 0,
		    "ADDRESS        ROUTE         HELD  MAILBOX  "
		    "TAGS        ADDRESSES            CHANGE\n"
		    "@a.example     legacy        -     -        -   "
		    "        -                         1\n"
		    "ann@a.example  cloud+legacy  -     ann      vip "
		    "wave-1  cloud=ann@t.example       2\n"
		    "bob@a.example  legacy        -     -        "
		    "wave-2      -                         3\n"
		    "3 rows\n"},
		{"route list --customer nobody", 1,
		    "posthouse: no domain of the configuration "
		    "belongs to the customer nobody\n"},
		{"route list --held", 0,
		    "0 rows\n"},
		{"route count", 0,
		    "ROUTE         RECIPIENTS\n"
		    "cloud+legacy           1\n"
		    "legacy                 1\n"
		    "2 recipients\n"},
		{"route count --by leg", 0,
		    "LEG     RECIPIENTS\n"
		    "legacy           2\n"
		    "cloud            1\n"
		    "2 recipients\n"},
		{"route count --by domain", 0,
		    "DOMAIN     RECIPIENTS\n"
		    "a.example           2\n"
		    "2 recipients\n"},
		{"route set legacy cid@a.example", 0,
		    "change 4: 1 recipient\n"},
		{"route count --by tag", 0,
		    "TAG     RECIPIENTS\n"
		    "-                1\n"
		    "vip              1\n"
		    "wave-1           1\n"
		    "wave-2           1\n"
		    "3 recipients\n"},
		{"route count --by tag --json --domain a.example", 0,
		    "{\"tag\":\"\",\"recipients\":1}\n"
		    "{\"tag\":\"vip\",\"recipients\":1}\n"
		    "{\"tag\":\"wave-1\",\"recipients\":1}\n"
		    "{\"tag\":\"wave-2\",\"recipients\":1}\n"},
		{"route count --by customer", 0,
		    "CUSTOMER  RECIPIENTS\n"
		    "acme               3\n"
		    "3 recipients\n"},
		{"route count --by size", 2,
		    "posthouse: --by wants route, leg, domain, tag "
		    "or customer, not size\n"
		    "usage: posthouse route count\n"
		    "More: posthouse route count --help\n"},
		{"route get ann@a.example eve@a.example", 1,
		    "posthouse: eve@a.example has no row\n"
		    "ADDRESS        ROUTE         HELD  MAILBOX  "
		    "TAGS        ADDRESSES            CHANGE\n"
		    "ann@a.example  cloud+legacy  -     ann      vip "
		    "wave-1  cloud=ann@t.example       2\n"},
		{"route get ann@a.example --json", 0,
		    "{\"address\":\"ann@a.example\","
		    "\"route\":\"cloud+legacy\",\"held\":false,"
		    "\"mailbox\":\"ann\",\"tags\":[\"vip\","
		    "\"wave-1\"],"
		    "\"addresses\":{\"cloud\":\"ann@t.example\"},"
		    "\"change\":2}\n"},
	};

	run_lines(*state, lines, ARRAY_LEN(lines));
}

static void changes_are_made_shown_and_taken_back(void **state)
{
	static const struct line lines[] = {
		{"route set cloud+legacy ann@a.example --address "
		    "cloud=ann@t.example --tag wave-1 --tag vip --mailbox ann "
		    "--note 'a first try'", 0,
		    "change 2: 1 recipient\n"},
		{"route set legacy bob@a.example --tag wave-2", 0,
		    "change 3: 1 recipient\n"},
		{"route set legacy bob@a.example cid@b.example", 0,
		    "change 4: 1 recipient\n"},
		{"route set legacy bob@a.example --address cloud", 2,
		    "posthouse: --address cloud: LEG=ADDRESS is expected\n"
		    "usage: posthouse route set ROUTE ADDR...\n"
		    "More: posthouse route set --help\n"},
		{"route set legacy dan@a.example --json", 0,
		    "{\"change\":5,\"recipients\":1,\"same\":0}\n"},
		{"hold bob@a.example --note lunch", 0,
		    "change 6: 1 recipient\n"},
		{"hold bob@a.example", 0,
		    "nothing to change: 1 recipient has it already\n"},
		{"route list --held", 0,
		    "ADDRESS        ROUTE   HELD  MAILBOX  TAGS    "
		    "ADDRESSES  CHANGE\n"
		    "bob@a.example  legacy  yes   -        wave-2  - "
		    "              6\n"
		    "1 row\n"},
		{"release bob@a.example", 0,
		    "change 7: 1 recipient\n"},
		{"flip cloud --tag wave-1 --dry-run", 0,
		    "ADDRESS        OLD                              "
		    "                                             NEW\n"
		    "ann@a.example  route=cloud+legacy mailbox=ann "
		    "tags=vip wave-1 addresses=cloud=ann@t.example  "
		    "route=cloud mailbox=ann tags=vip wave-1 "
		    "addresses=cloud=ann@t.example\n"
		    "would change 1 recipient, 0 have it already; "
		    "nothing was changed\n"},
		{"flip cloud --tag wave-1 --note wave", 0,
		    "change 8: 1 recipient\n"},
		{"flip cloud --tag wave-1", 0,
		    "nothing to change: 1 recipient has it already\n"},
		{"flip cloud --tag none-such", 1,
		    "posthouse: warning: no row has the tag none-such\n"
		    "posthouse: no recipient is selected\n"},
		{"flip cloud --tag wave-2 --customer acme --dry-run", 0,
		    "ADDRESS        OLD                       NEW\n"
		    "bob@a.example  route=legacy tags=wave-2  "
		    "route=cloud tags=wave-2\n"
		    "would change 1 recipient, 0 have it already; "
		    "nothing was changed\n"},
		{"flip cloud --tag wave-2 --customer nobody", 1,
		    "posthouse: no domain of the configuration "
		    "belongs to the customer nobody\n"},
		{"flip cloud ann@a.example --customer acme", 2,
		    "posthouse: --customer narrows --tag and --where\n"
		    "usage: posthouse flip ROUTE (ADDR... | --file F "
		    "| --tag T | --where E | --wave W | --all D)\n"
		    "More: posthouse flip --help\n"},
		{"flip nowhere ann@a.example", 1,
		    "posthouse: 'nowhere' is no leg of the "
		    "configuration (legacy, cloud) and none of both, "
		    "defer, reject, gone\n"},
		{"flip cloud", 2,
		    "posthouse: say which recipients in one way: "
		    "addresses, --file, --tag, --where, --wave or "
		    "--all\n"
		    "usage: posthouse flip ROUTE (ADDR... | --file F "
		    "| --tag T | --where E | --wave W | --all D)\n"
		    "More: posthouse flip --help\n"},
		{"undo 7 --dry-run", 0,
		    "ADDRESS        OLD                       NEW\n"
		    "bob@a.example  route=legacy tags=wave-2  "
		    "route=legacy held=yes tags=wave-2\n"
		    "would change 1 recipient, 0 have it already; "
		    "nothing was changed\n"},
		{"undo 7", 0,
		    "change 9: 1 recipient\n"},
		{"route list --tag wave-1", 0,
		    "ADDRESS        ROUTE  HELD  MAILBOX  TAGS       "
		    " ADDRESSES            CHANGE\n"
		    "ann@a.example  cloud  -     ann      vip wave-1 "
		    " cloud=ann@t.example       8\n"
		    "1 row\n"},
		{"flip cloud --tag wave-1", 0,
		    "nothing to change: 1 recipient has it already\n"},
		{"route set legacy ann@a.example", 0,
		    "change 10: 1 recipient\n"},
		{"undo 9", 0,
		    "change 11: 1 recipient\n"},
		{"undo 99", 1,
		    "posthouse: there is no change 99\n"},
		{"route history eve@a.example", 1,
		    "posthouse: eve@a.example never had a row\n"},
		{"route set legacy eve@far.example", 0,
		    "change 12: 1 recipient\n"
		    "posthouse: warning: the configuration has no "
		    "domain for eve@far.example, so mail for it is refused\n"},
		{"route set legacy eve@far.example fay@far.example", 0,
		    "change 13: 1 recipient\n"
		    "posthouse: warning: the configuration has no "
		    "domain for 2 addresses, such as eve@far.example,"
		    " so mail for them is refused\n"},
		{"route delete eve@far.example", 0,
		    "change 14: 1 recipient\n"},
		{"route delete eve@far.example", 1,
		    "posthouse: eve@far.example has no row; nothing "
		    "was changed\n"},
		{"changes show 99", 1,
		    "posthouse: there is no change 99\n"},
	};

	run_lines(*state, lines, ARRAY_LEN(lines));
}

static void files_are_read_and_written(void **state)
{
	static const struct line lines[] = {
		{"route set cloud+legacy ann@a.example --address "
		    "cloud=ann@t.example --tag wave-1 --tag vip --mailbox ann "
		    "--note 'a first try'", 0,
		    "change 2: 1 recipient\n"},
		{"route set legacy bob@a.example --tag wave-2", 0,
		    "change 3: 1 recipient\n"},
		{"route export", 0,
		    "address,route,mailbox,tags,legacy_address,cloud_address\n"
		    "@a.example,legacy,,,,\n"
		    "@b.example,cloud,,,,\n"
		    "ann@a.example,cloud+legacy,ann,vip wave-1,,ann@t.example\n"
		    "bob@a.example,legacy,,wave-2,,\n"},
		{"route import DIR/in.csv --dry-run", 0,
		    "ADDRESS        OLD                       NEW\n"
		    "bob@a.example  route=legacy tags=wave-2  "
		    "route=cloud tags=wave-2\n"
		    "new@b.example  -                         route=legacy\n"
		    "would change 2 recipients, 0 have it already; "
		    "nothing was changed\n"},
		{"route diff DIR/in.csv", 1,
		    "ADDRESS        OLD                       NEW\n"
		    "bob@a.example  route=legacy tags=wave-2  "
		    "route=cloud tags=wave-2\n"
		    "new@b.example  -                         route=legacy\n"},
		{"route import DIR/in.csv", 0,
		    "change 4: 2 recipients\n"},
		{"route diff DIR/in.csv", 0,
		    ""},
		{"route import DIR/bad.csv", 1,
		    "posthouse: DIR/bad.csv: line 2: 'nowhere' is no "
		    "leg of the configuration (legacy, cloud) and "
		    "none of both, defer, reject, gone\n"
		    "posthouse: DIR/bad.csv: line 3: 'x y' is no "
		    "address: No domain in address\n"
		    "posthouse: DIR/bad.csv: 2 lines are wrong; "
		    "nothing was changed\n"},
		{"route export --domain b.example", 2,
		    "posthouse: there is no option --domain here\n"
		    "usage: posthouse route export\n"
		    "More: posthouse route export --help\n"},
		{"table check", 0,
		    "the table is whole: format 3, 5 rows, change 4, "
		    "4 lines of history, each behind the one before\n"},
		{"table backup DIR/copy.db", 0,
		    "DIR/copy.db is a copy of DIR/cutover.db\n"},
		{"table accept", 3,
		    "posthouse: DIR/sock: the daemon does not "
		    "answer: No such file or directory; is it running?\n"},
	};

	run_lines(*state, lines, ARRAY_LEN(lines));
}

static void a_table_is_put_back(void **state)
{
	static const struct line lines[] = {
		{"route set legacy bob@a.example", 0,
		    "change 2: 1 recipient\n"},
		{"table backup DIR/copy.db", 0,
		    "DIR/copy.db is a copy of DIR/cutover.db\n"},
		{"table backup DIR/copy.db", 1,
		    "posthouse: DIR/copy.db: File exists\n"},
		{"route set cloud bob@a.example", 0,
		    "change 3: 1 recipient\n"},
		{"table restore DIR/none.db", 1,
		    "posthouse: DIR/none.db: No such file or directory\n"},
		{"table restore DIR/in.csv", 1,
		    "posthouse: DIR/in.csv can not be used: its copy "
		    "DIR/cutover.db.restoring is not a cutover table (not an "
		    "SQLite database); the table was not changed\n"},
		{"table restore DIR/copy.db", 0,
		    "the table is that of change 2 now; it was at change 3 "
		    "and is kept as DIR/cutover.db.before-restore\n"
		    "mail is answered 451 until you say: posthouse table "
		    "accept\n"},
		{"route get bob@a.example --json", 0,
		    "{\"address\":\"bob@a.example\","
		    "\"route\":\"legacy\",\"held\":false,"
		    "\"mailbox\":\"\",\"tags\":[],\"addresses\":{},"
		    "\"change\":2}\n"},
		{"table accept --above three", 2,
		    "posthouse: 'three' is no change number\n"
		    "usage: posthouse table accept\n"
		    "More: posthouse table accept --help\n"},
		{"table accept --above 3 --note 'as on Monday'", 0,
		    "change 4: the table is taken as it is\n"},
		{"table accept --above 9 --json", 0,
		    "{\"change\":10}\n"},
		{"table restore DIR/copy.db --json", 0,
		    "{\"change\":2,\"was\":10,\"kept\":"
		    "\"DIR/cutover.db.before-restore-2\"}\n"},
		{"table check --json", 0,
		    "{\"format\":3,\"rows\":3,\"change\":2,"
		    "\"lines\":2}\n"},
	};

	run_lines(*state, lines, ARRAY_LEN(lines));
}

/* In a run without a terminal the question is its refusal. */
static void much_is_asked_about(void **state)
{
	static const struct line lines[] = {
		{"route set cloud ann@a.example bob@b.example --tag vip", 0,
		    "change 2: 2 recipients\n"},
		{"flip legacy --tag vip", 1,
		    "posthouse: This changes 2 rows: 2 altered; of the "
		    "customers acme, (none). Go on? Say --yes to do it.\n"
		    "posthouse: nothing was changed\n"},
		{"flip legacy --tag vip --yes", 0,
		    "change 3: 2 recipients\n"},
		{"flip cloud ann@a.example bob@b.example", 0,
		    "change 4: 2 recipients\n"},
		{"route import DIR/all.csv --replace", 1,
		    "posthouse: This changes 2 rows: 1 altered, 1 deleted. "
		    "Go on? Say --yes to do it.\n"
		    "posthouse: nothing was changed\n"},
		{"undo 1", 1,
		    "posthouse: This changes 2 rows: 2 deleted; of the "
		    "customers acme, (none); 2 of the deleted are rows of a "
		    "domain: without it recipients that have no row of their "
		    "own have no route. Go on? Say --yes to do it.\n"
		    "posthouse: nothing was changed\n"},
	};

	run_lines(*state, lines, ARRAY_LEN(lines));
}

static void the_way_of_an_address_is_explained(void **state)
{
	static const struct line lines[] = {
		{"route set cloud+legacy ann@a.example --address "
		    "cloud=ann@t.example --tag wave-1 --tag vip --mailbox ann "
		    "--note 'a first try'", 0,
		    "change 2: 1 recipient\n"},
		{"route set legacy bob@a.example --tag wave-2", 0,
		    "change 3: 1 recipient\n"},
		{"explain ann@a.example", 0,
		    "address   ann@a.example\n"
		    "verdict   accept\n"
		    "rule      address (a row of its own)\n"
		    "row       ann@a.example: cloud+legacy, change 2\n"
		    "legs      cloud (primary) as ann@t.example\n"
		    "          legacy (copy) as ann@a.example\n"},
		{"hold bob@a.example", 0,
		    "change 4: 1 recipient\n"},
		{"explain bob@a.example", 0,
		    "address   bob@a.example\n"
		    "verdict   accept, held: it waits for a release\n"
		    "rule      address (a row of its own)\n"
		    "row       bob@a.example: legacy, change 4\n"
		    "legs      legacy (primary) as bob@a.example\n"},
		{"explain bob@a.example --json", 0,
		    "{\"address\":\"bob@a.example\","
		    "\"verdict\":\"accept\",\"rule\":\"address\","
		    "\"row\":\"bob@a.example\",\"route\":\"legacy\","
		    "\"held\":true,\"code\":250,"
		    "\"enhanced\":\"2.1.5\",\"reply\":\"\","
		    "\"ask\":null,\"legs\":[{\"leg\":\"legacy\","
		    "\"role\":\"primary\","
		    "\"address\":\"bob@a.example\","
		    "\"configured\":true}],\"from_leg\":null,"
		    "\"led_back\":null,\"right\":null,\"spf\":null,"
		    "\"outbound\":null,\"change\":4}\n"},
		{"explain zed@a.example", 0,
		    "address   zed@a.example\n"
		    "verdict   refuse: 550 5.1.1 No such recipient\n"
		    "rule      unknown (no row of its own: the "
		    "domain's `unknown` policy)\n"},
		{"explain zed@b.example", 0,
		    "address   zed@b.example\n"
		    "verdict   accept, if the recipient is known: the leg "
		    "would be asked, cloud\n"
		    "rule      domain (no row of its own: the domain's row)\n"
		    "row       @b.example: cloud, change 1\n"
		    "legs      cloud (primary) as zed@b.example\n"},
		{"explain zed@c.example", 0,
		    "address   zed@c.example\n"
		    "verdict   refuse: 550 5.7.1 Relaying denied\n"
		    "rule      relay (not a domain of ours)\n"},
		{"explain zed", 2,
		    "posthouse: 'zed' is no address: No domain in address\n"
		    "usage: posthouse explain ADDR\n"
		    "More: posthouse explain --help\n"},
	};

	run_lines(*state, lines, ARRAY_LEN(lines));
}

/* Times, users and hosts differ: parts of the lines. */
static void each_change_is_on_record(void **state)
{
	static const struct line lines[] = {
		{"route set cloud ann@a.example --note why", 0, "change 2: "},
		{"flip legacy ann@a.example --note back", 0, "change 3: "},
		{"undo 3", 0, "change 4: 1 recipient"},
		{"changes list --json", 0, "\"command\":\"seed\""},
		{"changes list --json", 0, "\"command\":\"route set\","},
		{"changes list --json", 0, "\"note\":\"back\""},
		{"changes list --json", 0, "\"undid\":3"},
		{"changes show 3 --json", 0, "\"address\":\"ann@a.example\""},
		{"changes show 3 --json", 0, "\"new\":{\"route\":\"legacy\""},
		{"route history ann@a.example --json", 0,
		    "\"old\":null,\"new\":{\"route\":\"cloud\",\"held\":"},
		{"route history ann@a.example", 0, "route set"},
		{"route history ann@a.example", 0, "why"},
	};
	char *out = mem_new(CLI_RIG_OUT);

	write_files(*state);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		assert_int_equal(cli_rig_run(*state, lines[i].say, NULL, out),
		    lines[i].code);
		assert_non_null(strstr(out, lines[i].out));
	}
	mem_free(out);
}

static void without_a_table_nothing_is_answered(void **state)
{
	static const char *const lines[] = {
		"route list", "route count", "route get ann@a.example",
		"route history ann@a.example", "route set cloud ann@a.example",
		"route delete ann@a.example", "route export",
		"flip cloud ann@a.example", "hold ann@a.example",
		"release ann@a.example", "undo 1", "changes list",
		"changes show 1", "explain ann@a.example", "table check",
		"table backup copy.db",
	};
	char *out = mem_new(CLI_RIG_OUT), *conf, *text;

	write_files(*state);
	text = replaced(conf_text, "DIR/cutover.db", "DIR/none/cutover.db");
	conf = replaced(text, "DIR", *state);
	conf_tmp_write(*state, "posthouse.conf", conf);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		assert_int_equal(
		    cli_rig_run(*state, lines[i], NULL, out), 1);
		assert_non_null(strstr(out, "posthouse: the cutover table "));
		assert_non_null(strstr(out, "/none/cutover.db "));
	}
	mem_free(conf);
	mem_free(text);
	mem_free(out);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, conf_tmp_setup, \
	    conf_tmp_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(rows_are_listed_and_counted),
		TEST(changes_are_made_shown_and_taken_back),
		TEST(files_are_read_and_written),
		TEST(a_table_is_put_back),
		TEST(much_is_asked_about),
		TEST(the_way_of_an_address_is_explained),
		TEST(each_change_is_on_record),
		TEST(without_a_table_nothing_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
