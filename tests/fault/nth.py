# SPDX-License-Identifier: ISC
"""The n-th call of the true daemon fails, once, at its start or while it
works: nothing that got 250 is lost or invisible, nothing comes twice without
a mark, and the books are even. tests/e2e/test_fault_calls.py runs it.
"""
import collections
import errno
import random
import re
import shutil
import signal
import smtplib
import threading
import time

from calls import Fail
from dialog import queued_id
from gateway import BUILD, Gateway
from until import until

ANN, BOB, HELD = "ann@example.com", "bob@example.com", "held@example.com"
BIG = b"Subject: big\r\n\r\n" + (b"z" * 70 + b"\r\n") * 5000
SMALL = b"Subject: small\r\n\r\nHello.\r\n"
WITHIN_S = 20
KEPT = ["spool", "audit", "cutover.db", "cutover.db-wal", "cutover.db-shm",
        "events.jsonl", "token.secrets"]

FAULTS = [
    ("open", errno.EMFILE), ("open", errno.EACCES), ("read", errno.EIO),
    ("write", errno.EIO), ("write", errno.ENOSPC), ("sync", errno.EIO),
    ("rename", errno.EIO), ("unlink", errno.EIO), ("mkdir", errno.EACCES),
    ("allocate", errno.ENOSPC), ("truncate", errno.EIO),
    ("accept", errno.EMFILE), ("accept", errno.ECONNABORTED),
    ("socket", errno.EMFILE), ("connect", errno.ENETUNREACH),
    ("epoll", errno.ENOMEM), ("eventfd", errno.EMFILE),
    ("opendir", errno.EMFILE), ("readdir", errno.EIO), ("mmap", errno.ENOMEM),
    ("lock", errno.EIO), ("thread", errno.EAGAIN), ("stat", errno.EIO),
]

Case = collections.namedtuple("Case", "phase kind error nth times",
                              defaults=[1])


class Wrong(Exception):
    """A promise that a case broke."""


