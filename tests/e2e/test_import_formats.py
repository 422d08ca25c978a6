# SPDX-License-Identifier: ISC
"""route import --format: what a real Postfix reads in a map is what stands in
the table; files as PowerShell writes them; week-old files; an import that is
cut off (doc/import.md)."""
import json
import signal
import subprocess

import pytest

from conftest import PEERS
from peers import Postmap
from until import DEADLINE_S, until

ANN, BOB, CID = "ann@example.com", "bob@example.com", "cid@example.com"
real = pytest.mark.skipif(
    not (PEERS / "postfix/usr/sbin/postmap").exists(),
    reason="no real mail servers here")


def rows(gw):
    return {r["address"]: r for r in gw.cli_json("route export")}


def routes(gw, *addresses):
    table = rows(gw)
    return [table[a]["route"] if a in table else None for a in addresses]


def take(gw, text, *words, coding="utf-8"):
    """An import of the text; what it said on both channels."""
    path = gw.folder / "file"
    path.write_bytes(text.encode(coding))
    done = gw.run("route", "import", str(path), *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def refuse(gw, text, *words, code=1):
    """It must be refused, and nothing be changed."""
    path = gw.folder / "file"
    path.write_text(text)
    before = gw.cli("route export"), gw.cli_json("changes list")
    said = gw.cli_fails("route", "import", str(path), *words, code=code)
    assert (gw.cli("route export"), gw.cli_json("changes list")) == before
    return said


# -- a real Postfix

@real
def test_a_map_that_was_exported_is_the_same_table_again(make_gw, cloud):
    old, new = make_gw(name="old"), make_gw(name="new")
    for gw in old, new:
        gw.set('leg "cloud"', domains=["tenant.example"])
        gw.reload()
    old.cli(f"route set cloud {ANN}")
    old.cli(f"route set cloud {BOB} --address cloud=b@tenant.example")
    hops = old.cli("export coexist --format postfix --leg legacy")
    names = old.cli("export coexist --format postfix --leg legacy "
                    "--map recipient")
    take(new, hops, "--format", "postfix-transport")
    take(new, names, "--format", "postfix-virtual")
    for key in ANN, BOB:
        a, b = rows(old)[key], rows(new)[key]
        assert (a["route"], a["addresses"]) == (b["route"], b["addresses"])
    again = new.cli("export coexist --format postfix --leg legacy")
    postmap = Postmap(PEERS, new.folder / "postmap")
    assert postmap.all(again) == postmap.all(hops)
    assert postmap.ask(again, ANN) == [f"smtp:[127.0.0.1]:{cloud.port}"]


@real
def test_postfix_and_we_read_the_same_lines_of_a_map(gw, legacy, cloud):
    text = (f"# the map of a gateway\n"
            f"Ann@Example.com\tsmtp:[127.0.0.1]:{cloud.port}\n"
            f"   # a comment, indented\n\n"
            f"bob@example.com\n"
            f"# in the middle\n"
            f"\n"
            f"  smtp:[127.0.0.1]:{legacy.port}\n"
            f'"c d"@example.com  smtp:[127.0.0.1]:{cloud.port}\n'
            f"dan@example.com error:5.1.1 no such user\n")
    take(gw, text, "--format", "postfix-transport")
    hop = {f"smtp:[127.0.0.1]:{cloud.port}": "cloud",
           f"smtp:[127.0.0.1]:{legacy.port}": "legacy",
           "error:5.1.1 no such user": "reject"}
    said = Postmap(PEERS, gw.folder / "postmap").all(text)
    assert len(said) == 4
    assert {k: hop[v] for k, v in said.items()} == {
        k: r["route"] for k, r in rows(gw).items() if k[0] != "@"}


@real
def test_aliases_are_addresses_of_the_mailbox_that_postfix_finds(gw):
    text = ("info@example.com ann@example.com\n"
            "office@example.com\n\tinfo@example.com\n"
            "all@example.com ann@example.com,\n  bob@example.com\n")
    take(gw, text, "--format", "postfix-virtual")
    postmap = Postmap(PEERS, gw.folder / "postmap")
    table = rows(gw)
    for alias in "info@example.com", "office@example.com":
        end = alias
        while (said := postmap.ask(text, end)[0]) is not None:
            end = said
        assert table[alias]["mailbox"] == table[end]["mailbox"] == end
    assert table["all@example.com"]["tags"] == ["kind=group"]
    assert BOB not in table
    gw.cli(f"flip cloud {ANN}")
    assert routes(gw, "info@example.com", "office@example.com") == \
        ["cloud", "cloud"]


# -- directories

RECIPIENTS = (
    '#TYPE Selected.System.Management.Automation.PSCustomObject\r\n'
    '"DisplayName","EmailAddresses","PrimarySmtpAddress",'
    '"RecipientTypeDetails"\r\n'
    '"Lee, Ann","SMTP:ann@example.com smtp:a.lee@example.com '
    'X500:/o=First Organization/cn=Recipients/cn=ann SIP:ann@example.com",'
    '"ann@example.com","UserMailbox"\r\n'
    '"Jörg","smtp:jörg@example.com,SMTP:bob@example.com","bob@example.com",'
    '"SharedMailbox"\r\n'
    '"Hall","SMTP:hall@example.com","hall@example.com","RoomMailbox"\r\n'
    '"Out","SMTP:x@elsewhere.example","x@elsewhere.example",'
    '"MailContact"\r\n')


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16",
                                    "utf-16-le", "utf-16-be"])
