# SPDX-License-Identifier: ISC
"""The cost of a leg that is down for the other one and for intake (D2): it
does not listen, or never answers a connection."""
import shutil
import statistics

from rig import Figure, Receiver, import_users, posthouse, say, send
from hostile import Hostile   # found by rig

RATE = 1_000        # messages a second, so that nothing waits for a core
WAYS = {"refused": "refuse", "silent": "greeting-silence"}


def run_once(folder, mode, messages, **options):
    """Every route is legacy+cloud, and the cloud does `mode`."""
    receiver = Receiver(messages)
    cloud = Hostile(folder.parent, messages)
    cloud.order(0, mode)
    cloud.count()
    gw = posthouse(folder, receiver.port, cloud.ports[0])
    try:
        import_users(gw, "legacy+cloud")
        out = send(gw.port, messages, **options)
        got = receiver.result()
        if out["failed"] or got["lost"] or got["double"]:
            raise RuntimeError(f"not every message came once: {out} {got}")
        cloud.order(0, "honest")
        open_now = next(l["open"] for l in gw.cli_json("leg list")
                        if l["leg"] == "cloud")
        if mode != "honest" and open_now < messages:
            raise RuntimeError(f"{mode}: only {open_now} wait for the cloud")
    finally:
        gw.stop()
        receiver.stop()
        cloud.stop()
    shutil.rmtree(folder)
    return {**out, **got}


def tell(mode, run):
    say(f"{mode:<17} delay p50 {run['delay_ms_p50']:.2f} "
        f"p99 {run['delay_ms_p99']:.2f} max {run['delay_ms_max']:.1f} ms; "
        f"wait p50 {run['wait_ms_p50']:.2f} p99 {run['wait_ms_p99']:.2f} ms; "
        f"{run['per_s']:.0f} accepted/s")
    return run


def rounds(folder, args, messages, **options):
    """mode -> its runs, in turn, so that what else the machine does meets
    all of them."""
    out = {}
    for i in range(1 if args.quick else 5):
        for mode in ("honest", *WAYS.values()):
            run = run_once(folder / f"{mode}{i}", mode, messages, **options)
            out.setdefault(mode, []).append(tell(mode, run))
    return out


def median(runs, key):
    return statistics.median(r[key] for r in runs)


def leg_down(folder, args):
    steady = rounds(folder / "steady", args, 2_000 if args.quick else 10_000,
                    sessions=20, rate=RATE)
    full = rounds(folder / "full", args, 4_000 if args.quick else 20_000)
    up = median(steady["honest"], "delay_ms_p99")
    wait = median(steady["honest"], "wait_ms_p99")
    rate = median(full["honest"], "per_s")
    out = []
    for what, mode in WAYS.items():
        p99 = median(steady[mode], "delay_ms_p99")
        out.append(Figure(
            f"p99 of the delivery delay, other leg {what}", p99,
            f"<= {1.2 * up + 5:.2f}", " ms",
            f"both up {up:.2f} ms, ratio {p99 / up:.2f}; {RATE} a second"))
        p99 = median(steady[mode], "wait_ms_p99")
        out.append(Figure(
            f"p99 of the wait for 250, other leg {what}", p99,
            f"<= {1.2 * wait + 5:.2f}", " ms", f"both up {wait:.2f} ms"))
        per_s = median(full[mode], "per_s")
        out.append(Figure(
            f"accepted a second, other leg {what} / both up", per_s / rate,
            ">= 0.95", "", f"{per_s:.0f} / {rate:.0f}"))
    return out
