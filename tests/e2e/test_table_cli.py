# SPDX-License-Identifier: ISC
"""The cutover table by its command line alone: no daemon runs here."""
import csv
import fcntl
import io
import os
import pty
import sqlite3
import subprocess

import pytest

from gateway import BUILD, Gateway

LEGS = {
    "legacy": {"hosts": ["192.0.2.10:25"], "clients": ["192.0.2.10"]},
    "cloud": {"hosts": ["192.0.2.20:25"], "domains": ["tenant.example"]},
}


@pytest.fixture
def ph(folder):
    return Gateway(folder, LEGS, {"dsn": {"via": "mx"}})


@pytest.fixture
def filled(ph):
    ph.cli("route", "import", "-", stdin=(
        "address,route,mailbox,tags,cloud_address\n"
        "ann@example.com,legacy,mb-ann,wave-1 sales,ann@tenant.example\n"
        "anne@example.com,legacy,mb-ann,,\n"
        "bob@example.com,legacy,,wave-1,\n"
        "cid@example.com,cloud,,,\n"))
    return ph


def routes(ph):
    return {row["address"]: row["route"]
            for row in ph.cli_json("route export")}


def table(ph):
    return ph.folder / "cutover.db"


# -- rows

def test_what_is_set_is_shown_with_all_its_values(ph):
    said = ph.cli("route", "set", "both", "Ann@Example.COM", "--tag", "b",
                  "--tag", "a", "--mailbox", "mb", "--note", "why",
                  "--address", "cloud=Ann@tenant.example")
    assert said == "change 2: 1 recipient\n"
    assert ph.cli_json("route get ann@example.com") == [{
        "address": "ann@example.com", "route": "cloud+legacy", "held": False,
        "mailbox": "mb", "tags": ["a", "b"],
        "addresses": {"cloud": "Ann@tenant.example"}, "change": 2}]


def test_the_domains_default_is_a_row(ph):
    assert ph.cli_json("route get @example.com")[0]["route"] == "legacy"
    ph.cli("route", "set", "cloud", "@example.com")
    assert ph.cli_json("route get @Example.com")[0]["route"] == "cloud"


def test_an_address_without_a_row_is_told_and_the_others_shown(filled):
    said = filled.cli_fails("route", "get", "ann@example.com",
                            "who@example.com")
    assert said == "posthouse: who@example.com has no row\n"


def test_deleted_rows_are_gone_and_come_back_by_undo(filled):
    number = filled.change("route", "delete", "ann@example.com")
    filled.cli_fails("route", "get", "ann@example.com")
    filled.cli("undo", str(number))
    row = filled.cli_json("route get ann@example.com")[0]
    assert row["tags"] == ["sales", "wave-1"]
    assert row["addresses"] == {"cloud": "ann@tenant.example"}


@pytest.mark.parametrize("words, why", [
    (["route", "set", "moon", "a@example.com"], "'moon' is no leg"),
    (["route", "set", "cloud", "a"], "is no address"),
    (["route", "set", "cloud", "a@example.com", "--address",
      "moon=a@b.example"], "'moon' is no leg"),
    (["flip", "cloud", "who@example.com"], "has no row"),
    (["hold", "who@example.com"], "has no row"),
    (["route", "delete", "who@example.com"], "has no row"),
    (["undo", "99"], "there is no change 99"),
    (["flip", "cloud", "--tag", "none"], "no recipient is selected"),
    (["route", "history", "who@example.com"], "never had a row"),
    (["changes", "show", "99"], "there is no change 99"),
])
def test_what_can_not_be_done_is_refused_and_changes_nothing(
        filled, words, why):
    before = routes(filled)
    assert why in filled.cli_fails(*words)
    assert routes(filled) == before
    assert len(filled.cli_json("changes list")) == 2


