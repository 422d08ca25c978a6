# SPDX-License-Identifier: ISC
"""Stragglers: clients of the old MX, counted by the true daemon, listed and
marked by the true command. Clients come by PROXY."""
import csv
import io
import smtplib
import sqlite3

import pytest

from dialog import queued_id
from peers import Exim, Postfix
from until import until

ANN = "ann@example.com"


def proxied(client):
    kind = "TCP6" if ":" in client else "TCP4"
    us = "::1" if ":" in client else "127.0.0.1"
    return f"PROXY {kind} {client} {us} 4000 25\r\n".encode()


@pytest.fixture
def gw(make_gw):
    gw = make_gw({'listen "mx"': {"proxy_from": ["127.0.0.1"]},
                  "limits": {"errors": 100}})
    gw.change(f"route set legacy {ANN}")
    return gw


def send(gw, first, sender="a@sender.test", to=ANN):
    with gw.dialog(first=first) as d:
        d.envelope(sender, to)
        return queued_id(d.data("Subject: x\r\n\r\nx\r\n.\r\n"))


def refused(gw, first, to):
    with gw.dialog(first=first) as d:
        d.cmd("MAIL FROM:<a@sender.test>")
        assert 500 <= d.cmd(f"RCPT TO:<{to}>").code < 600


def rows(gw, *words):
    return {r["client"]: r for r in gw.cli_json("stragglers", *words)}


def counted(gw, want, *words):
    """Waits until the ledger has what `want` says: client, key, value."""
    def is_there():
        if gw.run("stragglers").returncode != 0:
            return False  # the ledger is not made yet
        got = rows(gw, *words)
        return all(got.get(c, {}).get(k) == v for c, k, v in want) and got
    return until(is_there, f"the ledger to have {want}")


def test_each_client_is_a_row(gw, legacy):
    for sender in ("a@sender.test", "b@sender.test", "c@other.test", ""):
        send(gw, proxied("192.0.2.7"), sender)
    send(gw, proxied("2001:db8::7"))
    refused(gw, proxied("192.0.2.8"), "x@elsewhere.test")
    # None of these is one: the proxy itself, whatever it does.
    send(gw, b"PROXY UNKNOWN\r\n")
    refused(gw, b"PROXY UNKNOWN\r\n", "x@elsewhere.test")
    got = counted(gw, [("192.0.2.7", "delivered", 4),
                       ("2001:db8::7", "delivered", 1),
                       ("192.0.2.8", "refused", 1)])
    assert set(got) == {"192.0.2.7", "2001:db8::7", "192.0.2.8"}
    r = got["192.0.2.7"]
    assert r["messages"] == r["recipients"] == 4 and r["refused"] == 0
    assert r["senders"] == [{"domain": "sender.test", "messages": 2},
                            {"domain": "other.test", "messages": 1},
                            {"domain": "", "messages": 1}] or \
        {s["domain"] for s in r["senders"]} == {"sender.test", "other.test",
                                                ""}
    assert r["listen"] == "mx" and r["helo"] == "client.test"
    # SPF is not checked here, so nothing speaks against it.
    assert r["state"] == "legitimate" and r["legitimate"]
    assert got["192.0.2.8"]["state"] == "unproven"
    # The newest first.
    assert [r["client"] for r in gw.cli_json("stragglers")][0] == "192.0.2.8"
    table = gw.cli("stragglers")
    assert "3 stragglers, 2 legitimate and not quiet" in table
    assert gw.cli_json("stragglers", "--listen", "other") == []
    assert "stragglers: 2 legitimate and not quiet" in gw.cli("status")
    r, = [r for r in gw.cli_json("status") if r["section"] == "stragglers"]
    assert r["legitimate"] == 2 and r["last"] <= rows(gw)["192.0.2.8"]["last"]
    assert set(rows(gw, "192.0.2.0/24")) == {"192.0.2.7", "192.0.2.8"}
    chart = gw.cli("stragglers", "192.0.2.7")
    assert "#" * 50 in chart and "4 taken, 0 refused" in chart


def test_a_leg_and_an_outbound_client_are_none(make_gw, legacy):
    gw = make_gw({'listen "mx"': {"proxy_from": ["127.0.0.1"]},
                  'egress "out"': {"hosts": [f"127.0.0.1:{legacy.port}"],
                                   "spf_address": ["198.51.100.7"]},
                  "outbound": {"clients": ["10.9.0.0/16"], "use": ["out"]}},
                 legs={"legacy": {"hosts": [f"127.0.0.1:{legacy.port}"],
                                  "clients": ["192.0.2.10/32"],
                                  "tls": "none"},
                       "cloud": {"hosts": [f"127.0.0.1:{legacy.port}"],
                                 "tls": "none"}})
    gw.change(f"route set cloud {ANN}")
    send(gw, proxied("192.0.2.10"))
    send(gw, proxied("10.9.1.1"))
    send(gw, proxied("10.8.1.1"))
    got = counted(gw, [("10.8.1.1", "messages", 1)])
    assert set(got) == {"10.8.1.1"}


