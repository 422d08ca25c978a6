# SPDX-License-Identifier: ISC
"""What the figures are measured with: the true daemon in a folder of its
own, the sender and the receiver, and the processor time of a whole process
tree."""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from gateway import BUILD, Gateway                       # noqa: E402
from until import until                                  # noqa: E402

SHARED = pathlib.Path(os.environ.get("PH_SHARED", ROOT.parent / "shared"))
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
USERS = 1000


class Figure:
    """One row of the table at the end. `limit`: "<= 2.5", ">= 15", or None
    when the figure is told and not judged."""

    def __init__(self, name, value, limit=None, unit="", note=""):
        self.name, self.value, self.unit = name, value, unit
        self.limit, self.note = limit, note

    @property
    def met(self):
        if self.limit is None:
            return None
        sign, bound = self.limit.split()
        bound = float(bound)
        return self.value <= bound if sign == "<=" else self.value >= bound

    def as_dict(self):
        return {"name": self.name, "value": self.value, "unit": self.unit,
                "limit": self.limit, "met": self.met, "note": self.note}


def say(text):
    print(f"  {text}", file=sys.stderr, flush=True)


def mean_pair(pairs):
    """The median of the pairs' ratios, and all of them in words."""
    ratios = [a / b for a, b in pairs]
    return statistics.median(ratios), "pairs " + " ".join(
        f"{r:.2f}" for r in ratios)


# -- processes

def children_of():
    tree = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = pathlib.Path("/proc", entry, "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = stat[stat.rindex(")") + 2:].split()
        tree.setdefault(int(fields[1]), []).append(
            (int(entry), sum(map(int, fields[11:15]))))
    return tree


def tree_cpu_s(pid):
    """User and system time of a process, of those below it, and of their
    dead children. `pid` must be a child of ours."""
    tree = children_of()
    todo = [row for row in tree.get(os.getpid(), []) if row[0] == pid]
    ticks = 0
    while todo:
        one, own = todo.pop()
        ticks += own
        todo += tree.get(one, [])
    return ticks * TICK_S


def idle_cpu_s(pid):
    """The same, once it stands still: what was put off is counted too."""
    seen = [-1.0, time.monotonic()]

    def still():
        now = tree_cpu_s(pid)
        if now - seen[0] > TICK_S:
            seen[:] = [now, time.monotonic()]
        return time.monotonic() - seen[1] > 0.7

    until(still, "the process tree to be idle")
    return tree_cpu_s(pid)


def status_kb(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise KeyError(field)


def words(**options):
    out = []
    for name, value in options.items():
        out += ["--" + name, str(value)]
    return out


class Receiver:
    started = []

    def __init__(self, messages, **options):
        self.process = subprocess.Popen(
            [BUILD / "tests/bench/receiver",
             *words(messages=messages, **options)],
            stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.told = None
        Receiver.started.append(self)

    @staticmethod
    def end_all():
        """Those that a failure left behind."""
        for r in Receiver.started:
            r.stop()
        Receiver.started.clear()

    def result(self):
        """Waits for its end."""
        if self.told is None:
            self.told = json.loads(self.process.communicate()[0])
        return self.told

    def stop(self):
        if self.told is None:
            self.process.terminate()
        return self.result()


def sender(port, messages, **options):
    """Starts it; sent() waits for its report."""
    options.setdefault("users", USERS)
    return subprocess.Popen(
        [BUILD / "tests/bench/sender",
         *words(port=port, messages=messages, **options)],
        stdout=subprocess.PIPE, text=True)


def sent(process):
    return json.loads(process.communicate()[0])


def send(port, messages, **options):
    return sent(sender(port, messages, **options))


# -- the daemon

def posthouse(folder, legacy, cloud=None, settings=None, shift=None,
              build=BUILD, ledger=True):
    """With the defaults, but for limits that a single client of 100
    sessions would meet; the route of every user is legacy. `shift`: the
    clock that it goes by. `build`: where its programs are. Without `ledger`
    a folder stands where ledger.db would be made."""
    folder.mkdir(parents=True)
    if not ledger:
        (folder / "audit/ledger.db").mkdir(parents=True)
    gw = Gateway(folder, {"legacy": {"hosts": [f"127.0.0.1:{legacy}"],
                                     "tls": "none"},
                          "cloud": {"hosts": [f"127.0.0.1:{cloud or legacy}"],
                                    "tls": "none"},
                          "outside": cloud or legacy},
                 {"limits": {"per_client": 3000, "connections": 3000}})
    gw.build = build
    for section in ("spool", "retry"):
        gw.settings[section] = {"path": "spool"} if section == "spool" else {}
    del gw.settings[""]["stop_after"]
    for section, keys in (settings or {}).items():
        gw.settings.setdefault(section, {}).update(keys)
    gw.write_conf()
    if shift is not None:
        gw.environment = shift.environment
    import_users(gw, "legacy")
    return gw.start()


def import_users(gw, route, users=USERS):
    rows = "".join(f"user{i}@example.com,{route}\n" for i in range(users))
    gw.cli("route", "import", "-", stdin="address,route\n" + rows)
