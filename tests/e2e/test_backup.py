# SPDX-License-Identifier: ISC
"""Backups that restore: taken while mail flows, restored into empty places,
frozen until an administrator accepts them."""
import collections
import hashlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess

import pytest

from gateway import Refused
from test_crash import Senders
from until import until

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"


def backup(gw, name="backup"):
    folder = gw.folder / name
    row = gw.cli_json("backup", folder)[-1]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for f in folder.rglob("*"):
        assert stat.S_IMODE(f.stat().st_mode) == \
            (0o700 if f.is_dir() else 0o600), f
    return folder, row


def destroy(gw):
    """All but the configuration."""
    for name in "spool", "audit":
        shutil.rmtree(gw.folder / name)
    gw.events_file.unlink(missing_ok=True)
    gw.events_at, gw.events_read = 0, []
    for f in gw.folder.glob("cutover.db*"):
        f.unlink()


def restore(gw, folder):
    gw.cli("restore", folder)
    gw.start()


def states(gw):
    return collections.Counter(q["state"] for q in gw.queue())


def generations(gw):
    """Of the main lane, by the events' places."""
    return {int(e["pos"].split(":")[0]) for e in gw.all_events()}


def doubles_are_marked(gw, leg):
    counts = collections.Counter(m.id for m in leg.mails)
    double = {id for id, n in counts.items() if n > 1}
    until(lambda: double <= {e["id"] for e in gw.all_events()
                             if e.get("uncertain")},
          lambda: f"each of {double} to be explained on record")


def test_taken_under_load_it_has_all_that_was_acknowledged(
        make_gw, legacy, cloud):
    gw = make_gw({"retry": {"steps": ["1h"]}})
    gw.cli(f"route set legacy+cloud {ANN}")
    cloud.refuse_connections()
    load = Senders(gw.port, 6)
    until(lambda: len(load.ids) > 300, "some mail")
    before = list(load.ids)
    folder, row = backup(gw)
    until(lambda: len(load.ids) > len(before) + 100, "mail behind it")
    load.stop()
    gw.kill()
    seen = generations(gw)
    destroy(gw)
    done = {m.id for m in legacy.mails}
    restore(gw, folder)
    assert set(states(gw)) == {"frozen"}
    gw.wait_event("spool", state="restored")
    waiting = {q["id"] for q in gw.queue()}
    assert set(before) <= waiting, "the copies to cloud all wait"
    cloud.accept_connections()
    gw.restart()  # frozen still
    assert set(states(gw)) == {"frozen"} and not cloud.mails
    assert "open when the backup" in gw.cli_fails("restore accept")
    new = gw.send(to=BOB)
    legacy.wait_message(new)
    assert gw.cli_json("restore accept --yes")[-1]["refused"] == 0
    until(lambda: {m.id for m in cloud.mails} >= set(before),
          "all copies")
    gw.wait_empty()
    assert set(before) <= done | {m.id for m in legacy.mails}
    fresh = {int(e["pos"].split(":")[0])
             for e in gw.events(new)}
    assert min(fresh) > max(seen | {row["generation"]})
    doubles_are_marked(gw, legacy)
    gw.verify()
    assert "nothing waits" in gw.cli_fails("restore accept --yes")
    assert gw.cli_json(f"route get {ANN}")[0]["route"] == "legacy+cloud"


