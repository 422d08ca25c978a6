# SPDX-License-Identifier: ISC
"""The judge of tests/sim/migration finds what was put into its logs. No
daemon runs here."""
import copy
import datetime
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "sim"))

from migration_check import Judge, judge_pace            # noqa: E402

ANN, BOB, CID = (f"{name}@example.com" for name in ("ann", "bob", "cid"))
UTC = datetime.timezone.utc


def change(number, kind, **routes):
    return {"change": number, "time": f"2027-03-22T12:00:{number * 10:02}Z",
            "kind": kind, "recipients": len(routes),
            "routes": {f"{who}@example.com": r for who, r in routes.items()}}


def event(at, name, **fields):
    """`at`: seconds, and the place in the journal."""
    return {"time": f"2027-03-22T12:00:{at:02}Z", "pos": f"1:{at * 100}",
            "event": name, **fields}


def delivered(at, id, to, leg, by, **fields):
    return event(at, "delivered", id=id, to=to, leg=leg, change=by, **fields)


def receipt(id, to, leg):
    return {"id": id, "to": [to], "leg": leg}


@pytest.fixture
def logs():
    """Ann: legacy, the cloud, back by a rollback. m1 is before the flip, m2
    behind it, and replayed; m3 is to Cid and both legs, m4 to Bob, whose
    route stays."""
    return {
        "changes": [
            change(1, "rows", ann="legacy", bob="legacy", cid="legacy"),
            change(2, "wave", ann="cloud"),
            change(3, "rows", cid="cloud+legacy"),
            change(4, "rollback", ann="legacy", cid="legacy")],
        "sent": [{"id": f"m{n}", "to": [who]} for n, who in
                 enumerate((ANN, ANN, CID, BOB), 1)],
        "receipts": [
            receipt("m1", ANN, "legacy"), receipt("m2", ANN, "cloud"),
            receipt("m2", ANN, "legacy"), receipt("m3", CID, "cloud"),
            receipt("m3", CID, "legacy"), receipt("m4", BOB, "legacy")],
        "events": [
            event(10, "change", change=1),
            event(12, "accepted", id="m1"), event(13, "accepted", id="m4"),
            delivered(14, "m1", ANN, "legacy", 1),
            delivered(15, "m4", BOB, "legacy", 1),
            event(20, "change", change=2), event(22, "accepted", id="m2"),
            delivered(24, "m2", ANN, "cloud", 2),
            event(30, "change", change=3), event(32, "accepted", id="m3"),
            delivered(34, "m3", CID, "cloud", 3),
            delivered(35, "m3", CID, "legacy", 3),
            event(40, "change", change=4),
            event(44, "replayed", id="m2", to=ANN, leg="legacy"),
            delivered(46, "m2", ANN, "legacy", 4)]}


def faults(logs):
    return Judge(**logs).judge()


def drop(rows, **fields):
    rows[:] = [r for r in rows
               if any(r.get(k) != v for k, v in fields.items())]


def of(rows, **fields):
    return next(r for r in rows
                if all(r.get(k) == v for k, v in fields.items()))


def test_what_is_right_has_no_fault(logs):
    assert faults(logs) == []


def test_a_line_of_the_events_may_come_twice(logs):
    logs["events"] += copy.deepcopy(logs["events"][5:9])
    assert faults(logs) == []


def test_lost_on_its_only_leg(logs):
    drop(logs["receipts"], id="m4")
    assert faults(logs) == [f"lost: m4 to {BOB}: legacy has it not"]


def test_lost_without_a_trace(logs):
    drop(logs["receipts"], id="m4")
    drop(logs["events"], id="m4")
    assert faults(logs) == [
        f"lost: m4 to {BOB}: no event says that it was delivered"]


def test_lost_on_one_leg_of_two(logs):
    drop(logs["receipts"], id="m3", leg="legacy")
    drop(logs["events"], id="m3", leg="legacy")
    assert f"lost: m3 to {CID}: change 3 names legacy, which has it not" in \
        faults(logs)


def test_what_a_later_change_took_back_is_not_lost(logs):
    """m3 waits for the cloud until the rollback."""
    drop(logs["receipts"], id="m3", leg="cloud")
    drop(logs["events"], id="m3", leg="cloud")
    assert len(faults(logs)) == 1
    logs["events"].append(event(42, "superseded", id="m3", to=CID,
                                leg="cloud", change=4))
    assert faults(logs) == []


def test_what_nothing_took_back_is_lost_although_an_event_says_so(logs):
    drop(logs["receipts"], id="m3", leg="legacy")
    drop(logs["events"], id="m3", leg="legacy")
    logs["events"].append(event(36, "superseded", id="m3", to=CID,
                                leg="legacy", change=3))
    assert any(f.startswith(f"lost: m3 to {CID}") for f in faults(logs))


