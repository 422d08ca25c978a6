# SPDX-License-Identifier: ISC
"""Does one client, one recipient or one leg cost the others? What an honest
client waits for, and how long its mail takes, calm and beside it, in turn."""
import contextlib
import socket
import statistics
import threading

from rig import Figure, Receiver, posthouse, say, send, sender
from hostile import Hostile      # found by rig

IDLE, SLOW = 10_000, 500
TURN_S = 1          # each slow client says a byte as often
HELD = 100_000
# Of the honest client: none is for user0.
MESSAGES, FOREIGN = 900, 10_000_000
ROOM = {"limits": {"per_client": 15_000, "connections": 15_000},
        'listen "mx"': {"proxy_from": ["127.0.0.1"]},
        'domain "slow.example"': {"route": "cloud", "unknown": "route"}}


def greeted(port):
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"PROXY TCP4 203.0.113.3 127.0.0.1 4000 25\r\n")
    s.recv(512)
    s.sendall(b"EHLO idle.example\r\n")
    s.recv(1024)
    return s


class Slow(threading.Thread):
    """Clients in the middle of a message, a byte a second each."""

    def __init__(self, port):
        super().__init__()
        self.over = threading.Event()
        self.clients = []
        for i in range(SLOW):
            s = greeted(port)
            s.sendall(b"MAIL FROM:<slow@sender.example>\r\n"
                      b"RCPT TO:<user1@example.com>\r\nDATA\r\n")
            self.clients.append(s)

    def run(self):
        while not self.over.wait(TURN_S):
            for s in self.clients:
                s.sendall(b"x")

    def end(self):
        self.over.set()
        self.join()
        for s in self.clients:
            s.close()


@contextlib.contextmanager
def crowd(gw):
    idle = [greeted(gw.port) for _ in range(IDLE)]
    slow = Slow(gw.port)
    slow.start()
    try:
        yield
    finally:
        slow.end()
        for s in idle:
            s.close()


def tell(what, run):
    say(f"{what:<8} wait p50 {run['wait_ms_p50']:.2f} p99 "
        f"{run['wait_ms_p99']:.2f} ms, delay p50 {run['delay_ms_p50']:.2f} "
        f"p99 {run['delay_ms_p99']:.2f} ms")
    return run


@contextlib.contextmanager
def flood(gw):
    """Another client, as fast as it can, by 100 sessions."""
    client = sender(gw.port, 1_000_000, first=FOREIGN, client=2)
    try:
        yield
    finally:
        client.terminate()
        client.communicate()


@contextlib.contextmanager
def slow_leg(gw):
    """Mail for the other leg, which says a byte a second."""
    client = sender(gw.port, 100_000, first=FOREIGN, rate=200, sessions=5,
                    domain="slow.example", client=2)
    try:
        yield
    finally:
        client.terminate()
        client.communicate()


def much_for_one(gw):
    """All of it for a recipient that is held."""
    gw.cli("hold", "user0@example.com", "--wait")
    out = send(gw.port, HELD, first=FOREIGN, users=1, client=2)
    if out["failed"]:
        raise RuntimeError(f"not every message was accepted: {out}")


def one_run(folder, cloud=None, prepare=None, beside=None):
    receiver = Receiver(MESSAGES)   # what has other ids does not count
    gw = posthouse(folder, receiver.port, cloud, settings=ROOM)
    try:
        if prepare is not None:
            prepare(gw)
        with beside(gw) if beside else contextlib.nullcontext():
            out = send(gw.port, MESSAGES, sessions=5, rate=200, client=1)
            got = receiver.result()
    finally:
        gw.stop()
        receiver.stop()
    if out["failed"] or got["lost"] or got["double"]:
        raise RuntimeError(f"not every message came once: {out} {got}")
    return {**out, **got}


def compare(folder, args, what, cloud=None, **trouble):
    """`trouble`: what one_run() does, and does not when calm."""
    calm, busy = [], []
    for i in range(1 if args.quick else 3):
        calm.append(tell("calm", one_run(folder / f"calm{i}", cloud)))
        busy.append(tell("beside", one_run(folder / f"beside{i}", cloud,
                                           **trouble)))
    return [figure(f"{what}: {text}", key, calm, busy) for key, text in (
        ("wait_ms_p99", "p99 of the wait for 250"),
        ("delay_ms_p99", "p99 of the delivery delay"))]


def figure(what, key, calm, busy):
    ratios = [b[key] / a[key] for a, b in zip(calm, busy)]
    return Figure(
        f"{what}, against calm", statistics.median(ratios), "<= 2",
        note=f"{statistics.median(b[key] for b in busy):.2f} / "
        f"{statistics.median(a[key] for a in calm):.2f} ms; pairs "
        + " ".join(f"{r:.2f}" for r in ratios))


def sessions(folder, args):
    return compare(folder, args, f"{IDLE:,} idle, {SLOW} slow sessions",
                   beside=crowd)


def fairness(folder, args):
    figures = compare(folder / "flood", args, "a client floods",
                      beside=flood)
    figures += compare(folder / "held", args,
                       f"{HELD:,} wait for one recipient",
                       prepare=much_for_one)
    folder.mkdir(parents=True, exist_ok=True)
    cloud = Hostile(folder, 1)
    try:
        cloud.order(0, "greeting-slow")
        cloud.count()
        figures += compare(folder / "slow", args, "a leg is slow",
                           cloud=cloud.ports[0], beside=slow_leg)
    finally:
        cloud.stop()
    return figures
