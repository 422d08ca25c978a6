# SPDX-License-Identifier: ISC
"""The end of a lifetime and of parked mail, and what does not count (D10)."""
import pytest

from until import until

ANN = "ann@example.com"


def row(gw, id):
    rows = [q for q in gw.queue() if q["id"] == id]
    return rows[0] if rows else None


def older(gw, id, seconds):
    """When it has been in the queue for so long."""
    until(lambda: row(gw, id)["age_s"] >= seconds, f"{seconds} s of age")


def test_suspended_time_does_not_count_though_the_daemon_died(
        gw, legacy, outside):
    gw.set("retry", lifetime="3s")
    assert gw.reload()
    gw.cli("leg suspend legacy --reason move")
    id = gw.send(to=ANN)
    older(gw, id, 3)
    gw.kill()
    gw.start()
    older(gw, id, 5)
    gw.restart()
    gw.cli("leg resume legacy")
    legacy.wait_message(id)
    gw.wait_event("delivered", id)
    assert not outside.mails
    gw.verify()


def test_unreachable_time_does_not_count_over_a_kill(gw, legacy, outside):
    gw.set("retry", lifetime="3s")
    assert gw.reload()
    legacy.refuse_connections()
    ids = [gw.send(to=ANN) for _ in range(6)]
    until(lambda: [l for l in gw.cli_json("leg list")
                   if l["leg"] == "legacy" and l["state"] != "up"],
          "the breaker to open")
    older(gw, ids[0], 5)
    assert row(gw, ids[0])["state"] == "deferred"
    gw.kill()
    gw.start()
    older(gw, ids[0], 7)
    legacy.accept_connections()
    for id in ids:
        legacy.wait_message(id)
    assert not outside.mails
    gw.wait_empty()
    gw.verify()


def test_suspended_time_has_a_most(gw, legacy, outside):
    """Then the sender is told and the delivery kept."""
    gw.set("retry", lifetime="2s", suspended="1s")
    assert gw.reload()
    gw.cli("leg suspend legacy")
    id = gw.send(to=ANN)
    gw.wait_event("parked", id)
    outside.wait_count(1)
    q = row(gw, id)
    assert (q["state"], q["reason"]) == ("parked", "lifetime over")
    gw.cli("leg resume legacy")
    gw.set("retry", lifetime="5d")
    assert gw.reload()
    gw.cli(f"queue retry {id}")
    legacy.wait_message(id)
    gw.wait_empty()
    assert len(outside.mails) == 1
    gw.verify()


@pytest.mark.parametrize("route, parked", [("legacy", "2s"),
                                           ("cloud+legacy", "30d")])
def test_parked_mail_ends_and_the_books_are_even(
        gw, legacy, cloud, outside, route, parked):
    """A copy whose primary was delivered goes as retained mail does."""
    gw.set("retry", steps=["1h"])
    gw.set("spool", parked=parked, retain="2s")
    gw.cli(f"route set {route} {ANN}")
    gw.restart()
    legacy.refuse_connections()
    id = gw.send(to=ANN)
    gw.wait_event("deferred", id)
    if route != "legacy":
        cloud.wait_message(id)
    gw.cli("queue", "park", id, "--yes", "--reason", "later")
    e = gw.wait_event("deleted", id)
    assert (e["by"], e["reason"], e["leg"]) == \
        ("policy", "parked-expired", "legacy")
    assert gw.queue() == [] and not outside.mails
    gw.verify()
    assert gw.cli_json("leg list")[0]["deleted"] == 1
