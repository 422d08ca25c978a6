# SPDX-License-Identifier: ISC
"""audit verify at one position; a spool that is another, or not whole."""
import json
import os
import shutil
import sqlite3
import threading

import pytest

from shift import HOUR_S, Shift
from until import until

ANN, BOB = "ann@example.com", "bob@example.com"


def verify(gw, *words):
    """The exit code, the rows of legs, the list of --lost, the verdict."""
    done = gw.run("audit", "verify", "--json", *words)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    legs = {r["leg"]: r for r in rows if "created" in r}
    return done.returncode, legs, [r for r in rows if "sender" in r], rows[-1]


def agrees(gw):
    code, legs, _, last = verify(gw)
    return (code, last["verdict"], last["behind"]) == (0, "agrees", 0) and \
        all(leg["gap"] == 0 and leg["journal"] ==
            {k: leg[k] for k in leg["journal"]} for leg in legs.values())


def spool_row(gw):
    return [r for r in gw.cli_json("status") if r.get("section") == "spool"][0]


def delivered(gw, **mail):
    id = gw.send(**mail)
    gw.wait_event("delivered", id)
    return id


@pytest.fixture
def held(gw):
    """A message that was delivered, and two that wait, one with a copy."""
    gw.cli(f"route set legacy+cloud {ANN}")
    gw.cli(f"hold {ANN}")
    delivered(gw, to=BOB)
    gw.ids = [gw.send(to=ANN), gw.send(to=[ANN, BOB])]
    gw.wait_event("delivered", gw.ids[1], to=BOB)
    assert agrees(gw)
    return gw


def names_the_lost(gw, ids):
    code, _, lost, last = verify(gw, "--lost")
    assert (code, last["verdict"]) == (1, "differs")
    assert sorted({r["id"] for r in lost}) == sorted(ids)
    for row in lost:
        assert row["recipients"] == [ANN], row
        assert row["sender"] and row["leg"] in ("legacy", "cloud")
    return lost


def works_and_is_traced(gw):
    id = delivered(gw, to=BOB)
    until(lambda: "delivered" in gw.run("trace", id).stdout, "the trace")
    assert all(leg["gap"] == 0 for leg in gw.cli_json("leg list"))


# ---- the spool is not what the index had read -----------------------------

def remove(spool, _):
    shutil.rmtree(spool)


def empty(spool, _):
    for file in spool.iterdir():
        file.unlink()


def only_segments_gone(spool, _):
    for file in spool.glob("seg.*"):
        file.unlink()


def segments_and_map_gone(spool, _):
    only_segments_gone(spool, _)
    (spool / "spool.slots").unlink()


def segment_gone(spool, _):
    (spool / "seg.0000").unlink()


def segment_zeroed(spool, _):
    path = spool / "seg.0000"
    path.write_bytes(bytes(path.stat().st_size))


def segment_cut(spool, _):
    os.truncate(spool / "seg.0000", 8192)


def older_copy(spool, copy):
    shutil.rmtree(spool)
    shutil.copytree(copy, spool)


@pytest.mark.noverify
@pytest.mark.parametrize("harm", [
    remove, empty, only_segments_gone, segments_and_map_gone, segment_gone,
    segment_zeroed, segment_cut, older_copy])
def test_what_is_lost_is_named_and_new_mail_is_traced(held, harm):
    gw = held
    gw.stop()
    before = gw.folder / "copy"
    shutil.copytree(gw.folder / "spool", before)
    gw.start()
    gw.ids.append(gw.send(to=ANN))
    gw.wait_event("accepted", gw.ids[-1])
    gw.stop()
    assert verify(gw)[0] == 0
    harm(gw.folder / "spool", before)
    lost = gw.ids[2:] if harm is older_copy else gw.ids
    names_the_lost(gw, lost)    # by the journal, without the daemon
    gw.start()
    names_the_lost(gw, lost)    # by the index, with it
    works_and_is_traced(gw)
    assert spool_row(gw)["health"].startswith("degraded")
    assert gw.wait_event("alarm", kind="spool-damaged")
    assert gw.wait_event("spool", state="replaced")["reason"]
    gw.stop()
    gw.start()
    names_the_lost(gw, lost)
    works_and_is_traced(gw)
    assert len(gw.events(event="spool", state="replaced")) == 1
    if harm is older_copy:      # the others are as if nothing had been
        gw.cli(f"release {ANN}")
        for id in gw.ids[:2]:
            gw.wait_event("delivered", id, to=ANN)
    names_the_lost(gw, lost)


@pytest.mark.noverify
def test_places_are_never_used_twice(held):
    """Positions in the events go up, whatever becomes of the spool."""
    gw = held
    for harm in (remove, only_segments_gone, segments_and_map_gone, empty):
        gw.stop()
        harm(gw.folder / "spool", None)
        gw.start()
        works_and_is_traced(gw)
    places = [tuple(map(int, e["pos"].split(":"))) for e in gw.events()]
    assert places == sorted(places)
    assert places[-1][0] > 4


