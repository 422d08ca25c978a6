# SPDX-License-Identifier: ISC
"""Who changed the table and when, and whether the history is as it was
written: edited, taken out, put in, or the whole chain computed anew
(doc/table.md, "The chain")."""
import hashlib
import json
import os
import pwd
import shutil
import sqlite3
import subprocess

import pytest

ANN, BOB = "ann@example.com", "bob@example.com"
LINE = ("change, time, who, host, command, note, recipients, node, kind, "
        "wave, previous, rows, decided")
ROW = ("address, old_route, old_held, old_mailbox, old_tags, old_addresses, "
       "new_route, new_held, new_mailbox, new_tags, new_addresses")


def as_bytes(value):
    return value if isinstance(value, bytes) else str(value).encode()


def line_hash(line):
    return hashlib.sha256(b"".join(
        b"%d:%s" % (len(v), v) for v in map(as_bytes, line)))


def rows_digest(db, change):
    digest = hashlib.sha256()
    for row in db.execute(f"SELECT {ROW} FROM log WHERE change = ? "
                          "ORDER BY address", (change,)):
        for value in row:
            if value is None:
                digest.update(b"\xff" * 4)
            else:
                text = as_bytes(value)
                digest.update(len(text).to_bytes(4, "little") + text)
    return digest.digest()


def heads(db):
    return {line[0]: line_hash(line).hexdigest() for line in
            db.execute(f"SELECT {LINE} FROM change ORDER BY change")}


def chain_anew(db):
    """As someone would who may write the table and read its page."""
    before = b""
    for (number,) in db.execute(
            "SELECT change FROM change ORDER BY change").fetchall():
        db.execute("UPDATE change SET previous = ?, rows = ? "
                   "WHERE change = ?",
                   (before, rows_digest(db, number), number))
        line = db.execute(f"SELECT {LINE} FROM change WHERE change = ?",
                          (number,)).fetchone()
        before = line_hash(line).digest()


@pytest.fixture
def past(make_gw):
    """Five changes that the index knows of; the daemon has stopped."""
    gw = make_gw()
    gw.cli("route", "set", "legacy", ANN, BOB)
    gw.cli("flip", "cloud", ANN, "--note", "first")
    gw.cli("undo", "3")
    gw.cli("flip", "cloud", ANN, BOB)
    for change in range(1, 6):
        gw.wait_event("change", change=change)
    gw.verify()
    assert gw.stop() == 0
    gw.table = gw.folder / "cutover.db"
    return gw


def spoil(gw, *statements):
    db = sqlite3.connect(gw.table)
    for statement in statements:
        db.execute(statement) if isinstance(statement, str) else statement(db)
    db.commit()
    db.close()


def verified(gw):
    done = gw.run("audit", "verify", "--json")
    return done, json.loads(done.stdout.splitlines()[-1])


def test_the_history_says_which_user(gw):
    gw.cli("flip", "cloud", ANN, "--create")
    env = dict(os.environ, SUDO_USER="zoe")
    subprocess.run([gw.build / "posthouse", "-c", gw.conf, "flip", "legacy",
                    ANN], env=env, check=True, stdout=subprocess.DEVNULL)
    by = [r["who"] for r in gw.cli_json("changes", "list", "--last", "2")]
    user = f"{pwd.getpwuid(os.getuid()).pw_name}({os.getuid()})"
    assert user in by[0] and "zoe" not in by[0]
    assert by[1] == by[0] + ", sudo says zoe"
    assert gw.wait_event("change", who=by[1])
    # What the daemon carries out names the peer in the same form.
    gw.cli("leg", "suspend", "cloud", "--reason", "a test")
    assert user in gw.wait_event("leg", state="suspended")["who"]


def test_each_change_has_its_head_in_the_events(past):
    with sqlite3.connect(past.table) as db:
        want = heads(db)
        rows = dict(db.execute("SELECT change, rows FROM change"))
        assert rows == {n: rows_digest(db, n) for n in rows}
    assert {e["change"]: e["head"]
            for e in past.events(event="change")} == want
    assert past.cli_json("changes", "show", "3")[0]["head"] == want[3]
    done, last = verified(past)
    assert done.returncode == 0, done.stderr
    assert (last["history"], last["changes"], last["recorded"]) == \
        ("whole", 5, 5)


