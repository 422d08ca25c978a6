# SPDX-License-Identifier: ISC
"""A wave at its size: 83,000 of 2,100,000 flipped as one slice, undone, rolled
back, beside the same flip by a list, daemon running."""
import json
import statistics
import subprocess
import time

from cutover import size, timed, write_csv, write_wave
from rig import BUILD, Figure, Receiver, posthouse, say


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
