# SPDX-License-Identifier: ISC
"""wave rehearse: what a start would do, and nothing is written."""
import datetime
import hashlib
import sqlite3

import pytest

from gateway import Gateway
from until import until

LEGS = {
    "legacy": {"hosts": ["192.0.2.10:25"], "clients": ["192.0.2.10"]},
    "cloud": {"hosts": ["192.0.2.20:25"], "domains": ["tenant.example"]},
}
WAVE = {"zone": "Europe/London",
        "blackout": ["Mon-Fri 07:00-19:00", "2030-12-24-2031-01-02"],
        "per_hour": 100}


@pytest.fixture
def ph(folder):
    gw = Gateway(folder, LEGS, {"dsn": {"via": "mx"}, "wave": WAVE})
    gw.cli("route", "import", "-", stdin="address,route,mailbox,tags\n" +
           "".join(f"u{n:03}@example.com,{'legacy' if n < 150 else 'both'}"
                   f",{f'mb-{n // 2}' if n < 20 else ''},"
                   f"{'vip' if n in (60, 61) else ''}\n"
                   for n in range(200)))
    gw.cli("wave", "create", "w7", "--where", "domain = example.com",
           "--to", "cloud")
    return gw


def rehearse(gw, *words):
    return gw.cli_json("wave", "rehearse", "w7", *words)[0]


def hash_of(gw):
    return hashlib.sha256((gw.folder / "cutover.db").read_bytes()).digest()


def all_rows(gw):
    db = sqlite3.connect(f"file:{gw.folder}/cutover.db?mode=ro", uri=True)
    rows = list(db.iterdump())
    db.close()
    return rows


def test_it_writes_nothing(ph):
    before, rows = hash_of(ph), all_rows(ph)
    said = ph.cli("wave", "rehearse", "w7", "--at", "2030-12-03 20:00")
    assert "200 to cloud: 150 from legacy, 50 from cloud+legacy" in said \
        or "50 from legacy+cloud" in said
    assert "nothing is written" in said
    rehearse(ph)
    assert hash_of(ph) == before and all_rows(ph) == rows


def test_who_is_left_out_and_why(ph):
    ph.cli("flip", "cloud", "u030@example.com")
    ph.cli("flip", "defer", "u031@example.com")
    ph.cli("route", "delete", "u032@example.com")
    ph.cli("wave", "exclude", "--where", "vip", "--note", "they go last")
    r = rehearse(ph)
    assert (r["moves"], r["left_out"]) == (195, 5)
    why = {m["address"]: (m["state"], m["reason"])
           for m in r["members_left_out"]}
    assert why["u032@example.com"] == ("skipped", "no row")
    assert why["u060@example.com"] == ("excluded", "rule 1")
    assert "moved by change" in why["u031@example.com"][1]
    said = ph.cli("wave", "rehearse", "w7")
    assert "LEFT OUT" in said and "u060@example.com" in said
    forced = rehearse(ph, "--force")
    assert forced["left_out"] < 5


def test_the_course_goes_through_pauses_blackouts_and_the_limit(ph):
    r = rehearse(ph, "--at", "2030-12-04 05:30", "--slice", "40",
                 "--pause", "30m")
    # 40 each at 05:30 and 06:00, the third at 06:30, when the first is an
    # hour old; then the blackout begins.
    assert [(p["slices"], p["from"][:16], p.get("waits_for"),
             p.get("until", "")[:16]) for p in r["course"]] == [
        (3, "2030-12-04T05:30", "Mon-Fri 07:00-19:00", "2030-12-04T19:00"),
        (2, "2030-12-04T19:00", None, "")]
    assert r["ends"].startswith("2030-12-04T19:30")
    r = rehearse(ph, "--at", "2030-12-04 19:00", "--slice", "60")
    assert [(p["slices"], p["from"][:16]) for p in r["course"]] == [
        (1, "2030-12-04T19:00"), (1, "2030-12-04T20:00"),
        (2, "2030-12-04T21:00")]  # 60, and the 20 that are left
    assert r["course"][0]["waits_for"] == "wave.per_hour"
    r = rehearse(ph, "--at", "2030-12-24 20:00", "--slice", "100")
    assert r["course"][0]["slices"] == 0
    assert r["course"][0]["until"].startswith("2031-01-03T00:00")


def test_times_of_the_slices_on_record_are_used(ph):
    assert rehearse(ph)["timed_slices"] == 0
    assert "no two slices are on record" in ph.cli("wave", "rehearse", "w7")
    db = sqlite3.connect(ph.folder / "cutover.db")
    (wave,) = db.execute("SELECT wave FROM wave").fetchone()
    for n, at in enumerate((0, 2, 4, 6, 3600), 1):
        db.execute("INSERT INTO slice(wave, run, slice, time, change, "
                   "members) VALUES(?, 1, ?, ?, 0, 10)",
                   (wave, n, 10**15 + at * 10**6))
    db.commit()
    db.close()
    r = rehearse(ph, "--slice", "10", "--at", "2030-12-07 20:00")
    assert (r["timed_slices"], r["slice_ms"]) == (4, 2000)
    first = r["course"][0]
    assert first["slices"] == 10  # 100 an hour
    assert first["to"].startswith("2030-12-07T20:00:18")