@pytest.mark.parametrize("sql, said", [
    ("UPDATE change SET note = 'second' WHERE change = 3",
     "change 3 was edited or put in"),
    ("DELETE FROM change WHERE change = 3", "change 3 was taken out"),
    ("DELETE FROM change WHERE change = 5",
     "the log has rows of change 5, which has no line"),
    ("UPDATE log SET new_route = 'outside' WHERE change = 4",
     "the rows of change 4"),
    ("DELETE FROM log WHERE change = 5 AND address = 'bob@example.com'",
     "the rows of change 5 were edited, taken out or put in (1 rows; its "
     "line says 2"),
    ("INSERT INTO log(change, address) VALUES(3, 'x@example.com')",
     "the rows of change 3"),
    ("INSERT INTO change SELECT 6, time, who, host, command, note, 0, node, "
     "kind, wave, previous, rows, decided FROM change WHERE change = 5",
     "change 5 was edited or put in: change 6 does not follow it"),
])
def test_what_another_program_wrote_is_named(past, sql, said):
    spoil(past, sql)
    done, last = verified(past)
    assert done.returncode == 1
    assert (last["verdict"], last["history"]) == ("agrees", "altered")
    assert said in done.stderr


def test_a_chain_that_was_computed_anew_is_found(past):
    spoil(past, "UPDATE change SET who = 'bob(1001)' WHERE change = 3",
          "UPDATE log SET new_route = 'outside' WHERE change = 4",
          chain_anew)
    past.cli("table", "check")  # in itself it is whole
    done, last = verified(past)
    assert (done.returncode, last["history"]) == (1, "altered")
    assert "change 3 is not as it was recorded" in done.stderr


@pytest.mark.parametrize("sql, said", [
    ("UPDATE decision SET note = 'x' WHERE decision = 1",
     "decision 1 was edited or put in"),
    ("DELETE FROM decision WHERE decision = 2",
     "a decision was edited or taken out: change 6"),
])
def test_decisions_are_covered_too(past, sql, said):
    past.cli("wave", "create", "july", ANN, "--to", "cloud")
    past.cli("wave", "add", "july", BOB)
    past.cli("flip", "legacy", ANN)  # its line holds the newest decision
    done = past.run("audit", "verify")
    assert "2 decisions: as they were written" in done.stdout
    spoil(past, sql)
    done, last = verified(past)
    assert (last["history"], last["decisions"]) == ("altered", 2 - (
        "DELETE" in sql))
    assert said in done.stderr


def test_newest_lines_that_were_taken_out_are_found(past):
    spoil(past, "DELETE FROM change WHERE change = 5",
          "DELETE FROM log WHERE change = 5")
    past.cli("table", "check")
    done, last = verified(past)
    assert (done.returncode, last["history"]) == (1, "altered")
    assert "change 5, recorded" in done.stderr
    assert "is not in the table" in done.stderr


def test_numbers_that_table_accept_passed_over_are_no_fault(past):
    copy = past.folder / "copy.db"
    past.cli("table", "backup", str(copy))
    past.start()
    past.cli("flip", "legacy", ANN)
    past.wait_event("change", change=6)
    past.cli("table", "restore", str(copy))
    past.cli("table", "accept")
    past.wait_event("change", change=7)
    done, last = verified(past)
    assert last["history"] == "whole", done.stderr
    past.verify()


def test_a_table_that_cannot_be_read_is_said(past):
    shutil.copyfile(past.conf, past.table)
    done, last = verified(past)
    assert (done.returncode, last["history"]) == (1, "unread")
    assert "the history of the table was not looked at" in done.stderr
    past.table.unlink()


@pytest.mark.parametrize("sql, said", [
    ("UPDATE decision SET note = 'another' WHERE decision = 3",
     "decision 3 is not as it was recorded"),
    ("DELETE FROM decision WHERE decision = 3", "decision 3, recorded"),
])
def test_a_decision_that_no_change_follows_is_covered(gw, sql, said):
    gw.cli("route", "set", "legacy", ANN)
    gw.cli("wave", "create", "w1", "--where", "route = legacy", "--note", "why")
    gw.cli("wave", "exclude", "--where", "vip", "--note", "not now")
    told = gw.wait_event("decision", decision=2)
    assert (told["command"], told["about"], told["note"]) == \
        ("wave exclude", "vip", "not now")
    assert gw.wait_event("decision", decision=1)["about"] == "w1"
    gw.restart()
    gw.cli("wave", "include", "1")
    gw.wait_event("decision", decision=3)
    assert [e["decision"] for e in gw.events(event="decision")] == [1, 2, 3]
    gw.verify()
    gw.table = gw.folder / "cutover.db"
    assert gw.stop() == 0
    done, last = verified(gw)
    assert (done.returncode, last["history"]) == (0, "whole"), done.stderr
    spoil(gw, sql)
    done, last = verified(gw)
    assert (done.returncode, last["history"]) == (1, "altered")
    assert said in done.stderr
