# SPDX-License-Identifier: ISC
"""A leg says "unknown recipient" and is not believed at once (D5): in the
grace period after a flip, and of somebody whose mail it took lately."""
import sqlite3

import pytest

from until import until

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"
NOBODY = "550 5.1.1 Nobody of that name"


def with_retry(**keys):
    return {"retry": {"steps": ["200ms"], **keys}}


def deferrals(gw, id, **fields):
    return gw.events(id, "deferred", **fields)


def wait_deferrals(gw, id, n, **fields):
    until(lambda: len(deferrals(gw, id, **fields)) >= n,
          lambda: f"{n} deferrals of {id}: {gw.events(id)}")


# ---- grace ----

def test_soon_after_a_flip_it_is_a_delay(make_gw, cloud, outside):
    gw = make_gw(with_retry(grace="72h"))
    gw.cli(f"flip cloud {ANN} --create")
    cloud.reply("RCPT", NOBODY)
    id = gw.send(to=ANN)
    wait_deferrals(gw, id, 2)
    e = deferrals(gw, id)[0]
    # The trail has the leg's own words and what they were taken for.
    assert (e["class"], e["code"], e["enhanced"]) == \
        ("recipient", 550, "5.1.1")
    assert "Nobody of that name" in e["reply"]
    cloud.normal()
    cloud.wait_message(id)
    gw.wait_event("delivered", id)
    gw.wait_empty()
    assert not outside.mails and gw.events(event="dsn") == []


def test_when_the_grace_is_over_it_is_parked(make_gw, cloud, outside):
    gw = make_gw(with_retry(grace="2s"))
    cloud.reply("RCPT", NOBODY)
    gw.cli(f"flip cloud {ANN} --create")
    id = gw.send(to=ANN)
    e = gw.wait_event("parked", id)
    assert (e["class"], e["code"], e["role"]) == ("recipient", 550, "primary")
    assert len(deferrals(gw, id)) >= 1
    gw.wait_empty()
    assert not outside.mails and gw.events(event="dsn") == []
    # No sender was told, so the administrator still can bounce it, once.
    gw.cli(f"queue bounce {id} --yes")
    assert outside.wait_count(1)[0].rcpt == ["sender@elsewhere.test"]


def test_long_after_a_flip_it_is_believed(make_gw, cloud, outside):
    gw = make_gw(with_retry(grace="1s"))
    cloud.reply("RCPT", NOBODY)
    gw.cli(f"flip cloud {ANN} --create")

    def bounced():
        id = gw.send(to=ANN)
        until(lambda: gw.events(id, "bounced") or gw.events(id, "parked"),
              "it to be over")
        return gw.events(id, "bounced")

    until(bounced, "the grace to be over")
    assert outside.wait_count(1)


def test_only_a_change_of_the_route_is_a_flip(make_gw, cloud, outside):
    """Tags and notes of a row are no reason to wait."""
    gw = make_gw(with_retry(grace="1500ms"))
    cloud.reply("RCPT", NOBODY)
    gw.cli(f"flip cloud {ANN} --create")
    first = gw.send(to=ANN)
    gw.wait_event("parked", first)      # the grace is over
    gw.cli(f"route set cloud {ANN} --tag new")
    id = gw.send(to=ANN)
    gw.wait_event("bounced", id)
    assert outside.wait_count(1)


def test_without_a_row_there_is_no_grace(make_gw, legacy, cloud, outside):
    gw = make_gw(with_retry(grace="72h"))
    gw.cli("route set cloud @example.com")
    cloud.reply("RCPT", NOBODY)
    id = gw.send(to=EVE)
    gw.wait_event("bounced", id)
    assert outside.wait_count(1)


def test_each_recipient_has_his_own(make_gw, cloud, outside):
    """One is told of, one is delivered, one waits; one notice."""
    gw = make_gw(with_retry(grace="72h"))
    gw.cli("route set cloud @example.com")
    gw.cli(f"flip cloud {ANN} --create")
    cloud.reply("RCPT", NOBODY)
    cloud.reply("RCPT", "250 2.1.5 Ok", to=BOB)
    id = gw.send(to=[ANN, BOB, EVE])
    gw.wait_event("bounced", id, to=EVE)
    gw.wait_event("delivered", id, to=BOB)
    wait_deferrals(gw, id, 2, to=ANN)
    cloud.normal()
    gw.wait_event("delivered", id, to=ANN)
    gw.wait_empty()
    assert [e["to"] for e in gw.events(id, "bounced")] == [EVE]
    notice = outside.wait_count(1)
    assert len(notice) == 1 and notice[0].raw.count(b"Final-Recip") == 1


def test_a_copy_waits_too_and_is_parked(make_gw, legacy, cloud, outside):
    gw = make_gw(with_retry(grace="2s"))
    gw.cli(f"flip legacy+cloud {ANN} --create")
    cloud.reply("RCPT", NOBODY)
    id = gw.send(to=ANN)
    gw.wait_event("delivered", id, leg="legacy")
    wait_deferrals(gw, id, 1, leg="cloud")
    gw.wait_event("parked", id, leg="cloud")
    assert not outside.mails