def test_bodies_of_all_sizes_and_states_come_back(make_gw, legacy):
    gw = make_gw({"retry": {"steps": ["1h"]}})
    gw.cli("leg suspend legacy")
    gw.cli(f"route set legacy {EVE}")
    gw.cli(f"hold {EVE}")
    big = b"Subject: big\r\n\r\n" + b"y" * 70 * 10000
    ids = [gw.send(to=ANN, message=big), gw.send(to=EVE), gw.send(to=ANN),
           gw.send(to=ANN)]
    gw.cli(f"queue freeze {ids[2]}")
    gw.cli("queue", "park", ids[3], "--yes", "--reason", "wait")
    bodies = {i: gw.run_bytes("queue", "export", i).stdout for i in ids}
    folder, _ = backup(gw)
    gw.stop()
    destroy(gw)
    restore(gw, folder)
    assert states(gw) == {"frozen": 3, "parked": 1}
    for i in ids:
        assert gw.run_bytes("queue", "export", i).stdout == bodies[i]
    reasons = {q["id"]: q["reason"] for q in gw.queue()}
    assert "restore accept" in reasons[ids[0]]
    gw.cli("leg resume legacy")
    gw.cli("restore accept --yes")
    legacy.wait_message(ids[0])
    until(lambda: states(gw) == {"held": 1, "frozen": 1, "parked": 1},
          lambda: f"the hold to count again: {states(gw)}")
    assert gw.wait_event("thawed", ids[0])["uncertain"] == "possible"
    gw.cli(f"queue thaw {ids[2]}")
    gw.cli(f"release {EVE}")
    gw.cli(f"queue retry {ids[3]}")
    until(lambda: {m.id for m in legacy.mails} == set(ids), "all of it")


def places(folder):
    """Of the lines of a file of events."""
    return [tuple(int(n) for n in json.loads(line)["pos"].split(":"))
            for line in folder.read_text().splitlines()]


def test_events_come_back_and_go_on(make_gw, legacy):
    """Taken under load: none is missing that the index has, and none is there
    that the journal of the backup lacks."""
    gw = make_gw()
    load = Senders(gw.port, 6)
    until(lambda: len(load.ids) > 200, "some mail")
    before = list(load.ids)
    folder, row = backup(gw)
    until(lambda: len(load.ids) > len(before) + 100, "mail behind it")
    load.stop()
    gw.kill()
    copied = (folder / "events.jsonl").read_bytes()
    copied = copied[:copied.rfind(b"\n") + 1]
    (gw.folder / "whole").write_bytes(copied)
    assert max(places(gw.folder / "whole")) <= \
        (row["generation"], row["offset"])
    destroy(gw)
    restore(gw, folder)
    accepted = {q["id"] for q in gw.queue()}
    gw.wait_event("spool", state="restored")
    assert gw.events_file.read_bytes().startswith(copied)
    gw.cli("restore accept --yes")
    gw.wait_empty()
    until(lambda: accepted <= {e["id"] for e in gw.events(event="accepted")},
          "a line of each")
    seen = collections.Counter(e["pos"] for e in gw.events(event="accepted"))
    assert set(before) <= {e["id"] for e in gw.events(event="accepted")}
    # The record of the last line may be written once more, as after a crash.
    assert {pos for pos, n in seen.items() if n > 1} <= \
        {":".join(map(str, places(gw.folder / "whole")[-1]))}
    gw.verify()


def test_rotated_events_come_back_as_well(make_gw, legacy):
    gw = make_gw()
    gw.send()
    gw.wait_empty()
    rotated = {".1": b"one\n", "-20261130.gz": b"\x1f\x8b\0",
               ".2.gz": b"two"}
    files = {gw.events_file.with_name(gw.events_file.name + behind): data
             for behind, data in rotated.items()}
    others = [gw.events_file.with_name(gw.events_file.name + behind)
              for behind in ("x", ".restoring", ".a b",
                             ".1.restoring")]
    for path, data in files.items():
        path.write_bytes(data)
    for path in others:
        path.write_bytes(b"none of them")
    folder, _ = backup(gw)
    gw.kill()
    assert {p.name for p in folder.glob("events*")} == {
        "events.jsonl" + behind for behind in ("", *rotated)}
    destroy(gw)
    for path in others:
        path.unlink(missing_ok=True)
    one = next(iter(files))
    for path in files:
        path.unlink(missing_ok=True)
    one.write_bytes(b"mine")
    assert f"{one.name} is there" in gw.cli_fails("restore", folder)
    assert one.read_bytes() == b"mine" and not gw.events_file.exists()
    one.unlink()
    restore(gw, folder)
    assert {path: path.read_bytes() for path in files} == files
    assert not list(gw.folder.glob("events*restoring"))
    gw.verify()


@pytest.mark.noverify
def test_a_file_of_events_that_is_there_stays(taken):
    gw, folder = taken
    gw.events_file.write_text("mine\n")
    said = gw.cli_fails("restore", folder)
    assert "events.jsonl is there" in said and "nothing was restored" in said
    assert gw.events_file.read_text() == "mine\n"
    nothing_is_there(gw)


