# SPDX-License-Identifier: ISC
"""May the old server be switched off? GO is reached first; then each thing
that speaks against it turns it, alone, and is named."""
import json
import os
import smtplib
import sqlite3
import subprocess

import pytest

from dialog import Dialog, queued_id
from gateway import BUILD
from shift import HOUR_S, Shift
from until import DEADLINE_S, until

REASONS = ["rows", "open", "watermarks", "propagation", "stragglers",
           "from-leg", "observed", "inside"]
LEGACY_CLIENT = "127.0.0.9"
ANN, BOB, CAT = "ann@example.com", "bob@example.com", "cat@example.com"
# They want name servers and logs, which have tests of their own below.
WAIVED = ["propagation", "inside"]


def verdict(gw, *words):
    """The answer, and the rows of the reasons by name."""
    done = gw.run("--json", "verdict", *words)
    assert done.returncode in (0, 1), done
    rows = [json.loads(l) for l in done.stdout.splitlines()]
    assert [r["reason"] for r in rows[:-1]] == REASONS
    answer = rows[-1]
    assert (answer["verdict"] == "GO") == (done.returncode == 0)
    return answer, {r["reason"]: r for r in rows[:-1]}


def wait_go(gw, *words):
    """Evidence needs its time: the quiet one is a second here."""
    last = {}

    def look():
        last["answer"], last["rows"] = verdict(gw, *words)
        return last["answer"]["verdict"] == "GO"

    try:
        until(look, "a GO")
    except AssertionError as e:
        raise AssertionError(f"no GO: {last}") from e
    return last["rows"]


def against(gw, reason, *words, state="no"):
    """What is said against it, by that reason and by no other in the end: mail
    of the test itself has to become quiet first."""
    last = {}

    def look():
        answer, rows = last["seen"] = verdict(gw, *words)
        bad = {r for r in REASONS if rows[r]["state"] != "ok"
               and not rows[r]["waived"]}
        return answer["verdict"] == "NO-GO" and bad == {reason} and \
            rows[reason]["state"] == state and rows[reason]["evidence"]

    return until(look, lambda: f"{reason} alone to be {state}: {last}")


def from_legacy(gw, to, header=""):
    """A message that the old server brings."""
    with smtplib.SMTP("127.0.0.1", gw.port, "mail-old.example.com",
                      timeout=DEADLINE_S,
                      source_address=(LEGACY_CLIENT, 0)) as smtp:
        smtp.ehlo()
        gw.must(smtp.mail("sender@elsewhere.test"))
        gw.must(smtp.rcpt(to))
        id = queued_id(gw.must(smtp.data(
            (header + "Subject: x\r\n\r\nhello\r\n").encode())))
    gw.wait_event("delivered", id=id)
    return id


@pytest.fixture
def done(make_gw, legacy, cloud):
    """A migration that is over: GO, with what others have to tell waived."""
    gw = make_gw(settings={
        "verdict": {"leg": "legacy", "quiet": "1s"},
        'leg "legacy"': {"clients": [LEGACY_CLIENT + "/32"]}})
    gw.cli("route", "set", "legacy", ANN, BOB, CAT, "admin@example.com")
    for to in ANN, BOB:
        id = gw.send(to=to)
        assert legacy.wait_message(id)
        gw.wait_event("delivered", id=id)
    gw.cli("flip", "cloud", ANN, BOB, CAT, "admin@example.com")
    gw.cli("flip", "cloud", "@example.com")
    for to in ANN, BOB, CAT, "admin@example.com":
        synced(gw, to)
    for reason in WAIVED:
        gw.cli("verdict", "waive", reason, "--until", "+1d", "--note",
               "not of this test")
    wait_go(gw)
    return gw


def synced(gw, to):
    until(lambda: gw.run("watermark", "synced", to).returncode == 0,
          f"{to} to be synchronized")


