# SPDX-License-Identifier: ISC
"""Watermarks (doc/watermark.md): since when a leg that was left gets nothing
more, over flips, holds, restarts and the loss of ledger.db."""
import sqlite3

import pytest

from dialog import dotted
from until import until


def rows(gw, *words):
    return gw.cli_json("watermark", "list", *words)


def mark(gw, address="ann@example.com", leg="legacy"):
    found = [r for r in rows(gw) if r["address"] == address
             and r["leg"] == leg]
    assert len(found) <= 1, found
    return found[0] if found else {"state": "none"}


def wait_state(gw, state, address="ann@example.com", leg="legacy"):
    return until(lambda: mark(gw, address, leg)["state"] == state
                 and mark(gw, address, leg),
                 f"the watermark of {address} at {leg} to be {state}")


def delivered(gw, leg, to="ann@example.com"):
    message = gw.send(to=to)
    assert leg.wait_message(message)
    gw.wait_event("delivered", id=message)
    return message


def test_a_flip_makes_one_and_it_is_told(gw, legacy, cloud):
    gw.cli("route", "set", "legacy", "ann@example.com")
    last = delivered(gw, legacy)
    gw.cli("flip", "cloud", "ann@example.com")
    row = wait_state(gw, "reached")
    assert row["id"] == last and row["last"]
    told = gw.wait_event("watermark", to="ann@example.com", state="reached")
    assert told["leg"] == "legacy" and told["message"] == last
    assert told["last"] == row["last"]
    assert told["covers"] == "mail that passed here"
    # Shown beside the row to people; for programs a line is a row.
    shown = gw.cli("route", "get", "ann@example.com")
    assert "reached" in shown and "mail that passed here" in shown
    assert len(gw.cli_json("route", "get", "ann@example.com")) == 1
    assert [m["state"] for m in gw.cli_json(
        "whereis", "ann@example.com")[0]["watermarks"]] == ["reached"]
    assert "mail that passed here" in gw.cli("watermark", "list")
    assert gw.cli_json("watermark", "list", "--state", "pending") == []
    assert len(gw.cli_json("watermark", "list", "--leg", "legacy")) == 1
    assert gw.cli_json("watermark", "list", "--leg", "cloud") == []


def test_one_without_a_delivery_says_since_when_none_is_known(gw):
    gw.cli("route", "set", "legacy", "ann@example.com")
    gw.cli("flip", "cloud", "ann@example.com")
    row = wait_state(gw, "reached")
    assert "last" not in row and row["since"]
    told = gw.wait_event("watermark", to="ann@example.com")
    assert told["last"] == "" and told["since"] == row["since"]


def test_an_attempt_under_way_keeps_it_pending(make_gw, legacy, cloud):
    gw = make_gw()
    gw.cli("route", "set", "legacy", "ann@example.com")
    held = legacy.hold("RCPT")
    message = gw.send(to="ann@example.com")
    held.reached()
    gw.cli("flip", "cloud", "ann@example.com")
    row = until(lambda: mark(gw).get("open") and mark(gw),
                "the open delivery to be shown")
    assert row["state"] == "pending" and row["open"] == 1
    refused = gw.run("watermark", "synced", "ann@example.com")
    assert refused.returncode == 1
    assert "is pending" in refused.stderr
    held.release()
    row = wait_state(gw, "reached")
    assert row["id"] == message


def test_a_hold_makes_one_and_a_release_ends_it(gw, legacy, cloud):
    gw.cli("route", "set", "legacy", "ann@example.com")
    delivered(gw, legacy)
    gw.cli("hold", "ann@example.com")
    held = gw.send(to="ann@example.com")
    wait_state(gw, "reached")
    gw.cli("release", "ann@example.com")
    wait_state(gw, "none")
    assert legacy.wait_message(held)
    gw.cli("hold", "ann@example.com")
    assert wait_state(gw, "reached")["id"] == held
    # Flipped while it is held: what was reached stays.
    gw.cli("flip", "cloud", "ann@example.com")
    gw.cli("release", "ann@example.com", "--wait")
    assert mark(gw)["state"] == "reached"


def test_a_later_delivery_withdraws_it(make_gw, legacy, cloud):
    """An attempt that the watermark knows nothing of: its row is set to
    reached while the attempt is under way."""
    gw = make_gw()
    gw.cli("route", "set", "legacy", "ann@example.com")
    held = legacy.hold("RCPT")
    message = gw.send(to="ann@example.com")
    held.reached()
    gw.cli("flip", "cloud", "ann@example.com")
    until(lambda: mark(gw).get("open"), "the open delivery to be shown")
    with sqlite3.connect(gw.folder / "audit" / "ledger.db",
                         timeout=30) as db:
        db.execute("UPDATE watermark SET state = 2, told = 2")
    db.close()
    held.release()
    told = gw.wait_event("watermark", state="withdrawn")
    assert told["message"] == message and told["leg"] == "legacy"
    alarm = gw.wait_event("alarm", kind="watermark")
    assert alarm["about"] == "legacy" and message in alarm["text"]
    # Reached again by itself.
    gw.wait_event("watermark", state="reached")
    assert wait_state(gw, "reached")["id"] == message


def test_synced_is_said_of_one_that_is_reached(gw):
    gw.cli("route", "set", "legacy", "ann@example.com")
    gw.cli("flip", "cloud", "ann@example.com")
    wait_state(gw, "reached")
    gw.cli("watermark", "synced", "Ann@Example.com", "--leg", "legacy")
    assert mark(gw)["state"] == "synced"
    gw.wait_event("watermark", to="ann@example.com", state="synced")
    gw.cli("flip", "legacy", "ann@example.com", "--wait")
    wait_state(gw, "none")