class Campaign:
    def __init__(self, folder, legacy, cloud, settings=None):
        self.folder, self.legacy, self.cloud = folder, legacy, cloud
        self.settings = settings
        self.fail = Fail(folder, BUILD)
        self.counts = {}
        self.number = 0
        self.template()

    # -- what each case begins with

    def gateway(self, home):
        home.mkdir()
        home.chmod(0o755)
        gw = Gateway(home, {"legacy": self.legacy, "cloud": self.cloud},
                     {"dsn": {"via": "none"}, **(self.settings or {})})
        gw.environment.update(self.fail.environment)
        return gw

    def template(self):
        """Stopped: one message delivered, one waiting, one waiting in the
        bulk lane, one held."""
        self.home = self.folder / "template"
        gw = self.gateway(self.home).start()
        gw.cli(f"route set legacy {ANN}")
        gw.cli(f"route set cloud {BOB}")
        gw.cli(f"route set legacy {HELD}")
        gw.cli(f"hold {HELD}")
        self.done = gw.send(to=ANN)
        self.legacy.wait_message(self.done)
        gw.wait_empty()
        self.legacy.refuse_connections()
        self.waiting = [gw.send(to=ANN), gw.send(to=ANN, message=BIG)]
        self.held = gw.send(to=HELD)
        assert gw.stop() == 0
        self.legacy.accept_connections()

    def fresh(self):
        self.number += 1
        gw = self.gateway(self.folder / f"c{self.number}")
        for name in KEPT:
            at = self.home / name
            if at.is_dir():
                shutil.copytree(at, gw.folder / name)
            elif at.exists():
                shutil.copy2(at, gw.folder / name)
        return gw

    # -- the two phases

    def start(self, gw, case):
        """The daemon comes up, or says why it does not."""
        if case is not None:
            self.fail.arm(case.kind, case.nth, case.error, case.times)
        gw.launch()
        until(lambda: not gw.running or gw.said("ready"),
              "the daemon to come up or to end", WITHIN_S)
        if gw.running and gw.run("status").returncode != 0:
            until(lambda: not gw.running or
                  gw.run("status").returncode == 0,
                  "the daemon to answer or to end", WITHIN_S)
        self.note_counts("start")
        hit = self.fail.hits
        self.fail.disarm()
        if gw.running:
            self.find_ports(gw)
        else:
            self.explained(gw)
            self.up(gw)
        return hit

    def work(self, gw, case):
        """Mail, a flip, lists and a reload, while one call fails; then a
        stop, or kill -9, and a start."""
        self.up(gw)
        self.fail.disarm()
        if case is not None:
            self.fail.arm(case.kind, case.nth, case.error, case.times)
        ids = [self.send(gw, ANN, SMALL), self.send(gw, BOB, BIG)]
        gw.run("route", "set", "cloud", ANN)
        ids += [self.send(gw, ANN, SMALL), self.send(gw, ANN, BIG)]
        for words in ("queue list", "leg list", "status", f"trace {self.done}"):
            gw.run(words)
        self.settle(gw, ids)
        self.reload(gw)
        self.note_counts("work")
        hit = self.fail.hits
        self.fail.disarm()
        if not gw.running:
            self.explained(gw)
        elif case is not None and case.nth % 2 == 0:
            gw.kill()
        elif gw.stop() != 0:
            raise Wrong(f"ended badly: {gw.log_text()[-1500:]}")
        gw.process = None
        self.up(gw)
        return hit, [i for i in ids if i]

    def settle(self, gw, ids):
        """Waits a moment for what was taken: most faults leave no trace."""
        end = time.monotonic() + 1.5
        pause = threading.Event()
        wanted = {i for i in ids if i}
        while gw.running and time.monotonic() < end and \
                not wanted <= self.arrived().keys():
            pause.wait(0.02)

    @staticmethod
    def reload(gw):
        """Told, unless it dies of it."""
        mark = len(gw.log_text())
        if gw.running:
            gw.process.send_signal(signal.SIGHUP)
            until(lambda: not gw.running or " conf." in gw.log_text()[mark:],
                  "the reload to be told", WITHIN_S)

    def up(self, gw):
        gw.launch()
        until(lambda: not gw.running or gw.said("ready"), "a start", WITHIN_S)
        if not gw.running:
            raise Wrong(f"no start afterwards: {gw.log_text()[-1500:]}")
        self.find_ports(gw)

    @staticmethod
    def find_ports(gw):
        gw.ports = dict(re.findall(r" listen name=(\S+) address=\S+:(\d+)$",
                                   gw.log_text(), re.M))

    def explained(self, gw):
        """It ended: with a sentence, and by itself."""
        status = gw.process.returncode
        text = gw.log_text()
        gw.process = None
        if status <= 0 or not any(w in text for w in (
                "start.failed", "loop.failed", "out of memory",
                "posthouse.conf:")):
            raise Wrong(f"ended with {status} and no sentence: {text[-1500:]}")

    def note_counts(self, phase):
        for kind, _ in FAULTS:
            self.counts[phase, kind] = max(
                self.fail.count(kind), self.counts.get((phase, kind), 0))

    def send(self, gw, to, message):
        """The id, or None when it was not taken; never a 5yz."""
        try:
            with smtplib.SMTP("127.0.0.1", gw.port, "client.test",
                              timeout=10) as smtp:
                smtp.ehlo()
                for step in (lambda: smtp.mail("s@elsewhere.test"),
                             lambda: smtp.rcpt(to),
                             lambda: smtp.data(message)):
                    code, text = step()
                    if code >= 500:
                        raise Wrong(f"{code} {text} for a fault of our own")
                    if code >= 400:
                        return None
                return queued_id(text.decode())
        except (smtplib.SMTPException, OSError) as e:
            if getattr(e, "smtp_code", 0) >= 500:
                raise Wrong(f"{e} for a fault of our own") from e
            return None

    # -- what must be true

    def arrived(self):
        n = collections.Counter()
        for leg in (self.legacy, self.cloud):
            n.update(m.id for m in list(leg.mails))
        return n

    def doubles(self, gw):
        """Of one leg, without a mark."""
        marked = {e["id"] for e in gw.all_events() if e.get("uncertain")}
        bad = set()
        for leg in (self.legacy, self.cloud):
            n = collections.Counter(m.id for m in leg.mails)
            bad |= {i for i, k in n.items() if k > 1} - marked
        return bad

    def check(self, gw, ids):
        ids = ids + self.waiting
        end = self.send(gw, BOB, SMALL)
        if end is None and gw.said("spool.sync_failed"):
            # Of the journal, by a daemon that had started: T2.
            gw.kill()
            self.up(gw)
            end = self.send(gw, BOB, SMALL)
        if end is None:
            raise Wrong("no mail is taken afterwards")
        wanted = {*ids, end}
        until(lambda: wanted <= self.arrived().keys(),
              lambda: f"{wanted - self.arrived().keys()} to be delivered",
              WITHIN_S)
        until(lambda: [q["id"] for q in gw.queue()] == [self.held],
              lambda: f"nothing but {self.held} to be open: {gw.queue()}",
              WITHIN_S)
        if self.arrived()[self.done]:
            raise Wrong("what was delivered before came again")
        for id in ids:
            until(lambda: gw.run("trace", id).returncode == 0,
                  f"{id} in the index", WITHIN_S)
        self.verify(gw)
        if self.doubles(gw):
            raise Wrong(f"came twice, unmarked: {self.doubles(gw)}")

    @staticmethod
    def verify(gw):
        last = []

        def even():
            last[:] = [gw.run("audit", "verify", "--json")]
            return last[0].returncode == 0

        until(even, lambda: f"even books: {last[0].stdout}{last[0].stderr}",
              WITHIN_S)

    # -- cases

    def run(self, case):
        """False when no call failed: there are not so many."""
        for leg in (self.legacy, self.cloud):
            leg.mails.clear()
        gw = self.fresh()
        try:
            if case.phase == "start":
                hit, ids = self.start(gw, case), []
            else:
                hit, ids = self.work(gw, case)
            self.check(gw, ids)
            if gw.stop() != 0:
                raise Wrong(f"ended badly: {gw.log_text()[-1500:]}")
        except Exception as e:
            raise Wrong(f"{case} in {gw.folder}: {e!r}") from e
        finally:
            self.fail.disarm()
            if gw.running:
                gw.kill()
        shutil.rmtree(gw.folder)
        return bool(hit)

    def count(self):
        """How many calls there are, by a run in which none fails."""
        for phase in ("start", "work"):
            self.run(Case(phase, "none", 0, 0))

    def cases(self):
        return [Case(phase, kind, error, nth)
                for phase in ("start", "work") for kind, error in FAULTS
                for nth in range(1, self.counts.get((phase, kind), 0) + 1)]

    def sample(self, n, seed):
        """Of each kind some; more of those of which there are many."""
        by = collections.defaultdict(list)
        for case in self.cases():
            by[case.phase, case.kind, case.error].append(case)
        rng = random.Random(seed)
        for group in by.values():
            rng.shuffle(group)
        groups, out = sorted(by.values(), key=lambda g: g[0]), []
        while len(out) < n and any(groups):
            out += [g.pop() for g in groups if g]
        rng.shuffle(out)
        return out[:n]