@pytest.mark.noverify
def test_events_go_where_the_configuration_says(taken):
    """Which is the backup's if there is none, and no folder is made."""
    gw, folder = taken
    copied = (folder / "events.jsonl").read_text()
    manifest(folder, lambda o: o["paths"].update(
        events=str(gw.folder / "evil")))
    gw.conf.unlink()
    gw.cli("restore", folder)
    assert gw.events_file.read_text() == copied
    destroy(gw)
    gw.conf.write_text(gw.conf_text().replace(
        str(gw.events_file), str(gw.folder / "no/events.jsonl")))
    said = gw.run("restore", folder)
    assert said.returncode == 0
    assert f"events.jsonl is left where it is: there is no folder " \
        f"{gw.folder}/no" in said.stderr, said
    assert not gw.events_file.exists()
    assert not (gw.folder / "evil").exists()


def test_without_the_daemon_it_is_taken_too(make_gw, legacy):
    gw = make_gw()
    gw.cli("leg suspend legacy")
    id = gw.send(to=ANN)
    gw.stop()
    folder, row = backup(gw)
    destroy(gw)
    restore(gw, folder)
    gw.cli("leg resume legacy")
    gw.cli("restore accept --yes")
    legacy.wait_message(id)
    gw.wait_empty()


def test_twice_one_after_the_other(make_gw, legacy):
    """A restored one is backed up and restored again: three lives."""
    gw = make_gw()
    gw.cli("leg suspend legacy")
    ids = []
    for n in range(2):
        ids.append(gw.send(to=ANN))
        folder, _ = backup(gw, f"backup{n}")
        gw.kill()
        destroy(gw)
        restore(gw, folder)
    ids.append(gw.send(to=ANN))
    gw.cli("leg resume legacy")
    gw.cli("restore accept --yes")
    gw.wait_empty()
    assert sorted(m.id for m in legacy.mails) == sorted(ids)
    gw.restart()
    gw.verify()


@pytest.fixture
def taken(make_gw):
    """A backup, and a place that is empty."""
    gw = make_gw()
    gw.cli("leg suspend legacy")
    gw.send(to=ANN)
    folder, _ = backup(gw)
    gw.stop()
    destroy(gw)
    return gw, folder


def nothing_is_there(gw):
    for name in "spool", "audit":
        left = gw.folder / name
        assert not left.exists() or \
            {f.name for f in left.iterdir()} <= {"lock"}, name
    assert not list(gw.folder.glob("cutover.db*"))


def segment(folder):
    return sorted((folder / "spool").glob("seg.*"))[0]


def spoil(f):
    with open(f, "r+b") as file:
        file.seek(200)
        b = file.read(1)
        file.seek(200)
        file.write(bytes([b[0] ^ 1]))


def link(f):
    f.rename(f.with_suffix(".away"))
    f.symlink_to(f.with_suffix(".away"))


def manifest(folder, change):
    f = folder / "manifest.json"
    o = json.loads(f.read_text())
    change(o)
    f.write_text(json.dumps(o))


