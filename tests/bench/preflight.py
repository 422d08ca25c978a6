# SPDX-License-Identifier: ISC
"""What a wave's preflight costs a sender: its wait for 250, calm and while a leg
is asked about recipients as fast as by default, in turn."""
import statistics
import subprocess

from rig import USERS, Figure, Receiver, posthouse, say, sender, sent

RATE = 300       # messages a second: no core is full
MEMBERS = 60     # of a round, at 20 a second


def begin(gw, number):
    """The preflight of a wave of its own: answers hold for a day."""
    first = number * MEMBERS
    people = [f"user{i % USERS}@example.com"
              for i in range(first, first + MEMBERS)]
    gw.cli("wave", "create", f"w{number}", "--to", "cloud", "--file", "-",
           stdin="\n".join(people))
    return gw.spawn("wave", "preflight", f"w{number}", "cloud")


def preflight(folder, args):
    rounds = 2 if args.quick else 10
    messages = RATE * 2
    receiver = Receiver(messages * rounds * 2)
    gw = posthouse(folder, receiver.port)
    waits = {"calm": [], "asking": []}
    try:
        for i in range(rounds):
            for k, mode in enumerate(waits):
                asks = begin(gw, i) if mode == "asking" else None
                load = sender(gw.port, messages, sessions=1, rate=RATE,
                              first=(2 * i + k) * messages + 1)
                out = sent(load)
                if asks and asks.poll() is not None:
                    raise RuntimeError("the preflight was over before the "
                                       "mail")
                if asks and asks.wait(timeout=60) != 0:
                    raise RuntimeError("the preflight did not go through")
                waits[mode].append(out["wait_ms_p999"])
                say(f"{mode:<7} wait p50 {out['wait_ms_p50']:.2f} p99 "
                    f"{out['wait_ms_p99']:.2f} p99.9 "
                    f"{out['wait_ms_p999']:.2f} ms")
        receipt = receiver.result()
    except subprocess.TimeoutExpired as e:
        raise RuntimeError("a preflight did not end") from e
    finally:
        gw.stop()
        receiver.stop()
    if receipt["lost"] or receipt["double"]:
        raise RuntimeError(f"not every message came once: {receipt}")
    calm, busy = (statistics.median(waits[m]) for m in waits)
    return [Figure("a sender's p99.9 amid a preflight / calm", busy / calm,
                   "<= 2", note=f"{busy:.2f} / {calm:.2f} ms, "
                   f"{rounds * MEMBERS} recipients asked about")]
