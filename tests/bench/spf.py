# SPDX-License-Identifier: ISC
"""SPF: the processor time of a check, the helper's included, of a message
with the checks on beside the same with them off, and of one that spf forecast
counts beside one that it does not. Clients come by PROXY, 200 addresses, of
which each sends 20 messages for each of 50 sender domains. From is of the
sender's domain and signed, as most mail is: SPF of our own address is judged
for the forecast, too."""
import json
import shutil
import subprocess
import sys

from rig import (BUILD, ROOT, Figure, Receiver, idle_cpu_s, posthouse,
                 say, send, tree_cpu_s)

sys.path.insert(0, str(ROOT / "tests/e2e"))

from names import Names                                  # noqa: E402

CLIENTS = 200       # and so many sessions
EACH = 20           # messages of a client and a sender domain
RECORD = ["v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/24 "
          "ip6:2001:db8::/32 -all"]


POLICY = ["v=DMARC1; p=reject"]
NO_ROW = "default.example"  # its recipients have the domain's row alone


class Everybody(Names):
    """Each domain has a record and a policy, but for the one above all of
    them; no client has a name."""

    def rows(self, name, kind):
        texts = POLICY if name.startswith("_dmarc.") else RECORD
        return [(name, kind, text) for text in texts] \
            if kind == "TXT" and name != "_dmarc.example" else []

    def answer(self, packet):
        out = super().answer(packet)  # NXDOMAIN: it is in no zone
        return out[:3] + b"\x80" + out[4:] \
            if self.asked[-1][1] == "TXT" else out


def checks(args):
    server = subprocess.Popen([BUILD / "tests/bench/spf", "serve"],
                              stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().strip()
        out = subprocess.run(
            [BUILD / "tests/bench/spf", "check", port,
             BUILD / "posthouse-spf", "20" if args.quick else "1"],
            capture_output=True, text=True, check=True)
    finally:
        server.kill()
        server.wait()
    return json.loads(out.stdout)


def message_us(folder, on, domains, what=None, **options):
    """`options` of the sender."""
    messages = CLIENTS * domains * EACH
    receiver = Receiver(messages)
    with Everybody({}) as names:
        gw = posthouse(folder, receiver.port, settings={
            "": {"public_address": ["203.0.113.7"]},
            'listen "mx"': {"proxy_from": ["127.0.0.1"]},
            f'domain "{NO_ROW}"': {"route": "legacy"},
            "resolver": {"servers": [names.address]},
            "spf": {"check": on}})
        try:
            before = tree_cpu_s(gw.process.pid)
            out = send(gw.port, messages, sessions=CLIENTS, proxy=1,
                       each=EACH, **options)
            receipt = receiver.result()
            cpu_s = idle_cpu_s(gw.process.pid) - before
            gw.verify()
        finally:
            gw.stop()
            receiver.stop()
        asked = len(names.asked)
        counted = sum(row["messages"] for row in
                      gw.cli_json("spf forecast") if row["kind"] == "leg")
        passed = len(gw.events(event="accepted", spf="pass"))
    shutil.rmtree(folder)
    if passed != (messages if on else 0):
        raise RuntimeError(f"{passed} of {messages} passed")
    if out["failed"] or receipt["lost"] or receipt["double"]:
        raise RuntimeError(f"not every message came once: {out} {receipt}")
    if counted != (messages if on and "domain" not in options else 0):
        raise RuntimeError(f"{counted} of {messages} in the forecast")
    us = cpu_s / messages * 1e6
    what = what or f"SPF {'on ' if on else 'off'}"
    say(f"{what}: {messages} messages, {us:.0f} us CPU each, "
        f"{out['per_s']:.0f}/s, {asked} questions to the DNS")
    return us


def spf(folder, args):
    out = checks(args)
    domains, pairs = (5, 1) if args.quick else (50, 3)
    ratios = sorted(
        message_us(folder / f"on{i}", True, domains, author=1) /
        message_us(folder / f"off{i}", False, domains, author=1)
        for i in range(pairs))
    more = (ratios[pairs // 2] - 1) * 100
    return [
        Figure("spf: a known verdict", out["verdict_us"], "<= 2", " us"),
        Figure("spf: known records", out["records_us"], "<= 60", " us",
               "helper included"),
        Figure("spf: ten includes, nothing known", out["cold_us"], "<= 500",
               " us", "helper included"),
        Figure("spf: a message, on against off", more, "<= 15", " %",
               "pairs " + " ".join(f"{r:.3f}" for r in ratios)),
    ]


def forecast(folder, args):
    domains, pairs = (5, 1) if args.quick else (50, 3)
    ratios = sorted(
        message_us(folder / f"with{i}", True, domains, "with forecast",
                   author=1) /
        message_us(folder / f"without{i}", True, domains, "without",
                   author=1, domain=NO_ROW) for i in range(pairs))
    return [Figure("forecast: a message, with against without",
                   ratios[pairs // 2], "<= 1.1", " x",
                   "pairs " + " ".join(f"{r:.3f}" for r in ratios))]
