# SPDX-License-Identifier: ISC
"""The server as a client sees it: RFC 5321 and its extensions, limits."""
import pathlib
import re

import pytest

from dialog import queued_id

ANN = "ann@example.com"


def test_ehlo_offers_what_is_there_and_starttls_only_with_a_certificate(gw):
    with gw.dialog() as d:
        assert d.greeting.code == 220
        assert d.greeting.text.startswith("relay.example.com ")
        words = d.ok("EHLO client.test").text.splitlines()
        assert words[0].split()[0] == "relay.example.com"
        offered = {w.split()[0] for w in words[1:]}
        assert offered == {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8",
                           "ENHANCEDSTATUSCODES", "DSN", "CHUNKING"}
        assert f"SIZE {50 << 20}" in words


def test_helo_speaks_the_old_protocol(gw, legacy):
    with gw.dialog() as d:
        assert d.ok("HELO client.test").text == "relay.example.com"
        d.ok("MAIL FROM:<a@elsewhere.test>")
        d.ok(f"RCPT TO:<{ANN}>")
        id = queued_id(d.data(b"Subject: old\r\n\r\nHi\r\n.\r\n"))
    trace = legacy.wait_message(id).trace
    assert b"with SMTP" in trace and b"ESMTP" not in trace


ORDER = [
    # before, command, code, enhanced code
    ([], "MAIL FROM:<a@b.test>", 250, "2.1.0"),
    (["EHLO c.test"], f"RCPT TO:<{ANN}>", 503, "5.5.1"),
    (["EHLO c.test"], "DATA", 503, "5.5.1"),
    (["EHLO c.test", "MAIL FROM:<a@b.test>"], "MAIL FROM:<a@b.test>", 503,
     "5.5.1"),
    (["EHLO c.test", "MAIL FROM:<a@b.test>"], "DATA", 554, "5.5.1"),
    (["EHLO c.test"], "BDAT x", 501, "5.5.4"),
    (["EHLO c.test"], "WHAT", 500, "5.5.1"),
    (["EHLO c.test"], "VRFY ann", 252, "2.5.0"),
    (["EHLO c.test"], "EXPN list", 502, "5.5.1"),
    (["EHLO c.test"], "NOOP with words", 250, "2.0.0"),
    (["EHLO c.test"], "HELP", 214, "2.0.0"),
    (["EHLO c.test"], "RSET", 250, "2.0.0"),
    (["EHLO c.test"], "RSET now", 501, "5.5.4"),
    (["EHLO c.test"], "STARTTLS", 502, "5.5.1"),
    ([], "EHLO", 501, "5.5.4"),
    (["EHLO c.test"], "MAIL FROM:<a@b.test", 501, "5.1.7"),
    (["EHLO c.test"], "MAIL FROM:<a@b.test> WHAT=1", 555, "5.5.4"),
    (["EHLO c.test"], "MAIL FROM:<a@b.test> BODY=BINARYMIME", 555, "5.5.4"),
    (["EHLO c.test"], f"MAIL FROM:<a@b.test> SIZE={60 << 20}", 552,
     "5.3.4"),
    (["EHLO c.test"], "MAIL FROM:<a@b.test> SIZE=-1", 501, "5.5.4"),
    (["EHLO c.test"], "QUIT", 221, "2.0.0"),
]


@pytest.mark.parametrize("before, command, code, enh", ORDER,
                         ids=[o[1][:24] for o in ORDER])
def test_a_command_is_answered_by_its_place(gw, before, command, code, enh):
    with gw.dialog() as d:
        for line in before:
            d.ok(line)
        r = d.cmd(command)
        assert (r.code, r.enh) == (code, enh), r


def test_pipelined_commands_are_answered_in_order(gw, legacy):
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.send("MAIL FROM:<a@elsewhere.test>\r\n"
               f"RCPT TO:<{ANN}>\r\n"
               "RCPT TO:<x@not-ours.test>\r\n"
               "RCPT TO:<bob@example.com>\r\nDATA\r\n")
        assert [d.reply().code for _ in range(5)] == \
            [250, 250, 550, 250, 354]
        d.send("Subject: piped\r\n\r\nHi\r\n.\r\n"
               "MAIL FROM:<b@elsewhere.test>\r\nRSET\r\nQUIT\r\n")
        id = queued_id(d.reply())
        assert [d.reply().code for _ in range(3)] == [250, 250, 221]
        assert d.closed()
    assert legacy.wait_message(id).rcpt == [ANN, "bob@example.com"]


