# SPDX-License-Identifier: ISC
"""A direct egress among dead domains and tarpits: the delay of mail to a domain
that takes it, calm and beside them. Port 25 of loopback addresses: root's."""
import socket
import statistics

from dialog import Dialog          # found by rig
from names import Names
from rig import Figure, Receiver, posthouse, say, send
from until import until

RATE = 100          # messages a second: no core is full
GOOD, TARPIT, NOBODY = "127.0.0.1", "127.0.0.2", "127.0.0.3"


def zone_of(tarpits):
    zone = {}
    servers = {"good.test": GOOD, "dead.test": NOBODY}
    servers.update({f"tar{i}.test": TARPIT for i in range(tarpits)})
    for domain, host in servers.items():
        zone[(domain, "MX")] = [f"10 mx.{domain}"]
        zone[(f"mx.{domain}", "A")] = [host]
    return zone


def to_tarpits(port, tarpits):
    with Dialog(port) as d:
        d.ok("EHLO client.test")
        for i in range(tarpits):
            d.ok("MAIL FROM:<a@client.test>")
            d.ok(f"RCPT TO:<b@tar{i}.test>")
            assert d.data(b"Subject: x\r\n\r\nx\r\n.\r\n").code == 250


def measured(gw, messages, first):
    receiver = Receiver(messages, port=25, first=first)
    try:
        out = send(gw.port, messages, sessions=5, rate=RATE, first=first,
                   domain="good.test")
        got = receiver.result()
    finally:
        receiver.stop()
    if out["failed"] or got["lost"] or got["double"]:
        raise RuntimeError(f"not every message came once: {out} {got}")
    return got


def open_mail(gw):
    return next(row["open"] for row in gw.cli_json("leg list")
                if row["leg"] == "way")


def start(folder, names):
    return posthouse(folder, 25, settings={
        "resolver": {"servers": [names.address]},
        "outbound": {"clients": ["127.0.0.1/32"], "use": ["way"],
                     "rate": 10_000_000},
        'egress "way"': {"direct": True, "tls": "none", "helo": "mx.test",
                         "spf_address": ["192.0.2.10"]}})


def burden(gw, dead, tarpits):
    to_tarpits(gw.port, tarpits)
    send(gw.port, dead, sessions=5, domain="dead.test")
    until(lambda: open_mail(gw) >= dead + tarpits, "their mail to wait")


def fairness(folder, args):
    """Two daemons, in turn, so that what else the machine does meets both."""
    dead, tarpits = (1_000, 100) if args.quick else (10_000, 1_000)
    messages = RATE * (5 if args.quick else 20)
    p99 = {"calm": [], "beside": []}
    first = 1
    door = socket.create_server((TARPIT, 25), backlog=4096)
    gws = {}
    with Names(zone_of(tarpits)) as names:
        try:
            for mode in p99:
                gws[mode] = start(folder / mode, names)
                # The domain takes mail before the others come; a new one
                # would wait for its turn among them.
                measured(gws[mode], 50, first)
                first += 50
            burden(gws["beside"], dead, tarpits)
            for _ in range(2 if args.quick else 6):
                for mode, delays in p99.items():
                    got = measured(gws[mode], messages, first)
                    first += messages
                    say(f"{mode:<6} delay p50 {got['delay_ms_p50']:.2f} p99 "
                        f"{got['delay_ms_p99']:.2f} max "
                        f"{got['delay_ms_max']:.1f} ms")
                    delays.append(got["delay_ms_p99"])
            waiting = open_mail(gws["beside"])
        finally:
            for gw in gws.values():
                gw.stop()
            door.close()
    calm, beside = (statistics.median(delays) for delays in p99.values())
    return [Figure(f"p99 to a good domain amid {dead:,} dead and "
                   f"{tarpits:,} tarpits / calm", beside / calm, "<= 2",
                   note=f"{beside:.2f} / {calm:.2f} ms, {waiting:,} wait")]