def test_an_empty_spool_without_waiting_mail_is_no_alarm(gw):
    delivered(gw)
    gw.stop()
    shutil.rmtree(gw.folder / "spool")
    gw.start()
    assert gw.wait_event("spool", state="replaced")
    works_and_is_traced(gw)
    until(lambda: agrees(gw), "the books to be even")
    assert not gw.events(event="alarm")
    assert "degraded" not in gw.cli("status")


@pytest.mark.noverify
def test_one_segment_of_several_is_missing(gw):
    gw.cli(f"hold --create {ANN}")
    first = gw.send(to=ANN)
    gw.wait_event("accepted", first)
    gw.kill()                   # the next session begins a generation
    gw.start()
    second = gw.send(to=ANN)
    gw.wait_event("accepted", second)
    gw.stop()
    (gw.folder / "spool/seg.0000").unlink()
    names_the_lost(gw, [first])
    gw.start()
    names_the_lost(gw, [first])
    assert spool_row(gw)["missing_generations"] == "1"
    assert gw.wait_event("spool", state="degraded")["missing"] == "1"
    works_and_is_traced(gw)
    gw.stop()


# ---- one record that was altered ------------------------------------------

ALTERATIONS = [
    "DELETE FROM recipient",
    "UPDATE recipient SET legs = replace(legs, 'delivered', 'bounced')",
    "UPDATE recipient SET legs = replace(legs, 'held', 'delivered')",
    "UPDATE recipient SET legs = replace(legs, 'legacy', 'cloud')",
    "UPDATE recipient SET legs = ''",
]


@pytest.mark.noverify
@pytest.mark.parametrize("alter", range(len(ALTERATIONS)))
@pytest.mark.parametrize("running", [True, False])
def test_one_altered_record_is_found_at_every_look(held, alter, running):
    gw = held
    if not running:
        gw.stop()
    file = sorted((gw.folder / "audit").glob("2*.db"))[-1]
    db = sqlite3.connect(file, timeout=10)
    rows = db.execute("SELECT id, rcpt, legs FROM recipient").fetchall()
    with db:
        for id, rcpt, legs in rows:
            where = f" WHERE id = {id} AND rcpt = {rcpt}"
            db.execute(ALTERATIONS[alter] + where)
            now = db.execute("SELECT legs FROM recipient" + where).fetchone()
            if now is None or now[0] != legs:
                break
    db.close()
    for _ in range(5):
        code, _, _, last = verify(gw)
        assert (code, last["verdict"]) == (1, "differs")


# ---- where the index is behind --------------------------------------------

