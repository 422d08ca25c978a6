# SPDX-License-Identifier: ISC
"""Mail carried by hand: queue export --all, queue import."""
import collections
import errno
import json
import random
import stat
import time

import pytest

from fault import FOR_GOOD, fail_for
from test_crash import Senders
from until import until

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"
BODY = (b"Subject: carried\r\nX-Odd: \xc3\xa9\r\n\r\n" +
        bytes(range(32, 127)) + b"\r\n.\r\n" + b"x" * 900 + b"\r\n")


@pytest.fixture
def old(make_gw, legacy):
    """A Posthouse whose legs are suspended, so that all of it waits."""
    gw = make_gw(name="old", settings={"retry": {"steps": ["1h"]}})
    for leg in ("legacy", "cloud"):
        gw.cli(f"leg suspend {leg}")
    return gw


@pytest.fixture
def new(make_gw):
    return make_gw(name="new")


@pytest.fixture
def fail(folder):
    return fail_for(folder)


def export(gw, name="carried"):
    folder = gw.folder.parent / name
    return folder, gw.cli_json("queue", "export", "--all", folder)[-1]


def imported(gw, folder):
    return gw.cli_json("queue", "import", folder)[-1]


def states(gw):
    return {(q["id"], q["to"], q["leg"]): (q["role"], q["state"],
                                           q["attempts"])
            for q in gw.queue()}


def fill(gw):
    """Mail of each state that waits."""
    gw.cli(f"route set legacy+cloud {BOB}")
    gw.cli(f"route set legacy {EVE}")
    gw.cli(f"hold {EVE}")
    ids = [gw.send(to=[ANN, BOB], message=BODY,
                   mail_options=["RET=HDRS", "ENVID=e-1"],
                   rcpt_options=["NOTIFY=FAILURE"]),
           gw.send(to=EVE, sender=""), gw.send(to=ANN), gw.send(to=ANN),
           gw.send(to=ANN, message=b"Subject: big\r\n\r\n" +
                   b"y" * 70 * 10000)]
    gw.cli(f"queue freeze {ids[2]}")
    gw.cli("queue", "park", ids[3], "--yes", "--reason", "wait for Bob")
    return ids


def test_all_that_waits_is_carried_as_it_is(old, new, legacy, cloud):
    ids = fill(old)
    before = states(old)
    bodies = {id: old.run_bytes("queue", "export", id).stdout for id in ids}
    folder, row = export(old)
    assert (row["messages"], row["deliveries"]) == (5, len(before)), row
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) for f in folder.iterdir()} == \
        {0o600}
    assert not list(folder.glob("*.part"))
    for id in ids:
        assert (folder / f"{id}.eml").read_bytes() == bodies[id]
    mail = json.loads((folder / f"{ids[0]}.json").read_text())
    assert (mail["from"], mail["envid"], mail["ret"]) == \
        ("sender@elsewhere.test", "e-1", "hdrs")
    assert [(r["to"], r["notify"]) for r in mail["recipients"]] == \
        [(ANN, 2), (BOB, 2)]
    assert states(old) == before, "nothing is deleted"
    for leg in ("legacy", "cloud"):
        new.cli(f"leg suspend {leg}")
    new.cli(f"route set legacy+cloud {BOB}")
    new.cli(f"route set legacy {EVE}")
    new.cli(f"hold {EVE}")
    assert imported(new, folder) == {"imported": 5, "known": 0, "refused": 0}
    assert states(new) == before
    for id in ids:
        assert new.run_bytes("queue", "export", id).stdout == bodies[id]
        assert new.wait_event("imported", id)["who"]
    parked, = [q for q in new.queue() if q["state"] == "parked"]
    assert parked["reason"].endswith("wait for Bob")
    new.restart()
    assert states(new) == before
    new.cli("leg resume legacy")
    new.cli("leg resume cloud")
    new.cli(f"release {EVE}")
    new.cli(f"queue thaw {ids[2]}")
    new.cli(f"queue retry {ids[3]}")
    until(lambda: {m.id for m in legacy.mails} >= set(ids), "all of it")
    until(lambda: {m.id for m in cloud.mails} >= {ids[0]}, "the copy")
    new.wait_empty()
    mail, = legacy.messages(ids[0])
    assert sorted(mail.rcpt) == [ANN, BOB]
    assert mail.below == BODY
    old.cli("queue", "delete", *ids, "--yes")