def test_recipients_of_exchange_in_any_coding(gw, coding):
    said = take(gw, RECIPIENTS, "--format", "exchange", coding=coding)
    assert "left out: 1 address at domains that the configuration does not " \
        "have, such as x@elsewhere.example" in said
    table = rows(gw)
    assert table["a.lee@example.com"]["mailbox"] == ANN
    assert table["jörg@example.com"]["mailbox"] == BOB
    assert table["jörg@example.com"]["tags"] == ["kind=shared"]
    assert table["hall@example.com"]["tags"] == ["kind=room"]
    assert {r["route"] for r in table.values()} == {"legacy"}
    assert "nothing to change" in take(gw, RECIPIENTS, "--format", "exchange",
                                       coding=coding)


def test_what_exchange_was_told_is_read_back(make_gw):
    old, new = make_gw(name="old"), make_gw(name="new")
    for gw in old, new:
        gw.set('leg "cloud"', domains=["tenant.example"])
        gw.reload()
    old.cli(f"route set cloud {ANN}")
    told = old.cli("export coexist --format exchange --leg legacy")
    take(new, told, "--format", "exchange")
    row = rows(new)[ANN]
    assert row["route"] == "cloud"
    assert row["addresses"] == {"cloud": "ann@tenant.example"}
    assert new.cli("export coexist --format exchange --leg legacy") \
        .splitlines()[1].startswith(f"{ANN},smtp:ann@tenant.example,")


def test_users_of_google_and_of_passwd(gw):
    take(gw, "Email Address [Required],Org Unit Path [Required],"
         "Status [READ ONLY]\n"
         f"{ANN},/Sales/East,Active\n{BOB},/,Suspended\n",
         "--format", "google", "--route", "cloud")
    table = rows(gw)
    assert table[ANN]["tags"] == ["ou=/Sales/East"]
    assert table[BOB]["tags"] == ["ou=/", "status=suspended"]
    take(gw, "root:x:0:0::/root:/bin/sh\ncid:x:1000:1000::/h:/bin/sh\n"
         "dan:x:70000:1::/h:/bin/sh\n", "--format", "passwd", "--domain",
         "example.com", "--route", "cloud")
    assert routes(gw, CID, "dan@example.com") == ["cloud", None]
    take(gw, "dan:x:70000:1::/h:/bin/sh\n", "--format", "passwd", "--domain",
         "EXAMPLE.com", "--uid", "70000-70000")
    assert routes(gw, "dan@example.com") == ["legacy"]


def test_a_tag_of_the_directory_replaces_its_former_one(gw):
    head = "PrimarySmtpAddress,RecipientTypeDetails\n"
    take(gw, f"{head}{ANN},RoomMailbox\n", "--format", "exchange")
    gw.cli(f"tag add vip floor=1 {ANN}")
    take(gw, f"{head}{ANN},SharedMailbox\n", "--format", "exchange")
    assert rows(gw)[ANN]["tags"] == ["floor=1", "kind=shared", "vip"]
    take(gw, f"PrimarySmtpAddress\n{ANN}\n", "--format", "exchange")
    assert rows(gw)[ANN]["tags"] == ["floor=1", "kind=shared", "vip"]
    take(gw, f"{head}{ANN},UserMailbox\n", "--format", "exchange")
    assert rows(gw)[ANN]["tags"] == ["floor=1", "vip"]


# -- routes of rows that are known

LIST = f"PrimarySmtpAddress\n{ANN}\n{BOB}\n{CID}\n"