def test_a_kill_neither_loses_nor_doubles(gw, legacy):
    for i in range(5):
        for _ in range(8):
            send(gw, proxied(f"192.0.2.{i}"))
        refused(gw, proxied("192.0.2.99"), f"x{i}@elsewhere.test")
        gw.wait_event("refused", to=f"x{i}@elsewhere.test")
        gw.kill()
        gw.start()
    gw.wait_empty()
    got = counted(gw, [(f"192.0.2.{i}", "delivered", 8) for i in range(5)] +
                  [("192.0.2.99", "refused", 5)])
    assert {got[f"192.0.2.{i}"]["messages"] for i in range(5)} == {8}
    gw.restart()
    assert rows(gw).keys() == got.keys()
    assert all(rows(gw)[c]["messages"] == r["messages"]
               for c, r in got.items())


def test_people_decide(gw, legacy):
    for last in (7, 8, 9):
        send(gw, proxied(f"192.0.2.{last}"))
    refused(gw, proxied("192.0.2.66"), "x@elsewhere.test")
    counted(gw, [("192.0.2.9", "delivered", 1), ("192.0.2.66", "refused", 1)])
    assert "1 marked keep" in gw.cli("stragglers", "set", "192.0.2.66", "keep",
                                     "--note", "scanner, 3rd floor")
    gw.cli("stragglers", "set", "192.0.2.0/29", "ignore", "--note", "lab")
    got = rows(gw)
    assert got["192.0.2.66"]["state"] == "legitimate"
    assert got["192.0.2.66"]["note"] == "scanner, 3rd floor"
    assert got["192.0.2.7"]["state"] == "ignored"
    assert got["192.0.2.8"]["state"] == "legitimate"
    # Many at once, as one decision.
    assert "2 marked ignore" in gw.cli(
        "stragglers", "set", "--where", "delivered > 0 and not client = "
        "192.0.2.7", "ignore", "--note", "=SUM(1)")
    assert [c for c, r in rows(gw).items() if r["legitimate"]] == \
        ["192.0.2.66"]
    gw.cli("stragglers", "set", "192.0.2.9", "none", "--note", "mistake")
    assert rows(gw)["192.0.2.9"]["mark"] == ""
    # Marks outlive the ledger, which is made anew.
    gw.stop()
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (gw.folder / "audit" / name).unlink(missing_ok=True)
    assert "ledger.db" in gw.cli_fails("stragglers")
    gw.start()
    send(gw, proxied("192.0.2.66"))
    assert counted(gw, [("192.0.2.66", "delivered", 1)])["192.0.2.66"][
        "mark"] == "keep"


BAD = [(["192.0.2.7", "keep"], "--note"),
       (["192.0.2.7", "perhaps", "--note", "x"], "keep, ignore or none"),
       (["keep", "--note", "x"], "--where"),
       (["host", "keep", "--note", "x"], "host is not an address"),
       (["192.0.2.7/24", "keep", "--note", "x"], "bits set beyond"),
       (["--where", "colour = red", "keep", "--note", "x"],
        "near 'colour = red'"),
       (["--where", "after > 1", "keep", "--note", "x"], "--after TIME says")]


@pytest.mark.parametrize("words, says", BAD, ids=[w[-1] for _, w in BAD])
def test_a_mark_that_is_wrong_changes_nothing(gw, words, says):
    assert says in gw.cli_fails("stragglers", "set", *words, code=2)
    assert gw.cli_json("stragglers") == []


def test_csv_is_for_spreadsheets(gw, legacy):
    with gw.dialog(first=proxied("192.0.2.7"), greet=True) as d:
        for line in ('HELO =cmd|"calc"', "MAIL FROM:<a@sender.test>",
                     f"RCPT TO:<{ANN}>"):
            d.ok(line)
        assert d.data("Subject: x\r\n\r\nx\r\n.\r\n").code == 250
    counted(gw, [("192.0.2.7", "delivered", 1)])
    gw.cli("stragglers", "set", "192.0.2.7", "keep", "--note", 'a, "b"')
    row, = csv.DictReader(io.StringIO(gw.cli("stragglers", "--csv")))
    assert row["client"] == "192.0.2.7" and row["messages"] == "1"
    assert row["helo"].startswith("'=cmd")
    assert row["note"] == 'a, "b"' and row["state"] == "legitimate"


