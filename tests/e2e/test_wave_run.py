# SPDX-License-Identifier: ISC
"""Waves that the daemon runs: slices, limits, what a kill leaves, rollback."""
import datetime
import json
import socket

import pytest

from until import until

N = 60
PEOPLE = [f"p{n:03}@example.com" for n in range(N)]


def fill(gw, people=PEOPLE, route="legacy"):
    gw.cli("route", "import", "-", stdin="address,route,tags\n" + "".join(
        f"{a},{route},{'client=apple' if a.endswith('0@example.com') else ''}"
        "\n" for a in people))


def create(gw, name, people, *words):
    gw.cli("wave", "create", name, "--file", "-", *words,
           stdin="\n".join(people))


def shown(gw, name):
    return gw.cli_json("wave", "show", name)[0]


def wait_state(gw, name, state):
    until(lambda: shown(gw, name)["state"] == state, f"{name} {state}")


def routes(gw):
    return {r["address"]: r["route"] for r in gw.cli_json("route export")
            if r["address"][0] != "@"}


def wave_changes(gw):
    """Of each recipient, how often a wave moved it."""
    moved = {}
    for change in gw.cli_json("changes list"):
        if change.get("kind", change["command"]) != "wave":
            continue
        for row in gw.cli_json(f"changes show {change['change']}"):
            if "address" in row:
                moved[row["address"]] = moved.get(row["address"], 0) + 1
    return moved


def test_a_wave_moves_its_members_slice_by_slice(gw, legacy, cloud):
    fill(gw)
    create(gw, "w1", PEOPLE[:50], "--to", "cloud")
    said = gw.cli("wave start w1 --slice 20 --note 'the first'")
    assert "wave w1 is running" in said
    wait_state(gw, "w1", "done")
    moved = routes(gw)
    assert [moved[a] for a in PEOPLE] == ["cloud"] * 50 + ["legacy"] * 10
    until(lambda: gw.events(event="wave", step="end"), "the end's event")
    steps = [(e["step"], e["state"], e.get("members"))
             for e in gw.events(event="wave")]
    assert steps == [("start", "running", None),
                     ("slice-done", "running", 20),
                     ("slice-done", "running", 20),
                     ("slice-done", "running", 10),
                     ("end", "done", None)]
    assert gw.events(event="change", wave="w1")
    w = shown(gw, "w1")
    assert (w["done"], w["left"], w["slices"]) == (50, 0, 3)
    # The daemon went by it.
    legacy_id = gw.send(to=PEOPLE[55])
    cloud_id = gw.send(to=PEOPLE[5])
    legacy.wait_message(legacy_id)
    cloud.wait_message(cloud_id)
    # An undo of a slice shows.
    change = gw.events(event="wave", step="slice-done")[2]["change"]
    gw.cli(f"undo {change}")
    w = shown(gw, "w1")
    assert (w["done"], w["left"]) == (40, 10)


def test_a_large_slice_of_a_table_that_was_there_at_the_start(make_gw):
    """Its temporary files are where the sandbox lets them be."""
    gw = make_gw(start=False)
    people = [f"user{n}@example.com" for n in range(20000)]
    fill(gw, people)
    create(gw, "w1", people[:9000], "--to", "cloud")
    gw.start()
    gw.cli("wave start w1 --slice 9000")
    until(lambda: shown(gw, "w1")["state"] != "running", "an end")
    w = shown(gw, "w1")
    assert (w["state"], w["reason"], w["slices"]) == ("done", "", 1)
    gw.cli("wave rollback w1")
    assert set(routes(gw).values()) == {"legacy"}


def test_a_start_may_wait_for_the_end(gw):
    fill(gw)
    create(gw, "w1", PEOPLE[:30], "--to", "cloud")
    said = gw.cli("wave start w1 --slice 10 --wait")
    lines = said.splitlines()
    assert (lines[0], lines[-1]) == ("wave w1 is running", "wave w1 is done")
    create(gw, "w2", PEOPLE[30:], "--to", "cloud")
    start = gw.spawn("wave", "start", "w2", "--slice", "1", "--pause", "1h",
                     "--wait")
    until(lambda: shown(gw, "w2")["done"] == 1, "a slice")
    assert start.poll() is None
    gw.cli("wave pause w2")
    assert start.wait() == 1