@pytest.mark.parametrize("words", [
    [], ["route"], ["route", "sat"], ["flip", "cloud"], ["flip"],
    ["flip", "cloud", "a@example.com", "--tag", "x"],
    ["flip", "cloud", "--where", "tag ="], ["undo", "x"], ["undo", "0"],
    ["route", "get", "--moon"], ["route", "set", "cloud", "a@b.example",
                                 "--note"],
    ["changes", "show", "1", "2"], ["explain", "nonsense"],
])
def test_a_wrong_command_line_is_code_2(filled, words):
    assert filled.cli_fails(*words, code=2) != ""


def test_a_noun_lists_its_commands(ph):
    assert "no command route sat" in ph.cli_fails("route", "sat", code=2)
    for words in (["help", "route"], ["route", "--help"]):
        assert "route import" in ph.cli(*words)
    assert "no command route sat" in ph.cli_fails("help", "route", "sat",
                                                  code=2)


def test_every_command_has_help_with_an_example(ph):
    for line in ph.cli("help", "--names").splitlines():
        name = line.split(":")[0]
        said = ph.cli(*name.split(), "--help")
        assert said.startswith(f"usage: posthouse {name}")
        assert f"example:\n  posthouse {name}" in said


# -- many

@pytest.mark.parametrize("words, moved", [
    (["ann@example.com"], {"ann", "anne"}),
    (["anne@example.com", "--only-address"], {"anne"}),
    (["--tag", "wave-1"], {"ann", "anne", "bob"}),
    (["--tag", "wave-1", "--only-address"], {"ann", "bob"}),
    (["--where", "tag = 'wave-1' and mailbox = ''"], {"bob"}),
    (["--where", "route = 'legacy' and not address like 'a%'"], {"bob"}),
    (["--all", "example.com"], {"ann", "anne", "bob", ""}),
    (["--all", "@example.com"], {"ann", "anne", "bob", ""}),
    (["--file", "-"], {"ann", "anne", "bob"}),
])
def test_a_flip_moves_whom_it_was_told_to(filled, words, moved):
    before = routes(filled)
    done = filled.cli_json("flip", "cloud", *words,
                           stdin="# two\nann@example.com\nbob@example.com\n")
    assert done == [{"change": 3, "recipients": len(moved),
                     "same": done[0]["same"]}]
    after = routes(filled)
    assert {a.split("@")[0] for a in after if after[a] != before[a]} == moved


def test_create_makes_the_rows_that_are_missing(filled):
    assert filled.cli("flip", "cloud", "new@example.com", "--create") == \
        "change 3: 1 recipient\n"
    assert routes(filled)["new@example.com"] == "cloud"


def test_a_note_has_an_end(filled):
    filled.cli("flip", "cloud", "ann@example.com", "--note", "n" * 1000)
    assert "longer than" in filled.cli_fails(
        "flip", "legacy", "ann@example.com", "--note", "n" * 1001)


def test_rows_at_domains_that_are_not_ours_are_named(filled):
    """A mistyped domain is told, and imported all the same."""
    done = filled.run("route", "import", "-", stdin="address,route\n"
                      "a@exmaple.com,cloud\nb@exmaple.com,cloud\n"
                      "new@example.com,cloud\n")
    assert done.stdout == "change 3: 3 recipients\n"
    assert "2 addresses, such as a@exmaple.com" in done.stderr
    done = filled.run("route", "set", "cloud", "@exmaple.com")
    assert "no domain for @exmaple.com" in done.stderr
    done = filled.run("flip", "legacy", "new@example.com")
    assert done.stderr == ""


def test_a_dry_run_shows_and_changes_nothing(filled):
    before = routes(filled)
    rows = filled.cli_json("flip", "cloud", "--tag", "wave-1", "--dry-run")
    assert [(r["address"], r["old"]["route"], r["new"]["route"])
            for r in rows] == [(a, "legacy", "cloud") for a in (
                "ann@example.com", "anne@example.com", "bob@example.com")]
    assert routes(filled) == before


