# SPDX-License-Identifier: ISC
"""Waves by the command line, with and without a daemon: what they hold, what
is refused, and what selects by them."""
import fcntl
import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from gateway import Gateway
from test_admin_files import complete
from until import until

LEGS = {
    "legacy": {"hosts": ["192.0.2.10:25"]},
    "cloud": {"hosts": ["192.0.2.20:25"]},
}
ROWS = (
    "address,route,mailbox,tags\n"
    "amy@example.com,legacy,mb,sales\n"
    "ann@example.com,legacy,,sales\n"
    "bob@example.com,legacy,,vip\n"
    "cid@example.com,legacy,,\n"
    "zoe@example.com,legacy,mb,\n")


@pytest.fixture
def ph(folder):
    gw = Gateway(folder, LEGS, {"dsn": {"via": "mx"}})
    gw.cli("route", "import", "-", stdin=ROWS)
    return gw


def members(gw, name, *words):
    return {r["address"].partition("@")[0]: r["state"]
            for r in gw.cli_json("wave", "show", name, "--members", *words)
            if "address" in r}


def shown(gw, name):
    return gw.cli_json("wave", "show", name)[0]


# -- members

def test_a_wave_has_whole_mailboxes_and_changes_nothing(ph):
    before = ph.cli("route export"), ph.cli("changes list")
    said = ph.cli("wave", "create", "w1", "--where", "sales", "--to", "cloud",
                  "--note", "the first")
    assert said == "wave w1: 3 members\n"
    assert members(ph, "w1") == dict.fromkeys(("amy", "ann", "zoe"),
                                              "pending")
    w = shown(ph, "w1")
    assert {k: w[k] for k in ("name", "state", "members", "done", "failed",
                              "left", "route", "note")} == {
        "name": "w1", "state": "planned", "members": 3, "done": 0,
        "failed": 0, "left": 3, "route": "cloud", "note": "the first"}
    assert "3: 0 done, 0 failed, 3 left" in ph.cli("wave show w1")
    assert (ph.cli("route export"), ph.cli("changes list")) == before


def test_members_come_and_go_by_list_and_expression(ph):
    ph.cli("wave create w1 bob@example.com")
    ph.cli("wave", "add", "w1", "--file", "-",
           stdin="# late ones\nzoe@example.com\n\ncid@example.com\n")
    assert set(members(ph, "w1")) == {"amy", "bob", "cid", "zoe"}
    assert ph.cli("wave remove w1 amy@example.com") == \
        "wave w1: 2 members removed\n"
    ph.cli("wave create w2 ann@example.com bob@example.com")
    assert ph.cli("wave", "remove", "--all", "--where", "vip") == \
        "2 members removed from waves that are planned\n"
    assert set(members(ph, "w1")) == {"cid"}
    assert set(members(ph, "w2")) == {"ann"}


def test_every_wrong_line_is_named_and_nothing_made(ph, folder):
    (folder / "list").write_text(
        "ann@example.com\n@example.com\nx y\n@other.example\n")
    said = ph.cli_fails("wave", "create", "w1", "--file", folder / "list")
    assert f"{folder}/list: line 2: @example.com is a domain" in said
    assert f"{folder}/list: line 4: @other.example is a domain" in said
    assert f"{folder}/list: line 3: 'x y' is no address" in said
    assert "3 lines are wrong; nothing was changed" in said
    assert ph.cli_json("wave list") == []


@pytest.mark.parametrize("words, code, why", [
    ("wave create 'w 1' ann@example.com", 1, "no name of a wave: letters"),
    ("wave create w1", 2, "say which recipients in one way"),
    ("wave create w0 bob@example.com", 1, "a wave w0 already (planned)"),
    ("wave create w1 ann@example.com --to nowhere", 1,
     "'nowhere' is no leg of the configuration"),
    ("wave create w1 --where 'vip and'", 2, "wrong at its end"),
    ("wave create w1 --failed-of w9", 1, "there is no wave w9"),
    ("wave create w1 --failed-of w0", 1, "wave w0 has no failed member"),
    ("wave create w1 --failed-of w0 --where vip", 2, "leave the others out"),
    ("wave show w9", 1, "there is no wave w9; posthouse wave list"),
    ("wave show w0 --state odd", 2, "no member has the state odd"),
    ("wave delete w9", 1, "there is no wave w9"),
    ("wave remove", 2, "say of which wave, or --all"),
    ("wave exclude --where vip", 2, "--note says why"),
    ("wave exclude --where 'wave = w9' --note x", 1, "there is no wave w9"),
    ("wave include", 2, "say which rule"),
    ("wave include 0", 2, "'0' is no number of a rule"),
    ("wave include 7", 1, "there is no such rule"),
    ("flip cloud --wave w9", 1, "there is no wave w9"),
    ("flip cloud --wave w0 --tag vip", 2, "in one way"),
])
def test_what_is_wrong_is_said_and_changes_nothing(ph, words, code, why):
    ph.cli("wave create w0 ann@example.com")
    before = ph.cli("wave list"), ph.cli("route export")
    assert why in ph.cli_fails(words, code=code)
    assert (ph.cli("wave list"), ph.cli("route export")) == before