@pytest.mark.parametrize("end", ["bounced", "parked", "deleted"])
def test_given_up(logs, end):
    logs["events"].append(event(47, end, id="m4", to=BOB, leg="legacy",
                                change=1))
    assert faults(logs) == [f"lost: m4 to {BOB}: {end} at legacy"]


def test_twice_on_a_leg(logs):
    logs["receipts"].append(receipt("m1", ANN, "legacy"))
    assert faults(logs) == [f"twice: m1 to {ANN}: legacy got it 2 times"]


@pytest.mark.parametrize("mark", ["yes", "possible"])
def test_twice_and_uncertain(logs, mark):
    logs["receipts"].append(receipt("m1", ANN, "legacy"))
    of(logs["events"], id="m1", event="delivered")["uncertain"] = mark
    assert faults(logs) == []


def test_a_mark_excuses_nothing_that_was_on_record(logs):
    logs["receipts"].append(receipt("m1", ANN, "legacy"))
    logs["events"].append(delivered(48, "m1", ANN, "legacy", 4,
                                    uncertain="possible"))
    assert faults(logs) == [
        f"twice: m1 to {ANN}: 2 deliveries to legacy are on record"]


def test_twice_without_a_250(logs):
    logs["receipts"] += [receipt("m9", ANN, "legacy")] * 2
    assert faults(logs) == [f"twice: m9 to {ANN}: legacy got it 2 times"]


def test_replayed_twice(logs):
    logs["receipts"].append(receipt("m2", ANN, "legacy"))
    assert faults(logs) == [f"twice: m2 to {ANN}: legacy got it 2 times"]


def test_a_leg_that_the_route_does_not_name(logs):
    of(logs["events"], id="m4", event="delivered")["leg"] = "cloud"
    of(logs["receipts"], id="m4")["leg"] = "cloud"
    assert (f"wrong leg: m4 to {BOB}: cloud by change 1, which names "
            "legacy") in faults(logs)


def test_a_leg_that_has_it_without_a_reason(logs):
    logs["receipts"].append(receipt("m4", BOB, "cloud"))
    assert faults(logs) == [
        f"wrong leg: m4 to {BOB}: cloud has it, and no event says so"]


def test_a_route_that_was_over_before_the_attempt(logs):
    """m2 was accepted behind the flip."""
    e = of(logs["events"], id="m2", event="delivered", leg="cloud")
    e["leg"], e["change"] = "legacy", 1
    drop(logs["events"], event="replayed")
    assert f"old route: m2 to {ANN}: legacy by change 1, after change 2" in \
        faults(logs)


def test_a_change_of_others_is_a_change_too(logs):
    """m5 was accepted behind change 3, which is not about Bob."""
    logs["sent"].append({"id": "m5", "to": [BOB]})
    logs["receipts"].append(receipt("m5", BOB, "legacy"))
    logs["events"] += [event(36, "accepted", id="m5"),
                       delivered(37, "m5", BOB, "legacy", 2)]
    assert faults(logs) == [
        f"old route: m5 to {BOB}: legacy by change 2, after change 3"]


def test_a_route_that_was_over_before_a_second_attempt(logs):
    """m1 was deferred, then Ann was flipped."""
    logs["events"].append(event(26, "deferred", id="m1", to=ANN,
                                leg="legacy", change=1))
    e = of(logs["events"], id="m1", event="delivered")
    e.update(event(28, "delivered"))
    assert faults(logs) == [
        f"old route: m1 to {ANN}: legacy by change 1, after change 2"]


def test_a_route_of_the_future(logs):
    of(logs["events"], id="m2", event="delivered", leg="cloud")["change"] = 3
    assert f"new route: m2 to {ANN}: change 3 was not yet made at " \
        "2027-03-22T12:00:24Z" in faults(logs)


def test_a_replay_that_is_missing(logs):
    drop(logs["receipts"], id="m2", leg="legacy")
    drop(logs["events"], id="m2", leg="legacy")
    assert faults(logs) == [
        f"not replayed: m2 to {ANN}: cloud got it before change 4, legacy "
        "has it not"]


def test_a_replay_that_did_not_arrive(logs):
    drop(logs["receipts"], id="m2", leg="legacy")
    assert f"lost: m2 to {ANN}: replayed, and legacy has it not" in \
        faults(logs)


def test_slices_in_a_blackout_and_too_many_in_an_hour():
    def at(hour, minute, n):
        return datetime.datetime(2027, 3, 26, hour, minute, tzinfo=UTC), n

    def shut(moment):
        return moment.hour == 21

    good = [at(20, 0, 5), at(20, 10, 5), at(22, 0, 5)]
    assert judge_pace(good, 10, shut) == []
    assert judge_pace(good, 9, shut) == [
        "per_hour: 10 in the hour to 2027-03-26T20:10:00+00:00"]
    assert judge_pace(good + [at(21, 30, 1)], 10, shut) == [
        "blackout: a slice at 2027-03-26T21:30:00+00:00"]