def test_what_they_have_already_is_no_change(filled):
    assert filled.cli("flip", "cloud", "cid@example.com") == \
        "nothing to change: 1 recipient has it already\n"
    assert len(filled.cli_json("changes list")) == 2


def test_undo_names_those_that_have_another_value(filled):
    number = filled.change("flip", "cloud", "--tag", "wave-1")
    filled.cli("route", "set", "defer", "bob@example.com")
    said = filled.cli_json("undo", str(number))
    assert said[0]["recipients"] == 2
    assert [(r["address"], r["column"], r["value"], r["now"]["route"])
            for r in said[1:]] == \
        [("bob@example.com", "route", "defer", "defer")]
    assert filled.cli_json("changes list")[-1]["undid"] == number
    assert routes(filled)["ann@example.com"] == "legacy"
    assert filled.cli_fails("undo", str(number)) == ""


def test_the_undo_of_the_seed_asks(filled):
    """Without the rows of the domains no recipient has a default."""
    said = filled.cli_fails("undo", "1")
    assert "row of a domain" in said and "--yes" in said
    assert "@example.com" in routes(filled)
    filled.cli("undo", "1", "--yes")
    assert "@example.com" not in routes(filled)


def test_hold_and_release_leave_the_route(filled):
    filled.cli("hold", "--tag", "wave-1")
    rows = {r["address"]: r for r in filled.cli_json("route export")}
    assert rows["anne@example.com"]["held"]
    assert not rows["cid@example.com"]["held"]
    filled.cli("flip", "cloud", "ann@example.com")
    row = filled.cli_json("route get ann@example.com")[0]
    assert (row["held"], row["route"]) == (True, "cloud")
    filled.cli("release", "--where", "held")
    assert not filled.cli_json("route get ann@example.com")[0]["held"]


def test_wait_needs_the_daemon_and_says_so(filled):
    said = filled.cli_fails("hold", "bob@example.com", "--wait", code=3)
    assert "daemon does not answer" in said
    # Before anything is changed.
    assert not filled.cli_json("route get bob@example.com")[0]["held"]


# -- history

def test_history_tells_every_change_oldest_first(filled):
    filled.cli("flip", "cloud", "bob@example.com", "--note", "wave one")
    filled.cli("route", "delete", "bob@example.com")
    rows = filled.cli_json("route history bob@example.com")
    assert [(r["change"], r["command"], r["note"]) for r in rows] == [
        (2, "route import", ""), (3, "flip", "wave one"),
        (4, "route delete", "")]
    assert rows[0]["old"] is None and rows[2]["new"] is None
    assert rows[1]["old"]["route"] == "legacy"
    assert rows[1]["new"]["route"] == "cloud"
    assert all(r["who"] and r["host"] and r["time"].endswith("Z")
               for r in rows)


def test_a_change_is_listed_and_shown(filled):
    number = filled.change("flip", "cloud", "bob@example.com", "--note", "x")
    last = filled.cli_json("changes list --last 1")
    assert [(r["change"], r["recipients"], r["note"]) for r in last] == \
        [(number, 1, "x")]
    shown = filled.cli_json("changes", "show", str(number))
    assert shown[0] == last[0]
    assert shown[1]["address"] == "bob@example.com"


# -- files

def test_an_export_is_an_import_that_changes_nothing(filled):
    filled.cli("route", "set", "cloud", '"a,b \\"c"@example.com')
    text = filled.cli("route", "export")
    assert text.splitlines()[0] == \
        "address,route,mailbox,tags,legacy_address,cloud_address"
    assert len(list(csv.DictReader(io.StringIO(text)))) == 6
    assert filled.cli("route", "import", "-", stdin=text).startswith(
        "nothing to change")
    assert filled.cli("route", "diff", "-", stdin=text) == ""


