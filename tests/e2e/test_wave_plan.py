# SPDX-License-Identifier: ISC
"""wave plan: no daemon runs here. Times are compared with Python's zoneinfo."""
import collections
import datetime
import random
import sqlite3
import zoneinfo

import pytest

from gateway import Gateway

LEGS = {
    "legacy": {"hosts": ["192.0.2.10:25"], "clients": ["192.0.2.10"]},
    "cloud": {"hosts": ["192.0.2.20:25"], "domains": ["tenant.example"]},
}
ALL = ("wave", "plan", "--all", "example.com", "--to", "cloud")
UTC = datetime.timezone.utc


def make(folder, rows, wave=None):
    gw = Gateway(folder, LEGS, {"dsn": {"via": "mx"}, "wave": wave or {}})
    gw.cli("route", "import", "-", stdin="address,route,mailbox,tags\n" +
           "".join(f"{','.join(row)}\n" for row in rows))
    return gw


@pytest.fixture
def ph(folder):
    """400 mailboxes of three departments, a quarter with two addresses."""
    rows = []
    for n in range(400):
        tags = f"dept={('sales', 'it', 'hr')[n % 7 % 3]}"
        tags += " vip" if n % 20 == 3 else ""
        tags += f" together=t{n % 3}" if n % 50 < 2 else ""
        rows += [(f"u{n:03}{extra}@example.com", "legacy",
                  f"mb-{n}" if n % 4 == 0 else "", tags)
                 for extra in (["", "-alias"] if n % 4 == 0 else [""])]
    return make(folder, rows)


def members(gw):
    """The members of each wave, as the table's file has them."""
    db = sqlite3.connect(f"file:{gw.folder}/cutover.db?mode=ro", uri=True)
    waves = collections.defaultdict(set)
    for name, address in db.execute(
            "SELECT w.name, m.address FROM wave w JOIN member m USING (wave)"):
        waves[name].add(address)
    db.close()
    return dict(waves)


def plan(gw, *words):
    return gw.cli_json(*ALL, "--zone", "Europe/London", "--from",
                       "2030-12-02", *words)


CALENDAR = ("--calendar", "Mon-Thu 20:00 60, Fri 20:00 150")


def test_a_plan_is_a_calendar_of_waves(ph):
    rows = plan(ph, *CALENDAR, "--seed", "7", "--note", "the big move")
    assert [(r["name"], r["local"], r["at"]) for r in rows[:5]] == [
        (f"w-2030-12-0{d}", f"2030-12-0{d} 20:00 GMT",
         f"2030-12-0{d}T20:00:00Z") for d in (2, 3, 4, 5, 6)]
    assert [r["members"] for r in rows] == [60, 60, 60, 60, 150, 60, 50]
    there = members(ph)
    assert {r["name"]: r["members"] for r in rows} == \
        {name: len(who) for name, who in there.items()}
    assert sum(map(len, there.values())) == len(set().union(*there.values()))
    listed = {w["name"]: w for w in ph.cli_json("wave list")}
    first = listed["w-2030-12-02"]
    assert first["state"] == "planned" and first["route"] == "cloud"
    assert first["at"].startswith("2030-12-02T20:00:00")
    assert first["note"] == "the big move"


def test_the_seed_repeats_a_plan(ph):
    plan(ph, *CALENDAR, "--seed", "7", "--name", "a")
    plan(ph, *CALENDAR, "--seed", "7", "--name", "b")
    plan(ph, *CALENDAR, "--seed", "8", "--name", "c")
    there = members(ph)

    def of(prefix):
        return [there[n] for n in sorted(there) if n.startswith(prefix)]
    assert of("a-") == of("b-")
    assert of("a-") != of("c-")


def test_mailboxes_and_those_together_are_in_one_wave(ph):
    plan(ph, *CALENDAR)
    wave = {a: name for name, who in members(ph).items() for a in who}
    rows = [r for r in ph.cli_json("route list") if r["address"][0] != "@"]
    groups = collections.defaultdict(set)
    for row in rows:
        assert row["address"] in wave
        for key in filter(None, [row["mailbox"], *(
                t for t in row["tags"] if t.startswith("together="))]):
            groups[key].add(wave[row["address"]])
    assert len(groups) > 100
    assert {len(g) for g in groups.values()} == {1}


