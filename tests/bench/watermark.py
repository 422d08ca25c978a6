# SPDX-License-Identifier: ISC
"""83,000 recipients leave a leg that has nothing open for them: until each
watermark is reached and told."""
import statistics
import time

from cutover import size, timed, write_csv, write_wave
from rig import Figure, Receiver, idle_cpu_s, posthouse, say
from wave import events_of


def wait_reached(gw, at, count, deadline_s=300):
    end = time.monotonic() + deadline_s
    seen = 0
    while time.monotonic() < end:
        events, at = events_of(gw, at)
        seen += sum(e["event"] == "watermark" and e["state"] == "reached"
                    for e in events)
        if seen >= count:
            return at
        time.sleep(0.02)
    raise RuntimeError(f"{seen} of {count} watermarks were reached")


def watermark(folder, args):
    rows, count = size(args)
    receiver = Receiver(1, linger=2000)
    gw = posthouse(folder, receiver.port)
    took, cpu, at = [], [], 0
    try:
        write_csv(folder / "all.csv", rows)
        write_wave(folder / "wave", rows, count)
        timed(gw, "route", "import", str(folder / "all.csv"))
        for route in ("cloud",) if args.quick else ("cloud", "legacy",
                                                    "cloud"):
            before = idle_cpu_s(gw.process.pid)
            timed(gw, "flip", route, "--file", str(folder / "wave"), "--yes")
            began = time.monotonic()
            at = wait_reached(gw, at, count)
            took.append(time.monotonic() - began)
            cpu.append(idle_cpu_s(gw.process.pid) - before)
            say(f"{took[-1]:.1f} s, {cpu[-1]:.2f} s of processor time")
    finally:
        gw.stop()
        receiver.stop()
    return [Figure(f"{count:,} watermarks, nothing open, from the flip on",
                   statistics.median(took), "<= 5", " s",
                   note="runs " + " ".join(f"{t:.1f}" for t in took) +
                   "; the daemon's processor time " +
                   " ".join(f"{c:.2f}" for c in cpu))]
