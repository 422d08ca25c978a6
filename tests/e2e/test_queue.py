# SPDX-License-Identifier: ISC
"""The queue in an administrator's hand."""
import pytest

from until import until

ANN, BOB = "ann@example.com", "bob@example.com"
BODY = b"Subject: kept\r\nMessage-ID: <kept@elsewhere.test>\r\n\r\nHi\r\n"


@pytest.fixture
def waiting(gw, legacy):
    """One message that waits for a leg that is down."""
    gw.set("retry", steps=["1h"])
    assert gw.reload()
    legacy.refuse_connections()
    id = gw.send(to=ANN, message=BODY)
    gw.wait_event("deferred", id)
    return id


def state(gw, id):
    return [q["state"] for q in gw.queue() if q["id"] == id]


def test_the_list_shows_what_waits_and_why(gw, waiting):
    q, = gw.queue()
    for key in ("id", "from", "to", "leg", "role", "state", "attempts",
                "accepted", "next", "reason", "age_s", "size"):
        assert key in q
    assert (q["id"], q["to"], q["leg"], q["state"], q["attempts"]) == \
        (waiting, ANN, "legacy", "deferred", 1)
    assert "refused" in q["reason"].lower()
    assert gw.queue("--leg", "cloud") == []
    assert len(gw.queue("--to", ANN, "--state", "deferred")) == 1
    assert "legacy" in gw.cli("queue list")


def test_a_reason_has_an_end(gw, waiting):
    assert "longer than" in gw.cli_fails(
        "queue", "park", waiting, "--yes", "--reason", "r" * 201, code=2)
    assert "longer than" in gw.cli_fails(
        "leg", "suspend", "legacy", "--reason", "r" * 201, code=2)
    gw.cli("queue", "park", waiting, "--yes", "--reason", "r" * 200)
    q, = gw.queue()
    assert (q["state"], q["next"]) == ("parked", None)
    assert q["reason"].endswith("r" * 200)
    assert "one line" in gw.cli_fails(
        "leg", "suspend", "legacy", "--reason", "fault\tconfiguration",
        code=2)


def test_retry_makes_it_due_now(gw, legacy, waiting):
    legacy.accept_connections()
    gw.cli(f"queue retry {waiting}")
    legacy.wait_message(waiting)


def test_a_frozen_one_waits_until_it_is_thawed(gw, legacy, waiting):
    gw.cli("queue freeze --leg legacy")
    assert state(gw, waiting) == ["frozen"]
    legacy.accept_connections()
    gw.run("queue", "retry", "--leg", "legacy")
    other = gw.send(to=BOB)
    legacy.wait_message(other)
    assert state(gw, waiting) == ["frozen"] and \
        not legacy.messages(waiting)
    gw.cli(f"queue thaw {waiting}")  # due at once
    legacy.wait_message(waiting)
    assert gw.events(waiting, "frozen") and gw.events(waiting, "thawed")


def test_a_parked_one_is_kept_over_a_restart_and_goes_out_on_retry(
        gw, legacy, waiting):
    gw.cli("queue", "park", waiting, "--yes", "--reason", "wait for Bob")
    e = gw.wait_event("parked", waiting)
    assert e["reason"] == "wait for Bob" and e["by"]
    gw.restart()
    assert state(gw, waiting) == ["parked"]
    legacy.accept_connections()
    gw.cli(f"queue retry {waiting}")
    legacy.wait_message(waiting)
    gw.wait_empty()


def test_a_deleted_one_is_gone_and_nobody_is_told(gw, legacy, outside,
                                                  waiting):
    gw.cli("queue", "delete", waiting, "--yes", "--reason", "spam")
    e = gw.wait_event("deleted", waiting)
    assert e["reason"] == "spam"
    assert gw.queue() == []
    gw.restart()
    assert gw.queue() == [] and not outside.mails and not legacy.mails


def test_a_bounced_one_is_told_to_its_sender(gw, outside, waiting):
    gw.cli("queue", "bounce", waiting, "--yes", "--reason", "mailbox closed")
    mail = outside.wait_count(1)[0]
    assert b"mailbox closed" in mail.raw
    gw.wait_event("bounced", waiting)
    gw.wait_event("dsn", about=waiting)


def test_what_destroys_asks_first(gw, waiting):
    for action in ("delete", "bounce", "park"):
        assert "1" in gw.cli_fails("queue", action, waiting)
    assert state(gw, waiting) == ["deferred"]


def test_an_unknown_id_is_said(gw, waiting):
    gw.cli_fails("queue retry 0000000000000")
    gw.cli_fails("queue show nonsense")


def test_a_body_is_exported_as_it_came_and_that_is_on_record(gw, waiting):
    """A3."""
    done = gw.run_bytes("queue", "export", waiting)
    assert done.stdout.endswith(BODY)
    assert done.stdout.startswith(b"Received: from client.test")
    e = gw.wait_event("body", id=waiting)
    assert e["who"] and e["command"] == "queue export"
    assert "no such message is in the queue" in gw.cli_fails(
        "queue export 01JD5K3W7Q2MA")
    shown = gw.cli(f"queue show {waiting} --body")
    assert "Subject: kept" in shown
    assert ANN in gw.cli(f"queue show {waiting}")