def test_who_came_late_stands_apart(gw, legacy):
    send(gw, proxied("192.0.2.7"))
    counted(gw, [("192.0.2.7", "delivered", 1)])
    r, = gw.cli_json("stragglers", "--after", "-1d")
    assert r["late"] and r["after_percent"] == 100
    assert "Late:" in gw.cli("stragglers", "--after", "-1d")
    r, = gw.cli_json("stragglers", "--after", "+1d")
    assert not r["late"] and r["after_percent"] == 0
    assert "after_percent" not in gw.cli_json("stragglers")[0]


def test_who_wants_to_send_outside(gw, legacy):
    refused(gw, proxied("10.1.2.3"), "x@elsewhere.test")
    refused(gw, proxied("10.1.2.3"), "y@elsewhere.test")
    refused(gw, proxied("192.0.2.7"), "x@elsewhere.test")
    counted(gw, [("10.1.2.3", "refused", 2), ("192.0.2.7", "refused", 1)])
    r, = gw.cli_json("stragglers", "--outbound")
    assert r["client"] == "10.1.2.3" and r["refused"] == 2
    text = gw.cli("stragglers", "--outbound")
    assert 'outbound { clients = { "10.1.2.3" } }' in text
    # One alarm a day, whichever clients they are.
    alarm = gw.wait_event("alarm", kind="wants-outbound")
    assert alarm["about"] == "10.1.2.3" and "10.1.2.3" in alarm["text"]
    refused(gw, proxied("10.1.2.4"), "x@elsewhere.test")
    counted(gw, [("10.1.2.4", "refused", 1)])
    assert len(gw.events(event="alarm", kind="wants-outbound")) == 1
    assert len(gw.cli_json("stragglers", "--outbound")) == 2


# -- logs of the old server

POSTFIX = """\
Nov  3 08:00:00 mx postfix/smtpd[7]: A1: client=scan.example[192.0.2.7]
Nov  3 08:00:00 mx postfix/qmgr[9]: A1: from=<scan@b.example>, size=9, nrcpt=1
Nov  3 08:00:01 mx postfix/virtual[3]: A1: to=<Ann@example.com>, \
relay=virtual, delay=0, dsn=2.0.0, status=sent (delivered to maildir)
Nov  3 08:00:01 mx postfix/qmgr[9]: A1: removed
Nov 30 23:30:00 mx postfix/smtpd[7]: A2: client=unknown[192.0.2.8]
Nov 30 23:30:00 mx postfix/qmgr[9]: A2: from=<>, size=9, nrcpt=1
Nov 30 23:30:01 mx postfix/smtp[3]: A2: to=<x@elsewhere.test>, \
relay=h[192.0.2.1]:25, delay=0, status=sent (250 ok)
Nov 30 23:30:02 mx postfix/local[3]: A2: to=<ann@box.test>, \
orig_to=<bob@example.com>, relay=local, status=sent (delivered to mailbox)
Nov 30 23:30:03 mx postfix/smtpd[7]: NOQUEUE: reject: RCPT from \
unknown[192.0.2.9]: 554 5.7.1 <x@y.test>: Relay access denied; helo=<bot>
this line is of something else
"""
EXIM = """\
2019-12-01 08:00:00 1aBcDe-000001-XY <= a@b.example H=(pc) [192.0.2.17] P=smtp
2019-12-01 08:00:01 1aBcDe-000001-XY => ann <ann@example.com> R=l T=mail_spool
2019-12-01 08:00:01 1aBcDe-000001-XY Completed
"""
TRACKING = """\
#Software: Microsoft Exchange Server
#Fields: date-time,client-ip,source,event-id,internal-message-id,\
recipient-address,message-subject,sender-address,directionality
2019-12-02T08:00:00.123Z,192.0.2.27,SMTP,RECEIVE,1,ann@example.com,"a,b",\
a@b.example,Incoming
2019-12-02T08:00:01.123Z,,STOREDRIVER,DELIVER,1,ann@example.com,"a,b",\
a@b.example,Incoming
"""
FORMATS = {"postfix": POSTFIX, "exim": EXIM, "exchange-tracking": TRACKING}


def imports(gw, *words, stdin=None):
    return gw.cli_json("stragglers", "import", *words, stdin=stdin)


@pytest.fixture
def log(gw):
    def write(text, name="old.log", encoding="utf-8"):
        path = gw.folder / name
        path.write_bytes(text.encode(encoding))
        return str(path)
    return write


def settled(gw):
    until(lambda: gw.run("stragglers").returncode == 0, "the ledger")


