# SPDX-License-Identifier: ISC
"""Slices that soak (`wave start --soak`): the brake, over kill -9, and
complaints."""
import pytest

from shift import HOUR_S, Shift
from until import until

PEOPLE = [f"p{n}@example.com" for n in range(10)]
SLICE, REST = PEOPLE[:5], PEOPLE[5:]


@pytest.fixture
def shift(folder):
    return Shift(folder)


@pytest.fixture
def gw(make_gw, shift):
    gw = make_gw(start=False)
    gw.environment = shift.environment
    gw.start()
    gw.cli("route", "import", "-", stdin="address,route,tags\n" + "".join(
        f"{a},legacy,client={'apple' if a in SLICE[:2] else 'other'}\n"
        for a in PEOPLE))
    return gw


def start(gw, *words):
    gw.cli("wave", "create", "w1", "--file", "-", "--to", "cloud",
           stdin="\n".join(PEOPLE))
    gw.cli("wave", "start", "w1", "--slice", "5", *words)
    until(lambda: soak(gw), "the first slice")


def shown(gw):
    return gw.cli_json("wave", "show", "w1")[0]


def soak(gw):
    return shown(gw).get("soak", {})


def mail(gw, people, n=1):
    for _ in range(n):
        for address in people:
            gw.send(to=address)


def wait_counted(gw, shift, **want):
    """Figures are written down every ten seconds."""
    def looked():
        shift.forward(gw, 10)
        return all(soak(gw)["now"][k] >= v for k, v in want.items())
    until(looked, lambda: f"{want}; there are {soak(gw)}")


def tags(gw, *words):
    return {r["tag"]: r for r in gw.cli_json("complaints", *words)}


def wait_ledger(gw, tried):
    until(lambda: tags(gw)[""]["tried"] == tried, lambda: tags(gw))


def wait_state(gw, state):
    until(lambda: shown(gw)["state"] == state,
          lambda: f"{state}; it is {shown(gw)}")


def routes(gw):
    return {r["address"]: r["route"] for r in gw.cli_json("route export")
            if r["address"] in PEOPLE}


def test_a_good_slice_is_followed_by_the_next(gw, legacy, cloud, shift):
    mail(gw, SLICE, 2)
    wait_ledger(gw, 10)
    start(gw, "--soak", "1h")
    mail(gw, SLICE, 11)
    wait_counted(gw, shift, delivered=55)
    assert shown(gw)["waits_for"] == "the soak of the newest slice"
    now = soak(gw)
    assert now["now"]["failed"] == 0 and now["end"] == "open"
    assert now["before"] == {"delivered": 10, "failed": 0, "trouble": 0}
    assert routes(gw)["p7@example.com"] == "legacy"
    shift.forward(gw, HOUR_S)
    until(lambda: soak(gw).get("slice") == 2, lambda: f"slice 2 {shown(gw)}")
    assert set(routes(gw).values()) == {"cloud"}
    # Nothing comes for the second one: it is never good by silence.
    shift.forward(gw, 4 * HOUR_S + 10)
    wait_state(gw, "paused")
    assert soak(gw)["end"] == "inconclusive"
    gw.cli("wave resume w1 --accept --note 'nobody writes to them'")
    wait_state(gw, "done")
    assert soak(gw)["end"] == "accepted" and soak(gw)["who"]


def test_a_bad_slice_stops_the_wave_and_goes_back_over_a_kill(
        gw, legacy, cloud, shift):
    mail(gw, SLICE, 4)
    wait_ledger(gw, 20)
    start(gw, "--soak", "1h", "--on-bad", "rollback")
    for address in SLICE[:4]:
        cloud.reply("RCPT", "452 4.2.2 mailbox full", to=address)
    mail(gw, [SLICE[0], SLICE[1], SLICE[4]])
    wait_counted(gw, shift, failed=2, delivered=1)
    before = soak(gw)
    gw.kill()
    gw.start()
    after = soak(gw)
    assert {k: after[k] for k in ("now", "before", "users", "began")} == {
        k: before[k] for k in ("now", "before", "users", "began")}
    assert after["users"] == 2 and after["end"] == "open"
    mail(gw, SLICE[:4])
    wait_state(gw, "paused")
    now = soak(gw)
    assert now["end"] == "bad" and now["verdict"] == "bad"
    # Each delivery counts once, by its first attempt, the kill in between
    # or not.
    assert now["now"] == {"delivered": 1, "failed": 6, "trouble": 0}
    assert now["users"] == 4
    alarm = gw.wait_event("alarm", kind="brake")
    assert alarm["about"] == "w1" and "6 of 7 deliveries" in alarm["text"]
    until(lambda: "back" in soak(gw), "the slice's rollback")
    assert set(routes(gw).values()) == {"legacy"}
    # What waits for them goes where it is taken.
    gw.wait_empty()
    assert len(legacy.mails) == 20 + 6
    assert shown(gw)["state"] == "paused"


def test_a_leg_that_takes_no_mail_stops_it_as_such(gw, legacy, cloud, shift):
    start(gw, "--soak", "1h")
    gw.cli("leg suspend cloud")
    shift.forward(gw, 10)
    wait_state(gw, "paused")
    assert soak(gw)["end"] == "leg"
    assert shown(gw)["reason"].startswith("leg: slice 1: 0 of 0")
    gw.cli("leg resume cloud")
    gw.cli("wave resume w1")
    until(lambda: soak(gw).get("end") == "open", "a soak anew")
    assert gw.cli_fails("wave pause w1 --accept", code=2)


def test_complaints_stop_it_and_tags_tell_whose_mail_fails(
        gw, legacy, cloud, shift):
    start(gw, "--complaints", "2")
    wait_state(gw, "done")
    gw.cli("wave rollback w1")
    gw.cli("wave", "start", "w1", "cloud", "--slice", "5", "--pause", "1h",
           "--complaints", "2")
    until(lambda: routes(gw)["p0@example.com"] == "cloud", "the first slice")
    for address in SLICE[:2]:
        cloud.reply("RCPT", "550 5.1.1 no such user", to=address)
    mail(gw, PEOPLE, 3)
    gw.cli("complaints", "add", "P0@example.com", "--note", "no calendar")
    assert "has no row" in gw.cli_fails(
        "complaints add nobody@example.com --note x")
    assert "--note" in gw.cli_fails("complaints add p1@example.com", code=2)
    assert shown(gw)["state"] == "running"
    gw.cli("complaints", "add", "p1@example.com", "--note", "no mail")
    wait_state(gw, "paused")
    assert soak(gw)["end"] == "complaints"
    assert "2 members complained" in gw.wait_event("alarm",
                                                   kind="brake")["text"]
    wait_ledger(gw, 30)
    apple = tags(gw)["client=apple"]
    assert list(tags(gw))[1] == "client=apple"
    assert (apple["recipients"], apple["tried"], apple["failed"],
            apple["complaints"]) == (2, 6, 6, 2)
    assert apple["percent"] == 100 and apple["lower"] > 50
    assert tags(gw)["client=other"]["failed"] == 0
    assert tags(gw, "--wave", "w1")[""]["recipients"] == 10
    assert "client=apple" in gw.cli("complaints --since yesterday")
    assert "30 days" in gw.cli_fails("complaints --since -40d")
    assert "--accept" in gw.cli_fails("wave resume w1")
    gw.cli("wave resume w1 --accept --note 'both are old programs'")
    wait_state(gw, "running")
    decided = [r for r in gw.cli_json("wave show w1 --decisions")
               if "accepted: complaints" in r.get("detail", "")]
    assert decided[0]["why"] == "both are old programs"
