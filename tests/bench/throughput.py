# SPDX-License-Identifier: ISC
"""Posthouse and a tuned Postfix in turn on the same machine: processor time
a message of the whole process tree, and messages delivered a second, from
the first connection to the last receipt. The receiver proves of every run
that no message was lost and none came twice."""
import re
import shutil
import statistics

import postfix
from rig import (BUILD, Figure, Receiver, idle_cpu_s, import_users, posthouse, say,
                 send, tree_cpu_s)
import certs             # found by rig

SMALL_SPOOL = {"spool": {"path": "spool", "max": "512M"}}
FILL = 150_000    # of 4 KiB: more than the small spool holds


class Run:
    """The figures of one run of one server."""

    def __init__(self, out, receipts, cpu_s):
        self.messages = out["sent"]
        self.cpu_us = cpu_s / out["sent"] * 1e6
        last = max(r["last"] for r in receipts)
        self.per_s = out["sent"] / (last - out["began"])
        self.accepted_per_s = out["per_s"]
        self.wait = out
        bad = [r for r in receipts
               if r["lost"] or r["double"] or r["foreign"]]
        if out["failed"] or bad:
            raise RuntimeError(f"not every message came once: {out} {bad}")


def measure(pid, port, receivers, messages, **options):
    before = tree_cpu_s(pid)
    out = send(port, messages, **options)
    receipts = [r.result() for r in receivers]
    return Run(out, receipts, idle_cpu_s(pid) - before)


def receiver_of(messages, certificate):
    return Receiver(messages) if certificate is None else \
        Receiver(messages, tls=certificate)


def tell(who, run):
    say(f"{who}: {run.messages} messages, {run.cpu_us:.0f} us CPU each, "
        f"{run.per_s:.0f} delivered/s, {run.accepted_per_s:.0f} accepted/s, "
        f"wait p50 {run.wait['wait_ms_p50']:.1f} "
        f"p99 {run.wait['wait_ms_p99']:.1f} "
        f"max {run.wait['wait_ms_max']:.0f} ms")
    return run


def tls_settings(certificate):
    return {'listen "mx"': {"certificate": [certificate]},
            'leg "legacy"': {"tls": "encrypt"}}


def run_posthouse(folder, messages, route="legacy", recycled=False,
                  build=BUILD, with_ledger=True, certificate=None,
                  **options):
    legs = ["legacy", "cloud"][:1 + ("+" in route)]
    keep = FILL if recycled else 0
    settings = dict(SMALL_SPOOL) if recycled else {}
    if certificate is not None:
        settings.update(tls_settings(certificate))
        options["tls"] = 1
    receivers = [receiver_of(keep + messages, certificate) for _ in legs]
    gw = posthouse(folder, *[r.port for r in receivers], settings=settings,
                   build=build, ledger=with_ledger)
    try:
        if route != "legacy":
            import_users(gw, route)
        if recycled:
            fill_spool(gw, receivers)
        run = measure(gw.process.pid, gw.port, receivers, messages,
                      first=keep + 1, **options)
        gw.verify()
    finally:
        gw.stop()
        for r in receivers:
            r.stop()
    shutil.rmtree(folder)
    return run


def fill_spool(gw, receivers):
    """Writes the spool full, so that what is measured goes into segments
    that were written, delivered and given back."""
    out = send(gw.port, FILL)
    if out["failed"]:
        raise RuntimeError(f"filling the spool: {out}")
    gw.wait_empty()
    idle_cpu_s(gw.process.pid)
    recycled = int(re.search(r"recycled (\d+)", gw.cli("status")).group(1))
    if recycled == 0:
        raise RuntimeError("nothing was recycled: the spool is too large")
    say(f"{recycled} segments recycled while filling")


def run_postfix(folder, messages, certificate=None, **options):
    receiver = receiver_of(messages, certificate)
    folder.mkdir(parents=True)
    server = postfix.Postfix(folder, receiver.port, certificate).start()
    if certificate is not None:
        options["tls"] = 1
    try:
        run = measure(server.process.pid, server.port, [receiver], messages,
                      **options)
    finally:
        server.stop()
        receiver.stop()
    shutil.rmtree(folder)
    return run


def pairs(folder, ours, theirs, n):
    """In turn, so that what else the machine does meets both."""
    out = []
    for i in range(n):
        a = tell("posthouse", ours(folder / f"posthouse{i}"))
        b = tell("postfix", theirs(folder / f"postfix{i}"))
        out.append((a, b))
    return out


def ratio(runs, value):
    ratios = [value(a, b) for a, b in runs]
    return statistics.median(ratios), \
        "pairs " + " ".join(f"{r:.2f}" for r in ratios)


def against_postfix(folder, quick, keep, recycled=False, counts=None,
                    **options):
    """`counts`: messages of ours and of Postfix's."""
    why = postfix.reachable()
    if why:
        say(f"left out: {why}")
        return None
    postfix.fetch()
    ours, theirs = counts or (40_000, 3_000)
    if quick:
        ours, theirs = ours // 5, theirs // 3
    if not keep:   # ports of ended connections rest for a minute
        ours = min(ours, 10_000)
    return pairs(
        folder,
        lambda at: run_posthouse(at, ours, recycled=recycled, keep=keep,
                                 **options),
        lambda at: run_postfix(at, theirs, keep=keep, **options),
        1 if quick else 3)