def test_a_hold_and_a_rollback_are_told(ph):
    said = ph.cli("wave", "rehearse", "w7", "--hold", "--deadline", "2h")
    assert "how much that is, is not known: " in said
    assert "replayed for 7 d after its delivery" in said


def test_a_hold_tells_the_bytes_that_it_will_keep(make_gw, legacy, cloud):
    gw = make_gw()
    ann, bob, cay = (f"{n}@example.com" for n in ("ann", "bob", "cay"))
    gw.cli("route", "set", "legacy", ann, bob)
    gw.cli("route", "set", "legacy+cloud", cay)
    gw.cli("wave", "create", "w1", ann, bob, "--to", "cloud")
    words = ("wave", "rehearse", "w1", "--hold", "--deadline", "2h")
    (r,) = gw.cli_json(*words)
    assert "less than an hour" in r["hold_unknown"]
    assert "preflight" not in r
    for to in (ann, ann, bob, cay):
        gw.send(to=to, message="Subject: x\r\n\r\n" + 300 * "x\r\n")
    until(lambda: gw.cli_json(*words)[0].get("hold_messages") == 3,
          "three messages of members to be counted")
    (r,) = gw.cli_json(*words)
    # Of an hour at least; all four messages are of one size.
    assert r["hold_window_s"] == 3600
    assert 900 < r["hold_message_bytes"] < 2000
    assert r["hold_bytes"] == 3 * r["hold_message_bytes"] * 2
    (one,) = gw.cli_json(*words, "--slice", "1")
    assert one["hold_bytes"] == r["hold_bytes"] // 2
    said = gw.cli(*words)
    assert "the members got 3 messages in 1 h, of" in said
    assert "hold_bytes" not in gw.cli_json("wave", "rehearse", "w1")[0]
    # A message for two legs is held once.
    gw.cli("wave", "create", "w2", cay, "--to", "cloud")
    until(lambda: gw.cli_json("wave", "rehearse", "w2", *words[3:])[0].get(
        "hold_messages") == 1, "the copy not to be counted")


def test_the_age_of_the_preflight_is_told(make_gw, legacy, cloud):
    gw = make_gw()
    gw.cli("route", "set", "legacy", "ann@example.com")
    gw.cli("wave", "create", "w1", "ann@example.com", "--to", "cloud")
    assert "none is on record" in gw.cli("wave", "rehearse", "w1")
    gw.run("wave", "preflight", "w1")
    until(lambda: "preflight" in gw.cli_json("wave", "rehearse", "w1")[0],
          "the preflight")
    assert " ago: " in gw.cli("wave", "rehearse", "w1")
    # Of another target nothing was asked.
    assert "none is on record for that target" in gw.cli(
        "wave", "rehearse", "w1", "--to", "legacy")


@pytest.mark.parametrize("words, code, why", [
    (["w7", "--at", "2030-12-04"], 2, "is not a time"),
    (["w7", "--at", "2020-12-04 20:00"], 2, "time is over"),
    (["w7", "--at", "2030-03-31 01:30"], 2, "does not exist"),
    (["w8"], 1, "there is no wave w8"),
    (["w7", "--to", "nowhere"], 1, "nowhere"),
])
def test_a_slip_of_the_pen_is_said(ph, words, code, why):
    assert why in ph.cli_fails("wave", "rehearse", *words, code=code)


def test_without_a_target_one_is_needed(ph):
    ph.cli("wave", "create", "w9", "u001@example.com")
    assert "write --to ROUTE" in ph.cli_fails("wave", "rehearse", "w9", code=2)
    said = ph.cli("wave", "rehearse", "w9", "--to", "cloud")
    assert "2 to cloud: 2 from legacy" in said


def test_a_planned_wave_begins_at_its_own_time(ph):
    later = datetime.date.today() + datetime.timedelta(days=400)
    ph.cli("wave", "plan", "--all", "example.com", "--to", "cloud",
           "--calendar", "Mon-Sun 20:00 200", "--from", str(later))
    (name,) = [w["name"] for w in ph.cli_json("wave list")
               if w["name"] != "w7"]
    (r,) = ph.cli_json("wave", "rehearse", name)
    zone_hours = ("19:00", "20:00")  # London, in summer and in winter
    assert r["begins"][:10] == str(later) and r["begins"][11:16] in zone_hours


def test_other_waves_under_way_are_named(ph):
    assert rehearse(ph)["beside"] == []
    assert "beside" not in ph.cli("wave", "rehearse", "w7")
    for name, where, state in (("w8", "vip", "scheduled"),
                               ("w9", "route = legacy", "planned")):
        ph.cli("wave", "create", name, "--where", where)
        db = sqlite3.connect(ph.folder / "cutover.db")
        db.execute("UPDATE wave SET state = ? WHERE name = ?", (state, name))
        db.commit()
        db.close()
    assert rehearse(ph)["beside"] == [
        {"name": "w8", "state": "scheduled", "left": 2}]
    said = ph.cli("wave", "rehearse", "w7")
    assert "wave w8 is scheduled, 2 to go: their slices count in " \
        "wave.per_hour too" in said