def test_delivered_mail_is_shown_and_exported_while_it_is_kept(
        gw, legacy, waiting):
    """R4."""
    legacy.accept_connections()
    gw.cli(f"queue retry {waiting}")
    gw.wait_empty()
    for restart in (False, True):
        if restart:
            gw.restart()
        assert gw.run_bytes("queue", "export",
                            waiting).stdout.endswith(BODY)
        # The record of the result is synced within 100 ms.
        until(lambda: gw.cli_json(f"queue show {waiting}")[-1]["state"] ==
              "delivered", "its result is in the journal")
        rows = gw.cli_json(f"queue show {waiting}")
        assert [r["section"] for r in rows] == ["message", "delivery"]
        assert rows[1]["to"] == ANN
        shown = gw.cli(f"queue show {waiting} --body")
        assert "delivered" in shown and "Subject: kept" in shown
    assert gw.wait_event("body", id=waiting)["who"]


def test_a_suspended_leg_waits_and_goes_on(gw, legacy, waiting):
    gw.cli("leg", "suspend", "legacy", "--reason", "maintenance")
    legacy.accept_connections()
    gw.cli(f"queue retry {waiting}")
    gw.cli(f"route set cloud {BOB}")
    leg, = [l for l in gw.cli_json("leg list") if l["leg"] == "legacy"]
    assert leg["state"] == "suspended" and "maintenance" in leg["reason"]
    gw.restart()
    leg, = [l for l in gw.cli_json("leg list") if l["leg"] == "legacy"]
    assert leg["state"] == "suspended"
    assert not legacy.mails
    gw.cli("leg resume legacy")  # the retry was not forgotten
    legacy.wait_message(waiting)
    states = [e["state"] for e in gw.events(event="leg", leg="legacy")]
    assert states[:1] == ["suspended"] and states[-1] == "resumed"


def test_a_list_counts_what_it_shows(gw, waiting):
    assert gw.cli("queue list --to nobody@example.com") == "0 deliveries\n"
    assert "0 deliveries" not in gw.cli("queue", "show", waiting)
    assert "belongs to the customer nobodys" in gw.cli_fails(
        "queue list --customer nobodys")
    assert "1 delivery\n" in gw.cli("queue list")
    gw.send(to=[ANN, BOB])
    until(lambda: len(gw.cli_json("queue list")) == 3, "the queue")
    assert "3 deliveries" in gw.cli("queue list")
    assert "the first 2; --limit N shows more" in gw.cli(
        "queue list --limit 2")
    assert len(gw.cli_json("queue list --limit 2")) == 2


def test_status_is_one_screen_of_the_truth(gw, legacy, waiting):
    rows = gw.cli_json("status")
    leg, = [r for r in rows if r.get("leg") == "legacy"]
    assert (leg["created"], leg["open"], leg["gap"]) == (1, 1, 0)
    assert "legacy" in gw.cli("status")


def test_status_tells_what_is_held_from_what_waits(gw, legacy, waiting):
    gw.cli("hold", "bob@example.com", "--create")
    gw.send(to="bob@example.com")

    def leg():
        row, = [r for r in gw.cli_json("status") if r.get("leg") == "legacy"]
        return row["open"], row["waiting"], row["held"], row["in_flight"]

    until(lambda: leg() == (2, 1, 1, 0), leg)
    screen = gw.cli("status")
    assert "WAITING" in screen and "HELD" in screen


def test_status_tells_the_disks_and_the_lag_of_the_index(gw):
    rows = gw.cli_json("status")
    disks = [r for r in rows if r.get("section") == "disk"]
    held = " ".join(d["holds"] for d in disks).split()
    assert sorted(held) == ["audit", "spool", "table"]
    for d in disks:
        assert 0 < d["free_bytes"] <= d["size_bytes"]
    index, = [r for r in rows if r.get("section") == "index"]
    assert index["state"] == "ok" and index["behind_s"] < 60
    assert index["gaps"] == 0
    assert index["deliveries_since"].endswith("Z")


def test_commands_that_need_the_daemon_say_so(gw):
    gw.stop()
    for words in ("status", "queue list", "leg list"):
        assert gw.cli_fails(words, code=3)
    gw.cli("route get @example.com")


def test_bad_usage_ends_with_two(gw):
    gw.cli_fails("no such command", code=2)
    gw.cli_fails("queue list --what", code=2)
    for words in ("queue", "route set", "flip", "trace"):
        assert "example" in gw.cli(f"{words} --help") or words == "queue"


def test_status_says_since_when_and_what_to_do(gw, legacy, waiting):
    """For people; the rows of --json have it as figures."""
    gw.cli("leg", "suspend", "legacy", "--reason", "maintenance")
    gw.cli("queue", "park", waiting, "--yes")
    gw.send(to=ANN)
    leg, = [r for r in gw.cli_json("status") if r.get("leg") == "legacy"]
    assert leg["since"].startswith("20") and leg["oldest_s"] >= 0
    assert (leg["state"], leg["open"], leg["parked"]) == ("suspended", 1, 1)
    screen = gw.cli("status")
    for words in ("maintenance", "posthouse leg resume legacy",
                  "1 delivery of legacy is parked", "GiB"):
        assert words in screen, screen
    assert "posthouse leg resume legacy" in gw.cli("leg list")
    gw.cli("leg resume legacy")
    leg, = [r for r in gw.cli_json("leg list") if r["leg"] == "cloud"]
    assert leg["since"] is None and leg["oldest_s"] is None
