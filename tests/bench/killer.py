# SPDX-License-Identifier: ISC
"""kill -9 at random moments under load. Whatever got 250 must arrive; what
arrives twice must be on record as uncertain; at the end the books are even.

The seed is told; --seed repeats the moments (not the scheduler's)."""
import json
import random
import threading

from rig import Figure, Receiver, posthouse, say, sender, sent
from until import until

PER_ROUND = 20_000   # ids of a round; the kill ends it long before


def options(parser):
    parser.add_argument("--seed", type=int, help="of the killer's moments")
    parser.add_argument("--kills", type=int, help="how many (200)")


def round_of_load(gw, i, pause_s, ids):
    flow = sender(gw.port, PER_ROUND, sessions=20, first=i * PER_ROUND + 1,
                  ids=ids, limit=60)
    threading.Event().wait(pause_s)
    gw.kill()
    out = sent(flow)
    gw.start()
    return out


def ids_in(path):
    return {int(line.split()[0]): int((line.split() + ["1"])[1])
            for line in open(path)}


def uncertain_ids(events_file):
    """Bench ids of the messages whose delivery says that it may be a
    repetition, from the stream of events (each line at least once)."""
    mail, marked, delivered = {}, set(), set()
    for line in open(events_file, errors="replace"):
        e = json.loads(line)
        if e["event"] == "accepted":
            mail[e["id"]] = int(e["message_id"].strip("<>").split("@")[0])
        elif e["event"] == "delivered":
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