def test_each_department_has_its_share(ph):
    rows = plan(ph, *CALENDAR, "--spread", "dept")
    listed = [r for r in ph.cli_json("route list") if r["address"][0] != "@"]
    dept = {r["address"]: next(t for t in r["tags"] if t.startswith("dept="))
            for r in listed}
    # No group is larger than that of a tag together=, with its aliases.
    largest = max(collections.Counter(
        t for r in listed for t in r["tags"]
        if t.startswith("together=")).values())
    total = collections.Counter(dept.values())
    for name, who in members(ph).items():
        for value, n in collections.Counter(map(dept.get, who)).items():
            share = total[value] * len(who) / len(dept)
            assert abs(n - share) <= largest + 1, (name, value, n, share)
    assert len(rows) == 7


def test_first_and_last(ph):
    plan(ph, *CALENDAR, "--first", "vip", "--last", "dept=hr")
    listed = [r for r in ph.cli_json("route list") if r["address"][0] != "@"]
    vip = {r["address"]: "vip" in r["tags"]
           for r in listed}
    there = members(ph)
    assert all(vip[a] is False for name, who in there.items() for a in who
               if name > "w-2030-12-03")
    last = set().union(*(who for name, who in there.items()
                         if name > "w-2030-12-06"))
    tags = {r["address"]: r["tags"] for r in listed}
    alone = [a for a in last if not any("together=" in t for t in tags[a])]
    assert len(alone) > 80
    assert all("dept=hr" in tags[a] for a in alone)


def test_an_expression_takes_whole_mailboxes(folder):
    gw = make(folder, [("ann@example.com", "legacy", "m", "x"),
                       ("anne@example.com", "legacy", "m", ""),
                       ("bob@example.com", "legacy", "", ""),
                       ("cid@example.com", "cloud", "", "x")])
    said = gw.cli("wave", "plan", "--where", "x", "--to", "cloud", *CALENDAR,
                  "--zone", "UTC", "--from", "2030-12-02")
    assert "1 recipient with that route already: left out" in said
    assert list(members(gw).values()) == [
        {"ann@example.com", "anne@example.com"}]


def test_a_dry_run_writes_nothing(ph):
    before = (ph.folder / "cutover.db").read_bytes()
    rows = plan(ph, *CALENDAR, "--dry-run")
    assert len(rows) == 7
    assert ph.cli_json("wave list") == []
    assert (ph.folder / "cutover.db").read_bytes() == before


def test_scheduled_at_once_and_then_left_out_of_another_plan(ph):
    plan(ph, *CALENDAR, "--schedule", "--slice", "20", "--pause", "5m")
    waves = ph.cli_json("wave list")
    assert {w["state"] for w in waves} == {"scheduled"}
    assert "no recipient is selected" in ph.cli_fails(
        *ALL, "--zone", "UTC", "--from", "2030-12-02", *CALENDAR, "--name",
        "x")


@pytest.mark.parametrize("words, why", [
    (["--from", "2030-12-02"], "needs --calendar"),
    ([*CALENDAR], "needs --calendar"),
    ([*CALENDAR, "--from", "2030-12-02"], "needs a zone"),
    ([*CALENDAR, "--from", "2030-13-02", "--zone", "UTC"], "is not a date"),
    ([*CALENDAR, "--from", "2030-12-02", "--zone", "Europe/Londen"],
     "there is no zone"),
    (["--calendar", "Tue 8pm 5", "--from", "2030-12-02", "--zone", "UTC"],
     "is not a part of a calendar"),
    ([*CALENDAR, "--from", "2030-12-02", "--zone", "UTC", "--seed", "x"],
     "--seed wants a number"),
    ([*CALENDAR, "--from", "2030-12-02", "--zone", "UTC", "--first", "and"],
     "--first"),
    ([*CALENDAR, "--from", "2030-12-02", "--zone", "UTC", "--hold"],
     "--hold and --deadline go together"),
    ([*CALENDAR, "--from", "2030-12-02", "--zone", "UTC", "--skip", "x"],
     "--skip"),
])
def test_a_slip_of_the_pen_is_said(ph, words, why):
    assert why in ph.cli_fails(*ALL, *words, code=2)


