# SPDX-License-Identifier: ISC
"""The true posthoused in a folder of its own, and all one does with it.

Ports are free ones that the daemon picked and told in its log. Only the
process that was started here is ever stopped, by its number.
"""
import copy
import json
import os
import pathlib
import re
import shlex
import signal
import smtplib
import subprocess

from dialog import Dialog, queued_id
from until import DEADLINE_S, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PH_BUILD", ROOT / "build")).resolve()

DEFAULTS = {
    "": {"hostname": "relay.example.com", "postmaster": "admin@example.com",
         "workers": 2, "stop_after": "10s"},
    'listen "mx"': {"address": ["127.0.0.1:0"]},
    # Without questions, which only test_ask.py expects its legs to hear.
    'domain "example.com"': {"route": "legacy", "both": "cloud+legacy",
                             "unknown": "route"},
    "spool": {"path": "spool", "segment": "1M"},
    "table": {"path": "cutover.db"},
    "audit": {"path": "audit", "events": "events.jsonl"},
    "control": {"socket": "control.sock"},
    # "Unknown" is final at once; test_unknown.py is about when it is not.
    "retry": {"steps": ["200ms", "500ms", "1s"], "jitter": 0,
              "grace": "0s", "known": "0s"},
    # Recipients without a row are told of, too.
    "dsn": {"via": "outside", "guard": "off"},
    # Name servers are asked by test_propagation.py alone.
    "propagation": {"interval": "0s"},
    # No sender is judged where a test has no DNS server of its own.
    "spf": {"check": False},
}
# Counters of gcov are written down outside of what the sandbox leaves.
if os.environ.get("PH_SANDBOX") == "off":
    DEFAULTS[""]["sandbox"] = False
PATHS = {("spool", "path"), ("table", "path"), ("audit", "path"),
         ("audit", "events"), ("control", "socket")}


def conf_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "{ " + ", ".join(conf_value(v) for v in value) + " }"
    if isinstance(value, (str, os.PathLike)):
        return '"' + str(value).replace("\\", "\\\\").replace(
            '"', '\\"') + '"'
    return str(value)


class Refused(Exception):
    """posthoused did not come up; the text is what it said."""