def test_a_migration_that_is_over_is_go_and_says_what_was_looked_at(done):
    answer, rows = verdict(done)
    assert answer["waived"] == len(WAIVED)
    assert answer["leg"] == "legacy" and len(answer["head"]) == 64
    assert "5 rows" in rows["rows"]["evidence"]
    assert "4 synchronized" in rows["watermarks"]["evidence"]
    told = done.cli("verdict")
    assert told.splitlines()[-1] == "GO with 2 waivers"
    # Waivers stand first.
    assert told.startswith("waiver: ")
    on_record = done.wait_event("verdict", state="GO")
    assert on_record["leg"] == "legacy" and on_record["waived"] == 2
    assert on_record["reason"] == "propagation inside" and on_record["who"]


# ---- rows -----------------------------------------------------------------

def test_a_row_to_the_leg(done):
    done.cli("route", "set", "legacy", "new@example.com")
    assert "rows that lead there: 1 (new@example.com)" in \
        against(done, "rows")


def test_a_row_to_it_as_the_second_leg(done):
    done.cli("route", "set", "cloud+legacy", "new@example.com")
    assert "new@example.com" in against(done, "rows")


def test_a_domain_without_a_row(done):
    done.set('domain "new.example"', unknown="reject")
    done.reload()
    assert "domains without a row: 1 (new.example)" in against(done, "rows")


def test_the_address_of_the_leg_under_the_name_of_another(done, legacy):
    done.set('leg "other"', hosts=[f"127.0.0.1:{legacy.port}"], tls="none")
    done.reload()
    done.cli("route", "set", "other", "new@example.com")
    assert "by another leg: 1 (new@example.com)" in against(done, "rows")


def test_a_leg_whose_name_has_no_address_may_be_the_same_server(done):
    done.set("resolver", servers=["127.0.0.1:1"], timeout="200ms")
    done.set('leg "other"', hosts=["gone.invalid:25"])
    done.reload()
    done.cli("route", "set", "other", "new@example.com")
    assert "gone.invalid of other" in against(done, "rows", state="unknown")


def test_postmaster_on_the_leg(done):
    done.set("", postmaster="boss@example.com")
    done.reload()
    done.cli("route", "set", "legacy", "boss@example.com")
    said = against(done, "rows")
    assert "postmaster = boss@example.com goes to legacy" in said


def test_alarms_and_notices_by_the_leg(done):
    done.set("dsn", via="legacy")
    done.reload()
    assert "dsn.via = legacy" in against(done, "rows")


def test_a_domain_of_the_leg(done):
    done.set('leg "legacy"', domains=["tenant.old.example"])
    done.reload()
    assert "domains = tenant.old.example" in against(done, "rows")


# ---- open -----------------------------------------------------------------

def test_one_held_row(done):
    done.cli("hold", CAT)
    assert f"rows that are held: 1 ({CAT})" in against(done, "open")


def test_mail_that_waits_for_it_is_parked_or_frozen(done, legacy):
    """Mail that is open there has a route there: both are named."""
    done.cli("route", "set", "legacy", "new@example.com")
    legacy.reply("RCPT", "451 4.2.1 busy", to="new@example.com")
    id = done.send(to="new@example.com")
    done.wait_event("deferred", id=id)
    _, rows = verdict(done)
    assert "new@example.com" in rows["open"]["evidence"]
    assert rows["open"]["state"] == "no"
    until(lambda: done.run("queue", "freeze", id).returncode == 0,
          "it to be frozen")
    assert "deliveries that are frozen: 1" in \
        verdict(done)[1]["open"]["evidence"]
    done.cli("queue", "park", id, "--yes")
    said = verdict(done)[1]["open"]["evidence"]
    assert "deliveries that are parked: 1" in said
    assert "wait" not in said


def test_a_wave_that_is_not_over(done):
    done.cli("wave", "create", "left", "--file", "-", stdin=CAT + "\n")
    assert "left is planned" in against(done, "open")
    done.cli("wave", "delete", "left")
    wait_go(done)


def test_without_the_daemon_what_waits_is_unknown(done):
    done.stop()
    _, rows = verdict(done)
    assert rows["open"]["state"] == "unknown"
    assert "does not run" in rows["open"]["evidence"]
    done.start()
    wait_go(done)


