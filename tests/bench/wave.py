# SPDX-License-Identifier: ISC
"""A wave at its size: 83,000 of 2,100,000 flipped as one slice, undone, rolled
back, beside the same flip by a list, daemon running; and while mail flows, with
a replay."""
import json
import statistics
import subprocess
import time

from cutover import size, timed, write_csv, write_wave
from rig import (BUILD, Figure, Receiver, idle_cpu_s, posthouse, say, send,
                 sender, sent)


def events_of(gw, at):
    """Those that came since, and where the file ends."""
    with open(gw.folder / "events.jsonl", "rb") as f:
        f.seek(at)
        data = f.read()
    whole = data.rfind(b"\n") + 1
    return [json.loads(line) for line in data[:whole].splitlines()], at + whole


def wait_wave(gw, at, step, deadline_s=120):
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        events, at = events_of(gw, at)
        if any(e["event"] == "wave" and e["step"] == step for e in events):
            return at
        time.sleep(0.005)
    raise RuntimeError(f"the event wave {step} did not come")


def newest(gw):
    """The number of the newest change."""
    said = subprocess.run(
        [BUILD / "posthouse", "-c", gw.conf, "changes", "list", "--last", "1",
         "--json"], capture_output=True, text=True, check=True).stdout
    return str(json.loads(said)["change"])


def one_wave(gw, folder, name, at):
    """Seconds of its creation, and from its start to the slice's event."""
    made = timed(gw, "wave", "create", name, "--to", "cloud", "--file",
                 str(folder / "wave"))
    began = time.monotonic()
    timed(gw, "wave", "start", name, "--slice", "100000000")
    at = wait_wave(gw, at, "slice-done")
    slice_s = time.monotonic() - began
    return made, slice_s, at


def wave(folder, args):
    rows, count = size(args)
    rounds = 1 if args.quick else 3
    receiver = Receiver(1, linger=2000)
    gw = posthouse(folder, receiver.port)
    made, slices, flips, undos, backs = [], [], [], [], []
    at = 0
    try:
        write_csv(folder / "all.csv", rows)
        write_wave(folder / "wave", rows, count)
        timed(gw, "route", "import", str(folder / "all.csv"))
        for i in range(rounds):
            m, s, at = one_wave(gw, folder, f"w{i}", at)
            made.append(m)
            slices.append(s)
            backs.append(timed(gw, "wave", "rollback", f"w{i}", "--yes"))
            flips.append(timed(gw, "flip", "cloud", "--file",
                               str(folder / "wave"), "--yes"))
            undos.append(timed(gw, "undo", newest(gw), "--yes"))
            say(f"wave {s:.2f} s, rollback {backs[-1]:.2f}, flip by list "
                f"{flips[-1]:.2f}, undo {undos[-1]:.2f}")
    finally:
        gw.stop()
        receiver.stop()

    def figure(name, runs, limit):
        return Figure(name, statistics.median(runs), limit, " s",
                      note="runs " + " ".join(f"{r:.2f}" for r in runs))
    return [
        figure(f"wave of {count:,} is created", made, None),
        figure(f"{count:,} by wave, one slice", slices, "<= 1.2"),
        figure(f"rollback of {count:,}", backs, "<= 1.2"),
        figure(f"flip of {count:,} by list", flips, None),
        figure(f"undo of {count:,}", undos, "<= 1.2"),
        Figure("wave against the flip by list",
               statistics.median(slices) / statistics.median(flips), None,
               "")]


def beside_mail_round(gw, folder, i, rate, seconds):
    """The wait of senders beside a slice and its rollback, with what the cloud
    got meanwhile replayed; and without."""
    n, name = rate * seconds, f"m{i}"
    timed(gw, "wave", "create", name, "--to", "cloud", "--file",
          str(folder / "wave"))
    _, at = events_of(gw, 0)
    flow = sender(gw.port, n, sessions=20, rate=rate, first=2 * i * n + 1)
    timed(gw, "wave", "start", name, "--slice", "100000000")
    wait_wave(gw, at, "slice-done")
    time.sleep(seconds / 4)     # mail comes to the cloud
    timed(gw, "wave", "rollback", name, "--replay", "--yes")
    a = sent(flow)
    idle_cpu_s(gw.process.pid)
    b = send(gw.port, n, sessions=20, rate=rate, first=(2 * i + 1) * n + 1)
    if a["failed"] or b["failed"]:
        raise RuntimeError(f"refused meanwhile: {a} {b}")
    say(f"wait p99.9 {a['wait_ms_p999']:.1f} ms with, "
        f"{b['wait_ms_p999']:.1f} without; max {a['wait_ms_max']:.0f}, "
        f"{b['wait_ms_max']:.0f}")
    return a["wait_ms_p999"], b["wait_ms_p999"]


def beside_mail(folder, args):
    rows, count = size(args)
    rounds, seconds = (1, 6) if args.quick else (5, 12)
    legacy, cloud = Receiver(1 << 30), Receiver(1 << 30)
    gw = posthouse(folder, legacy.port, cloud.port)
    try:
        write_csv(folder / "all.csv", rows)
        write_wave(folder / "wave", rows, count)
        timed(gw, "route", "import", str(folder / "all.csv"))
        idle_cpu_s(gw.process.pid)
        runs = [beside_mail_round(gw, folder, i, 1000, seconds)
                for i in range(rounds)]
        replayed = len(gw.events(event="replayed"))
        gw.verify()
    finally:
        gw.stop()
        legacy.stop()
        cloud.stop()
    if replayed == 0:
        raise RuntimeError("nothing was replayed")
    ratio = statistics.median(a for a, _ in runs) / \
        statistics.median(b for _, b in runs)
    return [Figure("p99.9 of a sender's wait, with wave, rollback and replay "
                   "/ without", ratio, "<= 2", " x",
                   note=f"{replayed} replayed; pairs " + " ".join(
                       f"{a:.1f}/{b:.1f}" for a, b in runs))]