class Gateway:
    def __init__(self, folder, legs, settings=None):
        """`legs`: name -> a sink, a port, or a dict of keys. "outside" is
        an egress, the way of our own notices."""
        self.folder = pathlib.Path(folder)
        self.settings = copy.deepcopy(DEFAULTS)
        for name, leg in legs.items():
            self.settings[self.section(name)] = self.leg_keys(leg)
        for section, keys in (settings or {}).items():
            self.settings.setdefault(section, {}).update(keys)
        self.conf = self.folder / "posthouse.conf"
        self.log = self.folder / "posthoused.log"
        self.events_file = self.folder / "events.jsonl"
        self.events_at, self.events_read = 0, []
        self.process = None
        self.build = BUILD  # where its programs are
        self.under = []     # a program that it is started under
        self.options = ["-f"]
        self.environment = {}
        self.ports = {}
        self.write_conf()

    @staticmethod
    def section(name):
        return f'egress "{name}"' if name == "outside" else f'leg "{name}"'

    @staticmethod
    def leg_keys(leg):
        if isinstance(leg, dict):
            return leg
        port = leg if isinstance(leg, int) else leg.port
        return {"hosts": [f"127.0.0.1:{port}"], "tls": "none"}

    # -- configuration

    def set(self, section, **keys):
        """Changes what the file says; reload() or a start makes it count."""
        self.settings.setdefault(section, {}).update(keys)
        self.write_conf()

    def conf_text(self):
        out = []
        for section, keys in self.settings.items():
            lines = []
            for key, value in keys.items():
                if (section, key) in PATHS:
                    value = self.folder / value  # if not absolute
                lines.append(f"{key} = {conf_value(value)}")
            if section == "":
                out += lines
            else:
                out += [section + " {"] + ["    " + l for l in lines] + ["}"]
        return "\n".join(out) + "\n"

    def write_conf(self):
        self.conf.write_text(self.conf_text())

    # -- life

    def launch(self):
        """Starts the daemon and does not wait for it."""
        self.log_at = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.under, self.build / "posthoused", *self.options, "-c",
                 self.conf], stderr=log, stdin=subprocess.DEVNULL,
                cwd=self.folder, env={**os.environ, **self.environment})

    def start(self):
        self.launch()
        until(lambda: self.process.poll() is not None or self.said("ready"),
              "posthoused to be ready")
        if self.process.poll() is not None:
            raise Refused(self.log_text())
        self.ports = dict(re.findall(
            r" listen name=(\S+) address=\S+:(\d+)$", self.log_text(),
            re.M))
        return self

    @property
    def port(self):
        return int(next(iter(self.ports.values())))

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """SIGTERM; what it ended with."""
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self):
        status = self.process.wait(DEADLINE_S)
        self.process = None
        return status

    def kill(self):
        self.process.kill()
        assert self.ended() == -signal.SIGKILL

    def restart(self):
        assert self.stop() == 0, self.log_text()[-2000:]
        return self.start()

    def reload(self):
        """SIGHUP; True when the new configuration counts."""
        mark = len(self.log_text())
        self.process.send_signal(signal.SIGHUP)
        text = until(lambda: re.search(r" conf\.(loaded|rejected)",
                                       self.log_text()[mark:]),
                     "the reload to be told")
        return text.group(1) == "loaded"

    # -- its log

    def log_text(self):
        """Since the last start."""
        with open(self.log, "rb") as log:
            log.seek(self.log_at)
            return log.read().decode("utf-8", "replace")

    def said(self, event):
        return re.search(rf" {re.escape(event)}( .*)?$", self.log_text(),
                         re.M)

    def wait_log(self, event):
        return until(lambda: self.said(event), f"the log to say {event}")

    def all_log(self):
        return self.log.read_text(errors="replace")

    # -- the command line

    def run(self, *words, stdin=None):
        if len(words) == 1:
            words = shlex.split(words[0])
        return subprocess.run(
            [self.build / "posthouse", "-c", self.conf, *words],
            input=stdin, stdin=None if stdin else subprocess.DEVNULL,
            capture_output=True, text=True, timeout=DEADLINE_S)

    def run_bytes(self, *words):
        return subprocess.run(
            [self.build / "posthouse", "-c", self.conf, *words],
            stdin=subprocess.DEVNULL, capture_output=True,
            timeout=DEADLINE_S)

    def cli(self, *words, stdin=None):
        """Must end with 0. What it printed."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, \
            f"{words}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def cli_json(self, *words, stdin=None):
        if len(words) == 1:
            words = shlex.split(words[0])
        text = self.cli(*words, "--json", stdin=stdin)
        return [json.loads(line) for line in text.splitlines()]

    def cli_fails(self, *words, code=1, stdin=None):
        """Must end with `code`. What it said on standard error."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == code, \
            f"{words}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stderr

    def spawn(self, *words):
        """Started and not waited for; the test does."""
        return subprocess.Popen(
            [self.build / "posthouse", "-c", self.conf, *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

    def change(self, *words, **kw):
        """A command that makes a change; its number."""
        m = re.search(r"change (\d+)", self.cli(*words, **kw))
        assert m, words
        return int(m.group(1))

    # -- mail

    def send(self, to="ann@example.com", sender="sender@elsewhere.test",
             message=None, mail_options=(), rcpt_options=()):
        """One message by Python's client; the id it got."""
        to = [to] if isinstance(to, str) else to
        message = message or (
            f"From: <{sender}>\r\nTo: <{to[0]}>\r\nSubject: a test\r\n"
            "\r\nHello.\r\n").encode()
        with smtplib.SMTP("127.0.0.1", self.port, "client.test",
                          timeout=DEADLINE_S) as smtp:
            smtp.ehlo()
            self.must(smtp.mail(sender, list(mail_options)))
            for rcpt in to:
                self.must(smtp.rcpt(rcpt, list(rcpt_options)))
            return queued_id(self.must(smtp.data(message)))

    @staticmethod
    def must(answer):
        code, text = answer
        assert 200 <= code < 400, answer
        return text.decode()

    def dialog(self, **kw):
        return Dialog(self.port, **kw)

    # -- events

    def all_events(self):
        """events.jsonl, read on from where it was read up to."""
        try:
            with open(self.events_file, "rb") as f:
                f.seek(self.events_at)
                text = f.read()
        except FileNotFoundError:
            return self.events_read
        whole = text[:text.rfind(b"\n") + 1]
        self.events_at += len(whole)
        self.events_read += [json.loads(l) for l in whole.splitlines()]
        return self.events_read

    def events(self, id=None, event=None, **fields):
        if id is not None:
            fields["id"] = id
        if event is not None:
            fields["event"] = event
        return [e for e in self.all_events()
                if all(e.get(k) == v for k, v in fields.items())]

    def wait_event(self, event, id=None, **fields):
        return until(lambda: self.events(id, event, **fields),
                     lambda: f"event {event} {id or ''} {fields}; there are "
                     f"{self.events(id)[-20:]}")[0]

    # -- the sum

    def queue(self, *words):
        return self.cli_json("queue", "list", *words)

    def wait_empty(self):
        """Until nothing is open."""
        until(lambda: not [q for q in self.queue()
                           if q["state"] in ("queued", "deferred")],
              "the queue to be empty")

    def verify(self):
        """Conservation (A2): by the writer, the queue and a recount."""
        last = []

        def even():
            done = self.run("audit", "verify", "--json")
            last[:] = [done.stdout + done.stderr]
            rows = [json.loads(l) for l in done.stdout.splitlines()]
            return done.returncode == 0 and \
                all(r.get("gap", 0) == 0 for r in rows)

        until(even, lambda: f"the books to be even: {last}")
        for leg in self.cli_json("leg list"):
            assert leg["gap"] == 0, leg
