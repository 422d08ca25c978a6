# SPDX-License-Identifier: ISC
"""Replay: what one leg got and the other did not, once, whatever happens."""
import collections
import datetime
import random
import smtplib
import threading

import pytest

from until import until

ANN, BOB, SUE = "ann@example.com", "bob@example.com", "sue@example.com"
WAY = "--from-leg cloud --to-leg legacy --since -1h"


def message(text):
    return (b"From: <sender@elsewhere.test>\r\nSubject: a test\r\n\r\n" +
            text.encode() + b"\r\n")


def replay(gw, *words):
    """Its number."""
    said = gw.cli_json("replay", *words, *WAY.split())
    return said[0]["number"]


def report(gw, number):
    return gw.cli_json(f"replay show {number}")[0]


def done(gw, number):
    return until(lambda: (r := report(gw, number))["state"] in
                 ("done", "failed") and r, f"replay {number} to end")


def got(leg):
    return collections.Counter(m.id for m in leg.mails)


def flipped(gw, n, to=ANN):
    """So many messages that the cloud got, then the flip back."""
    gw.cli("flip", "cloud", to, "--create")
    ids = [gw.send(to=to, message=message(f"number {i}")) for i in range(n)]
    gw.wait_empty()
    until(lambda: gw.events(event="delivered", id=ids[-1]), "the events")
    gw.cli("flip", "legacy", to)
    return ids


def test_what_the_cloud_got_comes_to_legacy_after_a_flip_back(
        gw, legacy, cloud):
    gw.set('leg "legacy"', connections=1)
    gw.reload()
    before = gw.send(to=ANN)
    ids = flipped(gw, 5)
    other = flipped(gw, 2, to=BOB)
    dry = gw.cli_json("replay", "--to", ANN, *WAY.split(), "--dry-run")
    assert dry[0]["deliveries"] == 5 and dry[0]["messages"] == 5
    assert got(legacy) == {before: 1}
    number = replay(gw, "--to", ANN, "--note", "clients misbehave")
    end = done(gw, number)
    assert end["state"] == "done"
    assert (end["replayed"], end["delivered"], end["failed"]) == (5, 5, 0)
    assert end["who"] and end["note"] == "clients misbehave"
    # Oldest first, the same bytes, and not those of others.
    assert [m.id for m in legacy.mails] == [before] + ids
    cloud_has = {m.id: m.raw for m in cloud.mails}
    assert all(m.raw == cloud_has[m.id] for m in legacy.mails[1:])
    assert not set(other) & set(got(legacy))
    for id in ids:
        event = gw.wait_event("replayed", id=id, to=ANN, leg="legacy")
        assert event["role"] == "copy"
        assert event["reason"] == f"replay {number}"
    last = gw.wait_event("replay", state="done")
    assert (last["number"], last["made"]) == (number, 5)
    assert gw.events(event="replay")[0]["state"] == "searching"
    gw.verify()
    assert "read flags" in gw.cli(f"replay show {number}")
    assert [r["number"] for r in gw.cli_json("replay list")] == [number]
    # The report can be found again in the history of the table.
    heads = {c["change"]: c["head"] for c in gw.cli_json("changes list")}
    assert end["change"] == max(heads) and end["head"] == heads[end["change"]]
    newest = gw.wait_event("decision", about=f"replay {number}")
    shown = report(gw, number)
    assert (shown["decision"], shown["decision_head"]) == (
        newest["decision"], newest["head"])
    assert shown["decision_head"] in gw.cli(f"replay show {number}")


def test_run_again_nothing_goes_twice(gw, legacy):
    ids = flipped(gw, 3)
    done(gw, replay(gw, ANN))
    again = done(gw, replay(gw, ANN))
    assert (again["replayed"], again["there"]) == (0, 3)
    assert got(legacy) == {id: 1 for id in ids}