def test_run_twice_it_imports_nothing_twice(old, new, legacy):
    ids = fill(old)[2:]
    folder, _ = export(old)
    new.cli("leg suspend legacy")
    assert imported(new, folder)["imported"] == 5
    assert imported(new, folder) == {"imported": 0, "known": 5, "refused": 0}
    new.cli("leg resume legacy")
    until(lambda: {m.id for m in legacy.mails} >= {ids[2]}, "it to go out")
    new.cli("queue", "delete", ids[1], "--yes")
    new.cli(f"queue thaw {ids[0]}")
    new.wait_empty()
    new.restart()
    n = len(legacy.mails)
    assert imported(new, folder)["imported"] == 0, "over is known, too"
    assert len(legacy.mails) == n
    old.cli("queue", "delete", "--state", "queued", "--yes")
    old.cli("queue", "delete", "--state", "frozen", "--yes")


def test_one_that_cannot_be_read_now_is_not_taken_again(
        old, make_gw, legacy, fail):
    id = old.send(to=ANN)
    folder, _ = export(old)
    new = make_gw(name="new", start=False)
    new.environment.update(fail.environment)
    new.start()
    new.cli("leg suspend legacy")
    assert imported(new, folder)["imported"] == 1
    fail.arm("read", 1, errno.EIO, FOR_GOOD, "spool/seg.")
    said = new.cli_fails("queue", "import", folder)
    assert id in said and "cannot be read now" in said
    fail.disarm()
    assert imported(new, folder)["known"] == 1
    new.cli("leg resume legacy")
    new.wait_event("delivered", id)
    new.restart()
    new.wait_empty()
    assert len(legacy.messages(id)) == 1
    old.cli("queue", "delete", id, "--yes")


def test_a_leg_that_is_not_there_is_resolved_by_the_table(
        old, make_gw, cloud):
    id = old.send(to=ANN)
    folder, _ = export(old)
    new = make_gw(name="new", settings={
        'domain "example.com"': {"route": "cloud", "both": "cloud+third"}},
        legs={"legacy": None, "third": cloud})
    assert imported(new, folder)["imported"] == 1
    cloud.wait_message(id)
    new.wait_empty()
    assert new.wait_event("superseded", id)["leg"] == "legacy"


def test_what_may_have_gone_out_there_is_marked(make_gw, new, legacy):
    old = make_gw(name="old", settings={"retry": {"steps": ["1h"]}})
    legacy.reply("RCPT", "450 4.2.1 busy", times=1)
    id = old.send(to=ANN)
    old.wait_event("deferred", id)
    old.stop()
    old.start()
    folder, _ = export(old)
    old.cli(f"queue retry {id}")
    legacy.wait_message(id)
    imported(new, folder)
    new.cli(f"queue retry {id}")
    assert new.wait_event("delivered", id)["uncertain"] == "possible"


