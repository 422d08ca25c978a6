# SPDX-License-Identifier: ISC
"""This build beside another one of Posthouse, in turn in one run: did a
change make it slower?"""
import pathlib
import statistics

from rig import BUILD, Figure, say
from throughput import ratio, run_posthouse, tell

NOISE = 1.05   # what two runs of one build differ by on a busy machine
PAIRS = 5
LOADS = {
    "100 sessions kept": {"keep": 1},
    "one message a connection": {"keep": 0, "at_most": 10_000},
    "dual delivery": {"keep": 1, "route": "cloud+legacy"},
}


def options(parser):
    parser.add_argument("--before", type=pathlib.Path, metavar="BUILD",
                        help="versions: the build folder to compare with")
    parser.add_argument("--sessions", type=int, metavar="N",
                        help="versions: keep so many, and compare that alone")


def versions(folder, args):
    if args.before is None:
        say("left out: --before BUILD names the build to compare with")
        return []
    figures = []
    for what, load in loads(args.sessions).items():
        figures += one_load(folder, args, what, dict(load))
    return figures


def loads(sessions):
    if sessions is None:
        return LOADS
    return {f"{sessions} sessions kept": {"keep": 1, "sessions": sessions}}


def one_load(folder, args, what, load):
    messages = min(8_000 if args.quick else 40_000,
                   load.pop("at_most", 1 << 30))
    runs = []
    for i in range(1 if args.quick else PAIRS):
        order = [("now", BUILD), ("before", args.before.resolve())]
        if i % 2:      # neither always follows the other
            order.reverse()
        run = {name: tell(f"{what}, {name}",
                          run_posthouse(folder / f"{name}{i}", messages,
                                        build=build, **load))
               for name, build in order}
        runs.append((run["now"], run["before"]))
    return [figure(f"{what}: CPU a message, now / before", runs,
                   lambda run: run.cpu_us, f"<= {NOISE}"),
            figure(f"{what}: delivered a second, now / before", runs,
                   lambda run: run.per_s, f">= {1 / NOISE:.2f}")]


def figure(name, runs, value, limit):
    middle, note = ratio(runs, lambda a, b: value(a) / value(b))
    now = statistics.median(value(a) for a, _ in runs)
    before = statistics.median(value(b) for _, b in runs)
    return Figure(name, middle, limit,
                  note=f"{now:.0f} / {before:.0f}; {note}")