def test_nothing_goes_twice_although_the_ledger_was_deleted(gw, legacy):
    ids = flipped(gw, 3)
    done(gw, replay(gw, ANN))
    assert gw.stop() == 0
    for name in gw.folder.glob("audit/ledger.db*"):
        name.unlink()
    gw.start()
    assert gw.cli_json("replay list") == []
    again = done(gw, replay(gw, ANN))
    assert (again["replayed"], again["there"]) == (0, 3)
    assert got(legacy) == {id: 1 for id in ids}


def test_mail_that_went_to_both_is_there(gw, legacy, cloud):
    gw.cli(f"route set cloud+legacy {ANN}")
    both = gw.send(to=ANN)
    gw.wait_empty()
    ids = flipped(gw, 2)
    end = done(gw, replay(gw, ANN))
    assert (end["replayed"], end["there"]) == (2, 1)
    assert got(legacy) == {id: 1 for id in [both] + ids}


def test_a_message_of_several_recipients_goes_to_those_that_are_meant(
        gw, legacy):
    for who in ANN, BOB, SUE:
        gw.cli("flip", "cloud", who, "--create")
    id = gw.send(to=[ANN, BOB, SUE])
    gw.wait_empty()
    for who in ANN, BOB, SUE:
        gw.cli("flip", "legacy", who)
    end = done(gw, replay(gw, ANN, SUE))
    assert end["replayed"] == 2
    gw.wait_empty()
    assert sorted(r for m in legacy.mails for r in m.rcpt) == [ANN, SUE]
    done(gw, replay(gw, ANN, BOB, SUE))
    gw.wait_empty()
    assert sorted(r for m in legacy.mails for r in m.rcpt) == [ANN, BOB, SUE]
    assert {m.id for m in legacy.mails} == {id}


def test_mail_that_waits_elsewhere_still_gets_one_delivery_more(gw, legacy):
    """One of its recipients is held: the message is not over."""
    gw.cli("flip", "cloud", ANN, "--create")
    gw.cli(f"route set legacy {BOB}")
    gw.cli(f"hold {BOB}")
    id = gw.send(to=[ANN, BOB])
    until(lambda: gw.events(event="delivered", id=id), "the cloud to have it")
    gw.cli("flip", "legacy", ANN)
    end = done(gw, replay(gw, ANN))
    assert (end["replayed"], end["delivered"]) == (1, 1)
    gw.cli(f"release {BOB}")
    until(lambda: len(legacy.mails) > 1, "what was held")
    assert [(m.id, m.rcpt) for m in legacy.mails] == [(id, [ANN]),
                                                     (id, [BOB])]
    gw.verify()


def test_a_change_of_the_table_does_not_move_it(gw, legacy, cloud):
    ids = flipped(gw, 2)
    gw.cli("leg suspend legacy")
    number = replay(gw, ANN)
    until(lambda: report(gw, number)["waiting"] == 2, "both to wait")
    gw.cli(f"flip cloud {ANN}")
    gw.cli(f"hold {ANN} --wait")
    gw.restart()
    assert report(gw, number)["waiting"] == 2
    gw.cli("leg resume legacy")
    until(lambda: [q["state"] for q in gw.queue()] == ["held"] * 2, "the hold")
    gw.cli(f"release {ANN}")
    assert done(gw, number)["delivered"] == 2
    assert got(legacy) == {id: 1 for id in ids}
    assert got(cloud) == {id: 1 for id in ids}


def test_one_that_waits_for_its_leg_steps_aside(gw, legacy, cloud):
    bob = "bob@example.com"
    ids = flipped(gw, 2) + flipped(gw, 1, to=bob)
    gw.cli("leg suspend legacy")
    first, second = replay(gw, ANN), replay(gw, bob)
    until(lambda: report(gw, second)["waiting"] == 1, "the second to queue")
    third = replay(gw, ANN)
    assert done(gw, third)["there"] == 2
    assert report(gw, first)["state"] == "running"
    gw.restart()
    assert done(gw, replay(gw, ANN))["there"] == 2
    assert [report(gw, n)["waiting"] for n in (first, second)] == [2, 1]
    gw.cli("leg resume legacy")
    assert done(gw, first)["delivered"] == 2
    assert done(gw, second)["delivered"] == 1
    assert got(legacy) == {id: 1 for id in ids}


