#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Power cuts: the true daemon works under record.so, amid mail, flips, holds,
a kill and seals of the audit index; from its record disks are built as a cut
at any point may leave them, most of them after each segment of the spool was
used, given back and written over twice; the true daemon is started on each, and must

- start, and take changes of routes;
- know every message that got 250: delivered, or in `queue list`;
- deliver it, to each leg that has to have it, or bounce it, once;
- mark as uncertain what a leg gets although it had it before the cut;
- know every flip that was acknowledged, and what was parked or deleted;
- agree with its audit index in the end, and have whole lines in events.jsonl;
- have the last delivery of each recipient on each leg in ledger.db.
"""
import argparse
import collections
import contextlib
import fcntl
import json
import multiprocessing
import os
import pathlib
import queue
import random
import re
import shutil
import signal
import smtplib
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import disk                                             # noqa: E402
from gateway import BUILD, Gateway, Refused             # noqa: E402
from shift import HOUR_S, LIBRARY, Shift                # noqa: E402
from sink import Leg                                    # noqa: E402
from until import until                                 # noqa: E402

RECORDER = BUILD / "tests/fault/record.so"
SETTINGS = {
    "": {"hostname": "relay.example.com", "postmaster": "admin@example.com",
         "workers": 2, "stop_after": "2s"},
    "spool": {"path": "spool", "segment": "64K", "retain": "0s"},
    "dsn": {"via": "outside", "guard": "off"},
    "retry": {"steps": ["100ms", "100ms", "200ms"], "jitter": 0,
              "grace": "0s", "known": "0s"},
}
# Address -> the legs that must have its mail; or one of several.
ALL = {"ann": ["legacy", "cloud"], "carol": ["legacy"], "dave": ["legacy"]}
ANY = {"bob": ["legacy", "cloud"], "eve": ["legacy", "cloud"]}
# The legacy server knows no fred: a notice for each message to that address.
NOBODY = "fred"
# Gail's mail is not taken while it is recorded: administrators deal with it.
STUCK = "gail"
DOMAIN = "@example.com"
SENDER = "sender@elsewhere.test"
TAKEN = re.compile(rb"queued as (\S+)")


# ---- the record ------------------------------------------------------------

class Record:
    """The file that the daemon and the command line write, and we."""

    def __init__(self, folder):
        self.path = folder / "record"
        self.path.touch()
        self.fd = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def alone(self):
        """Meanwhile nobody is between a call and its entry."""
        with self.lock:
            fcntl.lockf(self.fd, fcntl.LOCK_EX)
            yield
            fcntl.lockf(self.fd, fcntl.LOCK_UN)

    def mark(self, **what):
        text = json.dumps(what).encode()
        with self.alone():
            os.write(self.fd, disk.mark(disk.MARK, text))


def id_of(mail):
    """A notice of ours has no trace field, but a Message-ID."""
    m = re.search(rb"^Message-ID: <([^@>]+)@relay\.example\.com>", mail.raw,
                  re.M)
    return m.group(1).decode() if mail.sender == "" and m else mail.id


class Taken(list):
    """The messages that a leg took: told before the leg says so."""

    def __init__(self, record, leg):
        super().__init__()
        self.record, self.leg = record, leg

    def append(self, mail):
        self.record.mark(took=id_of(mail), leg=self.leg,
                         names=[to_name(to) for to in mail.rcpt])
        super().append(mail)


def make_gateway(folder, legs):
    for leg in legs:
        leg.reply("RCPT", "550 5.1.1 No such user", to=NOBODY + DOMAIN)
    return Gateway(folder, {leg.name: leg for leg in legs}, SETTINGS)


def make_legs():
    return [Leg(name) for name in ("legacy", "cloud", "outside")]


def to_name(address):
    return address.removesuffix(DOMAIN)


class Scene:
    """The events of the daemon while it is recorded."""

    def __init__(self, seed, folder):
        self.rng = random.Random(seed)
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir()
        self.record = Record(folder)
        self.legs = make_legs()
        for leg in self.legs:
            leg.mails = Taken(self.record, leg.name)
        self.gw = make_gateway(self.data, self.legs)
        self.shift = Shift(folder)
        self.gw.environment = self.env = {
            "LD_PRELOAD": f"{RECORDER} {LIBRARY}",
            "PH_SHIFT": self.shift.environment["PH_SHIFT"],
            "PH_RECORD": str(self.record.path),
            "PH_RECORD_ROOT": str(self.data)}
        self.lock = threading.Lock()
        self.killed = False
        for leg in self.legs:
            leg.reply("RCPT", "450 4.2.1 Later", to=STUCK + DOMAIN)

    def forward(self):
        self.shift.forward(self.gw, HOUR_S)

    def cli(self, *words):
        """Under the recorder, since it writes the table by itself."""
        done = subprocess.run(
            [BUILD / "posthouse", "-c", self.gw.conf, *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, env={**os.environ, **self.env})
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def change(self, *words, **rows):
        """Acknowledged when the command has ended."""
        self.record.mark(asked=rows)
        text = self.cli(*words)
        number = re.search(r"change (\d+)", text)
        if number:
            self.record.mark(change=int(number.group(1)), rows=rows)

    def mail(self, n):
        """One client's messages, until they are sent or the daemon dies."""
        try:
            self.send(n)
        except (OSError, smtplib.SMTPException):
            assert self.killed

    def acts(self):
        """Two messages come, one is parked, one deleted."""
        with smtplib.SMTP("127.0.0.1", self.gw.port, "client.test",
                          timeout=60) as smtp:
            smtp.ehlo()
            ids = [self.one(smtp, 3000, [STUCK]) for _ in range(2)]
        for act, id in zip(("park", "delete"), ids):
            self.record.mark(act="asked", id=id)
            self.cli("queue", act, "--yes", id)
            self.record.mark(act=act, id=id)

    def one(self, smtp, size, names):
        smtp.mail(SENDER)
        for name in names:
            smtp.rcpt(name + DOMAIN)
        code, text = smtp.data(b"Subject: power\r\n\r\n" +
                               (b"y" * 70 + b"\r\n") * (size // 72))
        assert code == 250, (code, text)
        id = TAKEN.search(text).group(1).decode()
        self.record.mark(got=id, names=names)
        return id

    def send(self, n):
        with self.lock:
            plan = [(self.rng.choice((200, 3000, 9000, 40000)),
                     self.rng.sample([*ALL, *ANY, NOBODY],
                                     self.rng.choice((1, 1, 2, 3))))
                    for _ in range(n)]
        with smtplib.SMTP("127.0.0.1", self.gw.port, "client.test",
                          timeout=60) as smtp:
            smtp.ehlo()
            for size, names in plan:
                self.one(smtp, size, names)

    def clients(self, n, each):
        threads = [threading.Thread(target=self.mail, args=(each,))
                   for _ in range(n)]
        for t in threads:
            t.start()
        return threads

    def trouble(self):
        """The moods of the legs: later, no, and no answer after the content."""
        leg = self.rng.choice(self.legs[:2])
        how = self.rng.choice(("later", "cut", "rcpt"))
        if how == "later":
            leg.reply("DOT", "451 4.3.0 Later", times=2)
        elif how == "rcpt":
            leg.reply("RCPT", "450 4.2.1 Later", times=2)
        else:
            leg.drop("DOT", times=1)

    def flips(self, n):
        for _ in range(n):
            name = self.rng.choice(("bob", "eve"))
            route = self.rng.choice(("legacy", "cloud") if name == "bob" else
                                    ("legacy", "legacy+cloud"))
            self.change("flip", route, name + DOMAIN, **{name: route})
            self.trouble()

    def rotate(self):
        """As logrotate does."""
        subprocess.run([sys.executable, "-c", "import os, sys;"
                        "os.rename(sys.argv[1], sys.argv[1] + '.1')",
                        self.data / "events.jsonl"], check=True,
                       env={**os.environ, **self.env})
        self.gw.process.send_signal(signal.SIGUSR1)

    def used_twice(self):
        text = self.gw.cli("status")
        figure = lambda name: int(re.search(rf"{name} (\d+)", text).group(1))
        return figure("recycled") >= 2 * figure("segments")

    def use_again(self):
        """Each segment is full of the batches of former lives."""
        with smtplib.SMTP("127.0.0.1", self.gw.port, "client.test",
                          timeout=60) as smtp:
            smtp.ehlo()
            for n in range(2000):
                self.one(smtp, self.rng.choice((3000, 9000, 20000)), ["dave"])
                if n % 20 == 19 and self.used_twice():
                    break
        assert self.used_twice()
        self.record.mark(used=True)

    def round(self):
        clients = self.clients(3, self.rng.randint(4, 7))
        self.flips(2)
        self.acts()
        self.flips(1)
        for t in clients:
            t.join()

    def play(self):
        gw = self.gw
        gw.start()
        self.change("route", "set", "legacy+cloud", "ann" + DOMAIN,
                    ann="legacy+cloud")
        for name in ("bob", "carol", "eve"):
            self.change("route", "set", "legacy", name + DOMAIN,
                        **{name: "legacy"})
        self.use_again()
        self.cli("hold", "carol" + DOMAIN)
        self.round()
        self.forward()
        self.round()
        sealed = lambda: [f for f in (self.data / "audit").glob("*.db")
                          if f.stat().st_mode & 0o222 == 0]
        until(sealed, "an hour of the index to be sealed")
        self.rotate()
        clients = self.clients(2, 4)
        self.flips(1)
        self.killed = True
        with self.record.alone():   # or a call that was made has no entry
            gw.kill()
        for t in clients:
            t.join()
        gw.start()
        self.killed = False
        self.cli("release", "carol" + DOMAIN)
        self.round()
        self.forward()
        self.send(1)
        assert gw.stop() == 0
        for leg in self.legs:
            leg.stop()


# ---- what is known at a point of it ----------------------------------------

class Facts:
    def __init__(self, entries):
        self.entries = entries
        self.names = {}     # id -> names of its recipients, of all of them
        for kind, _, _, _, data in entries:
            if kind == disk.MARK:
                what = json.loads(data)
                if "got" in what:
                    self.names[what["got"]] = what["names"]
        self.acked = set()  # ids
        self.took = collections.Counter()   # (id, name, leg)
        self.changes = set()
        self.route = {}     # name -> routes that it may have
        self.act = {}       # id -> what was done with it, or asked

    def play(self, entry):
        kind, data = entry[0], entry[4]
        if kind == disk.SAID:
            for id in TAKEN.findall(data):
                self.acked.add(id.decode())
        elif kind == disk.MARK:
            self.take_mark(json.loads(data))

    def take_mark(self, what):
        if "took" in what:
            for name in what["names"]:
                self.took[what["took"], name, what["leg"]] += 1
        elif "asked" in what:
            for name, route in what["asked"].items():
                self.route.setdefault(name, {None}).add(route)
        elif "act" in what:
            self.act[what["id"]] = what["act"]
        elif "change" in what:
            self.changes.add(what["change"])
            for name, route in what["rows"].items():
                self.route[name] = {route}

    def missing(self, have):
        """(id, name, legs): what got 250 and is not among `have`: keys
        (id, name, leg)."""
        for id in self.acked & set(self.names):
            for name in self.names[id]:
                if name == STUCK and (id, name, "legacy") not in have and \
                        self.act.get(id) not in ("asked", "delete"):
                    yield id, name, ["legacy"]
                if name == NOBODY and (id, name, "legacy") not in have and \
                        (id, name) not in have:
                    yield id, name, ["legacy"]
                for leg in ALL.get(name, []):
                    if (id, name, leg) not in have:
                        yield id, name, [leg]
                if name in ANY and not any((id, name, leg) in have
                                           for leg in ANY[name]):
                    yield id, name, ANY[name]


# ---- one image -------------------------------------------------------------

class Wrong(Exception):
    pass


class Judge:
    """Starts the true daemon on images, one after the other."""

    def __init__(self, folder, keep):
        self.folder, self.keep = folder, keep
        # Behind the last of the record.
        self.environment = {"LD_PRELOAD": str(LIBRARY),
                            "PH_SHIFT": str(folder / "shift")}
        self.legs = make_legs()
        self.gates = []     # their doors: shut until the queue was seen

    def close(self):
        for leg in self.legs:
            leg.stop()

    def open_legs(self):
        for gate in self.gates:
            gate.times = 0
            gate.release()
        self.gates.clear()

    def run(self, image, plan, facts, name):
        """None, or what is wrong."""
        folder = self.folder / name
        folder.mkdir()
        plan.write(image, folder)
        gw = make_gateway(folder, self.legs)
        gw.environment = self.environment
        wrong = None
        for leg in self.legs:
            leg.mails.clear()
            self.gates.append(leg.hold("CONNECT", times=None))
        try:
            self.look(gw, facts)
        except (AssertionError, Wrong, Refused, OSError,
                subprocess.SubprocessError) as e:
            wrong = f"{type(e).__name__}: {e}"
        except ValueError as e:
            wrong = f"a line of events.jsonl is no JSON: {e}"
        finally:
            self.open_legs()
            if gw.running:
                gw.kill()
        if wrong is None or not self.keep:
            shutil.rmtree(folder)
        return wrong

    def look(self, gw, facts):
        gw.start()
        had = set(facts.took)
        queue = {(q["id"], to_name(q["to"]), q["leg"]) for q in gw.queue()}
        # Bounces are told by events that may be written again.
        missing = lambda: list(facts.missing(had | queue | {
            (e["about"], to_name(e["to"])) for e in self.events(gw)
            if e["event"] == "dsn"}))
        until(lambda: not missing(), lambda: f"nothing to be invisible: "
              f"{missing()}", within=5)
        self.open_legs()
        self.changes(gw, facts)
        self.wait_empty(gw, facts)
        got = collections.Counter(
            (id_of(m), to_name(to), leg.name)
            for leg in self.legs for m in list(leg.mails) for to in m.rcpt)
        held = {(q["id"], to_name(q["to"]), q["leg"]) for q in gw.queue()}
        until(lambda: gw.run("audit", "verify").returncode == 0,
              lambda: "audit verify to agree: " + gw.run(
                  "audit", "verify").stdout)
        told = self.notices(gw, had | set(got))
        for id, name, legs in facts.missing(had | set(got) | held | told):
            raise Wrong(f"lost: {id} to {name} at {legs}")
        for id, name, leg in got:
            if facts.act.get(id) in ("park", "delete"):
                raise Wrong(f"{id} went to {leg}, after it was: "
                            f"{facts.act[id]}")
        self.stop(gw)
        # By now the trail has the last result, which was told before it was
        # synced.
        self.doubles(gw, facts, got)

    @staticmethod
    def events(gw):
        """Of both files. What the daemon still wrote when it was renamed, it
        writes again to the new one, and cannot mend the old."""
        old = gw.folder / "events.jsonl.1"
        whole = []
        for line in old.read_bytes().splitlines() if old.exists() else []:
            try:
                whole.append(json.loads(line))
            except ValueError:
                break
        return whole + gw.all_events()

    def notices(self, gw, had):
        """Deliveries that were bounced, with their notice taken, as (id, name)."""
        notice = {}
        for e in self.events(gw):
            if e["event"] == "dsn":
                notice.setdefault((e["about"], to_name(e["to"])),
                                  set()).add(e["id"])
        for key, ids in notice.items():
            if len(ids) > 1:
                raise Wrong(f"two notices: {key}: {ids}")
            if (*ids, SENDER, "outside") not in had:
                raise Wrong(f"a notice lost: {key}: {ids}")
        return set(notice)

    @staticmethod
    def holds(facts):
        """Is it known of carol that she has a row? Then she is released."""
        return None not in facts.route.get("carol", {None})

    def wait_empty(self, gw, facts):
        states = {"queued", "deferred"}
        if self.holds(facts):
            states.add("held")
        until(lambda: not [q for q in gw.queue() if q["state"] in states],
              lambda: f"the queue to be empty: {gw.queue()}")

    def changes(self, gw, facts):
        listed = {c["change"] for c in gw.cli_json("changes list")}
        if facts.changes - listed:
            raise Wrong(f"changes lost: {facts.changes - listed}")
        for name, routes in facts.route.items():
            if None in routes:
                continue
            row = gw.cli_json("route", "get", name + DOMAIN)[0]
            if row["route"] not in routes:
                raise Wrong(f"{name}: {row['route']}, not {routes}")
        gw.cli("route", "set", "legacy", "zed" + DOMAIN)
        if self.holds(facts):
            gw.cli("release", "carol" + DOMAIN)

    def doubles(self, gw, facts, got):
        marked = {(e["id"], to_name(e["to"]), e["leg"])
                  for e in self.events(gw)
                  if e["event"] == "delivered" and e.get("uncertain")}
        for key, n in got.items():
            if facts.took[key] + n > 1 and key not in marked:
                raise Wrong(f"an unmarked double: {key}, {facts.took[key]} "
                            f"before the cut and {n} after it")

    @staticmethod
    def stop(gw):
        if gw.stop() != 0:
            raise Wrong("it did not end with 0")
        text = gw.events_file.read_bytes()
        if text and not text.endswith(b"\n"):
            raise Wrong("events.jsonl ends with half a line")
        for line in text.splitlines():
            try:
                json.loads(line)
            except ValueError:
                raise Wrong(f"events.jsonl has {line[:80]}") from None
        done = gw.run("audit", "verify")
        if done.returncode != 0:
            raise Wrong(f"audit verify after the stop: {done.stdout}"
                        f"{done.stderr}")
        audit = gw.folder / "audit"
        (known,), = rows_of(audit / "ledger.db",
                            "SELECT count(*) FROM delivery")
        delivered = {(leg, to.lower()) for file in audit.glob("20*.db")
                     if rows_of(file, WHOLE)
                     for leg, to in rows_of(file, DELIVERED)}
        if gw.said("ledger.lost") or known != len(delivered):
            raise Wrong(f"ledger.db has {known} rows, the index "
                        f"{len(delivered)} recipients on a leg")


DELIVERED = """SELECT leg, address FROM attempt JOIN recipient USING (id, rcpt)
               WHERE event = 1"""
WHOLE = "SELECT name FROM sqlite_schema WHERE name = 'attempt'"


def rows_of(file, text):
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro",
                                            uri=True)) as db:
        return db.execute(text).fetchall()