def test_a_deleted_wave_is_gone_and_its_decisions_stay(ph):
    ph.cli("wave", "create", "w1", "ann@example.com", "--note", "try")
    ph.cli("wave", "delete", "w1", "--note", "no")
    assert ph.cli_json("wave list") == []
    ph.cli("wave create w1 bob@example.com")
    decided = [(r["command"], r["detail"], r["why"]) for r in ph.cli_json(
        "wave show w1 --decisions") if "decision" in r]
    assert decided == [
        ("wave create", "created with 1 member", "try"),
        ("wave delete", "from planned to gone", "no"),
        ("wave create", "created with 1 member", "")]


def test_members_without_a_row_are_named_at_creation(ph):
    done = ph.run("wave create w1 ann@example.com new@example.com")
    assert done.returncode == 0
    assert "1 member has no row, and will be left out" in done.stderr


# -- rules

def test_rules_are_put_up_shown_and_taken_away(ph):
    ph.cli("wave", "exclude", "--where", "vip", "--note", "they move last")
    ph.cli("wave", "exclude", "--where", "client=odd", "--note", "case 77")
    assert "rule 1 has that expression already" in ph.cli_fails(
        "wave", "exclude", "--where", "vip", "--note", "again")
    rules = ph.cli_json("wave exclude")
    assert [(r["number"], r["where"], r["note"]) for r in rules] == [
        (1, "vip", "they move last"), (2, "client=odd", "case 77")]
    ph.cli("wave include 2")
    ph.cli("wave", "include", "--where", "vip")
    assert ph.cli_json("wave exclude") == []
    decided = [(r["command"], r["about"], r["detail"])
               for r in ph.cli_json("wave list --decisions")]
    assert decided == [
        ("wave exclude", "vip", "rule 1"),
        ("wave exclude", "client=odd", "rule 2"),
        ("wave include", "client=odd", "rule 2"),
        ("wave include", "vip", "rule 1")]


# -- the table

def test_other_commands_leave_waves_alone(ph, folder):
    ph.cli("wave create w1 ann@example.com zoe@example.com")
    rows = ph.cli("route export")
    ph.cli("route", "import", "-", "--replace", "--yes", stdin=rows)
    ph.cli("table", "backup", folder / "copy.db")
    ph.cli("wave delete w1")
    ph.cli("table", "restore", folder / "copy.db")
    assert set(members(ph, "w1")) == {"amy", "ann", "zoe"}
    assert "the table is whole" in ph.cli("table check")


def test_names_of_waves_are_completed(ph):
    ph.cli("wave create w1 ann@example.com")
    ph.cli("wave create other bob@example.com")
    assert complete(ph, "wave", "show", "w") == ["w1"]
    assert complete(ph, "flip", "cloud", "--wave", "") == ["other", "w1"]


# -- what selects by them

def test_flip_hold_and_release_take_a_wave(ph):
    ph.cli("wave create w1 ann@example.com zoe@example.com")
    assert "3 recipients" in ph.cli("hold --wave w1")
    assert {r["address"] for r in ph.cli_json("route list --held")} == {
        "amy@example.com", "ann@example.com", "zoe@example.com"}
    assert "3 recipients" in ph.cli("flip cloud --wave w1")
    assert "3 recipients" in ph.cli("release --wave w1")
    assert {r["address"] for r in ph.cli_json("route list --route cloud")} \
        == {"amy@example.com", "ann@example.com", "zoe@example.com"}