def test_a_refusal_makes_no_notice(make_gw, make_leg, legacy, cloud):
    outside = make_leg("world")
    gw = make_gw(legs={"outside": outside})
    flipped(gw, 1)
    legacy.reply("RCPT", "550 5.1.1 no such user")
    end = done(gw, replay(gw, ANN))
    assert (end["replayed"], end["failed"]) == (1, 1)
    failed = gw.cli_json(f"replay show {end['number']}")[1]
    assert failed["to"] == ANN and failed["state"] == "parked"
    assert not gw.events(event="dsn") and not outside.mails
    gw.cli("queue delete --state parked --yes")
    again = done(gw, replay(gw, ANN))
    assert (again["replayed"], again["there"]) == (0, 1)


def test_no_leg_gets_what_it_brought(make_gw, legacy, cloud, own_address):
    gw = make_gw({'listen "from-legacy"': {"address": ["127.0.0.1:0"],
                                           "leg": "legacy"}})
    gw.cli("flip", "cloud", ANN, "--create")
    with smtplib.SMTP("127.0.0.1", int(gw.ports["from-legacy"])) as smtp:
        smtp.sendmail("sender@elsewhere.test", [ANN], message("mine"))
    gw.wait_empty()
    gw.cli("flip", "legacy", ANN)
    end = done(gw, replay(gw, ANN))
    assert (end["replayed"], end["came_from"]) == (0, 1)
    assert not legacy.mails


def test_a_period_is_that_of_the_delivery(gw, legacy):
    ids = flipped(gw, 1)
    time = gw.events(event="delivered", id=ids[0])[0]["time"]
    # Stamps are kept by a time that does not jump: a little before it.
    at = (datetime.datetime.fromisoformat(time.replace("Z", "+00:00")) -
          datetime.timedelta(milliseconds=20)).isoformat()
    late = gw.cli_json("replay", ANN, "--from-leg", "cloud", "--to-leg",
                       "legacy", "--since", "-1h", "--until", at)
    assert done(gw, late[0]["number"])["replayed"] == 0
    now = gw.cli_json("replay", ANN, "--from-leg", "cloud", "--to-leg",
                      "legacy", "--since", at)
    assert done(gw, now[0]["number"])["replayed"] == 1


def kill_soon(gw, rng):
    """Amid the search, a record, or what the leg says."""
    timer = threading.Timer(rng.random() * 0.4, gw.process.kill)
    timer.start()
    gw.ended()
    timer.join()


@pytest.mark.parametrize("seed", range(3))
def test_killed_anywhere_it_goes_on_and_nothing_goes_twice(
        make_gw, legacy, cloud, seed):
    """A kill while the leg answers makes a duplicate that is marked."""
    rng = random.Random(seed)
    gw = make_gw()
    ids = flipped(gw, 40)
    number = replay(gw, ANN)
    for _ in range(4):
        kill_soon(gw, rng)
        gw.start()
    end = done(gw, number)
    assert end["state"] == "done"
    assert end["replayed"] + end["there"] == 40
    gw.wait_empty()
    assert set(ids) == set(got(legacy))
    double = {id for id, k in got(legacy).items() if k > 1}
    assert double <= {e["id"] for e in gw.all_events() if e.get("uncertain")}
    # A line of the events comes at least once.
    records = {(e["id"], e["pos"]) for e in gw.all_events()
               if e["event"] == "replayed"}
    assert sorted(id for id, _ in records) == sorted(ids)
    gw.verify()