@pytest.mark.parametrize("said, what", [
    ("554 5.7.1 Policy", "bounced"), ("552 5.6.0 Bad", "bounced")])
def test_other_refusals_are_final(make_gw, cloud, said, what):
    gw = make_gw(with_retry(grace="72h", known="30d"))
    gw.cli(f"flip cloud {ANN} --create")
    cloud.reply("RCPT", said)
    gw.wait_event(what, gw.send(to=ANN))


# ---- known ----

def remembered(gw):
    db = sqlite3.connect(f"file:{gw.folder}/audit/ledger.db?mode=ro",
                         uri=True)
    try:
        return db.execute("SELECT count(*) FROM delivery").fetchone()[0]
    finally:
        db.close()


def known(gw):
    """Mail for Ann was delivered there, and is on record."""
    before = remembered(gw)
    gw.wait_event("delivered", gw.send(to=ANN), to=ANN)
    until(lambda: remembered(gw) > before, "the memory to have her")
    gw.wait_empty()


def test_whom_it_took_lately_it_forgot_by_mistake(make_gw, legacy, outside):
    gw = make_gw(with_retry(known="30d"))
    known(gw)
    legacy.reply("RCPT", NOBODY)
    id, other = gw.send(to=ANN), gw.send(to=EVE)
    gw.wait_event("bounced", other)
    wait_deferrals(gw, id, 2)
    legacy.normal()
    gw.wait_event("delivered", id)
    gw.wait_empty()
    assert len(outside.mails) == 1, "one notice, for the other"


def test_a_detail_that_nobody_wrote_to_is_not_known(make_gw, legacy):
    """Any client can think one up: it is no sign that the leg forgot Ann."""
    gw = make_gw(with_retry(known="30d"))
    known(gw)
    before = remembered(gw)
    gw.wait_event("delivered", gw.send(to="Ann+list@example.com"))
    until(lambda: remembered(gw) > before, "the memory to have it")
    legacy.reply("RCPT", NOBODY)
    gw.wait_event("bounced", gw.send(to="Ann+news@example.com"))
    for to in "ANN@EXAMPLE.com", "ann+LIST@example.com":
        wait_deferrals(gw, gw.send(to=to), 1)


def test_it_is_of_that_leg(make_gw, legacy, cloud):
    gw = make_gw(with_retry(known="30d"))
    known(gw)
    gw.cli("route set cloud @example.com")
    cloud.reply("RCPT", NOBODY)
    gw.wait_event("bounced", gw.send(to=ANN))


def test_after_a_day_he_is_gone(make_gw, legacy, outside):
    gw = make_gw(with_retry(known="30d", known_wait="2s"))
    known(gw)
    legacy.reply("RCPT", NOBODY)
    id = gw.send(to=ANN)
    gw.wait_event("bounced", id)
    assert len(deferrals(gw, id)) >= 1
    notice = outside.wait_count(1)[0]
    assert b"Nobody of that name" in notice.raw
    gw.wait_empty()
    assert len(gw.events(event="dsn", about=id)) == 1 == \
        len(outside.mails)


def test_one_who_is_gone_is_not_the_leg_s_fault(make_gw, legacy):
    """However often it is said of one recipient."""
    gw = make_gw(with_retry(known="30d"))
    known(gw)
    legacy.reply("RCPT", NOBODY, to=ANN)
    ids = [gw.send(to=ANN) for _ in range(10)]
    for id in ids:
        wait_deferrals(gw, id, 2)
    assert [l["state"] for l in gw.cli_json("leg list")
            if l["leg"] == "legacy"] == ["up"]


def spoil(gw):
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (gw.folder / "audit" / name).unlink(missing_ok=True)
    (gw.folder / "audit/ledger.db").write_bytes(b"no database" * 1000)


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_it_survives(make_gw, legacy, how):
    gw = make_gw(with_retry(known="30d"))
    known(gw)
    if how == "restart":
        gw.restart()
    else:
        gw.kill()
        gw.start()
    legacy.reply("RCPT", NOBODY)
    wait_deferrals(gw, gw.send(to=ANN), 1)


def test_a_damaged_memory_is_made_anew(make_gw, legacy):
    gw = make_gw(with_retry(known="30d"))
    known(gw)
    gw.stop()
    spoil(gw)
    gw.start()
    until(lambda: remembered(gw) > 0, "the memory, from the index")
    legacy.reply("RCPT", NOBODY)
    wait_deferrals(gw, gw.send(to=ANN), 1)
    assert (gw.folder / "audit/ledger.db.damaged").exists()


def test_soft_bounce_stands_above(make_gw, cloud):
    gw = make_gw({"": {"soft_bounce": True}, **with_retry(grace="1s")})
    gw.cli(f"flip cloud {ANN} --create")
    cloud.reply("RCPT", NOBODY)
    id = gw.send(to=ANN)
    wait_deferrals(gw, id, 8)       # the grace is over by then
    assert not gw.events(id, "parked")
