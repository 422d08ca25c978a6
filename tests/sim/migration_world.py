# SPDX-License-Identifier: ISC
"""The world of tests/sim/migration: receivers, each a process that logs what
it takes before it says so, and a sender that logs each 250.

As a program it is a receiver: migration_world.py NAME LOG CLOCK ADDRESS. It
says its port, then reads a command a line: refuse, accept. It ends with its
input.
"""
import contextlib
import json
import pathlib
import random
import re
import smtplib
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from sink import Leg                                     # noqa: E402

QUEUED = re.compile(rb"queued as (\S+)")
PATIENCE_S = 60


class Clock:
    """The daemon's wall clock: the file that tests/e2e/shift.py writes."""

    def __init__(self, path):
        self.path = path

    def now(self):
        with open(self.path, "rb") as f:
            return time.time() + sum(struct.unpack("=qq", f.read(16))) / 1e6


class Log:
    """A JSON object a line, written in one piece and not kept in memory."""

    def __init__(self, path):
        self.file = open(path, "ab", buffering=0)
        self.lock = threading.Lock()
        self.lines = 0

    def write(self, **what):
        with self.lock:
            self.file.write(json.dumps(what).encode() + b"\n")
            self.lines += 1


class Taken(Log):
    """The mails of a leg, in the place of its list."""

    def __init__(self, path, leg, clock):
        super().__init__(path)
        self.leg, self.clock = leg, clock

    def append(self, mail):
        self.write(id=mail.id, to=mail.rcpt, leg=self.leg,
                   time=self.clock.now())

    def __len__(self):
        return self.lines


class Forgotten(list):
    def append(self, _):
        pass


def receive(name, log, clock, host):
    leg = Leg(name, host=host)
    leg.mails = Taken(log, name, Clock(clock))
    leg.seen, leg.said = Forgotten(), Forgotten()
    leg.accept_connections()
    print(leg.port, flush=True)
    for command in sys.stdin:
        if command == "refuse\n":
            leg.refuse_connections()
        elif command == "accept\n":
            leg.accept_connections()
        print("ok", flush=True)
    leg.stop()


class Receiver:
    def __init__(self, name, log, clock, host="127.0.0.1"):
        self.host, self.log = host, log
        self.process = subprocess.Popen(
            [sys.executable, __file__, name, log, clock, host],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n"

    def stop(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)


class Sender:
    """Mail to random users all the time, at most `most` messages, in some
    sessions at once: of one to three recipients, half to one of `special`."""
    sessions = 4

    def __init__(self, world, users, rate, most):
        self.gw, self.users, self.special = world.gw, users, []
        self.log = Log(world.folder / "sent.log")
        self.clock = world.clock
        self.pause_s = self.sessions / rate
        self.over = threading.Event()
        self.each = [Session(self, n, random.Random(f"{world.seed} {n}"),
                             most // self.sessions)
                     for n in range(self.sessions)]

    def start(self):
        for session in self.each:
            session.start()

    @contextlib.contextmanager
    def still(self):
        """No message is under way."""
        with contextlib.ExitStack() as stack:
            for session in self.each:
                stack.enter_context(session.gate)
            yield

    def is_alive(self):
        return any(session.is_alive() for session in self.each)

    def sent(self):
        return self.log.lines

    def failed(self):
        return sum(session.failed for session in self.each)

    def stop(self):
        self.over.set()
        for session in self.each:
            session.join(PATIENCE_S)


class Session(threading.Thread):
    def __init__(self, sender, number, rng, most):
        super().__init__(daemon=True)
        self.of, self.number, self.rng, self.most = sender, number, rng, most
        self.begun = self.failed = 0
        self.gate = threading.Lock()    # held while a message is under way
        self.smtp = None

    def run(self):
        while self.begun < self.most and \
                not self.of.over.wait(self.of.pause_s):
            with self.gate:
                self.begun += 1
                try:
                    self.one()
                except (OSError, smtplib.SMTPException):
                    self.failed += 1    # no 250, no claim
                    self.smtp = None
        if self.smtp is not None:
            self.smtp.close()   # or it is seen until it is timed out

    def recipients(self):
        special = self.of.special
        if special and self.rng.random() < 0.5:
            return [self.rng.choice(special)]
        return self.rng.sample(self.of.users, self.rng.choice((1, 1, 2, 3)))

    def one(self):
        if self.smtp is None:
            self.smtp = smtplib.SMTP("127.0.0.1", self.of.gw.port, "mx.test",
                                     timeout=PATIENCE_S)
            self.smtp.ehlo()
        to = self.recipients()
        name = f"s{self.number}-{self.begun}"
        self.must(self.smtp.mail(f"{name}@elsewhere.test"))
        for rcpt in to:
            self.must(self.smtp.rcpt(rcpt))
        text = (f"From: <{name}@elsewhere.test>\r\nSubject: news\r\n"
                f"\r\nmessage {name}\r\n")
        id = QUEUED.search(self.must(self.smtp.data(text.encode())))[1]
        self.of.log.write(id=id.decode(), to=to, time=self.of.clock.now())

    @staticmethod
    def must(answer):
        if not 200 <= answer[0] < 300:
            raise smtplib.SMTPException(str(answer))
        return answer[1]


if __name__ == "__main__":
    receive(*sys.argv[1:])