@pytest.mark.parametrize("words, why", [
    (["--from", "2020-12-02", *CALENDAR], "in the past"),
    (["--from", "2030-12-02", "--calendar", "Mon-Sun 20:00 3"],
     "stay together are more than the largest wave"),
    (["--from", "2030-03-31", "--calendar", "Sun 01:30 60"],
     "the nearest times are 2030-03-31T00:59:59Z and "
     "2030-03-31T02:00:00+01:00; leave that date out with --skip 2030-03-31"),
    (["--from", "2030-10-27", "--calendar", "Sun 01:30 60"],
     "comes twice in Europe/London"),
])
def test_a_plan_that_cannot_be_is_refused(ph, words, why):
    assert why in ph.cli_fails(*ALL, "--zone", "Europe/London", *words)
    assert members(ph) == {}


def test_no_wave_is_in_a_blackout(folder):
    gw = make(folder, [("ann@example.com", "legacy", "", "")], {
        "zone": "Europe/London",
        "blackout": ["Mon-Fri 07:00-19:00", "2030-12-24-2031-01-02"]})
    words = [*ALL, "--calendar", "Tue 19:00 5", "--from"]
    assert 'inside the blackout "2030-12-24-2031-01-02"; leave that date ' \
        "out with --skip 2030-12-24" in gw.cli_fails(*words, "2030-12-18")
    assert 'inside the blackout "Mon-Fri 07:00-19:00"' in gw.cli_fails(
        *ALL, "--calendar", "Tue 18:59 5", "--from", "2030-12-02")
    rows = gw.cli_json(*words, "2030-12-18", "--skip", "2030-12-24",
                       "--skip", "2030-12-31")
    assert [r["local"] for r in rows] == ["2031-01-07 19:00 GMT"]


ZONES = ["Africa/Cairo", "Africa/Casablanca", "Africa/Johannesburg",
         "Africa/Lagos", "America/Argentina/Buenos_Aires", "America/Bogota",
         "America/Caracas", "America/Chicago", "America/Denver",
         "America/Havana", "America/Los_Angeles", "America/Mexico_City",
         "America/New_York", "America/Nuuk", "America/Santiago",
         "America/Sao_Paulo", "America/St_Johns", "Antarctica/Troll",
         "Asia/Gaza", "Asia/Hong_Kong", "Asia/Jerusalem", "Asia/Kathmandu",
         "Asia/Kolkata", "Asia/Tehran", "Asia/Tokyo", "Australia/Adelaide",
         "Australia/Lord_Howe", "Australia/Sydney", "Europe/Berlin",
         "Europe/Dublin", "Europe/Istanbul", "Europe/Lisbon",
         "Europe/London", "Europe/Moscow", "Pacific/Apia",
         "Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati",
         "Atlantic/Azores", "UTC"]


def skipped_or_twice(local, zone):
    """Not one moment: the offsets before and after differ."""
    offsets = {local.replace(tzinfo=zone, fold=f).utcoffset()
               for f in (0, 1)}
    return len(offsets) > 1


def test_times_are_those_of_zoneinfo(folder):
    """A wave a day for five hundred days, at a time by chance, in 40 zones."""
    gw = make(folder, [(f"u{n}@example.com", "legacy", "", "")
                       for n in range(500)])
    chance = random.Random(11)
    first = datetime.date(2030, 1, 1)
    for name in ZONES:
        zone = zoneinfo.ZoneInfo(name)
        time = datetime.time(chance.randrange(24), chance.randrange(60))
        days = [first + datetime.timedelta(d) for d in range(520)]
        local = [datetime.datetime.combine(d, time) for d in days]
        bad = [t.date() for t in local if skipped_or_twice(t, zone)]
        skip = [w for d in bad for w in ("--skip", str(d))]
        rows = gw.cli_json(*ALL, "--zone", name, "--from", str(first),
                           "--calendar", f"Mon-Sun {time:%H:%M} 1", *skip,
                           "--dry-run")
        want = [t.replace(tzinfo=zone).astimezone(UTC) for t in local
                if t.date() not in bad][:500]
        assert [r["at"] for r in rows] == \
            [f"{t:%Y-%m-%dT%H:%M:%SZ}" for t in want], (name, time)