# ---- watermarks -----------------------------------------------------------

def test_a_sync_that_was_not_confirmed(done):
    done.cli("route", "set", "legacy", "new@example.com")
    done.cli("flip", "cloud", "new@example.com")
    assert "new@example.com" in against(done, "watermarks")
    synced(done, "new@example.com")
    wait_go(done)


def test_a_late_delivery_withdraws_one(done, legacy):
    done.cli("flip", "legacy", ANN)
    id = done.send(to=ANN)
    assert legacy.wait_message(id)
    done.wait_event("delivered", id=id)
    done.cli("flip", "cloud", ANN)
    assert ANN in against(done, "watermarks")


def replay_there(gw, cloud, to, messages=1):
    """Mail that the new leg got, now for the old one. Their ids."""
    ids = [gw.send(to=to) for _ in range(messages)]
    for id in ids:
        assert cloud.wait_message(id)
        gw.wait_event("delivered", id=id)
    gw.cli("replay", "--to", to, "--from-leg", "cloud", "--to-leg",
           "legacy", "--since", "-10s", "--yes")
    return ids


def test_a_replay_there_withdraws_one(done, legacy, cloud):
    for id in replay_there(done, cloud, ANN):
        assert legacy.wait_message(id)
    done.wait_event("watermark", to=ANN, state="withdrawn")
    until(lambda: ANN in verdict(done)[1]["watermarks"]["evidence"],
          "the mailbox to be named")
    assert ANN in against(done, "watermarks")
    synced(done, ANN)
    wait_go(done)


def test_one_that_is_withdrawn_turns_it(done, legacy, cloud):
    """It stays so while more is open there, which somebody takes on."""
    done.cli("verdict", "waive", "open", "--until", "+1d", "--note", "known")
    legacy.reply("MAIL", "451 4.2.1 busy", times=1)
    done.set("retry", steps=["1h"])
    done.reload()
    replay_there(done, cloud, ANN, messages=2)
    done.wait_event("deferred", leg="legacy", to=ANN)
    done.wait_event("watermark", to=ANN, state="withdrawn")
    said = against(done, "watermarks")
    assert said.startswith("watermarks that a later delivery has withdrawn: "
                           f"1 ({ANN})")
    done.cli("queue", "retry", "--leg", "legacy")
    until(lambda: "reported as synchronized: 1" in
          verdict(done)[1]["watermarks"]["evidence"], "it to be reached")
    synced(done, ANN)
    wait_go(done)


def test_a_recipient_that_is_done_without_by_name(done):
    done.cli("route", "set", "legacy", "new@example.com")
    done.cli("flip", "cloud", "new@example.com")
    against(done, "watermarks")
    done.cli("watermark", "waive", "new@example.com", "--note", "has left")
    rows = wait_go(done)
    assert "1 done without by name" in rows["watermarks"]["evidence"]
    # It moves again: that mailbox is another matter.
    done.cli("flip", "legacy", "new@example.com", "--wait")
    done.cli("flip", "cloud", "new@example.com")
    assert "new@example.com" in against(done, "watermarks")


def test_a_delivery_after_the_waiver_counts(done, legacy, cloud):
    """By a replay, which is no change of a route."""
    done.cli("route", "set", "legacy", "new@example.com")
    done.cli("flip", "cloud", "new@example.com")
    done.cli("watermark", "waive", "new@example.com", "--note", "has left")
    wait_go(done)
    for id in replay_there(done, cloud, "new@example.com"):
        assert legacy.wait_message(id)
    assert "new@example.com" in against(done, "watermarks")


def test_recipients_are_done_without_by_an_expression(done):
    done.cli("route", "set", "legacy", "--tag", "left", "d@example.com",
             "e@example.com")
    done.cli("flip", "cloud", "d@example.com", "e@example.com")
    against(done, "watermarks")
    done.cli("watermark", "waive", "--where", "tag = 'left'", "--note",
             "have left")
    rows = wait_go(done)
    assert "2 done without by name" in rows["watermarks"]["evidence"]
    refused = done.run("watermark", "waive", "--where", "route =",
                       "--note", "x")
    assert refused.returncode == 1 and refused.stderr


