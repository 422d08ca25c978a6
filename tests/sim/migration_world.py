# SPDX-License-Identifier: ISC
"""The world of tests/sim/migration: receivers, each a process that logs what
it takes before it says so, and a sender that logs each 250.

As a program it is a receiver: migration_world.py NAME LOG CLOCK. It says its
port, then reads a command a line: refuse, accept. It ends with its input.
"""
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


def receive(name, log, clock):
    leg = Leg(name)
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
    def __init__(self, name, log, clock):
        self.process = subprocess.Popen(
            [sys.executable, __file__, name, log, clock],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n"

    def stop(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)


class Sender(threading.Thread):
    """Mail to random users all the time, at most `most` messages: of one to
    three recipients, every fifth to one of `special`."""

    def __init__(self, world, users, special, rate, most):
        super().__init__(daemon=True)
        self.gw, self.users, self.special = world.gw, users, special
        self.rng = random.Random(world.seed)
        self.log = Log(world.folder / "sent.log")
        self.clock = world.clock
        self.pause_s, self.most = 1 / rate, most
        self.begun = self.failed = 0
        self.over = threading.Event()
        self.gate = threading.Lock()    # held while a message is under way
        self.smtp = None

    def run(self):
        while self.begun < self.most and not self.over.wait(self.pause_s):
            with self.gate:
                self.begun += 1
                try:
                    self.one()
                except (OSError, smtplib.SMTPException):
                    self.failed += 1    # no 250, no claim
                    self.smtp = None

    def one(self):
        if self.smtp is None:
            self.smtp = smtplib.SMTP("127.0.0.1", self.gw.port, "mx.test",
                                     timeout=PATIENCE_S)
            self.smtp.ehlo()
        rng = self.rng
        to = rng.sample(self.users, rng.choice((1, 1, 1, 2, 3)))
        if self.special and rng.random() < 0.2:
            to = [rng.choice(self.special)]
        self.must(self.smtp.mail(f"s{self.begun}@elsewhere.test"))
        for rcpt in to:
            self.must(self.smtp.rcpt(rcpt))
        text = (f"From: <s{self.begun}@elsewhere.test>\r\nSubject: news\r\n"
                f"\r\nnumber {self.begun}\r\n")
        id = QUEUED.search(self.must(self.smtp.data(text.encode())))[1]
        self.log.write(id=id.decode(), to=to, time=self.clock.now())

    @staticmethod
    def must(answer):
        if not 200 <= answer[0] < 300:
            raise smtplib.SMTPException(str(answer))
        return answer[1]

    def sent(self):
        return self.log.lines

    def stop(self):
        self.over.set()
        self.join(PATIENCE_S)


if __name__ == "__main__":
    receive(*sys.argv[1:])