ATTACKS = {
    "a segment is spoilt": lambda d: spoil(segment(d)),
    "a segment is cut": lambda d: os.truncate(segment(d), 4096),
    "a segment is a link": lambda d: link(segment(d)),
    "a segment is a pipe": lambda d: (segment(d).unlink(),
                                      os.mkfifo(d / "spool/seg.0000")),
    "the folder is a link": lambda d: link(d / "spool"),
    "the table is absent": lambda d: (d / "table.db").unlink(),
    "the key is spoilt": lambda d: spoil(d / "spool/spool.key")
    if (d / "spool/spool.key").stat().st_size > 200 else
    (d / "spool/spool.key").write_bytes(b"posthouse-spool 2\n"),
    "the manifest is absent": lambda d: (d / "manifest.json").unlink(),
    "the manifest is cut": lambda d: os.truncate(d / "manifest.json", 100),
    "a name leads out": lambda d: manifest(
        d, lambda o: o["files"].append(dict(
            o["files"][0], name="spool/../../../etc/evil"))),
    "a name is another's": lambda d: manifest(
        d, lambda o: o["files"].append(dict(
            o["files"][0], name="spool/lock"))),
    "the key is left out": lambda d: manifest(
        d, lambda o: o.update(files=[f for f in o["files"] if
                                     f["name"] != "spool/spool.key"])),
    "the table is left out": lambda d: manifest(
        d, lambda o: o.update(files=[f for f in o["files"] if
                                     f["name"] != "table.db"])),
    "a segment and the table are spoilt": lambda d: (
        spoil(segment(d)), spoil(d / "table.db")),
    "a generation is none": lambda d: manifest(
        d, lambda o: o["position"].update(generation=-1)),
    "a generation is too high": lambda d: manifest(
        d, lambda o: o["position"].update(generation=(1 << 62) + 1)),
    "it is of a newer one": lambda d: manifest(
        d, lambda o: o.update(posthouse_backup=2)),
}


@pytest.mark.parametrize("how", ATTACKS)
@pytest.mark.noverify
def test_what_is_not_right_is_named_and_nothing_is_restored(taken, how):
    gw, folder = taken
    ATTACKS[how](folder)
    said = gw.cli_fails("restore", folder)
    assert "nothing was restored" in said, said
    if "segment" in how:
        assert "seg.0000" in said, said
    if "table" in how:
        assert "table.db" in said, said
    nothing_is_there(gw)


@pytest.mark.noverify
def test_places_that_are_not_empty_are_named(taken):
    gw, folder = taken
    for name in "spool", "audit":
        (gw.folder / name).mkdir()
        (gw.folder / name / "something").touch()
    (gw.folder / "cutover.db-wal").touch()
    said = gw.cli_fails("restore", folder)
    for name in ("spool", "audit"):
        assert f"{name} is not empty (something)" in said, said
    assert "cutover.db-wal is there" in said
    shutil.rmtree(gw.folder / "spool")
    shutil.rmtree(gw.folder / "audit")
    (gw.folder / "cutover.db-wal").unlink()
    gw.start()
    assert "stop posthoused" in gw.cli_fails("restore", folder)


@pytest.mark.noverify
def test_files_of_the_configuration_come_back_where_there_are_none(
        make_gw, taken):
    gw, folder = taken
    conf = gw.conf.read_text()
    gw.conf.unlink()
    gw.cli("restore", folder)
    assert gw.conf.read_text() == conf
    gw.start()
    assert states(gw) == {"frozen": 1}


@pytest.mark.noverify
def test_included_files_and_links_come_back_by_their_names(make_gw):
    gw = make_gw(start=False)
    home = gw.folder
    (home / "more.conf").write_text('include("deep/er.conf")\n')
    (home / "deep").mkdir()
    (home / "deep/er.conf").write_text(
        f'token {{\n secrets = "{home}/live.secrets"\n}}\n')
    (home / "real.secrets").write_text("this is the first key\n")
    (home / "real.secrets").chmod(0o600)
    (home / "live.secrets").symlink_to("real.secrets")
    gw.conf.write_text(gw.conf_text() + 'include("more.conf")\n')
    gw.start()
    folder, _ = backup(gw)
    gw.stop()
    destroy(gw)
    gone = [gw.conf, home / "more.conf", home / "deep/er.conf",
            home / "live.secrets"]
    texts = [f.read_text() for f in gone]
    for f in gone + [home / "real.secrets"]:
        f.unlink()
    gw.cli("restore", folder)
    assert [f.read_text() for f in gone] == texts
    assert not (home / "real.secrets").exists()
    gw.start()


@pytest.mark.noverify
def test_a_path_that_the_configuration_does_not_name_is_refused(taken):
    gw, folder = taken
    evil = gw.folder / "evil"
    shutil.copy(folder / "config/0", folder / "config/77")
    manifest(folder, lambda o: o["files"].append(dict(
        next(f for f in o["files"] if f["name"] == "config/0"),
        name="config/77", path=str(evil))))
    said = gw.cli_fails("restore", folder)
    assert f'"config/77" is to go to {evil}, which' in said, said
    assert "nothing was restored" in said
    assert not evil.exists()
    nothing_is_there(gw)
    manifest(folder, lambda o: o.update(files=[
        f for f in o["files"] if f["name"] != "config/0"]))
    assert "not config/0" in gw.cli_fails("restore", folder)
    assert not evil.exists()
    nothing_is_there(gw)


