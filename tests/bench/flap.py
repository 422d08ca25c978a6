# SPDX-License-Identifier: ISC
"""Both legs flap at random while every message is for both, and the daemon
is killed in the middle. At every look the books are even; at the end each
leg has had each message, and what it had twice is marked.

The seed is told; --seed repeats what the legs do (not the scheduler)."""
import json
import random
import threading
import time

from abuse import SHORT
from rig import Figure, import_users, posthouse, say, sender, sent
from hostile import Hostile   # found by rig
from until import until

LEGS = ("legacy", "cloud")
# Moods of a leg for a while; some for good, until it is told otherwise.
MOODS = ("honest", "honest", "honest", "refuse", "refuse", "greeting-silence",
         "greeting-554", "mail-421", "mail-reset", "rcpt-reset",
         "data-354-reset", "dot-defers", "dot-421", "dot-silence",
         "dot-taken-dies", "dot-said-dies")
PART = 2_500        # messages between two kills
KILLS = 3


PARTS = ("delivered", "open", "parked", "bounced", "superseded", "deleted")


def look(gw):
    """Conservation, now: the writer's sums and those of the recount must be
    even whenever one looks. True when they also agree with each other; what
    is on its way between writer, queue and index keeps them apart."""
    for leg in gw.cli_json("leg list"):
        if leg["created"] != sum(leg[part] for part in PARTS):
            raise RuntimeError(f"the writer's sum: {leg}")
    done = gw.run("audit", "verify", "--json")
    for leg in map(json.loads, done.stdout.splitlines()):
        if leg.get("gap", 0) != 0:
            raise RuntimeError(f"the recount: {leg}")
    return done.returncode == 0


def change_weather(legs, rng):
    leg, mood = rng.randrange(len(LEGS)), rng.choice(MOODS)
    legs.order(leg, mood, rng.choice((0, 0, 5, 50)), rng.choice((0, 2, 3)))


class Trial:
    """Counts of messages promised and of kills so far."""

    def __init__(self, folder, gw, legs, rng, messages):
        self.folder, self.gw, self.legs, self.rng = folder, gw, legs, rng
        self.wanted, self.next = messages, 1
        self.promised, self.looks, self.kills = set(), 0, 0

    def part(self):
        """Some messages while the legs flap; a kill somewhere, thrice."""
        n = min(PART, self.wanted // 4, self.wanted - len(self.promised))
        ids = self.folder / "sent.ids"
        flow = sender(self.gw.port, n, sessions=20, first=self.next, ids=ids,
                      rate=n // 8, limit=120)
        self.next += n
        kill_at = time.monotonic() + self.rng.uniform(1, 6)
        killed = self.kills == KILLS
        while flow.poll() is None:
            change_weather(self.legs, self.rng)
            threading.Event().wait(self.rng.uniform(0.1, 0.5))
            if not killed and time.monotonic() > kill_at:
                killed = True
                self.gw.kill()
                self.kills += 1
                flow.wait()
                self.gw.start()
            look(self.gw)
            self.looks += 1
        sent(flow)
        until(lambda: look(self.gw), "writer, queue and index to agree")
        self.promised |= {int(line) for line in open(ids)}
        say(f"{len(self.promised):,} promised, {self.kills} kills, "
            f"{self.looks} looks")

    def run(self):
        while len(self.promised) < self.wanted:
            self.part()
        for i in range(len(LEGS)):
            self.legs.order(i, "honest")
        until(lambda: not any(l["open"] for l in self.gw.cli_json(
            "leg list")), "nothing to be open", 300)


def flap(folder, args):
    messages = 1_000 if args.quick else 10_000
    seed = args.seed if args.seed is not None else random.randrange(1 << 32)
    say(f"seed {seed}, {messages} messages for both legs")
    legs = Hostile(folder.parent, 3 * messages, 2)
    gw = posthouse(folder, *legs.ports, settings={
        **{f'leg "{name}"': {**SHORT, "probe_interval": "1s"}
           for name in LEGS},
        "retry": {"steps": ["200ms", "500ms", "1s"], "jitter": 20}})
    trial = Trial(folder, gw, legs, random.Random(seed), messages)
    try:
        import_users(gw, "legacy+cloud")
        trial.run()
        gw.verify()
        totals = [row for row in gw.cli_json("status") if "bounced" in row]
    finally:
        gw.stop()
        took = legs.stop()
    note = f"seed {seed}, {trial.looks} looks, {trial.kills} kills"
    return judge(trial.promised, took, doubts(gw.events_file), totals, note)


def doubts(events_file):
    """((message, leg) whose delivery is marked, how many doubts there were):
    an attempt that ended so, or a kill that left one open. Each line of the
    file is there at least once."""
    mail, marked, seen = {}, set(), set()
    for line in open(events_file, errors="replace"):
        e = json.loads(line)
        if e["event"] == "accepted":
            mail[e["id"]] = int(e["message_id"].strip("<>").split("@")[0])
        elif e.get("uncertain"):
            if e["event"] == "delivered":
                marked.add((mail[e["id"]], e["leg"]))
            if e["event"] == "deferred" or e["uncertain"] == "possible":
                seen.add((e["pos"], e["id"], e["leg"]))
    return marked, len(seen)


def judge(promised, took, doubts, totals, note):
    marked, doubted = doubts
    lost = [(id, LEGS[i]) for i, ids in enumerate(took)
            for id in promised if id not in ids]
    extra = sum(n - 1 for ids in took for n in ids.values())
    unmarked = [(id, LEGS[i]) for i, ids in enumerate(took)
                for id, n in ids.items() if n > 1 and
                (id, LEGS[i]) not in marked]
    failed = sum(row["bounced"] + row["parked"] for row in totals)
    return [
        Figure("flapping: messages a leg never had", len(lost), "<= 0",
               note=f"of {len(promised):,}; {note} {lost[:5] or ''}"),
        Figure("flapping: doubles", extra, f"<= {doubted}",
               note="as many attempts ended uncertain"),
        Figure("flapping: doubles not marked uncertain", len(unmarked),
               "<= 0", note=str(unmarked[:5] or "")),
        Figure("flapping: bounced or parked", failed, "<= 0")]