def test_what_is_not_kept_is_said_by_user_and_span_and_asked_about(
        make_gw, legacy, cloud):
    gw = make_gw({"spool": {"retain": "0s", "segment": "1M", "max": "64M"}})
    ids = flipped(gw, 2)
    gw.cli("flip", "cloud", BOB, "--create")
    gw.cli("flip", "cloud", SUE, "--create")

    def recycled():
        for _ in range(4):
            gw.send(to=BOB, message=message(("y" * 70 + "\r\n") * 3000))
        return all(not gw.cli_json("replay", ANN, *WAY.split(),
                                   "--dry-run")[0]["there"] and
                   gw.run("queue", "export", id).returncode != 0
                   for id in ids)

    until(recycled, "the first mail to be given up")
    since = gw.events(event="accepted", id=ids[0])[0]["time"]
    way = f"--from-leg cloud --to-leg legacy --since {since}".split()
    said = gw.cli_json("replay", ANN, SUE, *way, "--dry-run")
    lacks = [r for r in said if r["kind"] == "lacks"]
    assert [r["address"] for r in lacks] == [ANN]
    assert lacks[0]["from"] < lacks[0]["until"]
    shown = gw.cli("replay", ANN, *WAY.split(), "--dry-run")
    assert ANN in shown and "not all kept" in shown
    assert "Say --yes to do it" in gw.cli_fails("replay", ANN, *WAY.split())
    assert gw.cli_json("replay list") == []
    number = replay(gw, ANN, "--yes")
    end = done(gw, number)
    assert end["replayed"] == 0 and end["covered"]
    assert [r["address"] for r in gw.cli_json(f"replay show {number}")
            if r["kind"] == "lacks"] == [ANN]
    assert not set(ids) & set(got(legacy))


@pytest.mark.parametrize("words, said", [
    ("--from-leg cloud --to-leg legacy", "say --from-leg, --to-leg and"),
    (f"{WAY}", "say which recipients in one way"),
    (f"{WAY} --file x --to a@b", "say which recipients in one way"),
    (f"{WAY} --until -2h {ANN}", "--since is not before --until"),
    (f"{WAY} @example.com", "is a domain"),
    ("--from-leg cloud --to-leg legacy --since soon a@b", "a time is"),
])
def test_a_slip_gets_one_sentence(gw, words, said):
    assert said in gw.cli_fails(f"replay {words}", code=2)


def test_a_leg_that_is_none_and_a_line_that_is_none(gw):
    assert "no leg is called" in gw.cli_fails(
        f"replay {ANN} --from-leg cloud --to-leg moon --since -1h")
    assert "both legs are" in gw.cli_fails(
        f"replay {ANN} --from-leg cloud --to-leg cloud --since -1h")
    assert "there is no replay 9" in gw.cli_fails("replay show 9")
    path = gw.folder / "list"
    path.write_text(f"{ANN}\n\nnot an address at all\n")
    assert "list:3" in gw.cli_fails("replay", "--file", path, *WAY.split(),
                                    code=1)


def test_a_list_and_its_decision_on_record(gw, legacy):
    ids = flipped(gw, 2)
    path = gw.folder / "list"
    path.write_text(f"{ANN}\r\n{BOB}\r\n")
    number = replay(gw, "--file", path)
    assert done(gw, number)["users"] == 2
    assert got(legacy) == {id: 1 for id in ids}


def test_an_undo_with_replay(gw, legacy):
    gw.cli(f"route set legacy {ANN}")
    gw.cli(f"route set legacy+cloud {BOB}")
    change = gw.change("flip", "cloud", ANN, BOB)
    ids = [gw.send(to=ANN), gw.send(to=BOB)]
    gw.wait_empty()
    said = gw.cli("undo", str(change), "--replay")
    assert "replay 1: 2 recipients, from cloud to legacy" in said
    assert done(gw, 1)["delivered"] == 2
    assert got(legacy) == {id: 1 for id in ids}