def test_diff_shows_what_differs_and_exits_1(filled):
    done = filled.run("route", "diff", "-", "--json", stdin=(
        "address,route\nbob@example.com,cloud\ncid@example.com,cloud\n"))
    assert done.returncode == 1
    assert '"address":"bob@example.com"' in done.stdout
    assert "cid@example.com" not in done.stdout


def test_a_bad_line_is_named_and_nothing_is_imported(filled):
    before = routes(filled)
    said = filled.cli_fails("route", "import", "-", stdin=(
        "address,route\nnew@example.com,cloud\nann@example.com,moon\n"))
    assert "line 3: 'moon' is no leg" in said
    assert routes(filled) == before


def test_a_change_that_is_none_is_no_as_of(filled):
    said = filled.cli_fails("route", "import", "-", "--as-of", "3",
                            stdin="address,route\nnew@example.com,cloud\n")
    assert "no change 3 yet: the newest is 2" in said
    filled.cli("route", "import", "-", "--as-of", "2",
               stdin="address,route\nnew@example.com,cloud\n")


@pytest.mark.parametrize("option, value", [
    ("--tag", "x" * 5000), ("--address", "cloud=" + "x" * 5000)])
def test_a_value_that_is_too_long_takes_nothing_away(filled, option, value):
    before = filled.cli_json("route get ann@example.com")
    assert "at most 4096 bytes" in filled.cli_fails(
        "route", "set", "cloud", "ann@example.com", option, value, code=2)
    assert filled.cli_json("route get ann@example.com") == before


def test_a_file_without_a_header_is_told_so(filled):
    assert "the header is missing" in filled.cli_fails(
        "route", "import", "-", stdin="new@example.com,cloud\n")


def test_an_old_file_is_refused_where_it_would_take_a_flip_back(filled):
    old = filled.cli("route", "export")
    filled.cli("flip", "cloud", "ann@example.com")
    said = filled.cli_fails("route", "import", "-", "--as-of", "2",
                            stdin=old)
    assert "ann@example.com" in said and "--force" in said
    assert routes(filled)["ann@example.com"] == "cloud"
    filled.cli("route", "import", "-", "--as-of", "2", "--force", stdin=old)
    assert routes(filled)["ann@example.com"] == "legacy"


def test_replace_deletes_the_rest_but_no_domain(filled):
    rows = "address,route\nbob@example.com,cloud\n"
    before = routes(filled)
    said = filled.cli_fails("route", "import", "-", "--replace", stdin=rows)
    assert f"{len(before) - 2} deleted" in said and "--yes" in said
    assert routes(filled) == before
    filled.cli("route", "import", "-", "--replace", "--yes", stdin=rows)
    assert set(routes(filled)) == {"@example.com", "bob@example.com"}


# -- find and count

@pytest.mark.parametrize(("words", "found"), [
    ("", "@example.com ann anne bob cid"),
    ("--leg legacy", "@example.com ann anne bob"),
    ("--route cloud", "cid"),
    ("--domain Example.COM", "@example.com ann anne bob cid"),
    ("--domain example.org", ""),
    ("--tag wave-1", "ann bob"),
    ("--where sales", "ann"),
    ("--leg legacy --where not-there", ""),
    ("--where leg=legacy --tag wave-1 --held", "bob"),
    ("--limit 2", "@example.com ann"),
])
def test_rows_are_found_by_every_filter(filled, words, found):
    filled.cli("hold", "bob@example.com")
    rows = filled.cli_json("route", "list", *words.split())
    assert [row["address"].removesuffix("@example.com") or "@example.com"
            for row in rows] == found.split()


def test_a_list_says_how_many_there_are(filled):
    assert filled.cli("route", "list").endswith("\n5 rows\n")
    assert filled.cli("route", "list", "--limit",
                      "4").endswith("\nthere are more\n")