def test_chunks_are_content_whatever_stands_in_them(gw, legacy):
    body = b"Subject: chunks\r\n\r\n.\r\n\r\n.\r\nMAIL FROM:<x@y.test>\r\n"
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", ANN)
        d.send(b"BDAT 10\r\n" + body[:10])
        assert d.reply().code == 250
        d.send(b"BDAT %d LAST\r\n" % len(body[10:]) + body[10:])
        id = queued_id(d.reply())
    assert legacy.wait_message(id).below == body


@pytest.mark.parametrize("how", ["DATA", "BDAT"])
@pytest.mark.parametrize("body", [
    b" by evil.example; Mon, 1 Jan 2024 00:00:00 +0000\r\nSubject: x\r\n",
    b"\tand a line\r\n", b" \r\n\r\nbody\r\n"])
def test_a_content_that_begins_with_a_blank_is_no_part_of_our_trace(
        gw, legacy, body, how):
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", ANN)
        if how == "DATA":
            id = queued_id(d.data(body + b".\r\n"))
        else:
            d.send(b"BDAT 1\r\n" + body[:1])
            assert d.reply().code == 250
            d.send(b"BDAT %d LAST\r\n" % (len(body) - 1) + body[1:])
            id = queued_id(d.reply())
    raw = legacy.wait_message(id).raw
    ours, below = raw.split(b"\r\n\r\n", 1)
    assert below == body
    assert ours.startswith(b"Received: ") and b"evil" not in ours


def test_bdat_after_refused_recipients_eats_exactly_its_octets(gw):
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        assert d.cmd("RCPT TO:<x@not-ours.test>").code == 550
        d.send(b"BDAT 16 LAST\r\nQUIT\r\nQUIT\r\n1234NOOP\r\n")
        assert d.reply().code == 554
        assert d.reply().code == 250


def test_data_and_bdat_do_not_mix(gw):
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", ANN)
        d.send(b"BDAT 3\r\nabc")
        assert d.reply().code == 250
        assert d.cmd("DATA").code == 503


def test_rset_forgets_and_the_next_mail_is_clean(gw, legacy):
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", "bob@example.com")
        d.ok("RSET")
        d.ok("MAIL FROM:<b@elsewhere.test>")
        d.ok(f"RCPT TO:<{ANN}>")
        id = queued_id(d.data(b"Subject: one\r\n\r\nHi\r\n.\r\n"))
    mail = legacy.wait_message(id)
    assert mail.sender == "b@elsewhere.test"
    assert mail.rcpt == [ANN]


def test_eight_bits_and_utf8_addresses_go_through(gw, legacy):
    gw.cli("route set legacy jörg@example.com")
    body = "Subject: Grüße\r\n\r\nÄöü\r\n".encode()
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<jürgen@elsewhere.test> SMTPUTF8 BODY=8BITMIME")
        d.ok("RCPT TO:<jörg@example.com>")
        id = queued_id(d.data(body + b".\r\n"))
    mail = legacy.wait_message(id)
    assert mail.rcpt == ["jörg@example.com"]
    assert mail.sender == "jürgen@elsewhere.test"
    assert mail.below == body
    assert {"SMTPUTF8", "BODY=8BITMIME"} <= set(mail.params)
    assert b"with UTF8SMTP" in mail.trace


def test_utf8_without_the_keyword_is_refused(gw):
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        assert d.cmd("RCPT TO:<jörg@example.com>").code in (501, 553)


def test_dsn_parameters_travel_to_a_leg_that_offers_dsn(gw, legacy):
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test> RET=HDRS ENVID=QQ314159")
        d.ok(f"RCPT TO:<{ANN}> NOTIFY=SUCCESS,FAILURE "
             "ORCPT=rfc822;Ann@Example.com")
        id = queued_id(d.data(b"Subject: dsn\r\n\r\nHi\r\n.\r\n"))
    mail = legacy.wait_message(id)
    assert {"RET=HDRS", "ENVID=QQ314159"} <= set(mail.params)
    notify, orcpt = sorted(mail.rcpt_params[0])
    assert sorted(notify[len("NOTIFY="):].split(",")) == \
        ["FAILURE", "SUCCESS"]
    assert orcpt.lower() == "orcpt=rfc822;ann@example.com"


# -- limits

def test_a_message_over_the_limit_is_refused_and_the_session_goes_on(
        make_gw, legacy):
    gw = make_gw({"limits": {"message": "64K"}})
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", ANN)
        r = d.data(b"Subject: big\r\n\r\n" + b"x" * 70 * 1024 + b"\r\n.\r\n")
        assert (r.code, r.enh) == (552, "5.3.4")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        d.ok(f"RCPT TO:<{ANN}>")
        id = queued_id(d.data(b"Subject: small\r\n\r\nHi\r\n.\r\n"))
    legacy.wait_message(id)
    assert len(legacy.mails) == 1


