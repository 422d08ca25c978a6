# SPDX-License-Identifier: ISC
"""The system calls of a message, counted by strace and not timed, so that a
busy machine does not blur them. The daemon's own process alone is watched, from
a warm start on."""
import contextlib
import re
import signal
import subprocess

from rig import Figure, Receiver, idle_cpu_s, posthouse, say, send

WARM = 2_000
CALLS_SHOWN = 14


@contextlib.contextmanager
def strace(pid, out):
    """Counts from the moment on in which all threads are attached to; what it
    tells in the end is appended to `out`."""
    process = subprocess.Popen(["strace", "-f", "-c", "-p", str(pid)],
                               stderr=subprocess.PIPE, text=True)
    try:
        process.stderr.readline()       # "Process N attached with M threads"
        yield
    finally:
        process.send_signal(signal.SIGINT)
        out.append(process.communicate(timeout=60)[1])


def calls_of(text):
    """{name: count} of the table that strace -c prints."""
    rows = {}
    for line in text.splitlines():
        m = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$",
                     line)
        if m and m.group(2) != "total":
            rows[m.group(2)] = int(m.group(1))
    return rows


def one_run(folder, messages, sessions):
    receiver = Receiver(WARM + messages)
    gw = posthouse(folder, receiver.port)
    out = []
    try:
        send(gw.port, WARM, keep=1, sessions=sessions)
        idle_cpu_s(gw.process.pid)
        with strace(gw.process.pid, out):
            told = send(gw.port, messages, keep=1, sessions=sessions,
                        first=WARM + 1)
            receiver.result()
            idle_cpu_s(gw.process.pid)
    finally:
        gw.stop()
        receiver.stop()
    if told["failed"]:
        raise RuntimeError(f"not every message was taken: {told}")
    return calls_of(out[0])


def counts(folder, args):
    messages = 4_000 if args.quick else 20_000
    figures = []
    for sessions in (100, 1):
        what = f"{sessions} sessions" if sessions > 1 else "one session"
        n = messages if sessions > 1 else messages // 4
        calls = one_run(folder / str(sessions), n, sessions)
        for name, count in sorted(calls.items(),
                                  key=lambda row: -row[1])[:CALLS_SHOWN]:
            say(f"{what}: {name:<16} {count / n:6.2f} a message")
        figures.append(Figure(f"{what}: system calls a message",
                              sum(calls.values()) / n))
    return figures
