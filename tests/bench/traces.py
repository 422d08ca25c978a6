# SPDX-License-Identifier: ISC
"""`posthouse trace --to` in an index of 2 million messages an hour: the hour
that is open, a day that is sealed, 90 days. The hours are written by the
projector's own writer (tests/bench/hours). An hour takes a gigabyte, so as many
as --trace-hours says are written; their files stand for the others, too, by
hard links, of which a search opens and looks through each."""
import datetime
import os
import random
import resource
import statistics
import subprocess
import time

from rig import BUILD, Figure, posthouse, say

MESSAGES, USERS = 2_000_000, 2_100_000
DAY_H, DAYS, LOOKUPS = 24, 90, 15
LIMITS_MS = {"open": 500, "day": 150, "days": 10_000}


def options(p):
    p.add_argument("--trace-hours", type=int, default=2, metavar="N",
                   help="trace-to: sealed hours that are not a link to "
                   "another one (2)")


def stamp(hour):
    return datetime.datetime.fromtimestamp(hour * 3600, datetime.timezone.utc)


def build(index, first, hours, messages, users):
    began = time.monotonic()
    subprocess.run([BUILD / "tests/bench/hours", index, str(first),
                    str(hours + 1), str(messages), str(users)], check=True)
    say(f"{hours} sealed hours and an open one, "
        f"{time.monotonic() - began:.0f} s")
    for i in range(1, DAYS * DAY_H - hours + 1):
        os.link(index / f"{stamp(first + i % hours):%Y%m%d%H}.db",
                index / f"{stamp(first - i):%Y%m%d%H}.db")


def one(gw, user, since, until):
    """Wall and processor time, ms."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = gw.run("--json", "trace", "--to", f"user{user}@example.com",
                  "--since", f"{stamp(since):%Y-%m-%dT%H:%M:%SZ}", "--until",
                  f"{stamp(until):%Y-%m-%dT%H:%M:%SZ}")
    wall = time.monotonic() - began
    # 1: there is nothing, which takes as long.
    assert done.returncode in (0, 1) and not done.stderr, done
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall * 1000, (after.ru_utime + after.ru_stime -
                         before.ru_utime - before.ru_stime) * 1000


def measured(gw, what, users, since, until):
    rng = random.Random(1)
    rows = [one(gw, rng.randrange(users), since, until)
            for _ in range(LOOKUPS)]
    wall, cpu = ([row[i] for row in rows] for i in (0, 1))
    say(f"{what}: {' '.join(f'{w:.0f}' for w in wall)} ms")
    return statistics.median(wall), \
        f"runs {min(wall):.0f} to {max(wall):.0f}; processor time " \
        f"{statistics.median(cpu):.0f}"


def traces(folder, args):
    messages, users = (20_000, 21_000) if args.quick else (MESSAGES, USERS)
    index = folder / "index"
    gw = posthouse(folder, 9, settings={"audit": {"path": "index"}})
    assert gw.stop() == 0
    for file in index.iterdir():    # what it wrote is of another day
        if file.name[0] == "2":
            file.unlink()
    hours = args.trace_hours
    first = int(time.time()) // 3600 - hours
    build(index, first, hours, messages, users)
    end = first + hours
    looked = [("open", "the open hour", end, end + 1),
              ("day", "a sealed day", end - DAY_H, end - 1),
              ("days", f"{DAYS} days", end - DAYS * DAY_H, end + 1)]
    figures = []
    for name, what, since, until in looked:
        value, note = measured(gw, what, users, since, until)
        figures.append(Figure(
            f"trace --to, {messages:,} messages an hour, {what}", value,
            f"<= {LIMITS_MS[name]}", " ms", note=note))
    return figures