@pytest.mark.noverify
def test_a_restore_that_was_killed_is_done_again(taken):
    """What it left beside the places goes; the owner of a place gets its
    files."""
    gw, folder = taken
    spool = gw.folder / "spool"
    (spool / "restoring").mkdir(parents=True)
    (spool / "restoring/seg.0000").write_text("half")
    (gw.folder / "cutover.db.restoring").write_text("half")
    if os.geteuid() == 0:
        os.chown(spool, 65534, 65534)
    gw.cli("restore", folder)
    assert not (spool / "restoring").exists()
    assert not (gw.folder / "cutover.db.restoring").exists()
    uid = spool.stat().st_uid
    assert {f.stat().st_uid for f in spool.iterdir()} == {uid}
    assert stat.S_IMODE((spool / "spool.key").stat().st_mode) == 0o600


def moved_in_part(gw, folder):
    """What a power cut while files are moved may leave: all but the key."""
    (gw.folder / "spool/restoring").mkdir(parents=True)
    shutil.copy(folder / "spool/spool.key", gw.folder / "spool/restoring")
    (gw.folder / "spool/lock").touch()
    (gw.folder / "audit").mkdir()
    for f in folder.glob("spool/seg.*"):
        shutil.copy(f, gw.folder / "spool")
    for f in folder.glob("audit/*.db"):
        shutil.copy(f, gw.folder / "audit")
    shutil.copy(folder / "table.db", gw.folder / "cutover.db")
    shutil.copy(folder / "events.jsonl", gw.folder)


@pytest.mark.noverify
def test_a_restore_that_was_cut_while_it_moved_goes_on(taken):
    gw, folder = taken
    moved_in_part(gw, folder)
    with pytest.raises(Refused, match="run posthouse restore again"):
        gw.start()
    restore(gw, folder)
    assert states(gw) == {"frozen": 1}
    assert not (gw.folder / "spool/restoring").exists()


@pytest.mark.noverify
def test_after_a_cut_only_what_is_of_the_backup_goes(taken):
    gw, folder = taken
    moved_in_part(gw, folder)
    (gw.folder / "audit/note.txt").write_text("mine")
    assert "note.txt" in gw.cli_fails("restore", folder)
    (gw.folder / "audit/note.txt").unlink()
    spoil(gw.folder / "cutover.db")
    mine = (gw.folder / "cutover.db").read_bytes()
    said = gw.cli_fails("restore", folder)
    assert "cutover.db: it is there, and is not what the backup has" in said
    assert (gw.folder / "cutover.db").read_bytes() == mine
    (gw.folder / "cutover.db").unlink()
    restore(gw, folder)
    assert states(gw) == {"frozen": 1}


@pytest.mark.noverify
def test_a_spool_of_which_only_the_folder_is_there_is_no_new_one(taken):
    gw, folder = taken
    (gw.folder / "spool/restoring").mkdir(parents=True)
    with pytest.raises(Refused, match="a restore into spool .* interrupted"):
        gw.start()
    assert not (gw.folder / "spool/spool.key").exists()
    restore(gw, folder)
    assert states(gw) == {"frozen": 1}


BIG = "audit/bbbb.db"


@pytest.fixture
def slow(taken):
    """Its first file takes a while to read."""
    gw, folder = taken
    with open(folder / BIG, "wb") as f:
        f.truncate(256 << 20)
    with open(folder / BIG, "rb") as f:
        sha = hashlib.file_digest(f, "sha256").hexdigest()
    manifest(folder, lambda o: o["files"].insert(0, {
        "name": BIG, "bytes": 256 << 20, "mode": 0o600, "sha256": sha}))
    return gw, folder


