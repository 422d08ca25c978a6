# SPDX-License-Identifier: ISC
"""Alarms: the event, the message and the program, by the true daemon in its
sandbox."""
import email
import json
import shutil

import pytest

from until import until

ANN = "ann@example.com"


@pytest.fixture
def page(folder, tmp_path):
    """A program; what it was given, run by run."""
    class Page:
        # Where the daemon may not write: that would be refused.
        program = tmp_path / "page"
        out = folder / "paged"

        def write(self, script):
            self.program.write_text(f"#!/bin/sh\n{script}\n")
            self.program.chmod(0o755)

        @property
        def runs(self):
            try:
                text = self.out.read_text()
            except FileNotFoundError:
                return []
            lines = text.splitlines()
            return [(kind, json.loads(line))
                    for kind, line in zip(lines[::2], lines[1::2])]

        def wait(self, kind):
            return until(lambda: [j for k, j in self.runs if k == kind],
                         f"the program to be run for {kind}")[0]

    page = Page()
    page.write(f'{{ echo "$1"; cat; }} >> {page.out}')
    return page


def leg_down(gw, legacy, to=ANN):
    legacy.refuse_connections()
    for _ in range(6):
        gw.send(to=to)


def test_a_leg_that_is_down_is_paged_mailed_and_on_record(
        make_gw, legacy, cloud, outside, page):
    gw = make_gw({"alarm": {"exec": page.program, "interval": "1s",
                            "mail": "oncall@elsewhere.test"}})
    leg_down(gw, legacy)
    run = page.wait("leg-down")
    assert run["about"] == "legacy" and run["kind"] == "leg-down"
    assert "legacy" in run["text"] and run["time"].endswith("Z")
    e = gw.wait_event("alarm", kind="leg-down", about="legacy")
    assert e["text"] == run["text"]
    mail = outside.wait_count(1)[0]
    assert mail.sender == "" and mail.rcpt == ["oncall@elsewhere.test"]
    m = email.message_from_bytes(mail.raw)
    assert "leg-down" in m["Subject"] and "legacy" in m["Subject"]
    assert m["Auto-Submitted"] == "auto-generated"
    assert m["From"].endswith("<admin@example.com>") and m["Message-ID"]
    assert run["text"] in m.get_payload()
    # Once for all the time that it lasts.
    assert len([k for k, _ in page.runs if k == "leg-down"]) == 1
    legacy.accept_connections()
    gw.wait_empty()
    gw.verify()


def test_an_alarm_to_our_own_domain_goes_by_the_table(
        make_gw, legacy, cloud):
    gw = make_gw({"alarm": {"interval": "1s", "mail": "oncall@example.com"}})
    gw.cli("route set cloud oncall@example.com")
    leg_down(gw, legacy)
    mail = until(lambda: [m for m in cloud.mails
                          if m.rcpt == ["oncall@example.com"]],
                 "the alarm to arrive")[0]
    assert mail.sender == ""
    legacy.accept_connections()
    gw.wait_empty()
    gw.verify()


def test_who_gets_alarms_counts_from_the_reload_on(
        make_gw, legacy, cloud, outside):
    gw = make_gw({"alarm": {"interval": "1s"}})
    gw.set("alarm", mail="oncall@elsewhere.test")
    assert gw.reload()
    leg_down(gw, legacy)
    assert outside.wait_count(1)[0].rcpt == ["oncall@elsewhere.test"]
    legacy.accept_connections()
    gw.wait_empty()


def test_an_alarm_survives_a_kill(make_gw, legacy, cloud, outside):
    """Accepted like any mail: the way out is down, and so is the daemon."""
    outside.refuse_connections()
    gw = make_gw({"alarm": {"interval": "1s",
                            "mail": "oncall@elsewhere.test"}})
    leg_down(gw, legacy)
    until(lambda: gw.queue("--to", "oncall@elsewhere.test"),
          "the alarm to be in the queue")
    gw.kill()
    outside.accept_connections()
    gw.start()
    outside.wait_count(1)
    gw.verify()


def test_a_table_that_is_gone_is_an_alarm_and_its_mail_waits_for_it(
        make_gw, legacy, cloud, page):
    gw = make_gw({"alarm": {"exec": page.program,
                            "mail": "oncall@example.com"}})
    table, good = gw.folder / "cutover.db", gw.folder / "good.db"
    gw.cli("table", "backup", good)
    files = ("cutover.db", "cutover.db-wal", "cutover.db-shm")
    for name in files:
        (gw.folder / name).rename(gw.folder / (name + ".away"))
    table.write_bytes(b"garbage " * 4096)
    run = page.wait("table")
    assert run["about"] == str(table)
    until(lambda: [l for l in gw.cli_json("status")
                   if l.get("section") == "queue" and l["deliveries"]],
          "the alarm to wait")
    table.unlink()
    shutil.copy(good, table)
    until(lambda: [m for m in legacy.mails
                   if m.rcpt == ["oncall@example.com"]],
          "the alarm to arrive when the table is back")
    gw.wait_empty()
    gw.verify()


@pytest.mark.parametrize("name", ["nothing", "."])
def test_a_program_that_cannot_be_run_is_refused_at_start(make_gw, folder,
                                                          name):
    gw = make_gw({"alarm": {"exec": folder / name}}, start=False)
    gw.launch()
    assert gw.ended() == 1
    assert "alarm.exec" in gw.all_log()
    gw.options = ["-t"]
    gw.launch()
    assert gw.ended() == 1  # -t says so too


def test_a_spool_that_fills_up_is_an_alarm(make_gw, legacy, page):
    gw = make_gw({"spool": {"max": "8M"}, "alarm": {"exec": page.program}})
    gw.cli("leg suspend legacy")
    body = b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n"
    body += (b"y" * 70 + b"\r\n") * 3000
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        for _ in range(200):
            d.ok("MAIL FROM:<a@elsewhere.test>")
            if d.cmd(f"RCPT TO:<{ANN}>").code == 452:
                break
            if d.data(body + b".\r\n").code == 452:
                break
        else:
            raise AssertionError("it never filled up")
    run = page.wait("spool-full")
    assert run["about"].endswith("/spool")
    gw.wait_event("alarm", kind="spool-full")
    assert "spool is not well" in gw.cli("status")