@pytest.mark.parametrize("name", ["Europe/London", "Europe/Dublin",
                                  "Australia/Lord_Howe"])
def test_both_clock_changes_of_a_year(folder, name):
    """Every half hour of 2031 around the changes: those that zoneinfo has
    once are taken, the others are refused."""
    gw = make(folder, [("ann@example.com", "legacy", "", "")])
    zone = zoneinfo.ZoneInfo(name)
    counts = collections.Counter()
    for month in (3, 4, 10):
        days = [datetime.date(2031, month, d) for d in range(1, 31)]
        changes = [d for d in days if d.weekday() == 6 and len({
            datetime.datetime.combine(d, datetime.time(h)).replace(
                tzinfo=zone).utcoffset() for h in (0, 5)}) == 2]
        for day in changes:
            for minute in range(0, 240, 15):
                at = datetime.time(minute // 60, minute % 60)
                local = datetime.datetime.combine(day, at)
                words = [*ALL, "--zone", name, "--from", str(day),
                         "--calendar", f"Sun {at:%H:%M} 1", "--dry-run",
                         "--json"]
                done = gw.run(*words)
                before, after = (local.replace(tzinfo=zone, fold=f)
                                 .utcoffset() for f in (0, 1))
                kind = "once" if before == after else \
                    "twice" if before > after else "none"
                counts[kind] += 1
                assert (done.returncode == 0) == (kind == "once"), local
                if kind == "twice":
                    assert "comes twice" in done.stderr
                elif kind == "none":
                    assert "does not exist" in done.stderr
    step = 2 if name == "Australia/Lord_Howe" else 4
    assert (counts["none"], counts["twice"]) == (step, step)


def test_a_planned_wave_is_scheduled_for_its_time(ph):
    plan(ph, *CALENDAR)
    ph.cli("wave", "create", "w7", "u001@example.com", "--to", "cloud")
    ph.start()
    try:
        said = ph.cli("wave", "schedule", "w-2030-12-03", "--zone",
                      "Europe/Paris")
        assert said == ("wave w-2030-12-03 is scheduled for 2030-12-03 21:00 "
                        "CET (UTC 2030-12-03T20:00:00Z); its preflight runs "
                        "12 h before, or now\n")
        said = ph.cli("wave", "schedule", "w-2030-12-04", "--at",
                      "2031-06-04 20:00", "--zone", "Europe/London")
        assert "2031-06-04 20:00 BST (UTC 2031-06-04T19:00:00Z)" in said
        said = ph.cli("wave", "schedule", "w-2030-12-05", "--at",
                      "2031-06-04T20:00:00+01:00")
        assert "is scheduled for 2031-06-04T19:00:00Z; " in said
        at = {w["name"]: (w["state"], w["at"][:16])
              for w in ph.cli_json("wave list") if "at" in w}
        assert at["w-2030-12-03"] == ("scheduled", "2030-12-03T20:00")
        assert at["w-2030-12-04"] == ("scheduled", "2031-06-04T19:00")
        assert at["w-2030-12-06"] == ("planned", "2030-12-06T20:00")
        for words, why in [
                (["w7"], "was not planned for a time"),
                (["w7", "--at", "2031-06-04 20:00"], "needs a zone"),
                (["w7", "--at", "2020-06-04T20:00Z"], "is over"),
                (["w7", "--at", "2031-03-30 01:30", "--zone",
                  "Europe/London"], "does not exist in Europe/London")]:
            assert why in ph.cli_fails("wave", "schedule", *words, code=2)
    finally:
        ph.stop()