def test_a_domain_row_makes_them_for_all_that_had_mail(gw, legacy, cloud):
    gw.cli("route", "set", "legacy", "own@example.com")
    for who in ("ann", "bob", "own"):
        delivered(gw, legacy, f"{who}@example.com")
    gw.cli("route", "set", "cloud", "@example.com")
    for who in ("ann", "bob"):
        assert wait_state(gw, "reached", f"{who}@example.com")["last"]
    assert {r["address"] for r in rows(gw)} == {
        "ann@example.com", "bob@example.com"}
    gw.cli("route", "set", "legacy", "@example.com")
    until(lambda: rows(gw) == [], "the watermarks at legacy to end")


def test_a_wave_has_those_of_its_members(gw):
    gw.cli("route", "set", "legacy", "ann@example.com")
    gw.cli("route", "set", "legacy", "bob@example.com")
    gw.cli("wave", "create", "w1", "--where", "address = 'ann@example.com'")
    gw.cli("flip", "cloud", "ann@example.com", "bob@example.com")
    for who in ("ann", "bob"):
        wait_state(gw, "reached", f"{who}@example.com")
    assert [r["address"] for r in rows(gw, "--wave", "w1")] == [
        "ann@example.com"]
    refused = gw.run("watermark", "list", "--wave", "w2")
    assert refused.returncode == 1 and "w2" in refused.stderr


def test_it_outlives_a_kill_and_the_loss_of_the_ledger(
        make_gw, legacy, cloud):
    gw = make_gw()
    for who in ("ann", "bob"):
        gw.cli("route", "set", "legacy", f"{who}@example.com")
    last = delivered(gw, legacy)
    gw.cli("flip", "cloud", "ann@example.com", "bob@example.com")
    wait_state(gw, "reached")
    wait_state(gw, "reached", "bob@example.com")
    gw.cli("watermark", "synced", "ann@example.com", "--note", "imapsync")
    gw.cli("watermark", "waive", "bob@example.com", "--note", "empty")
    gw.kill()
    gw.start()
    assert mark(gw)["state"] == "synced" and mark(gw)["id"] == last
    with sqlite3.connect(gw.folder / "cutover.db", timeout=30) as db:
        decided = db.execute("SELECT command, about, detail, note FROM "
                             "decision ORDER BY decision").fetchall()
    db.close()
    assert decided == [
        ("watermark synced", "ann@example.com", "synced at legacy",
         "imapsync"),
        ("watermark waive", "bob@example.com", "waived at legacy", "empty")]
    assert gw.stop() == 0
    for end in ("", "-wal", "-shm"):
        (gw.folder / "audit" / f"ledger.db{end}").unlink(missing_ok=True)
    gw.start()
    row = wait_state(gw, "synced")
    until(lambda: mark(gw).get("id") == last,
          "the last delivery to be read from the index again")
    assert row["leg"] == "legacy"
    until(lambda: mark(gw, "bob@example.com").get("waived"),
          "the waiver to be read from the table again")


def test_handed_back_mail_goes_to_no_leg_after_its_watermark(
        make_gw, legacy, cloud):
    """D6: legacy has not had it, and would be the leg that has not; but the
    route has left it, or the recipient is held."""
    gw = make_gw({"retry": {"grace": "0s"}})
    gw.cli("route", "set", "legacy", "ann@example.com")
    gw.cli("flip", "cloud", "ann@example.com")
    wait_state(gw, "reached")
    first = gw.send(to="ann@example.com")
    raw = cloud.wait_message(first).raw
    gw.wait_event("delivered", id=first)

    def hand_back():
        with gw.dialog() as d:
            d.ok("EHLO cloud.test")
            d.ok("MAIL FROM:<s@elsewhere.test>")
            d.ok("RCPT TO:<ann@example.com>")
            return d.data(dotted(b"Received: from us by cloud.test; now\r\n"
                                 + raw) + b".\r\n")
    refused = hand_back()
    assert (refused.code, refused.enh) == (554, "5.4.6")
    # Held on the leg that has not had it: it waits for the release.
    gw.cli("flip", "legacy", "ann@example.com", "--wait")
    gw.cli("hold", "ann@example.com", "--wait")
    wait_state(gw, "reached")
    assert hand_back().code == 250
    until(lambda: [r for r in gw.cli_json("queue", "list")
                   if r["state"] == "held"], "it to be held")
    wait_state(gw, "reached")
    assert not legacy.mails


@pytest.mark.parametrize("words, said", [
    (("synced", "nobody@example.com"), "has no watermark"),
    (("synced", "no address"), "is no address"),
    (("synced", "ann@example.com", "--leg", "nowhere"), "no leg is called"),
    (("waive", "ann@example.com"), "wants --note"),
    (("synced",), "name addresses"),
    (("list", "--state", "lost"), "there is no state"),
])
def test_what_cannot_be_said_is_refused(gw, words, said):
    gw.cli("route", "set", "legacy", "ann@example.com")
    gw.cli("flip", "cloud", "ann@example.com")
    wait_state(gw, "reached")
    done = gw.run("watermark", *words)
    assert done.returncode in (1, 2) and said in done.stderr
    assert mark(gw)["state"] == "reached"