def test_a_name_that_no_row_ever_had(make_gw, legacy, cloud):
    """Of a domain's row that was changed before there were watermarks."""
    gw = make_gw(settings={
        "verdict": {"leg": "legacy", "quiet": "1s"},
        'leg "legacy"': {"clients": [LEGACY_CLIENT + "/32"]}})
    id = gw.send(to="any@example.com")
    assert legacy.wait_message(id)
    gw.wait_event("delivered", id=id)
    until(lambda: "any@example.com" in
          verdict(gw)[1]["watermarks"]["evidence"], "its delivery to be seen")
    refused = gw.run("watermark", "waive", "any@example.com", "--note", "x")
    assert refused.returncode == 1 and "--leg" in refused.stderr
    gw.cli("watermark", "waive", "any@example.com", "--leg", "legacy",
           "--note", "no mailbox")
    assert verdict(gw)[1]["watermarks"]["state"] == "ok"


def test_a_deleted_ledger_is_no_good_news(done):
    (done.folder / "audit/ledger.db").unlink()
    answer, rows = verdict(done)
    assert answer["verdict"] == "NO-GO"
    assert rows["watermarks"]["state"] == "unknown"


# ---- stragglers ------------------------------------------------------------

def test_a_client_that_still_comes_is_named_until_it_is_quiet(done):
    done.set("verdict", quiet="1h")
    done.reload()
    _, rows = verdict(done)
    assert rows["stragglers"]["state"] == "no"
    assert "clients that are not quiet: 1 (127.0.0.1" in \
        rows["stragglers"]["evidence"]
    # It was not watched for so long either.
    assert rows["observed"]["state"] == "no"


def test_a_client_at_a_listener_that_does_not_count(done):
    done.set('listen "new"', address=["127.0.0.1:0"])
    done.set("verdict", quiet="1h", listen=["new"])
    done.reload()
    _, rows = verdict(done)
    assert "127.0.0.1" not in rows["stragglers"]["evidence"]


# ---- from-leg, observed ---------------------------------------------------

def test_mail_that_comes_from_the_leg(done):
    from_legacy(done, ANN)
    said = against(done, "from-leg")
    assert "mail for example.com, 1 message," in said
    wait_go(done)  # it is quiet again


def test_mail_that_reached_the_leg_from_outside_is_a_way_back(done):
    from_legacy(
        done, ANN,
        "Received: from mx.other.example (mx.other.example [203.0.113.7])\r\n"
        " by mail-old.example.com with ESMTP; Mon, 30 Nov 2026 12:00:00"
        " +0000\r\n")
    said = against(done, "from-leg")
    assert "reached it from outside" in said and "203.0.113.7" in said
    told = done.wait_event("alarm", kind="way-back")
    assert told["about"] == "legacy" and "203.0.113.7" in told["text"]
    assert ANN in told["text"]


def test_a_listener_that_was_closed_was_not_listened_to(done):
    done.set('listen "new"', address=["127.0.0.1:0"], closed=True)
    done.set("verdict", listen=["mx", "new"])
    done.reload()
    assert "new: 0 s of 1 s" in against_watch(done)
    done.set('listen "new"', closed=False)
    done.reload()
    wait_go(done)


def against_watch(gw):
    """Of silence that was not listened to both reasons speak."""
    _, rows = verdict(gw)
    assert rows["from-leg"]["state"] == "unknown", rows
    assert rows["observed"]["state"] == "no", rows
    return rows["observed"]["evidence"]


def test_deleted_observations_are_no_good_news(done):
    done.set("verdict", quiet="1h")
    done.reload()
    for name in "observed.db", "observed.db-wal", "observed.db-shm":
        (done.folder / "audit" / name).unlink(missing_ok=True)
    assert "of 1 h" in against_watch(done)