# ---- many ------------------------------------------------------------------

def judge_some(args, results):
    """A process: its part of the points, in their order."""
    record, points, folder, keep = args
    entries = disk.read_record(record)
    plan, facts, at = disk.Disk(), Facts(entries), 0
    judge = Judge(pathlib.Path(folder), keep)
    for cut, variant, seed in points:
        while at < cut:
            if entries[at][0] in disk.DISK:
                plan.play(entries[at])
            else:
                facts.play(entries[at])
            at += 1
        image = plan.image(variant, random.Random(seed))
        try:
            wrong = judge.run(image, plan, facts,
                              f"{cut}-{variant}-{seed}")
        except Exception:       # of ours: it must not end the others
            wrong = traceback.format_exc()
        results.put((cut, variant, seed, wrong))
    judge.close()


def choose(entries, n, seed):
    """n points of the record, spread over it, in each variant; of what comes
    before the segments were used again a tenth is enough."""
    used = next(i for i, e in enumerate(entries) if e[0] == disk.MARK and
                "used" in json.loads(e[4]))
    cuts = [i + 1 for i, e in enumerate(entries)
            if e[0] in disk.DISK and (i > used or i % 10 == 0)]
    rng = random.Random(seed)
    points = []
    for i in range(n):
        low, high = i * len(cuts) // n, (i + 1) * len(cuts) // n
        cut = cuts[rng.randrange(low, max(high, low + 1))]
        points.append((cut, disk.VARIANTS[i % len(disk.VARIANTS)],
                       rng.randrange(1 << 30)))
    return points