def test_recipients_over_the_limit_are_told_to_come_again(make_gw, legacy):
    gw = make_gw({"limits": {"recipients": 100}})
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        for i in range(100):
            d.ok(f"RCPT TO:<u{i}@example.com>")
        r = d.cmd("RCPT TO:<late@example.com>")
        assert (r.code, r.enh) == (452, "4.5.3")
        id = queued_id(d.data(b"Subject: many\r\n\r\nHi\r\n.\r\n"))
    assert len(legacy.wait_message(id).rcpt) == 100


def test_a_client_with_too_many_connections_is_told_and_others_are_not(
        make_gw):
    gw = make_gw({"limits": {"per_client": 2}})
    with gw.dialog() as one, gw.dialog() as two:
        assert one.greeting.code == two.greeting.code == 220
        with gw.dialog() as three:
            assert three.greeting.code == 421
            assert three.closed()
        with gw.dialog(source="127.0.0.2") as other:
            assert other.greeting.code == 220
    gw.wait_event("refused", stage="connect", client="127.0.0.1")


def test_too_many_connections_in_all_are_told(make_gw):
    gw = make_gw({"limits": {"connections": 1}})
    with gw.dialog():
        with gw.dialog(source="127.0.0.2") as two:
            assert two.greeting.code == 421


def test_too_many_errors_end_a_session(make_gw):
    gw = make_gw({"limits": {"errors": 3}})
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        codes = [d.cmd("WHAT").code for _ in range(2)]
        d.send("WHAT\r\n")
        codes += [d.reply().code]
        if codes[-1] != 421:
            codes += [d.reply().code]
        assert codes[:2] == [500, 500] and codes[-1] == 421
        assert d.closed()


def test_a_silent_client_is_told_and_let_go(make_gw):
    gw = make_gw({"limits": {"command_timeout": "300ms"}})
    with gw.dialog() as d:
        r = d.reply()
        assert (r.code, r.enh) == (421, "4.4.2")
        assert d.closed()


def test_a_body_that_stops_coming_ends_its_session_only(make_gw, legacy):
    gw = make_gw({"limits": {"data_timeout": "300ms"}})
    with gw.dialog() as slow:
        slow.envelope("a@elsewhere.test", ANN)
        assert slow.cmd("DATA").code == 354
        slow.send("Subject: sl")
        id = gw.send(to="bob@example.com")
        assert slow.reply().code == 421
        assert slow.closed()
    legacy.wait_message(id)
    assert len(legacy.mails) == 1


def test_a_body_below_the_least_rate_is_cut(make_gw):
    gw = make_gw({"limits": {"min_rate": "100K", "min_rate_grace": "300ms"}})
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", ANN)
        assert d.cmd("DATA").code == 354
        d.send("Subject: slow\r\n")
        assert d.reply().code == 421
        assert d.closed()


def test_a_line_without_an_end_costs_no_memory_and_ends(gw):
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.send(b"x" * 5000 + b"\r\n")
        assert d.reply().code == 500
        d.ok("NOOP")
        d.send(b"x" * 5000 + b"\r\n")
        assert d.reply().code == 500
        assert d.closed()


def test_a_browser_is_sent_away(gw):
    with gw.dialog(greet=True) as d:
        assert d.cmd("GET / HTTP/1.1").code == 554
        assert d.closed()


def test_who_talks_before_the_greeting_is_refused(gw):
    with gw.dialog(greet=False, first=b"EHLO early.test\r\n") as d:
        r = d.reply()
        # The greeting may have left before the words came.
        assert r.code in (554, 220)


def test_a_nul_in_a_command_is_not_a_shorter_command(gw):
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.send(b"NOOP\0x\r\n")
        assert d.reply().code == 500


def test_recipients_that_were_asked_for_leave_nothing_behind(gw):
    """No message follows, so nothing else makes the worker tidy up."""
    if gw.said("sanitized=yes"):
        pytest.skip("under a sanitizer memory is no measure")

    def anonymous_kib():
        text = pathlib.Path(f"/proc/{gw.process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", text)[1])

    with gw.dialog() as d:
        d.ok("EHLO client.test")
        for n in range(61):
            if n == 1:
                before = anonymous_kib()
            d.send(b"MAIL FROM:<a@client.test>\r\n" +
                   b"RCPT TO:<ann@example.com>\r\n" * 1000 + b"RSET\r\n")
            assert {d.reply().code for _ in range(1002)} == {250}
    assert anonymous_kib() - before < 1500