def test_recipients_are_counted_by_what_is_asked(filled):
    def count(*words):
        return [tuple(row.values())
                for row in filled.cli_json("route", "count", *words)]

    assert count() == [("legacy", 3), ("cloud", 1)]
    assert count("--by", "tag") == \
        [("", 2), ("wave-1", 2), ("sales", 1)]
    assert count("--by", "leg", "--tag", "wave-1") == [("legacy", 2)]
    assert count("--by", "domain") == [("example.com", 4)]
    assert count("--by", "customer") == [("", 4)]
    assert filled.cli("route", "count").endswith("\n4 recipients\n")
    assert filled.run("route", "count", "--by", "colour").returncode == 2
    said = filled.cli_fails("route", "list", "--customer", "acme")
    assert "customer acme" in said


# -- explain

def test_explain_is_the_servers_decision(filled):
    def one(*words):
        return filled.cli_json("explain", *words)[0]

    ann = one("Ann+News@example.com")
    assert (ann["verdict"], ann["rule"], ann["row"]) == \
        ("accept", "subaddress", "ann@example.com")
    assert ann["legs"][0]["leg"] == "legacy"
    filled.cli("flip", "cloud", "ann@example.com")
    assert one("Ann+News@example.com")["legs"][0]["address"] == \
        "ann+News@tenant.example"
    assert one("ann@tenant.example")["row"] == "ann@example.com"
    assert one("who@example.com")["rule"] == "domain"
    assert one("who@example.org")["code"] == 550
    assert one("who@example.com", "--client",
               "192.0.2.10")["from_leg"] == "legacy"


# -- trouble

def test_a_table_that_is_none_is_said_in_one_sentence(ph):
    table(ph).write_text("this is no database, whatever it may be called")
    for words in (["route", "get", "a@example.com"],
                  ["route", "set", "cloud", "a@example.com"]):
        said = ph.cli_fails(*words)
        assert said.count("\n") == 1 and "not an SQLite database" in said


def test_a_table_of_another_kind_is_left_alone(ph):
    other = sqlite3.connect(table(ph))
    other.execute("CREATE TABLE mine(x)")
    other.commit()
    said = ph.cli_fails("route", "set", "cloud", "a@example.com")
    assert "not a cutover table" in said
    assert other.execute("SELECT count(*) FROM sqlite_master"
                         ).fetchone() == (1,)
    other.close()


def test_two_changes_at_once_are_two_changes(filled):
    """The second waits for the first, and both are there."""
    many = [filled.spawn("route", "set", "cloud", f"u{n}@example.com")
            for n in range(8)]
    assert [p.wait() for p in many] == [0] * 8
    rows = filled.cli_json("changes list")
    assert [r["change"] for r in rows] == list(range(1, 11))
    assert sum(r["recipients"] for r in rows) == 5 + 8


def test_a_restored_table_is_put_above_what_was_known(filled):
    filled.cli_fails("table", "accept", code=3)
    assert filled.cli_json("table accept --above 41") == [{"change": 42}]
    assert filled.change("flip", "cloud", "bob@example.com") == 43


def test_a_backup_is_a_whole_table(filled):
    copy = filled.folder / "copy.db"
    filled.cli("table", "backup", str(copy))
    filled.cli("route", "delete", "bob@example.com")
    for end in ("", "-wal", "-shm"):
        table(filled).with_name(table(filled).name + end).unlink(
            missing_ok=True)
    copy.rename(table(filled))
    assert routes(filled)["bob@example.com"] == "legacy"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_leaves_no_file_that_the_daemon_can_not_read(filled):
    for file in [filled.folder, *filled.folder.glob("cutover.db*")]:
        os.chown(file, 65534, 65534)
    filled.cli("flip", "cloud", "bob@example.com")
    for file in filled.folder.glob("cutover.db*"):
        assert file.stat().st_uid == 65534
    assert filled.cli_json("changes list --last 1")[0]["recipients"] == 1


# -- terminals and pipes

