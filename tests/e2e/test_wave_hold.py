# SPDX-License-Identifier: ISC
"""Waves that hold mail until each mailbox's own move ended (`wave start
--hold`): hold, last delivery, program, flip, release, over kill -9, while mail
comes in all the time."""
import threading

import pytest

from test_hooks import Program
from until import until

PEOPLE = [f"p{n}@example.com" for n in range(6)]


@pytest.fixture
def held(tmp_path, folder):
    return Program(tmp_path / "on_held", folder / "told")


@pytest.fixture
def gated(held, folder):
    """Each list is taken when the gate is open."""
    held.gate = folder / "gate"
    held.write(f'''while not os.path.exists({str(held.gate)!r}):
    threading.Event().wait(0.02)
for r in rows: print(r["address"], "synced")''')
    return held


def wave(gw, *words, people=PEOPLE):
    gw.cli("route", "import", "-", stdin="address,route\n" + "".join(
        f"{a},legacy\n" for a in people))
    gw.cli("wave", "create", "w1", "--file", "-", "--to", "cloud",
           stdin="\n".join(people))
    gw.cli("wave", "start", "w1", "--hold", "--deadline", "2h", *words)


def shown(gw):
    return gw.cli_json("wave", "show", "w1")[0]


def rows(gw):
    return {r["address"]: r for r in gw.cli_json("route export")}


def members(gw):
    return {r["address"]: r for r in gw.cli_json("wave show w1 --members")
            if "address" in r}


def steps(gw):
    return [e["step"] for e in gw.events(event="wave")]


def wait_done(gw):
    until(lambda: shown(gw)["state"] == "done",
          lambda: f"the end; there are {shown(gw)}, "
          f"{gw.cli_json('watermark list')}, {gw.log_text()[-3000:]}")


class Mail:
    """Mail for all of them, one after the other, until it is ended. A daemon
    that is not there refuses nothing: what was not taken is none."""

    def __init__(self, gw):
        self.gw, self.taken, self.refused = gw, [], []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        n = 0
        while not self.over.is_set():
            try:
                self.taken.append(self.gw.send(to=PEOPLE[n % len(PEOPLE)]))
                n += 1
            except AssertionError as err:
                self.refused.append(str(err))
            except Exception:  # the connection is gone
                self.over.wait(0.05)

    def more(self, n=6):
        have = len(self.taken)
        until(lambda: len(self.taken) >= have + n, f"{n} more messages")

    def end(self):
        self.over.set()
        self.thread.join()


@pytest.fixture
def mail(request):
    started = []

    def start(gw):
        started.append(Mail(gw))
        return started[0]
    yield start
    for m in started:
        m.end()


def check_mail(gw, m, legacy, cloud):
    """Each message that was taken is on one leg, once, but for an attempt
    that a kill left without its result."""
    m.end()
    assert not m.refused

    def got():
        return [x.id for leg in (legacy, cloud) for x in leg.mails]

    # What was held is queued when the table's change is seen.
    until(lambda: set(m.taken) <= set(got()),
          lambda: f"all to arrive, but for {set(m.taken) - set(got())}")
    gw.wait_empty()
    gw.verify()
    ids = got()
    double = {i for i in ids if ids.count(i) > 1}
    assert double <= {e["id"] for e in gw.all_events()
                      if e.get("uncertain")}


def test_what_moved_is_flipped_and_what_failed_stays(
        make_gw, legacy, cloud, held, mail):
    held.write('''for r in rows:
    name = r["address"][:2]
    if name == "p1": print(r["address"], "failed the folder is locked")
    elif name != "p2": print(r["address"], "synced")''')
    gw = make_gw({"hook": {"on_held": held.program}})
    m = mail(gw)
    wave(gw)
    until(lambda: sum(r["state"] in ("done", "failed")
                      for r in members(gw).values()) == 5, "five of six")
    m.more()
    now = members(gw)
    assert now["p1@example.com"]["state"] == "failed"
    assert "the folder is locked" in now["p1@example.com"]["reason"]
    assert now["p2@example.com"]["state"] == "held"
    table = rows(gw)
    assert [(table[a]["route"], table[a]["held"]) for a in PEOPLE] == [
        ("cloud", False), ("legacy", False), ("legacy", True)] + [
        ("cloud", False)] * 3
    w = shown(gw)
    assert (w["state"], w["held"], w["failed"], w["done"]) == (
        "running", 1, 1, 4)
    assert w["waits_for"] == "the moves of held members" and w["waits_until"]
    assert "the mail of 1 held" in gw.cli("wave show w1")
    # The program is not the only one that knows.
    assert "change" in gw.cli("wave flip w1 p2@example.com --note 'by hand'")
    wait_done(gw)
    check_mail(gw, m, legacy, cloud)
    assert rows(gw)["p2@example.com"]["route"] == "cloud"
    assert "wave flip" in gw.cli("wave show w1 --decisions")
    # All that came after its watermark is at the new leg.
    synced = gw.cli_json("watermark", "list", "--leg", "legacy")
    assert {r["address"]: r["state"] for r in synced}[PEOPLE[0]] == "synced"