BAD = {
    "cut": lambda eml, env: eml.write_bytes(eml.read_bytes()[:-1]),
    "changed": lambda eml, env: eml.write_bytes(
        eml.read_bytes()[:-1] + b"?"),
    "absent": lambda eml, env: eml.unlink(),
    "linked": lambda eml, env: (eml.rename(eml.with_suffix(".x")),
                                eml.symlink_to(eml.with_suffix(".x"))),
    "no JSON": lambda eml, env: env.write_text("{"),
    "another id": lambda eml, env: env.write_text(
        env.read_text().replace(eml.stem, "01JD5K3W7Q2MA")),
    "a command in an address": lambda eml, env: env.write_text(
        env.read_text().replace(ANN, ANN + "\\r\\nQUIT")),
    "no recipient": lambda eml, env: edit(env, recipients=[]),
    "a delivery of no recipient": lambda eml, env: edit(
        env, deliveries=[dict(json.loads(env.read_text())["deliveries"][0],
                              rcpt=7)]),
    "a state that is none": lambda eml, env: edit(
        env, deliveries=[dict(json.loads(env.read_text())["deliveries"][0],
                              state="lost")]),
    "a format that is newer": lambda eml, env: edit(env, posthouse_mail=2),
    "the wrong size": lambda eml, env: edit(env, size=1 << 40),
}


def edit_deliveries(env, n=1, **values):
    one, = json.loads(env.read_text())["deliveries"]
    edit(env, deliveries=[{**one, **{k: v(i) if callable(v) else v
                                     for k, v in values.items()}}
                          for i in range(n)])


def us_from_now(seconds):
    return int((time.time() + seconds) * 1e6)


BAD_VALUE = {
    "created_us": lambda env: edit_deliveries(
        env, created_us=us_from_now(2 * 3600)),
    "due_us": lambda env: edit_deliveries(env, due_us=2 ** 63 - 1),
    "accepted_us": lambda env: edit(env, accepted_us=us_from_now(-2 * 86400)),
    "no name": lambda env: edit_deliveries(env, leg="Old\n"),
    "more than 16 legs": lambda env: edit_deliveries(
        env, n=17, leg=lambda i: f"leg{i}"),
    "one record of the spool": lambda env: edit_deliveries(env, n=20000),
}


@pytest.mark.parametrize("what", BAD_VALUE)
def test_a_value_out_of_its_range_is_named(old, new, what):
    """And what was refused leaves no name of a leg behind."""
    id = old.send(to=ANN)
    folder, _ = export(old)
    env = folder / f"{id}.json"
    good = env.read_text()
    BAD_VALUE[what](env)
    said = new.cli_fails("queue", "import", folder)
    assert id in said and what in said
    assert new.queue() == []
    new.cli("leg suspend legacy")
    env.write_text(good)
    assert imported(new, folder)["imported"] == 1
    assert not [s for s in (new.folder / "spool").glob("seg.*")
                if b"leg3" in s.read_bytes()]
    for gw in old, new:
        gw.cli("queue", "delete", "--leg", "legacy", "--yes")


def edit(env, **values):
    env.write_text(json.dumps({**json.loads(env.read_text()), **values}))


@pytest.mark.parametrize("how", BAD)
def test_a_bad_pair_is_named_and_nothing_of_it_is_taken(old, new, how):
    new.cli("leg suspend legacy")
    ids = [old.send(to=ANN) for _ in range(3)]
    folder, _ = export(old)
    eml = folder / f"{ids[1]}.eml"
    BAD[how](eml, folder / f"{ids[1]}.json")
    said = new.cli_fails("queue", "import", folder)
    assert ids[1] in said
    assert {q["id"] for q in new.queue()} == {ids[0], ids[2]}
    assert not new.events(ids[1])
    for gw in old, new:
        gw.cli("queue", "delete", "--leg", "legacy", "--yes")


def test_too_large_a_one_is_refused_by_name(old, make_gw):
    id = old.send(to=ANN, message=b"Subject: big\r\n\r\n" + b"y" * 400000)
    folder, _ = export(old)
    new = make_gw(name="new", settings={"limits": {"message": "200K"}})
    said = new.cli_fails("queue", "import", folder)
    assert id in said and "limits.message" in said
    assert new.queue() == []
    old.cli(f"queue delete {id} --yes")


