# SPDX-License-Identifier: ISC
"""The cutover table at its size: 2,100,000 rows imported, 83,000 flipped in
one change, while mail flows."""
import datetime
import re
import resource
import statistics
import subprocess
import time

from rig import (BUILD, Figure, Receiver, idle_cpu_s, posthouse, say, send,
                 sender, sent)

ROWS, WAVE = 2_100_000, 83_000


def write_csv(path, rows):
    with open(path, "w") as f:
        f.write("address,route\n")
        for i in range(rows):
            # A permutation: no export is in the order of our index.
            f.write(f"user{i * 7368787 % rows}@example.com,legacy\n")


def write_wave(path, rows, wave):
    with open(path, "w") as f:
        for i in range(wave):
            f.write(f"user{i * (rows // wave)}@example.com\n")


def timed(gw, *words):
    """A command's own time, as its user meets it."""
    began = time.monotonic()
    done = subprocess.run([BUILD / "posthouse", "-c", gw.conf, *words],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
    return time.monotonic() - began


def size(args):
    return (210_000, 8_300) if args.quick else (ROWS, WAVE)


LINE = re.compile(r"^(?P<what>.*?) +(?P<wall>[\d.]+) (?P<unit>s|us)"
                  r"(?:  \(cpu so far (?P<cpu>[\d.]+) s\))?$")


def table(folder, args):
    """By tests/bench/table: no daemon, the code that both programs use."""
    folder.mkdir(parents=True)
    rows, _ = size(args)
    out = subprocess.run([BUILD / "tests/bench/table", str(rows), folder],
                         capture_output=True, text=True, check=True).stdout
    wall, cpu, last, imports, steps = {}, {}, 0.0, {}, []
    for line in out.splitlines():
        m = LINE.match(line)
        if m is None:
            continue
        wall[m["what"]] = float(m["wall"])
        if m["cpu"]:
            cpu[m["what"]], last = float(m["cpu"]) - last, float(m["cpu"])
        if m["cpu"]:
            steps.append(cpu[m["what"]])
        if m["what"].startswith("import"):
            imports[m["what"]], steps = steps[-3:], []
        say(line)
    decisions = "1,000,000 decisions, each in its own transaction"
    # The import's own steps come before the line of the whole.
    tagged, plain = (sum(imports[name]) for name in (
        "import with two tags a row", "import without tags"))
    found = next(what for what in wall if what.startswith("tag = 'wave-1' or"))
    return [
        Figure(f"import of {rows:,} rows", wall["import, all of it"],
               "<= 12", " s"),
        Figure("processor time of two tags a row against none",
               tagged / plain, "<= 1.5", "",
               note=f"{tagged:.1f} s and {plain:.1f} s"),
        Figure("rows of one tag or another", wall[found], "<= 0.3", " s",
               note=found),
        Figure("flip of 83,000 by a list", wall["flip by list, all of it"],
               "<= 1.5", " s"),
        # One thread that never waits: on a shared machine its own time.
        Figure("one lookup, processor time", cpu[decisions], "<= 10", " us",
               note=f"{wall['one decision']:.1f} us on the clock")]


def flip_under_load(folder, args):
    rows, wave = size(args)
    seconds = 5 if args.quick else 10
    rate = 1000
    rounds = 1 if args.quick else 3
    total = rounds * 2 * rate * seconds
    receiver = Receiver(total, linger=2000)
    gw = posthouse(folder, receiver.port)
    try:
        write_csv(folder / "all.csv", rows)
        write_wave(folder / "wave", rows, wave)
        took = timed(gw, "route", "import", str(folder / "all.csv"))
        say(f"import of {rows:,} rows: {took:.1f} s")
        idle_cpu_s(gw.process.pid)
        runs = [one_round(gw, folder, i, rate, seconds)
                for i in range(rounds)]
        receipt = receiver.result()
    finally:
        gw.stop()
        receiver.stop()
    if receipt["lost"] or receipt["double"]:
        raise RuntimeError(f"not every message came once: {receipt}")
    flips = [f for f, _, _ in runs]
    return [
        Figure(f"import of {rows:,} rows, daemon running", took, "<= 12",
               " s"),
        Figure(f"flip of {wave:,} while mail flows",
               statistics.median(flips), "<= 1.2", " s",
               note="runs " + " ".join(f"{f:.2f}" for f in flips)),
        Figure("p99.9 of a sender's wait, with the flip",
               statistics.median(a for _, a, _ in runs), None, " ms",
               note="runs " + " ".join(f"{a:.1f}" for _, a, _ in runs)),
        Figure("p99.9 of a sender's wait, without",
               statistics.median(b for _, _, b in runs), None, " ms",
               note="runs " + " ".join(f"{b:.1f}" for _, _, b in runs))]


STRIDE = 7368787    # of recipients, as if at random
FEW = 1000         # that each bench has


class Mailed:
    """A daemon with so many rows, and what it delivers a second."""

    def __init__(self, folder, rows, messages):
        self.rows, self.messages = rows, messages
        self.receiver = Receiver(messages, linger=1000)
        self.next = 1
        self.gw = posthouse(folder, self.receiver.port)
        if rows > FEW:
            write_csv(folder / "rows.csv", rows)
            timed(self.gw, "route", "import", str(folder / "rows.csv"))

    def per_s(self, n):
        out = send(self.gw.port, n, first=self.next, users=self.rows,
                   stride=STRIDE)
        self.next += n
        if out["failed"]:
            raise RuntimeError(f"not every message was accepted: {out}")
        return out["per_s"]

    def end(self):
        try:
            got = self.receiver.result()
        finally:
            self.gw.stop()
        if got["lost"] or got["double"]:
            raise RuntimeError(f"not every message came once: {got}")


def rows_round(folder, rows, n):
    """(just after the import, later), each the many's rate by the few's. The
    few are measured between the two of the many."""
    few = Mailed(folder / "few", FEW, 4 * n)
    few.per_s(n)      # its journal is as warm as the other one's
    many = Mailed(folder / "many", rows, 3 * n)
    fresh = many.per_s(n) / few.per_s(n)
    idle_cpu_s(many.gw.process.pid)
    later = [many.per_s(n) / few.per_s(n) for _ in range(2)]
    few.end()
    many.end()
    say(f"after the import {fresh:.3f}, later {later[0]:.3f} {later[1]:.3f}")
    return fresh, statistics.mean(later)


def rows_beside_mail(folder, args):
    rows, _ = size(args)
    n = 10_000 if args.quick else 50_000
    runs = [rows_round(folder / str(i), rows, n)
            for i in range(1 if args.quick else 3)]
    return [Figure(
        f"accepted a second, {rows:,} rows / {FEW:,}, {what}",
        statistics.median(r[i] for r in runs), limit,
        note="rounds " + " ".join(f"{r[i]:.2f}" for r in runs))
        for i, what, limit in ((1, "random recipients", ">= 0.97"),
                               (0, "in the seconds after the import",
                                ">= 0.9"))]


def where(folder, args):
    """Rows that an expression finds beside a list of the same, and the way
    back; a line for one recipient. Each change with the chain of the history.
    Without a daemon, as it would cost the same processor time."""
    rows, wave = size(args)
    rounds = 1 if args.quick else 3
    gw = posthouse(folder, 1)
    took, cpu = {}, {}

    def run(what, *words):
        w, c = measured(gw, *words)
        took.setdefault(what, []).append(w)
        cpu.setdefault(what, []).append(c)

    try:
        write_tagged(folder / "all.csv", rows, wave)
        write_wave(folder / "wave", rows, wave)
        timed(gw, "route", "import", str(folder / "all.csv"))
        for _ in range(10):
            run("whereis", "whereis", f"user{rows // 2}@example.com")
        gw.stop()
        change = newest(gw)
        for _ in range(rounds):
            for what, words in (("list", ["--file", str(folder / "wave")]),
                                ("where", ["--where", "a or b"])):
                since = now()
                run(what, "flip", "cloud", "--yes", *words)
                change += 1
                run("undo", "undo", str(change), "--yes")
                run(what, "flip", "cloud", "--yes", *words)
                run("rollback", "rollback", "--where", "a or b", "--since",
                    since, "--yes")
                change += 3
        if change != newest(gw):
            raise RuntimeError(f"{change} changes and not {newest(gw)}")
    finally:
        if gw.running:
            gw.stop()
    # The commands are one thread: on a shared machine their own time.
    return [Figure("rows of a or b, against the same flip by list",
                   statistics.median(cpu["where"]) /
                   statistics.median(cpu["list"]), "<= 1.3", "",
                   note=seconds_of(cpu, "where", "list") +
                   " of processor time")] + [
        Figure(f"{what} of {wave:,}, with the chain",
               statistics.median(took[what]), "<= 1.2", " s",
               note=seconds_of(cpu, what) + " of processor time")
        for what in ("list", "where", "undo", "rollback")] + [
        Figure("whereis, processor time",
               1000 * statistics.median(cpu["whereis"]), "<= 20", " ms",
               note=f"{1000 * statistics.median(took['whereis']):.0f} ms "
               "on the clock")]


def write_tagged(path, rows, wave):
    with open(path, "w") as f:
        f.write("address,route,tags\n")
        step = rows // wave
        for i in range(rows):
            n = i * 7368787 % rows
            inside = n % step == 0 and n // step < wave
            tag = ("a", "b")[n // step % 2] if inside else f"c{n % 7}"
            f.write(f"user{n}@example.com,legacy,{tag}\n")


def measured(gw, *words):
    """Seconds on the clock, and of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = timed(gw, *words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime - before.ru_utime + \
        after.ru_stime - before.ru_stime


def newest(gw):
    return int(gw.cli_json("changes", "list", "--last", "1")[0]["change"])


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


def seconds_of(cpu, *whats):
    return " and ".join(f"{what} " + " ".join(f"{s:.2f}" for s in cpu[what])
                        for what in whats)


def one_round(gw, folder, i, rate, seconds):
    """A run with the flip and one without, the same otherwise."""
    n = rate * seconds
    route = ("cloud", "legacy")[i % 2]
    flow = sender(gw.port, n, sessions=20, rate=rate, first=2 * i * n + 1)
    took = timed(gw, "flip", route, "--file", str(folder / "wave"))
    a = sent(flow)
    b = send(gw.port, n, sessions=20, rate=rate, first=(2 * i + 1) * n + 1)
    if a["failed"] or b["failed"]:
        raise RuntimeError(f"refused while flipping: {a} {b}")
    say(f"flip {took:.2f} s; wait p99.9 {a['wait_ms_p999']:.1f} ms with, "
        f"{b['wait_ms_p999']:.1f} without; max {a['wait_ms_max']:.0f}, "
        f"{b['wait_ms_max']:.0f}")
    return took, a["wait_ms_p999"], b["wait_ms_p999"]


def write_departments(path, rows):
    """One recipient in ten has a second address; forty departments."""
    with open(path, "w") as f:
        f.write("address,route,mailbox,tags\n")
        for i in range(rows):
            mailbox = f"mb{i // 2}" if i % 20 < 4 else ""
            f.write(f"user{i}@example.com,legacy,{mailbox},"
                    f"dept=d{i // 2 % 40}\n")


def plan(folder, args):
    """All recipients over the evenings of a calendar; no daemon is asked."""
    rows, wave = size(args)
    receiver = Receiver(1, linger=100)
    gw = posthouse(folder, receiver.port)
    try:
        write_departments(folder / "all.csv", rows)
        took = timed(gw, "route", "import", str(folder / "all.csv"))
        say(f"import of {rows:,} rows: {took:.1f} s")
        out, took, cpu, mib = costs(
            gw, "wave", "plan", "--all", "example.com", "--to", "cloud",
            "--zone", "Europe/London", "--from", "2040-01-02", "--calendar",
            f"Tue-Thu 20:00 {wave // 4}, Fri 20:00 {wave}", "--spread",
            "dept", "--seed", "1")
    finally:
        gw.stop()
        receiver.stop()
    say(out.splitlines()[-2])
    return [
        Figure(f"wave plan of {rows:,}", took, "<= 20", " s",
               note=f"{cpu:.1f} s of processor time"),
        Figure("its memory", mib, "<= 300", " MiB")]


def costs(gw, *words, status=0):
    """What a command writes, its seconds on the clock and of the processor,
    its largest MiB."""
    began = time.monotonic()
    done = subprocess.run(
        ["/usr/bin/time", "-q", "-f", "%M %U %S", BUILD / "posthouse", "-c",
         gw.conf, *words], stdin=subprocess.DEVNULL, capture_output=True,
        text=True)
    took = time.monotonic() - began
    if done.returncode != status:
        raise RuntimeError(done.stderr)
    kib, user, system = map(float, done.stderr.split()[-3:])
    return done.stdout, took, user + system, kib / 1024


def diff(folder, args):
    """A file beside the table, one row in a hundred differs."""
    rows = 100_000 if args.quick else 1_000_000
    receiver = Receiver(1, linger=100)
    gw = posthouse(folder, receiver.port)
    try:
        write_csv(folder / "all.csv", rows)
        timed(gw, "route", "import", str(folder / "all.csv"))
        with open(folder / "other.csv", "w") as f:
            for i, line in enumerate(open(folder / "all.csv")):
                f.write(line if i % 100 != 50
                        else line.replace(",legacy", ",cloud"))
        out, took, cpu, mib = costs(gw, "route", "diff",
                                    str(folder / "other.csv"), "--json",
                                    status=1)
    finally:
        gw.stop()
        receiver.stop()
    lines = len(out.splitlines())
    if lines < rows // 100:
        raise RuntimeError(f"{lines} lines of {rows // 100} that differ")
    return [
        Figure(f"route diff of {rows:,}", took, "<= 10", " s",
               note=f"{cpu:.1f} s of processor time"),
        Figure("its memory", mib, "<= 300", " MiB")]