def test_a_rollback_with_replay_asks_before_it_changes_anything(gw, legacy):
    gw.cli(f"route set legacy {ANN} --tag client=apple")
    gw.cli(f"route set legacy {BOB}")
    gw.cli("flip", "cloud", ANN, BOB)
    ids = [gw.send(to=ANN), gw.send(to=BOB)]
    gw.wait_empty()
    words = ["rollback", "--where", "client=apple", "--since", "-1h",
             "--replay"]
    assert gw.stop() == 0
    assert gw.run(*words).returncode == 3
    assert gw.cli_json(f"route get {ANN}")[0]["route"] == "cloud"
    gw.start()
    assert "from cloud to legacy" in gw.cli(*words)
    assert done(gw, 1)["delivered"] == 1
    assert got(legacy) == {ids[0]: 1}
    assert gw.cli_json(f"route get {ANN}")[0]["route"] == "legacy"


@pytest.mark.parametrize("last", ["cloud+legacy", "legacy+cloud"])
def test_a_rollback_of_two_flips_replays_what_the_first_kept_from_a_leg(
        gw, legacy, last):
    """The last route names legacy, which lacks the mail of the one before."""
    gw.cli(f"route set legacy {ANN} --tag client=apple")
    gw.cli(f"flip cloud {ANN}")
    ids = [gw.send(to=ANN) for _ in range(2)]
    gw.wait_empty()
    gw.cli(f"flip {last} {ANN}")
    both = gw.send(to=ANN)
    gw.wait_empty()
    assert "from cloud to legacy" in gw.cli(
        "rollback --where client=apple --since -1h --replay")
    end = done(gw, 1)
    assert (end["replayed"], end["there"]) == (2, 1)
    assert got(legacy) == {id: 1 for id in ids + [both]}


def test_the_members_of_a_wave(gw, legacy):
    gw.cli("route", "set", "legacy", ANN, BOB)
    gw.cli("wave create w1 --where 'address = \"ann@example.com\"'")
    ids = flipped(gw, 2)
    end = done(gw, replay(gw, "--wave", "w1"))
    assert (end["wave"], end["users"], end["delivered"]) == ("w1", 1, 2)
    assert got(legacy) == {id: 1 for id in ids}
    assert "no wave" in gw.cli_fails("replay", "--wave", "w2", *WAY.split())


@pytest.mark.parametrize("which", ["", "--where client=apple", "--slice 1"])
def test_a_rollback_of_a_wave_with_replay(gw, legacy, which):
    gw.cli(f"route set legacy {ANN} --tag client=apple")
    gw.cli(f"route set legacy {BOB}")
    gw.cli("wave create w1 --where 'domain = example.com'")
    gw.cli("wave start w1 cloud")
    until(lambda: gw.cli_json("wave show w1")[0]["state"] == "done",
          "the wave")
    ids = {who: gw.send(to=who) for who in (ANN, BOB)}
    gw.wait_empty()
    assert "from cloud to legacy" in gw.cli(
        f"wave rollback w1 --replay {which}")
    meant = [ANN] if "where" in which else [ANN, BOB]
    assert done(gw, 1)["delivered"] == len(meant)
    assert got(legacy) == {ids[who]: 1 for who in meant}


def each(leg):
    """How many recipients have each message; none has it twice."""
    has = collections.Counter((m.id, who) for m in leg.mails for who in m.rcpt)
    assert set(has.values()) == {1}
    return collections.Counter(id for id, _ in has)


def many(gw, letters, messages):
    """A list of a thousand, each with so many messages that the cloud got."""
    path = gw.folder / f"list-{letters}"
    who = [f"{letters}{i}@example.com" for i in range(1000)]
    path.write_text("".join(f"{a}\n" for a in who))
    gw.cli("flip", "cloud", "--file", path, "--create", "--yes")
    ids = [gw.send(to=who) for _ in range(messages)]
    gw.wait_empty()
    gw.cli("flip", "legacy", "--file", path, "--yes")
    return path, ids


