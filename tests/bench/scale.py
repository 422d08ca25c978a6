# SPDX-License-Identifier: ISC
"""What a long queue costs: memory, commands, the start, intake beside it, and
how fast it is delivered when its leg is back."""
import os
import shutil
import statistics
import time

from cutover import timed
from ports import free_port
from rig import (Figure, Receiver, posthouse, say, send, status_kb,
                 tree_cpu_s)
from until import until

BODY = 1024
STEP = 20_000        # accepted at a time, where rates are compared
PATIENT = {"retry": {"steps": ["1h"]}}   # nothing is tried meanwhile
WAIT_S = 600


class Long:
    """A daemon with a queue for a leg that is down."""

    def __init__(self, folder, messages, users):
        self.folder, self.users = folder, users
        self.leg_port = free_port()
        self.messages = messages
        self.next = 1
        self.gw = posthouse(folder, self.leg_port, settings=PATIENT)

    def add(self, n):
        """What the sender says of `n` more."""
        out = send(self.gw.port, n, first=self.next, size=BODY,
                   users=self.users)
        self.next += n
        if out["failed"]:
            raise RuntimeError(f"not every message was accepted: {out}")
        return out

    def rss_mb(self):
        return status_kb(self.gw.process.pid, "RssAnon") / 1024

    def waiting(self):
        row = next(l for l in self.gw.cli_json("leg list")
                   if l["leg"] == "legacy")
        return row["open"]


def fill(q):
    """Up to its length, but for what intake is measured with."""
    began = time.monotonic()
    while q.next + 3 * STEP <= q.messages:
        q.add(STEP)
    say(f"{q.next - 1:,} queued in {time.monotonic() - began:.0f} s, "
        f"RssAnon {q.rss_mb():.0f} MB")


def intake(q, folder):
    """In turn into the long queue and into one that is nearly empty."""
    empty = Long(folder / "empty", 4 * STEP, q.users)
    pairs = []
    try:
        for _ in range(3):
            a, b = q.add(STEP), empty.add(STEP)
            pairs.append((a["per_s"], b["per_s"]))
            say(f"{a['per_s']:.0f} accepted/s beside {q.next - STEP - 1:,}, "
                f"{b['per_s']:.0f} into the short queue")
    finally:
        empty.gw.stop()
    shutil.rmtree(folder / "empty")
    ratio = statistics.median(a / b for a, b in pairs)
    return Figure("accepted a second, long queue / short", ratio, ">= 0.8",
                  note="pairs " + " ".join(f"{a / b:.2f}" for a, b in pairs))


def command(q, words, limit, times=3):
    took = [timed(q.gw, *words.split()) for _ in range(times)]
    say(f"{words}: " + " ".join(f"{t:.2f}" for t in took) + " s")
    return Figure(words, statistics.median(took), limit, " s",
                  note="runs " + " ".join(f"{t:.2f}" for t in took))


def commands(q):
    """`user7` has a share of the mail, or one message."""
    return [
        command(q, "queue list --to user7@example.com --limit 20", "<= 0.1"),
        command(q, "queue list --to nobody@example.com", "<= 0.1"),
        command(q, "queue list --from nobody@sender.example", "<= 0.1"),
        command(q, "queue retry --leg legacy --yes", "<= 1", times=1)]


def forget(folder):
    """The pages of its files leave the memory, as after a start of the
    machine."""
    for at in folder.rglob("*"):
        if at.is_file():
            fd = os.open(at, os.O_RDONLY)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def restart(q, cold):
    """Seconds until it listens, and its processor time until then."""
    q.gw.process.terminate()
    q.gw.process.wait(WAIT_S)
    if cold:
        forget(q.folder)
    began = time.monotonic()
    q.gw.start()
    return time.monotonic() - began, tree_cpu_s(q.gw.process.pid)


def starts(q):
    took, cpu = zip(*[restart(q, cold=False) for _ in range(3)])
    rss = q.rss_mb()
    cold, _ = restart(q, cold=True)
    say(f"listening after {took} s, cold {cold:.2f} s, RssAnon {rss:.0f} MB")
    return [
        Figure(f"RssAnon, {q.messages:,} queued, after a start", rss,
               "<= 200", " MB"),
        Figure("listening after a start", statistics.median(took), "<= 1",
               " s", note="runs " + " ".join(f"{t:.2f}" for t in took)),
        Figure("processor time until it listens", statistics.median(cpu),
               None, " s"),
        Figure("listening after a cold start", cold, None, " s")]


def drain(q):
    """All that is queued goes to the leg, after a cold start with the leg
    up; each id once."""
    q.gw.process.terminate()
    q.gw.process.wait(WAIT_S)
    forget(q.folder)
    receiver = Receiver(q.messages, port=q.leg_port, linger=2000)
    try:
        began = time.monotonic()
        q.gw.start()
        listening = time.monotonic() - began
        cpu = tree_cpu_s(q.gw.process.pid)
        # Those that the leg was tried with.
        q.gw.run("queue retry --leg legacy --state deferred --yes")
        got = receiver.result()
        cpu = tree_cpu_s(q.gw.process.pid) - cpu
    finally:
        receiver.stop()
    if got["lost"] or got["double"]:
        raise RuntimeError(f"not every message came once: {got}")
    first = got["last"] - got["seconds"] - began
    rate = got["distinct"] / got["seconds"]
    say(f"drained at {rate:.0f}/s, first after {first:.2f} s, listening "
        f"after {listening:.2f}")
    return [Figure("first delivery after a cold start", first, "<= 10", " s"),
            Figure("drained a second", rate, ">= 20000", "",
                   note=f"{got['distinct']:,} of {BODY} bytes in "
                   f"{got['seconds']:.1f} s"),
            Figure("processor time of a message drained",
                   cpu / got["distinct"] * 1e6, "<= 80", " us")]


def queued(folder, args, users=1000):
    messages = 100_000 if args.quick else 300_000
    if args.long:
        messages = 1_000_000
    q = Long(folder / "long", messages, users or messages)
    try:
        fill(q)
        figures = [intake(q, folder)]
        if q.waiting() != messages:
            raise RuntimeError(f"{q.waiting()} wait of {messages}")
        figures += commands(q)
        figures += starts(q)
        figures += drain(q)
        until(lambda: q.waiting() == 0, "the leg to have all")
        q.gw.verify()
    finally:
        q.gw.stop()
    return figures


def recipients(folder, args):
    """The same with as many recipients as messages."""
    return queued(folder, args, users=None)