def test_nothing_moves_while_an_attempt_is_open(
        make_gw, legacy, cloud, held):
    held.write('for r in rows: print(r["address"], "synced")')
    gw = make_gw({"hook": {"on_held": held.program}})
    gate = legacy.hold("DOT")
    gw.cli("route", "set", "legacy", PEOPLE[0])
    first = gw.send(to=PEOPLE[0])
    gate.reached()
    wave(gw, people=PEOPLE[:1])
    gw.wait_event("wave", step="held")
    second = gw.send(to=PEOPLE[0])
    until(lambda: [r.get("open") for r in gw.cli_json("watermark list")] ==
          [1], "the open attempt to be seen")
    assert held.runs == [] and rows(gw)[PEOPLE[0]]["route"] == "legacy"
    gate.release()
    wait_done(gw)
    assert [m.id for m in legacy.mails] == [first]
    cloud.wait_message(second)


@pytest.mark.parametrize("step", [
    "held", "waited", "hook", "flipped", "released"])
def test_a_kill_between_two_steps(make_gw, legacy, cloud, gated, mail, step):
    """kill -9 as soon as a step is on record, twice; nothing is lost, nothing
    sent twice, nothing refused, and the wave goes on."""
    gw = make_gw({"hook": {"on_held": gated.program}})
    m = mail(gw)
    wave(gw, "--slice", "3")
    for n in range(2):
        if step in ("flipped", "released"):
            gated.gate.touch()
        if step == "waited":
            gw.wait_event("watermark", state="reached")
        elif step == "hook":
            gated.wait(n + 1)
        else:
            gw.wait_event("wave", step=step)
        gw.kill()
        gw.start()
    gated.gate.touch()
    wait_done(gw)
    m.more()
    check_mail(gw, m, legacy, cloud)
    table = rows(gw)
    assert {(table[a]["route"], table[a]["held"]) for a in PEOPLE} == {
        ("cloud", False)}
    assert {r["state"] for r in members(gw).values()} == {"done"}
    # Each was held, flipped and released once, and no more.
    seen = {}
    for change in gw.cli_json("changes list"):
        for row in gw.cli_json(f"changes show {change['change']}"):
            if row.get("address") in PEOPLE and change["command"] == "wave":
                seen[row["address"]] = seen.get(row["address"], 0) + 1
    assert seen == dict.fromkeys(PEOPLE, 3)


def test_past_the_deadline_a_person_decides(make_gw, legacy, cloud, gated):
    gw = make_gw({"hook": {"on_held": gated.program}})
    wave(gw, people=PEOPLE[:3])
    gw.cli("wave pause w1")
    gw.cli("wave resume w1")
    gw.wait_event("wave", step="held")
    message = gw.send(to=PEOPLE[0])
    gated.wait()
    gw.cli("wave rollback w1")
    assert shown(gw)["state"] == "rolled-back"
    legacy.wait_message(message)
    gw.cli("wave start w1 --hold --deadline 1s")
    alarm = gw.wait_event("alarm", kind="hold")
    assert "wave resume w1 --release" in alarm["text"]
    w = until(lambda: shown(gw)["state"] == "paused" and shown(gw), "a pause")
    assert w["held"] == 3 and "deadline" in w["reason"]
    waits = gw.send(to=PEOPLE[1])
    gw.restart()
    assert {rows(gw)[a]["held"] for a in PEOPLE[:3]} == {True}
    gw.cli("wave resume w1 --release --note 'too slow'")
    wait_done(gw)
    legacy.wait_message(waits)
    assert {r["state"] for r in members(gw).values()} == {"failed"}
    assert "--release" in gw.cli("wave show w1 --decisions")
    assert cloud.mails == []


def test_a_schedule_keeps_the_hold(make_gw):
    gw = make_gw()
    gw.cli("route", "set", "legacy", PEOPLE[0])
    gw.cli("wave", "create", "w1", "--file", "-", stdin=PEOPLE[0])
    gw.cli("wave", "schedule", "w1", "cloud", "--at", "2190-01-01T00:00:00Z",
           "--hold", "--deadline", "2h")
    w = shown(gw)
    assert (w["hold"], w["deadline_s"]) == (True, 7200)
    gw.cli("wave start w1")
    gw.wait_event("wave", step="held")
    # No program: a person says what is synchronized.
    until(lambda: [r["state"] for r in gw.cli_json("watermark list")] ==
          ["reached"], "the watermark")
    assert rows(gw)[PEOPLE[0]]["held"] is True
    gw.cli("watermark", "synced", PEOPLE[0])
    wait_done(gw)
    assert rows(gw)[PEOPLE[0]]["route"] == "cloud"


@pytest.mark.parametrize("words, code, why", [
    ("wave start w1 --hold", 2, "--hold and --deadline go together"),
    ("wave start w1 --hold --deadline soon", 2, "--deadline"),
    ("wave flip w1 p0@example.com", 1, "flip is refused"),
])
def test_what_is_refused(make_gw, words, code, why):
    gw = make_gw()
    gw.cli("route", "set", "legacy", PEOPLE[0])
    gw.cli("wave", "create", "w1", "--file", "-", "--to", "cloud",
           stdin=PEOPLE[0])
    assert why in gw.cli_fails(*words.split(), code=code)