def test_queue_list_and_status_know_waves(gw):
    gw.cli("route", "import", "-", stdin=ROWS)
    gw.cli("wave create w1 ann@example.com bob@example.com")
    gw.cli("hold ann@example.com cid@example.com bob@example.com")
    for to in ("ann@example.com", "cid@example.com", "bob+x@Example.COM"):
        gw.send(to=to)
    until(lambda: len(gw.queue()) == 3, "the queue")
    assert {r["to"] for r in gw.queue("--wave", "w1")} == {
        "ann@example.com", "bob+x@Example.COM"}
    assert len(gw.queue("--wave", "w1", "--limit", "1")) == 1
    assert "there is no wave w9" in gw.cli_fails("queue list --wave w9")
    # More members than are read at a time; mail of others is none of theirs.
    many = [f"u{n:04}@example.com" for n in range(4500)]
    gw.cli("route", "import", "-", stdin="address,route\n" + "".join(
        f"{m},legacy\n" for m in many))
    gw.cli("wave create w2 --file -", stdin="\n".join(many) + "\n")
    gw.cli("hold", many[0], many[2300], many[-1])
    for m in (many[0], many[2300], many[-1]):
        gw.send(to=m)
    until(lambda: len(gw.queue()) == 6, "the queue")
    assert {r["to"] for r in gw.queue("--wave", "w2")} == {
        many[0], many[2300], many[-1]}
    assert len(gw.queue("--wave", "w2", "--limit", "2")) == 2
    assert gw.queue("--wave", "w2", "--state", "queued") == []
    wave = [r for r in gw.cli_json("status") if r["section"] == "wave"][0]
    assert (wave["name"], wave["state"], wave["members"], wave["done"]) == \
        ("w1", "planned", 2, 0)
    assert "waves: 2 planned; posthouse wave list" in gw.cli("status")


def test_a_rule_and_an_undo_show_while_it_runs(gw):
    gw.cli("route", "import", "-", stdin=ROWS)
    gw.cli("wave", "exclude", "--where", "vip", "--note", "later")
    gw.cli("wave create w1 ann@example.com bob@example.com --to cloud")
    gw.cli("wave start w1")
    until(lambda: shown(gw, "w1")["state"] == "done", "the end")
    assert members(gw, "w1") == {"ann": "done", "bob": "excluded"}
    w = shown(gw, "w1")
    assert (w["done"], w["left"], w["excluded"]) == (1, 0, 1)
    number = gw.cli_json("changes list")[-1]["change"]
    gw.cli("undo", str(number))
    w = shown(gw, "w1")
    assert (w["done"], w["left"], w["moved_on"]) == (0, 1, 1)
    assert "1 of them was flipped and has another route by now" in \
        gw.cli("wave show w1")


def test_the_failed_members_make_the_next_wave(ph):
    ph.cli("wave create w1 ann@example.com bob@example.com zoe@example.com")
    with sqlite3.connect(ph.folder / "cutover.db") as db:
        db.execute("UPDATE member SET state = 2, reason = 'full' "
                   "WHERE address IN ('bob@example.com', 'zoe@example.com')")
    db.close()
    assert ph.cli_json("wave show w1 --state failed")[1]["reason"] == "full"
    ph.cli("wave create w2 --failed-of w1")
    assert set(members(ph, "w2")) == {"amy", "bob", "zoe"}


def test_show_has_the_watermarks_of_the_members(gw):
    gw.cli("route", "import", "-", stdin=ROWS)
    gw.cli("wave create w1 ann@example.com cid@example.com")
    gw.cli("flip cloud ann@example.com bob@example.com")

    def marks():
        return [(r["address"], r["leg"], r["state"]) for r in gw.cli_json(
            "wave show w1 --watermarks") if "leg" in r]

    until(lambda: marks() == [("ann@example.com", "legacy", "reached")],
          "the watermark")


# -- the table is free while a client reads

# So that the rows are more than what the daemon holds for a client, 1 MiB.
LONG = "s" * 64 + "@" + "x" * 60 + "." + "y" * 60 + ".test"


def test_a_list_that_nothing_reads_leaves_the_table_alone(make_gw):
    gw = make_gw()
    gw.cli("leg suspend legacy")
    users = [f"user{i:04}@example.com" for i in range(4000)]
    gw.cli("route", "import", "-", stdin="address,route\n" + "".join(
        f"{u},legacy\n" for u in users))
    gw.cli("wave", "create", "w1", "--file", "-", "--to", "cloud",
           stdin="\n".join(users) + "\n")
    for i in range(0, len(users), 500):
        gw.send(to=users[i:i + 500], sender=LONG)

    def handles():
        """SQLite keeps a handle of the table itself while another has a lock;
        each has one of its log."""
        n = 0
        for fd in Path(f"/proc/{gw.process.pid}/fd").iterdir():
            try:
                n += os.readlink(fd).endswith("cutover.db-wal")
            except FileNotFoundError:
                pass
        return n

    before = handles()
    run = subprocess.Popen(
        [gw.build / "posthouse", "-c", gw.conf, "queue", "list", "--wave",
         "w1", "--json"], stdout=subprocess.PIPE)
    try:
        fcntl.fcntl(run.stdout, fcntl.F_SETPIPE_SZ, 4096)
        first = run.stdout.readline()
        until(lambda: handles() == before, "the list's handle to be closed")
        assert run.poll() is None
        rows = [first, *run.stdout]
    finally:
        run.kill()
        run.wait()
    assert sorted(json.loads(row)["to"] for row in rows) == users