def test_a_daemon_that_does_not_run_observes_nothing(done):
    done.stop()
    db = sqlite3.connect(done.folder / "audit/observed.db")
    before = db.execute("SELECT sum(observed) FROM watched").fetchone()[0]
    db.close()
    verdict(done)
    db = sqlite3.connect(done.folder / "audit/observed.db")
    assert db.execute(
        "SELECT sum(observed) FROM watched").fetchone()[0] == before
    db.close()


# ---- waivers --------------------------------------------------------------

def test_a_waiver_that_has_ended_is_no_go(done):
    db = sqlite3.connect(done.folder / "cutover.db")
    db.execute("UPDATE waiver SET until = time + 1 WHERE reason = 'inside'")
    db.commit()
    db.close()
    against(done, "inside", state="unknown")
    assert "waiver: inside ENDED at" in done.run("verdict").stdout


def test_a_waiver_is_a_recorded_decision_and_is_taken_back(done):
    done.cli("verdict", "waive", "inside", "--end", "--note", "found them")
    against(done, "inside", state="unknown")
    db = sqlite3.connect(done.folder / "cutover.db")
    rows = db.execute("SELECT about, detail, note FROM decision "
                      "WHERE command = 'verdict waive'").fetchall()
    db.close()
    assert rows[-1] == ("verdict", "inside: no waiver any more",
                        "found them")
    done.cli("table", "check")


@pytest.mark.parametrize("words, says", [
    (["nonsense", "--until", "+1d", "--note", "x"], "rows open watermarks"),
    (["inside", "--note", "x"], "--until"),
    (["inside", "--until", "-1d", "--note", "x"], "is over already"),
    (["inside", "--until", "soon", "--note", "x"], "is no time"),
    (["inside", "--until", "+1d"], "--note"),
    (["inside", "--until", "+1d", "--note", "x", "--name", "b"],
     'no verdict "b"'),
    (["inside", "--until", "+1d", "--end", "--note", "x"], "--until"),
])
def test_a_waiver_wants_all_of_it(done, words, says):
    refused = done.run("verdict", "waive", *words)
    assert refused.returncode == 2 and says in refused.stderr
    wait_go(done)


# ---- a clock that is set ----------------------------------------------------

def test_a_clock_set_forward_by_quiet_is_no_silence(done):
    """Clients are quiet by the wall clock then; by what was watched they are
    not."""
    shift = Shift(done.folder)
    done.stop()
    done.environment.update(shift.environment)
    done.set("verdict", quiet="1h")
    done.start()
    _, rows = verdict(done)
    assert rows["stragglers"]["state"] == "no"
    shift.set_clock(3 * HOUR_S)

    def look():
        seen = subprocess.run(
            [BUILD / "posthouse", "-c", done.conf, "--json", "verdict"],
            env={**os.environ, **shift.environment}, capture_output=True,
            text=True)
        return {r["reason"]: r for r in map(json.loads,
                seen.stdout.splitlines()) if "reason" in r}

    until(lambda: look()["stragglers"]["state"] != "no",
          "the wall clock to have passed the quiet time")
    rows = look()
    assert rows["observed"]["state"] == "no"
    assert "of 1 h" in rows["observed"]["evidence"]


# ---- several verdicts -------------------------------------------------------

@pytest.fixture
def two(done):
    """A second customer, whose mail still goes to the same leg."""
    done.set('domain "example.com"', customer="one")
    done.set('domain "two.example"', route="legacy", unknown="route",
             customer="two")
    done.set('verdict "one"', leg="legacy", customer="one", quiet="1s")
    done.set('verdict "two"', leg="legacy", domains=["two.example"],
             quiet="1s")
    done.reload()
    done.cli("route", "set", "legacy", "@two.example")
    for name in "one", "two":
        for reason in WAIVED:
            done.cli("verdict", "waive", reason, "--name", name, "--until",
                     "+1d", "--note", "not of this test")
    return done