def test_one_that_may_queue_no_more_lets_others_go_on_and_can_be_cancelled(
        gw, legacy):
    """Three messages of a thousand: the third is more than may be open."""
    path, ids = many(gw, "u", 3)
    bobs = flipped(gw, 1, to=BOB)
    gw.cli("leg suspend legacy")
    first = replay(gw, "--file", path, "--yes")
    until(lambda: report(gw, first)["waiting"] == 2000, "2,000 to wait")
    second = replay(gw, BOB)
    until(lambda: report(gw, second)["waiting"] == 1, "the second to queue")
    assert report(gw, first)["state"] == "running"
    said = gw.cli("replay", "cancel", str(first), "--note", "the wrong ones")
    assert f"replay {first} is cancelled" in said
    end = report(gw, first)
    assert (end["state"], end["replayed"]) == ("cancelled", 2000)
    assert end["reason"].startswith("cancelled by ")
    assert end["reason"].endswith(": the wrong ones")
    last = gw.wait_event("replay", state="cancelled")
    assert (last["number"], last["made"]) == (first, 2000)
    assert "has ended" in gw.cli_fails(f"replay cancel {first}")
    assert "there is no replay 99" in gw.cli_fails("replay cancel 99")
    gw.restart()
    assert report(gw, first)["state"] == "cancelled"
    gw.cli("leg resume legacy")
    assert done(gw, second)["delivered"] == 1
    gw.wait_empty()
    assert each(legacy) == {id: 1000 for id in ids[:2]} | {bobs[0]: 1}
    # What it had not queued is for another one.
    again = done(gw, replay(gw, "--file", path, "--yes"))
    assert (again["replayed"], again["there"]) == (1000, 2000)
    assert each(legacy) == {id: 1000 for id in ids} | {bobs[0]: 1}


@pytest.mark.parametrize("how", ["rollback", "undo"])
def test_a_leg_that_only_a_route_in_between_named_is_replayed_from(
        make_gw, make_leg, legacy, cloud, how):
    third = make_leg("third")
    gw = make_gw(legs={"third": third})
    gw.cli(f"route set legacy {ANN} --tag client=apple")
    change = gw.change("flip", "cloud", ANN)
    ids = [gw.send(to=ANN)]
    gw.wait_empty()
    gw.cli(f"flip third {ANN}")
    ids.append(gw.send(to=ANN))
    gw.wait_empty()
    gw.cli(f"flip cloud {ANN}")
    ids.append(gw.send(to=ANN))
    gw.wait_empty()
    said = gw.cli("undo", str(change), "--replay") if how == "undo" else \
        gw.cli("rollback --where client=apple --since -1h --replay")
    assert "from cloud to legacy" in said and "from third to legacy" in said
    assert [done(gw, n)["delivered"] for n in (1, 2)] == [2, 1]
    assert got(legacy) == {id: 1 for id in ids}


def test_a_rollback_replays_for_any_number_of_pairs_of_legs(
        make_gw, make_leg, legacy):
    """Nine recipients, each back from eight legs to the ninth: 72 pairs."""
    names = [f"l{n}" for n in range(9)]
    gw = make_gw(legs={n: make_leg(n) for n in names})
    for n, name in enumerate(names):
        gw.cli(f"route set {name} u{n}@example.com --tag back")
    for n, name in enumerate(names):
        gw.cli(f"flip {'+'.join(names[:n] + names[n + 1:])} "
               f"u{n}@example.com")
    gw.cli("rollback --where back --since -1h --replay --yes")
    pairs = {(r["from_leg"], r["to_leg"]) for r in gw.cli_json("replay list")}
    assert pairs == {(a, b) for a in names for b in names if a != b}