def test_progress_is_drawn_on_a_terminal_and_not_on_a_pipe(ph):
    file = ph.folder / "rows.csv"
    with file.open("w") as f:
        f.write("address,route\n")
        f.writelines(f"u{n}@example.com,cloud\n" for n in range(50000))
    words = [BUILD / "posthouse", "-c", ph.conf, "route", "import", file]
    try:
        main, side = pty.openpty()
    except OSError:
        pytest.skip("there is no pseudo-terminal here")
    fcntl.fcntl(main, fcntl.F_SETFL, os.O_NONBLOCK)
    done = subprocess.run([*words, "--dry-run"], stderr=side,
                          stdout=subprocess.DEVNULL, check=True)
    assert done.returncode == 0
    drawn = os.read(main, 65536)
    assert b"reading [###" in drawn
    assert b"sorting" in drawn and b"comparing" in drawn
    os.close(main)
    os.close(side)
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "change 2: 50000 recipients\n"
    assert done.stderr == ""


def on_a_terminal(words, answer):
    """The questions and answers there, and the exit code."""
    try:
        main, side = pty.openpty()
    except OSError:
        pytest.skip("there is no pseudo-terminal here")
    os.write(main, answer)
    done = subprocess.run(words, stdin=side, stderr=side,
                          stdout=subprocess.PIPE, text=True)
    fcntl.fcntl(main, fcntl.F_SETFL, os.O_NONBLOCK)
    said = os.read(main, 65536).decode()
    os.close(main)
    os.close(side)
    return done, said


def test_a_large_change_asks_on_a_terminal(ph):
    rows = "".join(f"u{n}@example.com,legacy\n" for n in range(1001))
    ph.cli("route", "import", "-", stdin="address,route\n" + rows)
    flip = [BUILD / "posthouse", "-c", ph.conf, "flip", "cloud", "--where",
            "route=legacy"]
    done, said = on_a_terminal(flip, b"n\n")
    assert done.returncode == 1
    assert "This changes 1,001 rows: 1,001 altered. Go on? [y/N]" in said
    assert "nothing was changed" in said
    done, said = on_a_terminal([*flip, "--yes"], b"")
    assert (done.stdout, "[y/N]" in said) == \
        ("change 3: 1001 recipients\n", False)
    done, said = on_a_terminal([*flip[:3], "undo", "3"], b"y\n")
    assert done.stdout == "change 4: 1001 recipients\n"
    # A script knows what it does.
    assert ph.cli("undo", "4") == "change 5: 1001 recipients\n"


# ---- groups and rooms


def test_a_group_gets_no_copy_unless_forced(gw):
    """Each leg would hand its mail out to all members."""
    group, room = "all@example.com", "room1@example.com"
    said = gw.cli_fails("route", "set", "legacy+cloud", group, "--tag",
                        "kind=group")
    assert group in said and "twice" in said and "--force" in said
    assert gw.run("route", "get", group).returncode == 1
    gw.cli("route", "set", "legacy", group, "--tag", "kind=group")
    gw.cli("route", "set", "legacy", room, "--tag", "kind=room")
    assert room in gw.cli_fails("flip", "both", room)
    assert group in gw.cli_fails("flip", "cloud+legacy", "--tag",
                                 "kind=group", "--dry-run")
    rows = f"address,route\n{group},cloud+legacy\n{room},cloud\n"
    said = gw.cli_fails("route", "import", "-", stdin=rows)
    assert "line 2" in said and group in said
    gw.cli("flip", "cloud", group, room)
    gw.cli("hold", group)
    gw.cli("release", group)
    # By name it is done, and undone and done again without it.
    number = gw.change("flip", "cloud+legacy", group, "--force")
    gw.cli("undo", str(number))
    gw.cli("undo", str(number + 1))
    assert gw.cli_json("route", "get", group)[0]["route"] == "cloud+legacy"
    gw.cli("route", "import", "-", "--force", stdin=rows)
    gw.cli("route", "set", "legacy+cloud", room, "--force")