def spoil_body(gw, mark):
    """The bytes are changed where the journal has them."""
    for f in gw.folder.glob("spool/seg.*"):
        at = f.read_bytes().find(mark)
        if at >= 0:
            with open(f, "r+b") as file:
                file.seek(at)
                file.write(mark.swapcase())
            return
    raise AssertionError("no segment has it")


@pytest.mark.noverify
def test_one_that_cannot_be_read_is_named_and_the_others_are_carried(
        old, new, legacy):
    new.cli("leg suspend legacy")
    ids = [old.send(to=ANN, message=b"Subject: n\r\n\r\nMark-%d-of-this\r\n"
                    % n) for n in range(3)]
    spoil_body(old, b"Mark-1-of-this")
    folder = old.folder.parent / "carried"
    done = old.run("queue", "export", "--all", folder, "--json")
    assert done.returncode == 1, done
    assert ids[1] in done.stderr and "1 could not be read" in done.stderr
    row = json.loads(done.stdout.splitlines()[-1])
    assert (row["messages"], row["unread"]) == (2, 1)
    assert {f.name for f in folder.iterdir()} == {"manifest.json"} | {
        f"{i}.{end}" for i in (ids[0], ids[2]) for end in ("eml", "json")}
    assert json.loads((folder / "manifest.json").read_text())["unread"] == 1
    assert imported(new, folder)["imported"] == 2
    assert {q["id"] for q in new.queue()} == {ids[0], ids[2]}


@pytest.mark.noverify
def test_a_daemon_that_ends_meanwhile_leaves_no_manifest(old):
    for _ in range(40):
        old.send(to=ANN, message=b"Subject: n\r\n\r\n" + b"z" * 900000)
    folder = old.folder.parent / "carried"
    run = old.spawn("queue", "export", "--all", folder)
    until(lambda: folder.exists() and any(folder.iterdir()), "a body")
    old.kill()
    assert run.wait() != 0
    assert not (folder / "manifest.json").exists()


def test_a_folder_that_is_not_whole_is_refused(old, new):
    id = old.send(to=ANN)
    folder, _ = export(old)
    (folder / "manifest.json").unlink()
    assert "did not come to its end" in new.cli_fails(
        "queue", "import", folder)
    assert "no empty folder" in old.cli_fails(
        "queue", "export", "--all", folder)
    assert new.queue() == []
    old.cli(f"queue delete {id} --yes")


def kill_in_the_middle(new, folder, n):
    """kill -9 once that many are in its queue."""
    before = len({q["id"] for q in new.queue()})
    run = new.spawn("queue", "import", folder)
    until(lambda: len({q["id"] for q in new.queue()}) >= before + n or
          run.poll() is not None, "some to be imported")
    new.kill()
    assert run.wait() != 0
    new.start()


def test_killed_in_the_middle_twice_it_is_whole_in_the_end(
        old, new, legacy):
    """Under load: mail comes in at both meanwhile."""
    rng = random.Random(9)
    new.cli("leg suspend legacy")
    ids = {old.send(to=ANN, message=b"Subject: n\r\n\r\n" + b"z" *
                    rng.randrange(30000) + b"\r\n") for _ in range(300)}
    folder, row = export(old)
    assert row["messages"] == 300
    load = Senders(new.port, 2)
    kill_in_the_middle(new, folder, 20)
    mine = load.stop()
    load = Senders(new.port, 2)
    kill_in_the_middle(new, folder, 40)
    mine += load.stop()
    row = imported(new, folder)
    assert row["imported"] + row["known"] == 300 and row["imported"] > 0
    assert row["known"] > 0
    new.cli("leg resume legacy")
    until(lambda: {m.id for m in legacy.mails} >= ids | set(mine),
          "all of it")
    new.wait_empty()
    counts = collections.Counter(m.id for m in legacy.mails)
    assert set(counts.values()) == {1}, "each once"
    old.cli("queue", "delete", "--leg", "legacy", "--yes")
