# SPDX-License-Identifier: ISC
"""The end of tests/sim/migration: is it a GO, and only then? The verdict is
asked on the way, each time with the reasons that stand then and no other, and
goes by true name servers, by logs of the legacy server, by clients that come
late, and by silence: the clock is moved on by weeks.
"""
import contextlib
import datetime
import itertools
import json
import os
import smtplib
import socket

from conftest import PEERS
from dnspeers import DOMAIN, Delegation
from ports import loopback
from shift import HOUR_S
from until import until

DAY_S = 24 * HOUR_S
QUIET_S = HOUR_S
LONG_D = 15     # no client's longest gap was longer
LOOK_S = 9
PATIENCE_S = 60
NOT_MOVED = {"rows", "open", "watermarks"}
NOT_QUIET = {"stragglers", "observed"}
REASONS = {"propagation", "from-leg", "inside", *NOT_MOVED, *NOT_QUIET}


def missing():
    """Why there can be no verdict here; None: there can."""
    if os.geteuid() != 0:
        return "only root may be a name server"
    for name in ("nsd", "unbound"):
        if not (PEERS / name).is_dir():
            return f"{PEERS}/{name} is not there; tests/run fetches it"
    return None


class Ending:
    """The servers around it, and the steps after the last wave."""

    def __init__(self, folder):
        own = map(loopback, itertools.count(1))
        self.names = Delegation(PEERS, folder, lambda: next(own))
        self.names.serve(self.names.zone("@ 300 MX 10 old\n"))
        self.straggler = next(own)
        self.asked = self.logs = 0

    @property
    def legacy(self):
        return self.names.legacy

    def configure(self, gw, legacy):
        """The legacy server takes mail at its address, and sends from it."""
        gw.set("", public_address=[self.names.us])
        gw.set("resolver", servers=[self.names.resolver.address],
               timeout="2s")
        gw.set("propagation", interval="10s", stale="3d")
        gw.set("verdict", leg="legacy", quiet=f"{QUIET_S}s")
        gw.set('leg "legacy"', hosts=[f"{legacy.host}:{legacy.port}"],
               clients=[legacy.host])

    def stop(self):
        self.names.stop()

    # -- what the verdict says

    def look(self, world):
        done = world.gw.run("--json", "verdict")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert rows and "verdict" in rows[-1], done
        assert (rows[-1]["verdict"] == "GO") == (done.returncode == 0), done
        assert {r["reason"] for r in rows[:-1]} == REASONS, rows
        return rows[-1], {r["reason"]: r["evidence"] for r in rows[:-1]
                          if r["state"] != "ok"}

    def no_go(self, world, when, reasons, *says):
        """For these reasons alone, and with these words among them. The
        projector and the name servers are waited for."""
        last = {}

        def look():
            answer, last["bad"] = self.look(world)
            assert answer["verdict"] == "NO-GO", (when, answer)
            text = " ".join(last["bad"].values())
            return set(last["bad"]) == set(reasons) and \
                all(word in text for word in says)

        until(look, lambda: f"NO-GO {when} for {sorted(reasons)} with {says}:"
              f" {last}", PATIENCE_S)
        self.asked += 1
        return f"NO-GO {when}: {' '.join(sorted(reasons))}"

    def go(self, world):
        last = {}

        def look():
            last["answer"], last["bad"] = self.look(world)
            return last["answer"]["verdict"] == "GO"

        until(look, lambda: f"a GO: {last}", PATIENCE_S)
        assert last["answer"]["waived"] == 0, last
        return f"GO, after NO-GO {self.asked} times"

    # -- what happens

    def mx_changes(self, world):
        """Once all servers were heard with the old one."""
        for says, zone in (("still lead there", self.names.zone()),
                           ("of which an old answer may still live", None)):
            world.gw.run("propagation", DOMAIN)  # looks now
            said = self.no_go(
                world, "after the change of the MX", NOT_MOVED | NOT_QUIET | {
                    "propagation", "from-leg", "inside"}, says,
                "rows that lead there")
            if zone:
                self.names.serve(zone)
        return said

    def half_way(self, world):
        return self.no_go(
            world, "after three waves", NOT_MOVED | NOT_QUIET | {
                "from-leg", "inside"},
            "rows that lead there", "waves that are not done")

    def moved(self, world):
        """The waves that were not played, those that were rolled back, names
        without a row, in one change: all that the judge needs is there."""
        for wave in world.gw.cli_json("wave list"):
            if wave["state"] == "scheduled":
                world.gw.cli("wave", "unschedule", wave["name"])
                world.gw.cli("wave", "delete", wave["name"])
        world.gw.cli("flip", "cloud", "--where", "not route = cloud",
                     "--yes", "--wait")
        world.gw.cli("flip", "cloud", "--create", "@" + DOMAIN)

    def synchronized(self, world, users):
        """What the hook of a mailbox's move would say of each."""
        until(lambda: world.gw.run(
            "watermark", "synced", "--file", "-", stdin="\n".join(users) +
            "\n").returncode == 0, "all to be synchronized", PATIENCE_S)

    def log(self, world, deliveries=()):
        """The legacy server's own, up to now: what it got is in mailboxes."""
        self.logs += 1
        file = world.folder / f"mail.log.{self.logs}"
        with open(file, "w") as log:
            for n, (at, to) in enumerate(deliveries):
                self.log_mail(log, at, f"{self.logs:X}{n:08X}", to)
            print(stamp(world.clock.now()), "mail-old postfix/anvil[5]: "
                  "statistics: max cache size 1", file=log)
        world.gw.cli("stragglers", "import", "--format", "postfix", file)

    def log_mail(self, log, at, id, to):
        for text in (f"smtpd[7]: {id}: client=relay.{DOMAIN}[127.0.0.1]",
                     f"qmgr[9]: {id}: from=<a@elsewhere.test>, size=9, "
                     f"nrcpt={len(to)} (queue active)",
                     *(f"local[8]: {id}: to=<{a}>, relay=local, delay=0, "
                       "dsn=2.0.0, status=sent (delivered to mailbox)"
                       for a in to),
                     f"qmgr[9]: {id}: removed"):
            print(stamp(at), f"mail-old postfix/{text}", file=log)

    def mail(self, world, client, to):
        """One message, by a client of that address."""
        with smtplib.SMTP("127.0.0.1", world.gw.port, "old.example",
                          timeout=PATIENCE_S,
                          source_address=(client, 0)) as smtp:
            smtp.ehlo()
            world.gw.must(smtp.mail("late@elsewhere.test"))
            world.gw.must(smtp.rcpt(to))
            world.gw.must(smtp.data(b"Subject: late\r\n\r\nlate\r\n"))

    def watch(self, world, seconds):
        """That time passes while the daemon looks at its listeners: what it
        did not look at for ten seconds was not observed."""
        while seconds > 0:
            step = min(seconds, LOOK_S)
            seconds -= step
            world.shift.seconds += step
            world.shift.write()
            with socket.socket(socket.AF_UNIX) as control:
                control.settimeout(PATIENCE_S)
                control.connect(str(world.folder / "control.sock"))
                control.sendall(b'{"command":"verdict.observe"}\n')
                said = control.recv(4096)
            assert b'"exit":0' in said, said

    # -- all of it

    def play(self, world):
        """Yields a line of what is so after each step."""
        users = world.all
        self.moved(world)
        yield self.no_go(
            world, "after the last move", NOT_QUIET | {
                "watermarks", "from-leg", "inside"},
            "not reported as synchronized", "logs were not imported")
        self.synchronized(world, users)
        self.log(world, ((r["time"], r["to"]) for r in
                         world.read("legacy.log")))
        yield self.no_go(
            world, "with all synchronized",
            NOT_QUIET | {"from-leg", "inside"}, "clients that are not quiet",
            "logs that end too early")
        world.shift.forward(world.gw, LONG_D * DAY_S)
        self.log(world)
        yield self.no_go(world, f"after {LONG_D} days that were not watched",
                         {"from-leg", "observed"}, "of 1 h")
        self.watch(world, QUIET_S - 60)
        self.mail(world, self.straggler, users[0])
        self.watch(world, 120)
        yield self.no_go(world, "with a straggler", NOT_QUIET,
                         f"1 ({self.straggler}")
        self.watch(world, QUIET_S - 60)
        self.mail(world, self.legacy, users[0])
        self.watch(world, 120)
        yield self.no_go(world, "with mail from the legacy server",
                         {"from-leg"}, f"mail for {DOMAIN}, 1 message,")
        self.log(world, [(world.clock.now(), users[:1])])
        yield self.no_go(world, "with a delivery inside it",
                         {"from-leg", "inside"}, users[0])
        self.synchronized(world, users[:1])
        self.watch(world, QUIET_S)
        yield self.go(world)


def stamp(at):
    return datetime.datetime.fromtimestamp(
        at, datetime.timezone.utc).isoformat(timespec="microseconds")
