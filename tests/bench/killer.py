# SPDX-License-Identifier: ISC
"""kill -9 at random moments under load, alone or amid flips, holds, parks and
retries. Whatever got 250 must arrive; what arrives twice at a leg must be on
record there as uncertain; at the end the books are even.

The seed is told; --seed repeats the moments (not the scheduler's)."""
import json
import random
import threading

from rig import Figure, Receiver, posthouse, say, sender, sent
from meddler import Meddler  # of tests/e2e, which rig makes known
from until import until

PER_ROUND = 20_000   # ids of a round; the kill ends it long before


def options(parser):
    parser.add_argument("--seed", type=int, help="of the killer's moments")
    parser.add_argument("--kills", type=int, help="how many (200)")


def round_of_load(gw, i, pause_s, ids, rng=None):
    """With `rng` the table and the queue are meddled with meanwhile."""
    meddler = rng and Meddler(gw, rng, "--all", "example.com")
    flow = sender(gw.port, PER_ROUND, sessions=20, first=i * PER_ROUND + 1,
                  ids=ids, limit=60)
    threading.Event().wait(pause_s)
    gw.kill()
    out = sent(flow)
    if meddler:
        meddler.stop()
        out["changes"] = meddler.made
    gw.start()
    return out


def ids_in(path):
    return {int(line.split()[0]): int((line.split() + ["1"])[1])
            for line in open(path)}


def uncertain_ids(events_file, leg=None):
    """Bench ids of the messages of which an event (of that leg) says that it may
    be a repetition, from the stream of events (each line at least once)."""
    mail, marked, delivered = {}, set(), set()
    for line in open(events_file, errors="replace"):
        e = json.loads(line)
        if e["event"] == "accepted":
            mail[e["id"]] = int(e["message_id"].strip("<>").split("@")[0])
        elif leg in (None, e.get("leg")):
            if e["event"] == "delivered":
                delivered.add((e["pos"], e["id"]))
            if e.get("uncertain"):
                marked.add(mail.get(e["id"]))
    return marked, len(delivered)


def kill(folder, args):
    kills = args.kills or (20 if args.quick else 200)
    seed = args.seed if args.seed is not None else random.randrange(1 << 32)
    rng = random.Random(seed)
    say(f"seed {seed}, {kills} kills")
    receiver = Receiver(kills * PER_ROUND, ids=folder.parent / "kill.ids",
                        limit=36000)
    gw = posthouse(folder, receiver.port,
                   settings={"spool": {"path": "spool", "segment": "4M",
                                       "max": "2G"}})
    promised = set()
    try:
        for i in range(kills):
            ids = folder / "sent.ids"
            out = round_of_load(gw, i, rng.uniform(0.02, 1.5), ids)
            promised |= set(ids_in(ids))
            if i % 10 == 9:
                say(f"{i + 1} kills, {len(promised)} messages promised, "
                    f"the last round {out['sent']}")
        gw.wait_empty()
        gw.verify()
        gap = max(abs(leg["gap"]) for leg in gw.cli_json("leg list"))
    finally:
        gw.stop()
        receiver.stop()
    return judge(promised, ids_in(folder.parent / "kill.ids"), gw, gap,
                 f"{kills} kills, seed {seed}")


def judge(promised, came, gw, gap, note):
    lost = sorted(promised - set(came))
    doubles = {id for id, n in came.items() if n > 1}
    marked, _ = uncertain_ids(gw.events_file)
    unmarked = sorted(doubles - marked)
    return [
        Figure("messages that got 250 and did not arrive", len(lost), "<= 0",
               note=f"of {len(promised):,}; {note} {lost[:5] or ''}"),
        Figure("doubles not marked uncertain", len(unmarked), "<= 0",
               note=f"of {len(doubles)} doubles; {len(marked)} deliveries "
               f"marked {unmarked[:5] or ''}"),
        Figure("conservation gap at the end", gap, "<= 0")]


def settle_down(gw):
    """Nothing is held or parked any more, and all goes one way."""
    gw.cli("release", "--all", "example.com", "--yes")
    gw.cli("flip", "legacy", "--all", "example.com", "--yes")
    gw.run("queue", "retry", "--state", "parked", "--yes")  # if any is
    gw.wait_empty()
    gw.verify()


def kill_amid_changes(folder, args):
    kills = args.kills or (10 if args.quick else 100)
    seed = args.seed if args.seed is not None else random.randrange(1 << 32)
    rng = random.Random(seed)
    say(f"seed {seed}, {kills} kills amid changes")
    files = {leg: folder.parent / f"kill.{leg}.ids"
             for leg in ("legacy", "cloud")}
    legs = {leg: Receiver(kills * PER_ROUND, ids=files[leg], limit=36000)
            for leg in files}
    gw = posthouse(folder, legs["legacy"].port, legs["cloud"].port,
                   settings={"spool": {"path": "spool", "segment": "4M",
                                       "max": "2G"}})
    promised, changes = set(), 0
    try:
        for i in range(kills):
            ids = folder / "sent.ids"
            out = round_of_load(gw, i, rng.uniform(0.2, 1.5), ids, rng)
            promised |= set(ids_in(ids))
            changes += out["changes"]
        settle_down(gw)
        gap = max(abs(leg["gap"]) for leg in gw.cli_json("leg list"))
    finally:
        gw.stop()
        for leg in legs.values():
            leg.stop()
    return judge_legs(promised, {leg: ids_in(f) for leg, f in files.items()},
                      gw, gap, f"{kills} kills, {changes} changes, seed {seed}")


def judge_legs(promised, came, gw, gap, note):
    lost = promised - set(came["legacy"]) - set(came["cloud"])
    doubles, unmarked = 0, []
    for leg, ids in came.items():
        twice = {id for id, n in ids.items() if n > 1}
        marked, _ = uncertain_ids(gw.events_file, leg)
        doubles += len(twice)
        unmarked += sorted((leg, id) for id in twice - marked)
    return [
        Figure("messages lost amid changes", len(lost), "<= 0",
               note=f"of {len(promised):,}; {note} {sorted(lost)[:5] or ''}"),
        Figure("doubles not marked at their leg", len(unmarked), "<= 0",
               note=f"of {doubles} doubles {unmarked[:5] or ''}"),
        Figure("conservation gap after the changes", gap, "<= 0")]