def stopped_at_big(gw, folder, when):
    """A restore that stands still while it reads that file."""
    run = gw.spawn("restore", folder)

    def at_it():
        assert run.poll() is None, "it is to take longer"
        fds = f"/proc/{run.pid}/fd"
        return when() and any(
            os.path.realpath(f"{fds}/{n}") == str((folder / BIG).resolve())
            for n in os.listdir(fds))
    until(at_it, "it to read the large file")
    os.kill(run.pid, signal.SIGSTOP)
    return run


@pytest.mark.noverify
def test_no_daemon_starts_in_a_new_spool_while_it_is_restored(slow):
    gw, folder = slow
    run = stopped_at_big(gw, folder,
                         (gw.folder / "audit/restoring").exists)
    try:
        with pytest.raises(Refused, match="is in use"):
            gw.start()
    finally:
        os.kill(run.pid, signal.SIGCONT)
    assert run.wait() == 0
    (gw.folder / BIG).unlink()
    gw.start()
    assert states(gw) == {"frozen": 1}


@pytest.mark.noverify
def test_a_daemon_that_started_meanwhile_keeps_its_spool(slow):
    gw, folder = slow
    run = stopped_at_big(gw, folder, lambda: True)
    try:
        assert not (gw.folder / "spool").exists()
        gw.start()
        key = (gw.folder / "spool/spool.key").read_bytes()
    finally:
        os.kill(run.pid, signal.SIGCONT)
    assert run.wait() == 1
    assert (gw.folder / "spool/spool.key").read_bytes() == key
    gw.restart()
    assert gw.queue() == []


@pytest.mark.noverify
def test_files_that_were_put_aside_are_named_and_left_out(taken):
    gw, folder = taken
    gw.cli("restore", folder)
    shutil.copy(segment(gw.folder), gw.folder / "spool/seg.0003.bad")
    shutil.copy(gw.folder / "cutover.db", gw.folder / "audit/my-copy.db")
    again = gw.folder / "again"
    done = gw.run("backup", again)
    assert done.returncode == 0 and "seg.0003.bad" in done.stderr, done
    destroy(gw)
    restore(gw, again)
    assert states(gw) == {"frozen": 1}


def test_the_spool_is_let_go_when_the_command_ends_however(make_gw):
    gw = make_gw()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(gw.folder / "control.sock"))
        s.sendall(b'{"command":"backup.hold"}\n')
        assert s.recv(100) == b'{"more":true}\n'
        assert not gw.said("backup.ended")
        s.sendall(b'{"take":true}\n')
        rows = b""
        while b"more" not in rows:
            rows += s.recv(1000)
        assert b'"lane":"main"' in rows and b'"offset"' in rows
    gw.wait_log("backup.ended")
    backup(gw)


def freeze_and_copy(gw, to):
    """A moment of its files: all threads stand still meanwhile."""
    os.kill(gw.process.pid, signal.SIGSTOP)
    try:
        stat_file = f"/proc/{gw.process.pid}/stat"
        until(lambda: open(stat_file).read().rsplit(") ", 1)[1][0] == "T",
              "it to stand still")
        for name in "spool", "audit":
            subprocess.run(["cp", "-a", gw.folder / name, to], check=True)
        for f in gw.folder.glob("cutover.db*"):
            subprocess.run(["cp", "-a", f, to], check=True)
    finally:
        os.kill(gw.process.pid, signal.SIGCONT)


def test_a_standby_starts_on_a_snapshot_taken_under_load(
        make_gw, legacy, cloud):
    """As on a replicated block device: the files of one moment."""
    gw = make_gw(name="first")
    gw.cli(f"route set legacy+cloud {ANN}")
    cloud.refuse_connections()
    load = Senders(gw.port, 4)
    until(lambda: len(load.ids) > 200, "some mail")
    other = make_gw(name="other", start=False)
    before = list(load.ids)
    freeze_and_copy(gw, other.folder)
    load.stop()
    gw.kill()
    other.start()
    cloud.accept_connections()
    other.run("queue retry --leg cloud")   # 1: all is under way by itself
    until(lambda: {m.id for m in cloud.mails} >= set(before),
          "all that was acknowledged before")
    other.wait_empty()
    doubles_are_marked(other, legacy)