@pytest.mark.noverify
def test_an_index_that_is_behind_says_by_how_much(gw):
    delivered(gw)
    assert agrees(gw)
    file = sorted((gw.folder / "audit").glob("2*.db"))[-1]
    db = sqlite3.connect(file, timeout=10, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")   # nothing is committed meanwhile
    gw.send()
    code, _, _, last = verify(gw, "--wait", "1s")
    assert (code, last["verdict"]) == (1, "behind")
    assert last["behind"] > 0
    said = gw.run("audit", "verify", "--wait", "0").stdout
    assert "behind the journal by" in said
    db.execute("ROLLBACK")
    db.close()
    until(lambda: agrees(gw), "the index to follow")


@pytest.mark.noverify
def test_behind_without_the_daemon(gw):
    delivered(gw)
    file = sorted((gw.folder / "audit").glob("2*.db"))[-1]
    db = sqlite3.connect(file, timeout=10, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    gw.send()
    gw.kill()
    db.execute("ROLLBACK")
    db.close()
    code, _, _, last = verify(gw)
    assert (code, last["verdict"]) == (1, "behind")
    assert last["behind"] >= 1


@pytest.mark.noverify
def test_an_era_without_figures_is_behind_without_the_daemon(gw):
    """Killed before the first batch of an era was in the index."""
    delivered(gw)
    gw.stop()
    file = sorted((gw.folder / "audit").glob("2*.db"))[-1]
    for state, behind in (("known = 0, based = 0", False),
                          ("generation = 0, offset = 0", True)):
        db = sqlite3.connect(file)
        db.execute(f"UPDATE state SET {state}")
        for table in ("base", "journal"):
            db.execute(f"DELETE FROM {table}")
        db.commit()
        db.close()
        code, _, _, last = verify(gw)
        assert (code, last["verdict"]) == (1, "behind")
        assert (last["behind"] > 0) == behind
        said = gw.run("audit", "verify").stdout
        assert ("behind the journal by" in said) == behind
        assert ("does not know the journal's figures yet" in said) != behind


# ---- what goes on meanwhile -----------------------------------------------

def test_no_false_alarm_while_mail_flows(gw):
    """Several legs, copies, holds: a figure that moves is no gap."""
    gw.cli(f"route set legacy+cloud {ANN}")
    stop = threading.Event()

    def mail():
        while not stop.is_set():
            gw.send(to=[ANN, BOB])

    senders = [threading.Thread(target=mail) for _ in range(4)]
    for s in senders:
        s.start()
    try:
        for i in range(15):
            assert agrees(gw), verify(gw)
            assert all(leg["gap"] == 0 for leg in gw.cli_json("leg list"))
            gw.cli(f"hold --create {BOB}" if i % 2 == 0
                   else f"release {BOB}")
    finally:
        stop.set()
        for s in senders:
            s.join()
    gw.cli(f"release {BOB}")
    gw.wait_empty()
    assert agrees(gw)


def test_a_journal_that_goes_round_and_an_index_that_is_new(make_gw):
    """Carried mail, and an index that was lost, count once."""
    gw = make_gw({"spool": {"max": "4M", "segment": "64K", "retain": "0s"}})
    gw.cli(f"hold --create {ANN}")
    gw.cli(f"route set legacy+cloud {BOB}")
    held = [gw.send(to=ANN) for _ in range(5)]
    body = b"Subject: x\r\n\r\n" + (b"y" * 70 + b"\r\n") * 50
    for _ in range(20):
        for _ in range(60):
            gw.send(to=BOB, message=body)
        if spool_row(gw)["carried"] >= len(held):
            break
    assert spool_row(gw)["carried"] >= len(held)
    gw.wait_empty()
    assert agrees(gw)
    gw.restart()
    assert agrees(gw)
    gw.stop()
    assert agrees(gw)
    shutil.rmtree(gw.folder / "audit")
    gw.start()
    until(lambda: agrees(gw), "the new index to be even")
    gw.cli(f"release {ANN}")
    for id in held:
        gw.wait_event("delivered", id)
    assert agrees(gw)
    gw.stop()
    assert agrees(gw)


def test_hours_that_pass_and_are_removed(make_gw, folder):
    """What was counted before the oldest file that is kept is in its base."""
    clock = Shift(folder)
    gw = make_gw({"audit": {"path": "audit", "events": "events.jsonl",
                            "keep": "3h"}}, start=False)
    gw.environment.update(clock.environment)
    gw.start()
    gw.cli(f"hold --create {ANN}")
    held = [gw.send(to=ANN) for _ in range(4)]
    for hour in range(8):
        delivered(gw, to=BOB)
        if hour % 2:
            gw.cli("queue", "park", "--yes", held[hour // 2])
        assert agrees(gw), verify(gw)
        clock.forward(gw, HOUR_S)
    delivered(gw, to=BOB)
    until(lambda: len(list((gw.folder / "audit").glob("2*.db"))) < 7,
          "old hours to be removed")
    assert agrees(gw), verify(gw)
    gw.cli(f"release {ANN}")
    assert agrees(gw)
    gw.stop()
    assert agrees(gw)


# ---- an index of an earlier version ---------------------------------------

def as_format_2(gw):
    """The index as the version before wrote it."""
    file, = (gw.folder / "audit").glob("2*.db")
    db = sqlite3.connect(file, isolation_level=None)
    for id, rcpt, legs in db.execute(
            "SELECT id, rcpt, legs FROM recipient").fetchall():
        lines = [" ".join(line.split()[:4]) + "\n"
                 for line in legs.splitlines()]
        db.execute("UPDATE recipient SET legs = ? WHERE id = ? AND rcpt = ?",
                   ("".join(lines), id, rcpt))
    for column in ("spool", "era", "until_generation", "until_offset",
                   "again", "known", "based"):
        db.execute(f"ALTER TABLE state DROP COLUMN {column}")
    db.execute("ALTER TABLE recipient DROP COLUMN era")
    for table in ("journal", "base"):
        db.execute(f"DROP TABLE {table}")
    db.execute("UPDATE state SET format = 2")
    db.close()


@pytest.mark.noverify
def test_an_index_of_the_version_before_goes_on(held):
    gw = held
    gw.stop()
    as_format_2(gw)
    done = gw.run("audit", "verify")
    assert done.returncode == 1 and "earlier version" in done.stderr
    gw.start()
    until(lambda: agrees(gw), "the index to be brought up")
    works_and_is_traced(gw)
    assert not gw.events(event="spool") and agrees(gw)
    gw.cli("queue", "park", "--yes", gw.ids[0])
    assert agrees(gw)
    gw.stop()
    assert agrees(gw)
    shutil.rmtree(gw.folder / "spool")
    names_the_lost(gw, gw.ids)
    gw.start()
    names_the_lost(gw, gw.ids)


@pytest.mark.noverify
def test_an_index_of_the_version_before_whose_spool_is_gone(held):
    gw = held
    gw.stop()
    as_format_2(gw)
    shutil.rmtree(gw.folder / "spool")
    gw.start()
    assert gw.wait_event("spool", state="replaced")
    names_the_lost(gw, gw.ids)
    works_and_is_traced(gw)