def test_last_weeks_file_does_not_undo_this_weeks_flips(gw):
    take(gw, LIST, "--format", "exchange")
    week = gw.cli_json("changes list --last 1")[0]["change"]
    gw.cli(f"flip cloud {BOB}")
    # A route alone is for new rows.
    said = take(gw, LIST + "dan@example.com\n", "--format", "exchange",
                "--route", "legacy+cloud")
    assert "3 rows keep the route that the table has" in said
    assert routes(gw, ANN, BOB, CID, "dan@example.com") == \
        ["legacy", "cloud", "legacy", "legacy+cloud"]
    said = take(gw, LIST, "--format", "exchange", "--route", "legacy+cloud",
                "--as-of", str(week))
    assert f"{BOB} keeps cloud, not legacy+cloud" in said
    assert f"1 row stays as a change after {week} left it" in said
    assert routes(gw, ANN, BOB, CID) == ["legacy+cloud", "cloud",
                                         "legacy+cloud"]
    # A time says the same: at the beginning of the day there was none yet.
    said = take(gw, LIST, "--format", "exchange", "--route", "legacy",
                "--as-of", "-1d")
    assert "3 rows stay as a change after 0 left them" in said
    take(gw, LIST, "--format", "exchange", "--route", "legacy", "--as-of",
         "now")
    assert routes(gw, ANN, BOB, CID) == ["legacy"] * 3


def test_last_weeks_file_does_not_bring_back_what_was_deleted(gw):
    take(gw, LIST, "--format", "exchange")
    week = gw.cli_json("changes list --last 1")[0]["change"]
    gw.cli(f"route delete {BOB}")
    said = take(gw, LIST, "--format", "exchange", "--route", "cloud",
                "--as-of", str(week))
    assert f"{BOB} stays deleted" in said
    assert routes(gw, ANN, BOB, CID) == ["cloud", None, "cloud"]


def test_a_virtual_map_leaves_a_mailbox_its_name(gw):
    gw.cli(f"route set cloud {ANN} --mailbox u1234")
    take(gw, f"info@example.com {ANN}\n", "--format", "postfix-virtual",
         "--route", "legacy")
    assert [rows(gw)[a]["mailbox"] for a in (ANN, "info@example.com")] == \
        ["u1234", "u1234"]
    assert routes(gw, "info@example.com") == ["cloud"]


def test_replace_leaves_a_row_that_moved_since_the_file(gw):
    take(gw, LIST, "--format", "exchange")
    week = gw.cli_json("changes list --last 1")[0]["change"]
    gw.cli(f"flip cloud {BOB}")
    said = take(gw, f"PrimarySmtpAddress\n{ANN}\n", "--format", "exchange",
                "--route", "legacy", "--as-of", str(week), "--replace",
                "--yes")
    assert f"{BOB} keeps cloud, and is not in the file" in said
    assert routes(gw, ANN, BOB, CID) == ["legacy", "cloud", None]


def test_a_new_alias_follows_its_mailbox_and_its_hold(gw):
    take(gw, LIST, "--format", "exchange")
    gw.cli(f"flip cloud {ANN}")
    gw.cli(f"hold {ANN}")
    take(gw, "PrimarySmtpAddress,EmailAddresses\n"
         f"{ANN},smtp:new@example.com\n", "--format", "exchange", "--route",
         "legacy")
    row = rows(gw)["new@example.com"]
    assert (row["route"], row["held"]) == ("cloud", True)
    # It got another name: the old one is an alias now.
    gw.cli(f"release {ANN}")
    take(gw, "PrimarySmtpAddress,EmailAddresses\n"
         f"married@example.com,smtp:{ANN}\n", "--format", "exchange")
    row = rows(gw)["married@example.com"]
    assert (row["route"], row["held"]) == ("cloud", False)


def test_a_csv_file_without_routes_takes_one_from_the_command(gw):
    take(gw, f"address,tags\n{ANN},a\n", "--route", "cloud")
    said = take(gw, f"address,tags\n{ANN},b\n{BOB},b\n", "--route", "legacy")
    assert f"{ANN} keeps cloud, not legacy" in said
    assert routes(gw, ANN, BOB) == ["cloud", "legacy"]
    assert "line 1: the header has a column 'route'" in refuse(
        gw, f"address,route\n{ANN},cloud\n", "--route", "cloud")


# -- what is wrong

def test_a_contradiction_names_both_lines(gw):
    said = refuse(gw, "PrimarySmtpAddress,EmailAddresses\n"
                  f"{ANN},smtp:shared@example.com\n"
                  f"{BOB},\n"
                  "shared@example.com,\n", "--format", "exchange")
    assert "line 4: shared@example.com is an address of " \
        "'shared@example.com' here and an address of 'ann@example.com' on " \
        "line 2" in said
    said = refuse(gw, "PrimarySmtpAddress,RecipientTypeDetails\n"
                  f"{ANN},RoomMailbox\n{ANN},UserMailbox\n",
                  "--format", "exchange")
    assert "line 3: ann@example.com is tagged" in said and "line 2" in said
    # The same said twice contradicts nothing.
    take(gw, f"PrimarySmtpAddress\n{ANN}\n{ANN}\n", "--format", "exchange")