def compared(runs, what, cpu_limit, rate_limit):
    if runs is None:
        return []
    cpu, cpu_note = ratio(runs, lambda a, b: b.cpu_us / a.cpu_us)
    rate, rate_note = ratio(runs, lambda a, b: a.per_s / b.per_s)
    a = statistics.median(a.cpu_us for a, _ in runs)
    b = statistics.median(b.cpu_us for _, b in runs)
    x = statistics.median(a.per_s for a, _ in runs)
    y = statistics.median(b.per_s for _, b in runs)
    return [
        Figure(f"{what}: CPU a message, Postfix / Posthouse", cpu, cpu_limit,
               note=f"{b:.0f} / {a:.0f} us; {cpu_note}"),
        Figure(f"{what}: delivered a second, Posthouse / Postfix", rate,
               rate_limit, note=f"{x:.0f} / {y:.0f}; {rate_note}")]


def first_use(folder, args):
    quick = args.quick
    runs = against_postfix(folder, quick, keep=1)
    return compared(runs, "100 sessions kept, new journal", ">= 20", ">= 15")


def recycled(folder, args):
    quick = args.quick
    runs = against_postfix(folder, quick, keep=1, recycled=True)
    return compared(runs, "100 sessions kept, recycled journal", ">= 20",
                    ">= 15")


def sessions20(folder, args):
    runs = against_postfix(folder, args.quick, keep=1, sessions=20)
    return compared(runs, "20 sessions kept", None, ">= 22")


def one_session(folder, args):
    """Into segments that were written before, and, cold, into new ones."""
    figures = []
    for what, warm, limit in (("recycled", True, ">= 5"),
                              ("new", False, None)):
        runs = against_postfix(folder / what, args.quick, keep=1,
                               recycled=warm, counts=(10_000, 2_000),
                               sessions=1)
        figures += compared(runs, f"one session, {what} journal", None,
                            limit)
    return figures


def by_tls(folder, args):
    """TLS 1.3 from the client and to the leg, connections kept."""
    (folder / "ca").mkdir(parents=True)
    certificate = certs.Authority(folder / "ca").make("bench", "localhost")
    runs = against_postfix(folder / "runs", args.quick, keep=1,
                           certificate=certificate)
    return compared(runs, "TLS 1.3 in and out, 100 sessions kept", None,
                    ">= 12")


def of_size(folder, args, size, counts, limit):
    """Large mail: 250 means that all of it is on the disk. `counts`:
    messages of ours and of Postfix's, so that either takes seconds."""
    why = postfix.reachable()
    if why:
        say(f"left out: {why}")
        return []
    postfix.fetch()
    ours, theirs = (n // 4 if args.quick else n for n in counts)
    runs = pairs(folder,
                 lambda at: run_posthouse(at, ours, size=size, keep=1),
                 lambda at: run_postfix(at, theirs, size=size, keep=1),
                 1 if args.quick else 3)
    return compared(runs, f"{size >> 10} KiB, 100 sessions kept", None, limit)


def size64k(folder, args):
    return of_size(folder, args, 64 << 10, (16_000, 1_600), ">= 10")


def size1m(folder, args):
    return of_size(folder, args, 1 << 20, (2_400, 800), ">= 3")


def one_each(folder, args):
    quick = args.quick
    runs = against_postfix(folder, quick, keep=0)
    return compared(runs, "one message a connection", None, ">= 8")


def dual(folder, args):
    """As fast as it goes, where a part of the mail passes through the queue
    and is read back, and at a rate that both can do."""
    return dual_at(folder, args, "as fast as it goes", {}) + \
        dual_at(folder, args, "at 4,000/s", {"rate": 4000})


def dual_at(folder, args, what, options):
    messages = 8_000 if args.quick else 40_000
    runs = []
    for i in range(1 if args.quick else 3):
        one = tell("single", run_posthouse(folder / f"one{i}", messages,
                                           **options))
        two = tell("dual", run_posthouse(folder / f"two{i}", messages,
                                         route="cloud+legacy", **options))
        runs.append((two, one))
    cpu, note = ratio(runs, lambda a, b: a.cpu_us / b.cpu_us)
    two = statistics.median(a.cpu_us for a, _ in runs)
    one = statistics.median(b.cpu_us for _, b in runs)
    return [Figure(f"CPU a message, dual / single, {what}", cpu, "<= 1.5",
                   note=f"{two:.0f} / {one:.0f} us; {note}")]


def ledger(folder, args):
    """Deliveries are folded in memory in both, which is a hundredth of a
    message; only one writes them. `users`: how many get the mail in turn."""
    messages = 8_000 if args.quick else 40_000
    figures = []
    for users in (1_000, 100_000):
        runs = []
        for i in range(1 if args.quick else 5):
            run = {on: tell("with ledger.db" if on else "without",
                            run_posthouse(folder / f"{users}-{i}-{on}",
                                          messages, keep=1, users=users,
                                          with_ledger=on))
                   for on in ((True, False), (False, True))[i % 2]}
            runs.append((run[True], run[False]))
        middle, note = ratio(runs, lambda a, b: a.cpu_us / b.cpu_us)
        figures.append(Figure(
            f"CPU a message with ledger.db against without, {users:,} users",
            middle, "<= 1.1", note=note))
    return figures