def test_a_verdict_by_name_counts_its_own_domains_and_names_no_other(two):
    wait_go(two, "one")
    two.cli("route", "set", "legacy", "eve@two.example")
    id = two.send(to="eve@two.example")
    two.wait_event("delivered", id=id)
    two.cli("wave", "create", "theirs", "--file", "-",
            stdin="eve@two.example\n")
    wait_go(two, "one")
    text = two.run("--json", "verdict", "one").stdout
    assert "two.example" not in text and "theirs" not in text
    until(lambda: "eve@two.example" in against_many(two, "two").get(
        "watermarks", ""), "its mailbox to be named")
    said = against_many(two, "two")
    assert "eve@two.example" in said["rows"]
    assert "theirs is planned" in said["open"]
    # The whole names all.
    assert "@two.example" in verdict(two)[1]["rows"]["evidence"]


def against_many(gw, *words):
    answer, rows = verdict(gw, *words)
    assert answer["verdict"] == "NO-GO"
    return {r: rows[r]["evidence"] for r in REASONS
            if rows[r]["state"] == "no"}


def test_mail_of_the_leg_for_another_customer_is_theirs(two):
    wait_go(two, "one")
    two.cli("route", "set", "cloud", "eve@two.example")
    from_legacy(two, "eve@two.example")
    assert verdict(two, "one")[1]["from-leg"]["state"] == "ok"
    assert verdict(two, "two")[1]["from-leg"]["state"] == "no"


def test_a_verdict_that_is_not_there(done):
    refused = done.run("verdict", "nobody")
    assert refused.returncode == 1
    assert 'no verdict "nobody"' in refused.stderr


# ---- the relay itself -------------------------------------------------------

def test_the_relay_itself_may_go_when_nothing_is_left_of_it(done, legacy):
    done.set("spool", retain="1s")
    done.reload()
    until(lambda: done.run("verdict", "--relay").returncode == 0,
          "the relay to be done")
    assert done.cli("verdict", "--relay").splitlines()[-1] == "GO"
    done.cli("route", "set", "legacy", "new@example.com")
    legacy.reply("RCPT", "451 4.2.1 busy", to="new@example.com")
    id = done.send(to="new@example.com")
    done.wait_event("deferred", id=id)
    refused = done.run("--json", "verdict", "--relay")
    rows = [json.loads(l) for l in refused.stdout.splitlines()]
    assert refused.returncode == 1 and rows[-1]["verdict"] == "NO-GO"
    assert [r["reason"] for r in rows[:-1]] == [
        "queue", "addresses", "clients", "retained"]
    assert rows[0]["state"] == "no"
    assert rows[0]["evidence"].startswith("1 deliveries")


def test_return_addresses_that_still_take_mail_keep_the_relay(done):
    secrets = done.folder / "return.secrets"
    secrets.write_text("a secret of sixteen and more\n")
    secrets.chmod(0o600)
    done.set("return", domain="return.example.com", secrets=secrets)
    done.set("spool", retain="1s")
    done.reload()
    refused = done.run("verdict", "--relay")
    assert refused.returncode == 1
    line = [l for l in refused.stdout.splitlines()
            if l.startswith("addresses")][0]
    assert " no " in line and "takes mail until 2" in line


# ---- afterwards -------------------------------------------------------------

def test_who_has_moved_hears_where_to(done):
    done.set('domain "example.com"', moved_to="mx.example.net")
    done.reload()
    done.cli("route", "set", "gone", CAT)
    with done.dialog() as s:
        s.cmd("EHLO a")
        s.cmd("MAIL FROM:<x@elsewhere.test>")
        reply = s.cmd(f"RCPT TO:<{CAT}>")
    assert (reply.code, reply.enh) == (550, "5.1.6")
    assert "mx.example.net" in reply.text


def test_a_closed_listener_takes_nobody_and_counts_who_comes(done):
    done.set('listen "old"', address=["127.0.0.1:0"], closed=True)
    done.restart()
    port = done.ports["old"]
    with Dialog(port) as s:
        assert s.greeting.code == 521
        assert s.file.read() == b""
    refused = done.wait_event("refused", listen="old")
    assert refused["code"] == 521 and refused["client"] == "127.0.0.1"