@pytest.mark.parametrize("text, words, said", [
    ("ann@example.com smtp:[nowhere.example]\n", "postfix-transport",
     "line 1: no leg of the configuration has the host"),
    ("PrimarySmtpAddress,EmailAddresses\nann@example.com,System.Object[]\n",
     "exchange", "line 2: 'System.Object[]' is the name of a type"),
    ("ann:x:1\n", "passwd --domain example.com", "line 1: it has 3 fields"),
    ("info ann\n", "postfix-virtual", "line 1: 'info' has no domain"),
])
def test_a_bad_line_says_what_would_be_right(gw, text, words, said):
    answer = refuse(gw, text, "--format", *words.split())
    assert said in answer and "nothing was changed" in answer


@pytest.mark.parametrize("words, code, said", [
    ("--format xml", 2, "a format is csv, exchange"),
    ("--format passwd", 2, "say by --domain"),
    ("--format passwd --domain nowhere.example", 1, "no such domain"),
    ("--format passwd --domain example.com --uid 5", 2, "1000-60000"),
    ("--format exchange --domain example.com", 2, "--domain is for"),
    ("--format exchange --uid 1-2", 2, "--uid is for"),
    ("--format exchange --as-of 1", 2, "say by --route"),
    ("--format exchange --route cloud --as-of soon", 2, "or a time"),
    ("--format exchange --route cloud --as-of 99", 1, "no change 99 yet"),
    ("--format exchange --route moon", 1, "'moon' is no leg"),
])
def test_a_slip_on_the_command_line(gw, words, code, said):
    assert said in refuse(gw, LIST, *words.split(), code=code)


def test_a_dry_run_streams_the_difference(gw):
    take(gw, LIST, "--format", "exchange")
    gw.cli(f"flip cloud {BOB}")
    many = LIST + "".join(f"u{i}@example.com\n" for i in range(3000))
    path = gw.folder / "many"
    path.write_text(many)
    before = gw.cli("route export")
    said = gw.cli_json("route", "import", str(path), "--format", "exchange",
                       "--route", "legacy", "--as-of", "2", "--dry-run")
    assert said[0] == {"address": BOB, "kept": "cloud", "said": "legacy"}
    assert len(said) == 3001
    assert all(r["old"] is None and r["new"]["route"] == "legacy"
               for r in said[1:])
    text = gw.cli("route", "import", str(path), "--format", "exchange",
                  "--dry-run")
    assert "would change 3000 recipients" in text
    assert gw.cli("route export") == before


# -- cut off

MANY = 60000


def importer(gw):
    """An import that reads a pipe."""
    return subprocess.Popen(
        [gw.build / "posthouse", "-c", gw.conf, "route", "import", "-",
         "--format", "exchange", "--route", "cloud", "--yes"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)


def feed(process, first, last):
    for i in range(first, last):
        process.stdin.write(f"u{i}@example.com,smtp:a{i}@example.com\n")
    process.stdin.flush()


HEAD = "PrimarySmtpAddress,EmailAddresses\n"


def test_the_daemon_is_killed_while_a_file_is_read(gw):
    process = importer(gw)
    process.stdin.write(HEAD)
    feed(process, 0, MANY // 2)
    gw.kill()
    feed(process, MANY // 2, MANY)
    process.stdin.close()
    process.stdin = None
    said, _ = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, said) == \
        (0, f"change 2: {2 * MANY} recipients\n")
    gw.start()
    assert len(gw.cli("route export").splitlines()) == 2 * MANY + 2
    gw.cli("table check")


@pytest.mark.parametrize("who", ["reader", "writer", "both"])
def test_an_import_that_is_killed_leaves_nothing(gw, who):
    before = gw.cli("route export")
    wal = gw.folder / "cutover.db-wal"
    grown = wal.stat().st_size + 1000000 if wal.exists() else 1000000
    process = importer(gw)
    process.stdin.write(HEAD)
    feed(process, 0, MANY)
    if who != "reader":
        process.stdin.close()
        until(lambda: process.poll() is not None or
              (wal.exists() and wal.stat().st_size > grown),
              "the change to be written")
    process.kill()
    if who == "both":
        gw.kill()
    process.stdin = None
    said, _ = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, said) == (-signal.SIGKILL, "")
    if who == "both":
        gw.start()
    assert gw.cli("route export") == before
    gw.cli("table check")
    take(gw, LIST, "--format", "exchange")
    assert json.loads(gw.cli("route", "get", ANN, "--json"))["route"] == \
        "legacy"
