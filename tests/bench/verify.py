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
LIMIT_S = 100       # of the looks of a round

# A look reads all rows of the index, which grows by RATE meanwhile: so it is
# made anew for each round, or the last looks would be at one of millions.
ROUNDS = 5


def sizes(args):
    """Messages in the index, looks at it, looks after an alteration, of a
    round; rounds."""
    return (10_000, 40, 10, 1) if args.quick else (200_000, 200, 20, ROUNDS)


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


def one_round(folder, fill, n, after, piece):
    """Verdicts before and after an alteration, how long the first looks took,
    gaps of status, messages a second meanwhile."""
    receiver = Receiver(1 << 30)
    gw = posthouse(folder, receiver.port)
    try:
        send(gw.port, fill, sessions=50)
        load = Load(gw.port, piece)
        good, took = looks(gw, n)
        gaps = status_gaps(gw, len(good))
        alter(gw)
        bad, _ = looks(gw, after)
        rate = load.stop()
    finally:
        gw.stop()
        receiver.stop()
    shutil.rmtree(folder)
    say(f"{len(good)} looks, {good.count('behind')} behind, "
        f"{took[len(took) // 2]:.2f} s, the longest {took[-1]:.2f} s; "
        f"{rate:.0f} accepted/s meanwhile")
    return good, bad, took, gaps, rate


def verify(folder, args):
    fill, n, after, rounds = sizes(args)
    good, bad, took, gaps, rates = [], [], [], 0, []
    for i in range(rounds):
        g, b, t, status, rate = one_round(
            folder / f"gw{i}", fill, n, after, 4_000 if args.quick else 40_000)
        good += g
        bad += b
        took += t
        gaps += status
        rates.append(rate)
    n, after = len(good), len(bad)
    note = f"{min(rates):.0f} to {max(rates):.0f} messages/s over {fill}"
    return [
        Figure("verify: false alarms", n - good.count("agrees"), "<= 0",
               f"of {n}", note),
        Figure("verify: gaps of status", gaps, "<= 0", f"of {n}"),
        Figure("verify: looks that miss the altered record",
               after - bad.count("differs"), "<= 0", f"of {after}"),
        Figure("verify: one look", sorted(took)[n // 2], None, "s", "median"),
    ]
