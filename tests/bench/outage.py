# SPDX-License-Identifier: ISC
"""The cloud is down for five days while mail for both comes in all along;
the daemon is killed on the third. The days are simulated: the true daemon,
its clock set forward by the hour."""
import json
import time

from rig import Figure, import_users, posthouse, say, send
from hostile import Hostile   # found by rig
from shift import HOUR_S, Shift
from until import until

HOURS = 120
PART_HOURS = 6      # between two arrivals of mail
PARTS = HOURS // PART_HOURS


def settled(gw, leg):
    return next(l for l in gw.cli_json("leg list")
                if l["leg"] == leg)["open"] == 0


def days(gw, legs, shift, part):
    """The longest that legacy took for a part, seconds of intake and all."""
    slowest = 0
    for i in range(PARTS):
        began = time.monotonic()
        out = send(gw.port, part, first=i * part + 1, sessions=20)
        until(lambda: legs.count()[0]["distinct"] == (i + 1) * part,
              lambda: f"legacy to have part {i}: {legs.count()}")
        slowest = max(slowest, time.monotonic() - began - out["seconds"])
        if out["failed"]:
            raise RuntimeError(f"intake failed: {out}")
        if i == PARTS // 2:
            # With nothing under way that a kill would leave in doubt.
            until(lambda: settled(gw, "legacy"), "legacy to be settled")
            gw.kill()
            gw.start()
        for _ in range(PART_HOURS):
            shift.forward(gw, HOUR_S)
    return slowest


def five_days(folder, args):
    part = (2_000 if args.quick else 100_000) // PARTS
    legs = Hostile(folder.parent, part * PARTS, 2)
    legs.order(1, "refuse")
    legs.count()
    shift = Shift(folder.parent)
    gw = posthouse(folder, *legs.ports, shift=shift)
    try:
        import_users(gw, "legacy+cloud")
        slowest = days(gw, legs, shift, part)
        say(f"five days later: {legs.count()}")
        early = legs.count()[1]["taken"]
        legs.order(1, "honest")
        began = time.monotonic()
        gw.cli("queue", "retry", "--leg", "cloud", "--yes")
        until(lambda: settled(gw, "cloud"),
              lambda: f"the cloud to have all: {legs.count()}", 900)
        took_s = time.monotonic() - began
        gw.verify()
        count = legs.count()
        totals = [row for row in gw.cli_json("status") if "bounced" in row]
    finally:
        gw.stop()
        legs.stop()
    say(f"the cloud took {took_s:.1f} s for all of it")
    return judge(gw, count, totals, part * PARTS, early, slowest)


def judge(gw, count, totals, messages, early, slowest):
    dsns = {e["id"] for e in map(json.loads, open(gw.events_file))
            if e["event"] == "dsn"}
    failed = sum(row["bounced"] + row["parked"] for row in totals)
    out = [Figure(f"five days: lost or double at {name}",
                  messages - leg["distinct"] + leg["double"] +
                  leg["foreign"], "<= 0", note=f"of {messages:,}")
           for name, leg in zip(("legacy", "cloud"), count)]
    return out + [
        Figure("five days: at the cloud while it was down", early, "<= 0"),
        Figure("five days: legacy's delay behind intake, at most", slowest,
               "<= 5", " s"),
        Figure("five days: bounced or parked", failed, "<= 0"),
        Figure("five days: DSNs", len(dsns), "<= 0")]
