# SPDX-License-Identifier: ISC
"""`audit verify` while mail flows over an index that is filled: how often it
says that something is wrong when nothing is, and how often it finds the one
record that was altered (A2). The gaps of `status` beside it."""
import json
import shutil
import sqlite3
import threading
import time

from rig import Figure, Receiver, posthouse, say, send, sender, sent

RATE = 8_000        # messages a second, as far as the machine gives that
LIMIT_S = 240       # the index grows meanwhile, and a look reads all of it


def sizes(args):
    """Messages in the index, looks at it, looks after an alteration."""
    return (10_000, 40, 10) if args.quick else (200_000, 1_000, 100)


class Load(threading.Thread):
    """One sender after another, until it is told to stop."""

    def __init__(self, port, piece):
        super().__init__(daemon=True)
        self.port, self.piece = port, piece
        self.count, self.stopped = 0, threading.Event()
        self.began = time.monotonic()
        self.start()

    def run(self):
        while not self.stopped.is_set():
            out = sent(sender(self.port, self.piece, sessions=50, rate=RATE))
            self.count += self.piece - out["failed"]

    def stop(self):
        self.stopped.set()
        self.join()
        return self.count / (time.monotonic() - self.began)


def look(gw):
    """The verdict, and how long it took."""
    began = time.monotonic()
    done = gw.run("audit", "verify", "--json", "--wait", "30s")
    if not done.stdout:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])["verdict"], \
        time.monotonic() - began


def alter(gw):
    """One delivery that was delivered is said to be bounced."""
    file = sorted((gw.folder / "audit").glob("2*.db"))[0]
    file.chmod(0o640)
    db = sqlite3.connect(file, timeout=30)
    with db:
        id, rcpt = db.execute(
            "SELECT id, rcpt FROM recipient WHERE legs LIKE '%delivered%'"
            " ORDER BY id LIMIT 1").fetchone()
        db.execute("UPDATE recipient SET legs = replace(legs, 'delivered',"
                   " 'bounced') WHERE id = ? AND rcpt = ?", (id, rcpt))
    db.close()


def looks(gw, n):
    seen, took = [], []
    until = time.monotonic() + LIMIT_S
    while len(seen) < n and time.monotonic() < until:
        verdict, s = look(gw)
        seen.append(verdict)
        took.append(s)
    return seen, sorted(took)


def status_gaps(gw, n):
    return sum(any(leg["gap"] != 0 for leg in gw.cli_json("leg list"))
               for _ in range(n))


def verify(folder, args):
    fill, n, after = sizes(args)
    receiver = Receiver(1 << 30)
    gw = posthouse(folder / "gw", receiver.port)
    try:
        send(gw.port, fill, sessions=50)
        load = Load(gw.port, 4_000 if args.quick else 40_000)
        good, took = looks(gw, n)
        n = len(good)
        gaps = status_gaps(gw, n)
        alter(gw)
        bad, _ = looks(gw, after)
        after = len(bad)
        rate = load.stop()
    finally:
        gw.stop()
        receiver.stop()
    shutil.rmtree(folder / "gw")
    say(f"{n} looks, {good.count('behind')} behind, {took[n // 2]:.2f} s, the "
        f"longest {took[-1]:.2f} s; {rate:.0f} accepted/s meanwhile")
    return [
        Figure("verify: false alarms", n - good.count("agrees"), "<= 0",
               f"of {n}", f"{rate:.0f} messages/s over {fill}"),
        Figure("verify: gaps of status", gaps, "<= 0", f"of {n}"),
        Figure("verify: looks that miss the altered record",
               after - bad.count("differs"), "<= 0", f"of {after}"),
        Figure("verify: one look", took[n // 2], None, "s", "median"),
    ]