def test_a_log_names_clients_of_before(gw, log):
    settled(gw)
    r, = imports(gw, "--format", "postfix", "--year", "2019", "--zone",
                 "Europe/Berlin", log(POSTFIX))
    assert (r["lines"], r["messages"], r["inside"], r["unread"]) == \
        (10, 2, 2, 1)
    assert r["first"].startswith("2019-11-03T07:00:00")
    assert r["last"].startswith("2019-11-30T22:30:03")
    got = rows(gw)
    assert set(got) == {"192.0.2.7", "192.0.2.8", "192.0.2.9"}
    scan = got["192.0.2.7"]
    assert scan["imported"] and scan["state"] == "quiet"
    assert scan["name"] == "scan.example" and scan["delivered"] == 1
    assert scan["senders"] == [{"domain": "b.example", "messages": 1}]
    assert got["192.0.2.8"]["delivered"] == 3 - 1
    assert got["192.0.2.9"]["state"] == "unproven"
    assert got["192.0.2.9"]["helo"] == "bot"
    assert "(logs)" in gw.cli("stragglers")


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_twice_counts_once(gw, log, form):
    settled(gw)
    words = ["--format", form, "--year", "2019", log(FORMATS[form])]
    first, = imports(gw, *words)
    assert not first["again"] and first["inside"] > 0
    before = rows(gw)
    again, = imports(gw, *words)
    assert again["again"]
    # Also where it has another name, or comes by a pipe.
    again, = imports(gw, *words[:-1], "-", stdin=FORMATS[form])
    assert again["again"]
    assert rows(gw) == before
    # Half of it, and then all: other files, and no date changes.
    cut = "".join(FORMATS[form].splitlines(True)[:-1])
    imports(gw, *words[:-1], log(cut, "half.log"))
    now = rows(gw)
    assert {c: (r["first"], r["last"]) for c, r in now.items()} == \
        {c: (r["first"], r["last"]) for c, r in before.items()}


def test_a_log_of_windows_is_read(gw, log):
    settled(gw)
    text = TRACKING.replace("\n", "\r\n")
    for i, (encoding, head) in enumerate((("utf-8", "\ufeff"),
                                          ("utf-16", ""))):
        r, = imports(gw, "--format", "exchange-tracking",
                     log(head + text + "#" * i + "\r\n" * i,
                         f"{i}.log", encoding))
        assert (r["messages"], r["inside"], r["unread"]) == (1, 1, 0)


def test_what_is_not_read_is_shown_and_a_wrong_file_refused(gw, log):
    settled(gw)
    text = gw.cli("stragglers", "import", "--format", "postfix", log(POSTFIX))
    assert "1 lines not read" in text
    assert "old.log:10: not a line of postfix: this line is" in text
    said = gw.cli_fails("stragglers", "import", "--format", "exim",
                        log("no log at all\n", "x.log"))
    assert "x.log: no line of it is one of exim" in said
    for words, says in ((["--format", "sendmail", "x"], "exchange-tracking,"),
                        (["--format", "exim", "--zone", "Mars/X", "x"],
                         "Mars/X"),
                        (["--format", "exim", "--year", "20x", "x"],
                         "is no year")):
        assert says in gw.cli_fails("stragglers", "import", *words, code=2)
    assert "missing.log" in gw.cli_fails(
        "stragglers", "import", "--format", "exim", log(EXIM, "e.log"),
        str(gw.folder / "missing.log"))
    assert set(rows(gw)) == {"192.0.2.7", "192.0.2.8", "192.0.2.9"}


def test_a_backup_has_what_logs_said(gw, log):
    settled(gw)
    imports(gw, "--format", "exim", log(EXIM))
    gw.cli("backup", str(gw.folder / "copy"))
    db = sqlite3.connect(gw.folder / "copy/audit/imported.db")
    assert db.execute("SELECT recipient FROM inside").fetchall() == [(ANN,)]
    db.close()


def test_lines_in_any_order_lose_no_delivery(gw, log):
    settled(gw)
    lines = EXIM.splitlines(True)
    r, = imports(gw, "--format", "exim", log("".join(reversed(lines))))
    assert (r["messages"], r["inside"], r["unread"]) == (1, 1, 0)


@pytest.mark.parametrize("kind, form, name", [
    (Postfix, "postfix", "log"), (Exim, "exim", "log-main")])
def test_each_line_of_a_true_server_is_read(gw, peers, folder, legacy, kind,
                                            form, name):
    peer = kind(peers, folder / form, legacy)
    peer.start()
    try:
        with smtplib.SMTP("127.0.0.1", peer.port) as s:
            s.sendmail("a@sender.test", [ANN], b"Subject: x\r\n\r\nx\r\n")
        legacy.wait_count(1)
        path = folder / form / name
        until(lambda: "removed" in path.read_text() or
              "Completed" in path.read_text(), "its log to tell the end")
    finally:
        peer.stop()
    settled(gw)
    r, = imports(gw, "--format", form, str(path))
    assert r["lines"] >= 3 and r["unread"] == 0
    # The client is the server's own machine, and it relayed: none of these.
    assert r["messages"] == 0 and r["inside"] == 0 and rows(gw) == {}
