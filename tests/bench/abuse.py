# SPDX-License-Identifier: ISC
"""Legs that do what no leg should, a thousand times each: nothing is lost,
nothing bounced, nothing comes twice but where nobody could know, and memory
stays bounded."""
import threading
import time

from killer import uncertain_ids
from rig import (BUILD, Figure, posthouse, say, send,
                 status_kb)
from hostile import Hostile, modes   # found by rig
from until import until

EACH = 1_000
HONEST_EVERY = 3    # of three connections one: else only the breaker tries
SHORT = {name + "_timeout": "1s" for name in (
    "connect", "greeting", "command", "data_init", "data_block",
    "data_done", "tls")}
# The message arrives all the same, at the first try.
ONCE = ("starttls-220-silence", "dot-said-dies", "quit-reset")
REAL_LIMIT_S = 1800


def options(parser):
    parser.add_argument("--long", action="store_true",
                        help="hostile: once each with the default timeouts, "
                        "too (11 minutes); queued: 1,000,000 messages")
    parser.add_argument("--mode", action="append",
                        help="hostile: only this, may be repeated; "
                        "hostile --modes lists them")
    parser.add_argument("--each", type=int, help="hostile: times (1,000)")


class Peak(threading.Thread):
    """The most memory of a process while it is looked at."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.kb, self.over = pid, 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.05):
            try:
                self.kb = max(self.kb, status_kb(self.pid, "RssAnon"))
            except (FileNotFoundError, ProcessLookupError, KeyError):
                return

    def stop(self):
        self.over.set()
        self.join()
        return self.kb / 1024


def sanitized():
    return b"__asan_init" in (BUILD / "posthoused").read_bytes()


def leg(gw, name="legacy"):
    return next(l for l in gw.cli_json("leg list") if l["leg"] == name)


def books(gw, name="legacy"):
    return next(l for l in gw.cli_json("status") if l.get("leg") == name)


def wait_open(gw, limit_s, name="legacy"):
    until(lambda: leg(gw, name)["open"] == 0,
          lambda: f"leg {name} to have nothing open: {leg(gw, name)}",
          limit_s)


def one_mode(gw, hostile, mode, n, first):
    """(acts played, MB at the peak)"""
    before = hostile.count()[0]["acts"]
    peak = Peak(gw.process.pid)
    began = time.monotonic()
    hostile.order(0, mode, n, 0 if mode in ONCE else HONEST_EVERY)
    out = send(gw.port, n, first=first, sessions=100, size=2048)
    if out["failed"]:
        raise RuntimeError(f"{mode}: intake failed: {out}")
    wait_open(gw, 900)
    hostile.order(0, "honest")
    acts, mb = hostile.count()[0]["acts"] - before, peak.stop()
    say(f"{mode:<20} {acts:>5} times, {time.monotonic() - began:5.1f} s, "
        f"RssAnon {mb:.1f} MB")
    return acts, mb


def hostile(folder, args):
    n = args.each or (100 if args.quick else EACH)
    names = ["honest"] + (args.mode or modes())
    legs = Hostile(folder.parent, n * len(names))
    gw = posthouse(folder, legs.ports[0], settings={
        'leg "legacy"': {**SHORT, "connections": 1000, "max_messages": 1,
                         "probe_interval": "100ms",
                         "tls": "may"},
        "retry": {"steps": ["100ms"], "jitter": 0}})
    acts, peaks, totals = {}, {}, None
    try:
        for i, mode in enumerate(names):
            acts[mode], peaks[mode] = one_mode(gw, legs, mode, n, i * n + 1)
        gw.verify()
        totals = books(gw)
        ended = gw.stop()
    finally:
        if gw.process is not None:
            gw.stop()
        took = legs.stop()[0]
    out = judge(gw, names, n, acts, took, totals, ended)
    out.append(growth(names, peaks, n))
    if args.long:
        out += real(folder / "real", args)
    return out


def judge(gw, names, n, acts, took, totals, ended):
    lost = [i for i in range(1, n * len(names) + 1) if i not in took]
    double = [i for i, times in took.items() if times > 1]
    marked, _ = uncertain_ids(gw.events_file)
    unmarked = [i for i in double if i not in marked]
    causeless = [i for i in double
                 if names[(i - 1) // n] != "dot-taken-dies"]
    least = min(names[1:], key=acts.get)
    return [
        Figure("hostile acts of the mode that had fewest", acts[least],
               f">= {n}", note=f"{least}; {len(names) - 1} modes"),
        Figure("messages lost to hostile legs", len(lost), "<= 0",
               note=f"of {n * len(names):,} {lost[:5] or ''}"),
        Figure("bounced or parked for them",
               totals["bounced"] + totals["parked"], "<= 0"),
        Figure("doubles where no leg died before its 250", len(causeless),
               "<= 0", note=f"of {len(double)} doubles "
               f"{[names[(i - 1) // n] for i in causeless[:5]] or ''}"),
        Figure("doubles not marked uncertain", len(unmarked), "<= 0"),
        Figure("how the daemon ended", ended, "<= 0",
               note="sanitized" if sanitized() else "")]


def growth(names, peaks, n):
    """The memory of a mode beyond that of all before it."""
    most, grown = peaks[names[0]], {}
    for mode in names[1:]:
        grown[mode] = max(0, peaks[mode] - most)
        most = max(most, peaks[mode])
    worst = max(grown, key=grown.get)
    return Figure(f"RssAnon that {n} hostile connections add at most",
                  grown[worst],   # a TLS handshake takes some 40 KiB
                  None if sanitized() else f"<= {max(8, n * 64 // 1000)}", " MB",
                  f"{worst}; {peaks[names[0]]:.1f} MB honest, "
                  f"{most:.1f} at the end")


# -- with the timeouts of RFC 5321

def real(folder, args):
    """Each mode once, all at the same time, a leg each."""
    names = modes()
    legs = Hostile(folder.parent, len(names), len(names))
    keys = {f'leg "h{i}"': {"hosts": [f"127.0.0.1:{port}"], "tls": "may"}
            for i, port in enumerate(legs.ports)}
    gw = posthouse(folder, legs.ports[0],
                   settings={**keys, "retry": {"steps": ["1s"]}})
    began, slowest, told = time.monotonic(), None, set()
    try:
        rows = "".join(f"user{i}@example.com,h{i}\n"
                       for i in range(len(names)))
        gw.cli("route", "import", "-", stdin="address,route\n" + rows)
        for i, mode in enumerate(names):
            legs.order(i, mode, 1)
        send(gw.port, len(names), sessions=5)

        def over():
            nonlocal slowest
            for i, l in enumerate(legs.count()):
                if i not in told and l["distinct"] > 0:
                    told.add(i)
                    slowest = names[i]
                    say(f"{names[i]:<20} after "
                        f"{time.monotonic() - began:6.1f} s")
            return len(told) == len(names)

        until(over, lambda: f"all of them; missing "
              f"{set(range(len(names))) - told}", REAL_LIMIT_S)
        took_s = time.monotonic() - began
        for i in range(len(names)):
            wait_open(gw, 60, f"h{i}")
        gw.verify()
    finally:
        gw.stop()
        legs.stop()
    return [Figure("until all came, once each, default timeouts", took_s,
                   f"<= {REAL_LIMIT_S}", " s", f"the last: {slowest}")]