def result_of(workers, results):
    """The next one; a process that died has told why, and is not waited
    for."""
    for _ in range(60):
        try:
            return results.get(timeout=5)
        except queue.Empty:
            dead = [w.name for w in workers if w.exitcode]
            if dead:
                raise RuntimeError(f"ended by an error: {dead}") from None
    raise RuntimeError("no result in 300 s")


def campaign(seed, n, jobs, folder, keep, only=None):
    folder = pathlib.Path(folder) / str(seed)
    folder.mkdir()
    scene = Scene(seed, folder)
    try:
        scene.play()
    finally:
        if scene.gw.running:
            scene.gw.kill()
    entries = disk.read_record(scene.record.path)
    points = only or choose(entries, n, seed)
    print(f"seed {seed}: {len(entries)} entries, {len(points)} images",
          flush=True)
    results = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=judge_some, args=((
        scene.record.path, points[i::jobs], folder, keep), results))
        for i in range(jobs)]
    for w in workers:
        w.start()
    bad = 0
    for _ in points:
        cut, variant, one, wrong = result_of(workers, results)
        if wrong is not None:
            bad += 1
            print(f"FAIL seed {seed} cut {cut} {variant} {one}: {wrong}",
                  flush=True)
    for w in workers:
        w.join()
    return len(points), bad


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse
                                .RawDescriptionHelpFormatter)
    p.add_argument("--images", type=int, default=500)
    p.add_argument("--per-seed", type=int, default=250)
    p.add_argument("--seeds", type=int,
                   help="so many seeds, with --per-seed images each")
    p.add_argument("--seed", type=int, default=1, help="the first")
    p.add_argument("--jobs", type=int, default=8)
    p.add_argument("--keep", action="store_true",
                   help="what failed stays on the disk, and its record")
    args = p.parse_args()
    if args.seeds:
        args.images = args.seeds * args.per_seed
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="powercut.", dir=where)
    images = bad = 0
    begin = time.monotonic()
    try:
        for seed in range(args.seed, 1 << 30):
            if images >= args.images:
                break
            n, wrong = campaign(seed, min(args.per_seed,
                                          args.images - images),
                                args.jobs, folder, args.keep)
            images, bad = images + n, bad + wrong
            if not args.keep:
                shutil.rmtree(pathlib.Path(folder) / str(seed))
    finally:
        if args.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{images} images, {bad} wrong, {time.monotonic() - begin:.0f} s")
    return 1 if bad or not images else 0


if __name__ == "__main__":
    sys.exit(main())