def test_three_waves_share_the_hour(make_gw):
    gw = make_gw({"wave": {"per_hour": 30}})
    fill(gw)
    for n in range(3):
        create(gw, f"w{n}", PEOPLE[n * 20:n * 20 + 20], "--to", "cloud")
        gw.cli(f"wave start w{n} --slice 5")
    until(lambda: sum(r == "cloud" for r in routes(gw).values()) == 30,
          "thirty of sixty")
    waiting = [w for w in (shown(gw, f"w{n}") for n in range(3))
               if w["state"] == "running"]
    assert waiting
    for w in waiting:
        assert w["waits_for"] == "wave.per_hour"
    assert sum(r == "cloud" for r in routes(gw).values()) == 30
    # Told by the slices on record, so a restart resets nothing.
    gw.restart()
    assert sum(r == "cloud" for r in routes(gw).values()) == 30
    gw.set("wave", per_hour=1000)
    assert gw.reload()
    for n in range(3):
        wait_state(gw, f"w{n}", "done")
    assert set(routes(gw).values()) == {"cloud"}


def test_no_slice_begins_in_a_blackout(make_gw):
    today = datetime.datetime.now(datetime.timezone.utc)
    tomorrow = today + datetime.timedelta(days=1)
    day = f"{today:%a}-{tomorrow:%a}"
    gw = make_gw({"wave": {"blackout": [f"{day} UTC"], "zone": "UTC"}})
    fill(gw)
    create(gw, "w1", PEOPLE[:5], "--to", "cloud")
    gw.cli("wave start w1")
    until(lambda: shown(gw, "w1").get("waits_for") == "the end of a blackout",
          "the wave to wait")
    assert set(routes(gw).values()) == {"legacy"}
    # A time inside is refused.
    create(gw, "w2", PEOPLE[5:9], "--to", "cloud")
    week = (today + datetime.timedelta(days=7)).strftime("%Y-%m-%d")
    said = gw.cli_fails("wave", "schedule", "w2", "--at", f"{week} 12:00")
    assert f"inside the blackout \"{day} UTC\"" in said
    gw.set("wave", blackout=[], zone="UTC")
    assert gw.reload()
    wait_state(gw, "w1", "done")


def test_a_schedule_is_kept_changed_and_taken_away(gw):
    fill(gw)
    create(gw, "w1", PEOPLE[:5])
    assert "has no target" in gw.cli_fails(
        "wave", "schedule", "w1", "--at", "2190-01-01T00:00:00Z")
    soon = datetime.datetime.now(datetime.timezone.utc) + \
        datetime.timedelta(days=2)
    gw.cli("wave", "schedule", "w1", "cloud", "--at",
           soon.strftime("%Y-%m-%d %H:%M"), "--zone", "Europe/London",
           "--slice", "3", "--pause", "2m", "--late", "1h")
    w = shown(gw, "w1")
    assert (w["state"], w["route"], w["slice"], w["pause_s"], w["late_s"],
            w["zone"]) == ("scheduled", "cloud", 3, 120, 3600,
                           "Europe/London")
    gw.cli("wave unschedule w1")
    assert shown(gw, "w1")["state"] == "planned"
    soon = datetime.datetime.now(datetime.timezone.utc) + \
        datetime.timedelta(seconds=2)
    gw.cli("wave", "schedule", "w1", "--at",
           soon.strftime("%Y-%m-%dT%H:%M:%SZ"), "--slice", "1000")
    wait_state(gw, "w1", "done")
    assert "wave w1 is done: start is refused" in gw.cli_fails(
        "wave start w1")


@pytest.mark.parametrize("words, why", [
    ("wave start none cloud", "there is no wave none"),
    ("wave pause w1", "wave w1 is planned: pause is refused; possible now: "
     "schedule, start, delete"),
    ("wave start w1 moon", "'moon' is no leg"),
    ("wave start w1", "wave w1 has no target"),
    ("wave rollback w1", "wave w1 is planned: rollback is refused"),
])
def test_a_refusal_says_what_is_allowed(gw, words, why):
    fill(gw)
    create(gw, "w1", PEOPLE[:5])
    assert why in gw.cli_fails(words)


@pytest.mark.parametrize("words, why", [
    ("wave schedule w1 cloud", "say when by --at: wave w1 was not planned"),
    ("wave schedule w1 cloud --at '2026-01-01 10:00' --zone Europe/Londn",
     "--zone"),
    ("wave schedule w1 cloud --at 2020-01-01T00:00:00Z", "that time is over"),
    ("wave start w1 cloud --slice 0", "--slice"),
    ("wave start w1 cloud --pause soon", "--pause"),
])
def test_a_slip_of_the_pen_is_said(gw, words, why):
    fill(gw)
    create(gw, "w1", PEOPLE[:5])
    assert why in gw.cli_fails(words, code=2)


@pytest.mark.parametrize("number", [
    {"slice": 2**62}, {"pause_s": 2**62}, {"late_s": 2**62},
    {"at_us": 2**63 - 1}, {"at_us": -2**63}])
