# SPDX-License-Identifier: ISC
"""The cutover table beside a running daemon: changes by the command line are
honoured by the next recipient and by mail that waits."""
import smtplib

import pytest

from until import until


def test_a_change_is_seen_by_the_very_next_message(gw, legacy, cloud):
    first = gw.send(to="ann@example.com")
    assert legacy.wait_message(first)
    gw.cli("flip", "cloud", "ann@example.com", "--create")
    second = gw.send(to="ann@example.com")
    assert cloud.wait_message(second)


def test_hold_with_wait_and_release_lose_and_double_nothing(
        gw, legacy, cloud):
    gw.cli("route", "set", "legacy", "ann@example.com")
    gw.cli("hold", "ann@example.com", "--wait")
    held = [gw.send(to="ann@example.com") for _ in range(3)]
    assert [r["state"] for r in gw.cli_json("queue list")] == ["held"] * 3
    assert not any(legacy.messages(m) for m in held)
    gw.cli("flip", "cloud", "ann@example.com", "--wait")
    gw.cli("release", "ann@example.com", "--wait")
    for message in held:
        assert cloud.wait_message(message)
        assert len(cloud.messages(message)) == 1
        assert not legacy.messages(message)


def test_mail_that_waits_follows_the_flip(make_gw, cloud, legacy):
    gw = make_gw()
    legacy.refuse_connections()
    gw.cli("route", "set", "legacy", "ann@example.com")
    message = gw.send(to="ann@example.com")
    gw.wait_event("deferred", id=message, leg="legacy")
    gw.cli("flip", "cloud", "ann@example.com")
    assert cloud.wait_message(message)
    legacy.accept_connections()


@pytest.mark.noverify
def test_a_table_that_went_back_is_not_used_until_it_is_accepted(
        make_gw, legacy):
    gw = make_gw()
    gw.cli("route", "set", "legacy", "ann@example.com")
    copy = gw.folder / "copy.db"
    gw.cli("table", "backup", str(copy))
    gw.cli("flip", "cloud", "ann@example.com", "--wait")
    assert gw.stop() == 0
    for end in ("", "-wal", "-shm"):
        (gw.folder / f"cutover.db{end}").unlink(missing_ok=True)
    copy.rename(gw.folder / "cutover.db")
    gw.start()
    with smtplib.SMTP("127.0.0.1", gw.port) as smtp:
        smtp.ehlo()
        smtp.mail("sender@elsewhere.test")
        assert smtp.rcpt("ann@example.com")[0] == 451
    number = gw.cli_json("table", "accept", "--note", "restored")[0]
    assert number["change"] == 4
    until(lambda: gw.cli_json("status") and not any(
        r.get("state") == "unusable" for r in gw.cli_json("status")),
        "the table to be used again")
    message = gw.send(to="ann@example.com")
    assert legacy.wait_message(message)


def test_a_copy_on_the_new_primary_leg_is_still_delivered(
        gw, legacy, cloud):
    """doc/routing.md, rule 1: the primary is over, the copy stays one."""
    cloud.refuse_connections()
    gw.cli("route", "set", "legacy+cloud", "ann@example.com")
    message = gw.send(to="ann@example.com")
    assert legacy.wait_message(message)
    gw.wait_event("deferred", id=message, leg="cloud")
    gw.cli("flip", "cloud", "ann@example.com")
    cloud.accept_connections()
    assert cloud.wait_message(message)
    assert len(legacy.messages(message)) == 1


@pytest.mark.parametrize("back_to", ["legacy", "cloud"])
def test_what_was_parked_for_want_of_a_route_goes_when_there_is_one(
        gw, legacy, cloud, back_to):
    """doc/routing.md, rule 4."""
    legacy.refuse_connections()
    gw.cli("route", "set", "legacy", "ann@example.com")
    message = gw.send(to="ann@example.com")
    gw.wait_event("deferred", id=message, leg="legacy")
    gw.cli("flip", "reject", "ann@example.com")
    gw.wait_event("parked", id=message, leg="legacy")
    legacy.accept_connections()
    gw.cli("flip", back_to, "ann@example.com")
    assert {"legacy": legacy, "cloud": cloud}[back_to].wait_message(message)
