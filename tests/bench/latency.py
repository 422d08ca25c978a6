# SPDX-License-Identifier: ISC
"""What a lone sender waits for, beside the disk's own time, and the proof
that no 250 left before the sync that it promises."""
import json
import re
import signal
import statistics
import subprocess

from rig import BUILD, Figure, Receiver, posthouse, say, send
from until import until


def disk_ms(folder, times, append):
    out = subprocess.run([BUILD / "tests/bench/sync", folder, "--times",
                          str(times), "--append", str(int(append))],
                         capture_output=True, text=True, check=True)
    return json.loads(out.stdout)["ms_p50"]


def one_session(folder, args):
    """The disk before and after each run: it is shared, and what else is
    done with it must meet both."""
    times = 300 if args.quick else 1000
    rounds = 1 if args.quick else 5
    total = times * rounds
    receiver = Receiver(total)
    gw = posthouse(folder, receiver.port)
    warm, cold, waits = [], [], []
    try:
        for i in range(rounds):
            warm.append(disk_ms(folder, times, append=False))
            cold.append(disk_ms(folder, times, append=True))
            out = send(gw.port, times, sessions=1, first=i * times + 1)
            waits.append(out["wait_ms_p50"])
            say(f"wait p50 {waits[-1]:.3f} ms, p99 {out['wait_ms_p99']:.3f}; "
                f"disk {warm[-1]:.3f} rewritten, {cold[-1]:.3f} appended")
        receipt = receiver.result()
    finally:
        gw.stop()
        receiver.stop()
    if receipt["lost"] or receipt["double"]:
        raise RuntimeError(f"not every message came once: {receipt}")
    out = []
    for disk, limit, what in ((warm, "<= 2.5", "rewritten"),
                              (cold, None, "appended")):
        value = statistics.median(w / d for w, d in zip(waits, disk))
        out.append(Figure(
            f"dot to 250 / fdatasync of 4 KiB {what}", value, limit,
            note=f"{statistics.median(waits):.3f} / "
            f"{statistics.median(disk):.3f} ms"))
    return out


# -- the trace of system calls

LINE = re.compile(r"^(?P<tid>\d+) +(?P<at>\d+\.\d+) (?P<rest>.*)$")
BEGIN = re.compile(r"^(?P<call>\w+)\((?P<fd>\d+)<(?P<path>[^>]*)>(?P<args>.*)$")
RESUMED = re.compile(r"^<\.\.\. (?P<call>\w+) resumed>(?P<args>.*)$")
TOOK = re.compile(r"= (?P<result>-?\d+).*<(?P<took>\d+\.\d+)>$")
QUEUED = re.compile(r"queued as (\w+)")


class Call:
    def __init__(self, m, at):
        self.name, self.path = m["call"], m["path"]
        self.began, self.ended, self.ok = at, None, False
        self.text = m["args"]

    def end(self, text, at):
        m = TOOK.search(text)
        if m is None:
            return
        self.ok = int(m["result"]) >= 0
        self.ended = at


def calls_of(path):
    """System calls in the order in which they began. A call's end is the
    line that shows it: its own, or the one where it was resumed."""
    calls, open_calls = [], {}
    for line in open(path, errors="replace"):
        m = LINE.match(line.rstrip("\n"))
        if m is None:
            continue
        at, rest, tid = float(m["at"]), m["rest"], m["tid"]
        begun, resumed = BEGIN.match(rest), RESUMED.match(rest)
        if begun:
            call = Call(begun, at)
            calls.append(call)
            if rest.endswith("<unfinished ...>"):
                open_calls[tid] = call
            else:
                took = TOOK.search(rest)
                call.end(rest, at + float(took["took"]) if took else at)
        elif resumed and tid in open_calls:
            call = open_calls.pop(tid)
            call.text += resumed["args"]
            call.end(rest, at)
    return calls


def check(calls):
    """(number of 250s, what is wrong). Of each message: the write with its
    id ended, then a sync of that file began and returned, then the 250
    began."""
    writes = [c for c in calls
              if c.name.startswith("pwrite") and "/spool/" in c.path]
    syncs = [c for c in calls if c.name == "fdatasync" and c.ok]
    seen, wrong = 0, []
    for reply in calls:
        if reply.name.startswith("pwrite") or reply.name == "fdatasync":
            continue
        for id in QUEUED.findall(reply.text):
            seen += 1
            wrote = [w for w in writes if w.ok and id in w.text and
                     w.ended <= reply.began]
            if not any(s.path == w.path and w.ended <= s.began and
                       s.ended <= reply.began for w in wrote for s in syncs):
                wrong.append(id)
    return seen, wrong


def traced(folder, args):
    messages = 200 if args.quick else 1000
    receiver = Receiver(messages)
    gw = posthouse(folder, receiver.port)
    out = folder / "strace"
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", "-ttt", "-T", "-s", "1048576", "-o", out,
         "-e", "trace=pwrite64,pwritev,pwritev2,fdatasync,write,writev,"
         "sendto,sendmsg", "-p", str(gw.process.pid)],
        stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: "attached" in tracer.stderr.readline(),
              "strace to be attached")
        sent = send(gw.port, messages, sessions=20)
        receiver.result()
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
    finally:
        tracer.kill()
        gw.stop()
        receiver.stop()
    calls = calls_of(out)
    seen, wrong = check(calls)
    say(f"{seen} of {sent['sent']} replies found in the trace")
    if seen != messages:
        raise RuntimeError(f"{seen} replies in the trace, {messages} sent")
    # The check must be able to fail: with each sync seen to return only
    # after the replies, all of them are wrong.
    for c in calls:
        if c.name == "fdatasync" and c.ended:
            c.ended += 3600
    if len(check(calls)[1]) != messages:
        raise RuntimeError("the check finds nothing wrong without syncs")
    return [Figure("250 before its own sync returned", len(wrong), "<= 0",
                   note=f"of {seen} {' '.join(wrong[:3])}".rstrip())]