def test_numbers_that_are_out_of_range_are_refused(gw, number):
    fill(gw)
    create(gw, "w1", PEOPLE[:5], "--to", "cloud")
    asked = {"command": "wave.order",
             "args": {"name": "w1", "event": "schedule", **number}}
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(gw.folder / "control.sock"))
        s.sendall(json.dumps(asked).encode() + b"\n")
        end = json.loads(s.makefile().readline())["end"]
    assert end["exit"] == 2 and "at most" in end["error"]
    assert shown(gw, "w1")["state"] == "planned"


def test_a_second_active_wave_of_a_recipient_is_refused(gw):
    fill(gw)
    create(gw, "w1", PEOPLE[:5], "--to", "cloud")
    create(gw, "w2", PEOPLE[3:8], "--to", "cloud")
    gw.cli("wave schedule w1 --at 2190-01-01T00:00:00Z")
    said = gw.cli_fails("wave start w2")
    assert "line 1: p003@example.com is in wave w1" in said


def test_a_kill_between_slices_loses_and_doubles_nothing(gw):
    """kill -9, again and again, while slices of one are made."""
    fill(gw)
    create(gw, "w1", PEOPLE, "--to", "cloud")
    gw.cli("wave start w1 --slice 1")
    last = 0
    for n in range(8):
        want = min(last + 4 + n % 3, N)
        until(lambda: shown(gw, "w1")["done"] >= want, "some slices")
        gw.kill()
        last = shown(gw, "w1")["done"]
        gw.start()
    wait_state(gw, "w1", "done")
    assert wave_changes(gw) == dict.fromkeys(PEOPLE, 1)
    w = shown(gw, "w1")
    assert (w["slices"], w["done"], w["skipped"]) == (N, N, 0)
    assert set(routes(gw).values()) == {"cloud"}


def test_a_kill_amid_a_rollback_goes_on_with_it(gw):
    fill(gw)
    create(gw, "w1", PEOPLE, "--to", "cloud")
    gw.cli("wave start w1 --slice 2")
    wait_state(gw, "w1", "done")
    gw.cli("wave rollback w1 --slice 2")
    for left in (50, 40, 30, 10):
        until(lambda: sum(r == "cloud" for r in routes(gw).values()) <= left,
              f"{left} or fewer")
        gw.kill()
        gw.start()
    wait_state(gw, "w1", "rolled-back")
    assert set(routes(gw).values()) == {"legacy"}
    # Started again, it is the next run.
    gw.cli("wave start w1")
    wait_state(gw, "w1", "done")
    assert set(routes(gw).values()) == {"cloud"}
    assert shown(gw, "w1")["run"] == 2


def test_a_rollback_names_who_keeps_what_it_has(gw):
    fill(gw)
    create(gw, "w1", PEOPLE[:12], "--to", "cloud")
    gw.cli("wave start w1")
    wait_state(gw, "w1", "done")
    gw.cli(f"flip both {PEOPLE[3]}")
    rows = gw.cli_json("wave rollback w1 --note why")
    assert rows[0] == {"address": PEOPLE[3],
                       "keeps": "route is cloud+legacy by now"}
    assert rows[1]["recipients"] == 11 and rows[1]["state"] == "rolled-back"
    moved = routes(gw)
    assert [moved[a] for a in PEOPLE[:5]] == [
        "legacy", "legacy", "legacy", "cloud+legacy", "legacy"]
    change = [c for c in gw.cli_json("changes list")
              if c["change"] == rows[1]["change"]][0]
    assert change["note"] == "why"


def test_some_members_go_back_alone(gw):
    fill(gw)
    create(gw, "w1", PEOPLE[:25], "--to", "cloud")
    gw.cli("wave start w1")
    wait_state(gw, "w1", "done")
    said = gw.cli("wave", "rollback", "w1", "--where", "client=apple")
    assert "3 recipients; wave w1 is done" in said
    assert [a for a, r in routes(gw).items() if r == "legacy"] == \
        [PEOPLE[0], PEOPLE[10], PEOPLE[20]] + PEOPLE[25:]


def test_who_started_it_is_a_decision(gw):
    fill(gw)
    create(gw, "w1", PEOPLE[:2], "--to", "cloud")
    gw.cli("wave start w1 --note 'go'")
    wait_state(gw, "w1", "done")
    e = gw.wait_event("wave", step="start")
    assert e["who"]
    assert [(d["command"], d.get("why", "")) for d in gw.cli_json(
        "wave show w1 --decisions") if "command" in d] == [
            ("wave create", ""), ("wave start", "go")]


def test_a_note_that_is_too_long_is_refused(gw):
    fill(gw, PEOPLE[:1])
    create(gw, "w1", PEOPLE[:1])
    assert "have at most 1000 bytes" in gw.cli_fails(
        "wave", "start", "w1", "cloud", "--note", "x" * 1001, code=2)
    assert gw.cli_json("wave show w1")[0]["state"] == "planned"
    gw.cli("wave", "start", "w1", "cloud", "--note", "x" * 1000, "--wait")
