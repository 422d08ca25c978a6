# SPDX-License-Identifier: ISC
"""What old clients say, said to a Postfix with its defaults and to us: what
that takes, we take, and both tell the next server the same envelope. Where we
refuse what it takes, or tell another envelope, the reason stands beside the
input."""
import os
import re
import shutil

import pytest

from dialog import Dialog
from gateway import Gateway
from peers import Postfix
from sink import Leg
from until import until

ROUTE = "a server behind us would relay it"
CONTROL = "controls in addresses steer terminals and logs"
BLANK = "a blank in a local part is none of its spellings"
UTF8 = "RFC 6531: 8-bit addresses need SMTPUTF8"
COMMENT = "parentheses in a local part belong to it"

SENDERS = """
<a@b.test>
<a@b.test>;
<a@b.test>,
<a@b.test>>
<<a@b.test>>
a@b.test
a@b.test;
a@b.test,
a@b.test>
a@b.test> SIZE=10
 a@b.test SIZE=10
 <a@b.test>
\t<a@b.test>\tSIZE=10
< a@b.test >
<\ta@b.test\t>
<a @b.test>
<a@ b.test>
<a\t@\tb.test>
<a@b. test>
"a b"@b.test SIZE=10
<"a b" @b.test>
<>
<> SIZE=10
< > SIZE=10
<<>>
<\t>
<Ann <a@b.test>>
<Ann Lee <a@b.test>>
<a@b.test (comment)>
<a@b.test(comment)>
<(comment) a@b.test>
<a\\b@b.test>
<a\\ b@b.test>
<a\\@b@b.test>
<"a".b@b.test>
<a."b c"@b.test>
<""@b.test>
<@b.test>
<root>
root
<"a b">
<"a@b.test">
"a@b.test"
<a:b@b.test>
<a]@b.test>
<a)@b.test>
<.a@b.test>
<a.@b.test>
<a..b@b.test>
<..@b.test>
<a@b@c.test>
<a@@b.test>
<a%b@c.test>
<c!a@b.test>
<@x.test:a@b.test>
<@x.test,@y.test:a@b.test>
@x.test:a@b.test
<x.test:a@b.test>
<mailto:a@b.test>
<a@[192.0.2.1]>
<a@[192.0.2.1>
<a@[IPv6:::1]>
<a@b.test.>
<a@B.TEST.> SIZE=10
<a@_b.test>
<a@b_.test>
<a@my_host>
<a@"b.test">
<LLLLLLLL@b.test>
<LLLLLLLL.@b.test>
<a@b.test>  size=10\t body=8bitmime 
<a@b.test> SIZE=10 SIZE=20
<a@b.test> BODY=7BIT BODY=8BITMIME
<a@b.test> BODY=8BITMIME BODY=8BITMIME
<a@b.test> ret=full ENVID=a+3db
<a@b.test> ENVID=a=b
<a@b.test> ENVID=QUJDREVGRw==
<a@b.test> ENVID=LLLLLLLL
<a@b.test> AUTH=
<a@b.test> AUTH=<>
<a@b.test> AUTH=+zz
<a@b.test> AUTH=a=b
<a@b.test> SMTPUTF8 SMTPUTF8
<a@b.test> smtputf8
<a@\u00fc.test> SMTPUTF8
<\u00fc@b.test> SMTPUTF8
<a b@b.test>
<a@b..test>
<a@-b.test>
<a@>
<a@b.test
<a"b"@b.test>
<a@b.test> XFOO=1
<a@b.test> SIZE=x
<a@b.test> RET=
"""
RECIPIENTS = """
<ann@example.com>
ann@example.com
 ann@example.com NOTIFY=NEVER
<<ann@example.com>>
<ann@example.com>>
<ann@example.com>;
< ann@example.com >
<ann @ example.com>
<ann@example.com> NOTIFY=,FAILURE
<ann@example.com>\tnotify=success,,Failure
<ann@example.com> NOTIFY=SUCCESS,
<ann@example.com> NOTIFY=NEVER,NEVER
<ann@example.com> ORCPT=rfc822;
<ann@example.com> ORCPT=rfc822;a=b@example.com
<ann@example.com> ORCPT=rfc822;a+2bb@example.com
<ann@example.com> ORCPT=x_400;ann
<ann@example.com> ORCPT=utf-8;a=b@example.com
<ann@example.com> ORCPT=rfc822;<ann@x>
<ann@EXAMPLE.COM.>
<ann+news@example.com.>
<"ann"@example.com>
<ann@"example.com">
<a\\nn@example.com>
<.ann@example.com>
<ann..lee@example.com>
<ann:x@example.com>
<mailto:ann@example.com>
<@x.test:ann@example.com>
<LLLLLLLL@example.com>
<ann@example.com (Ann)>
<Ann Lee <ann@example.com>>
<ann@example.com;bob@example.com>
<ann@example..com>
<>
"""
GREETINGS = """
EHLO MY PC
EHLO (unknown)
EHLO )(
EHLO a,b
EHLO \\\\OFFICE
EHLO client@
EHLO "a b"
EHLO [1.2.3]
EHLO [192.0.2.1] copier
EHLO mail.b.test (Exchange)
EHLO \u516c\u53f8-PC
EHLO <a@b>
EHLO LLLLLLLL
 EHLO a
\tHELO\ta b\t
ehlo a
HELO *
HELO foo..bar
EHLO
"""
# It takes these and we refuse them.
REFUSED = {
    "MAIL": {"<a\x01b@b.test>": CONTROL, '<"a\tb"@b.test>': BLANK,
             "<a. b@b.test>": BLANK, "<a .b@b.test>": BLANK,
             "<\u00fc@b.test>": UTF8},
    "RCPT": {"<ann%example.com>": ROUTE, "<example.com!ann>": ROUTE},
}
# Both take these, told to the next server in other words.
DIFFERS = {"<a(comment)@b.test>": COMMENT,
           "<a!b>": "nothing but a domain is put to a bare name",
           "<a%b.test>": "nothing but a domain is put to a bare name"}


def rows(text):
    return [line.replace("LLLLLLLL", "l" * 150)
            for line in text.strip("\n").split("\n")]


class Both:
    """The two servers, each with an open session and a sink behind it."""

    def __init__(self, unpacked, folder):
        self.sinks = [Leg("postfix"), Leg("legacy")]
        self.outside = Leg("outside")
        self.postfix = Postfix(unpacked, folder / "postfix", self.sinks[0])
        self.gw = Gateway(folder, {"legacy": self.sinks[1],
                                   "cloud": self.sinks[1],
                                   "outside": self.outside},
                          {"limits": {"errors": 1000, "commands": 10000}})
        self.number = 0

    def start(self):
        # Not from its networks; otherwise as it is delivered.
        self.postfix.start_with(
            "mynetworks = 192.0.2.1\nrelay_domains = example.com\n"
            "myorigin = relay.example.com\n"
            "smtpd_relay_restrictions = permit_mynetworks, "
            "permit_sasl_authenticated, defer_unauth_destination\n"
            "smtpd_error_sleep_time = 0\nsmtpd_hard_error_limit = 1000\n"
            "smtpd_junk_command_limit = 10000\n")
        self.gw.start()
        self.talks = [Dialog(self.postfix.port), Dialog(self.gw.ports["mx"])]
        return self

    def stop(self):
        for talk in self.talks:
            talk.close()
        self.gw.verify()
        status = self.gw.stop()
        self.postfix.stop()
        for leg in (*self.sinks, self.outside):
            leg.stop()
        assert status == 0

    def say(self, *lines):
        """The last replies of both."""
        for line in lines:
            replies = [talk.cmd(line) for talk in self.talks]
        return replies

    def content(self):
        """Sent to both; returns what its sinks will know it by."""
        self.number += 1
        for r in self.say("DATA", f"Subject: n{self.number}\r\n\r\n."):
            assert r.code == 250, r
        return f"Subject: n{self.number}\r\n".encode()

    def got(self, mark):
        return [until(lambda: next((m for m in sink.mails if mark in m.raw),
                                   None), f"{mark} at {sink.name}")
                for sink in self.sinks]


@pytest.fixture(scope="module")
def both(peers, tmp_path_factory):
    from conftest import BUILD, RUN, quiet
    folder = BUILD / "e2e" / f"{RUN}sloppy"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.chmod(folder, 0o755)
    both = Both(peers, folder).start()
    yield both
    both.stop()
    quiet(both.gw)
    shutil.rmtree(folder, ignore_errors=True)


def same(address):
    """Without what is spelling: the case of a domain."""
    local, at, domain = address.rpartition("@")
    return local + at + domain.lower()


def compare(both, verb, inputs, before, told):
    wrong, marks = [], {}
    for text in inputs:
        both.say("RSET", *before)
        theirs, ours = both.say(verb + text)
        reason = REFUSED[verb[:4]].get(text)
        if reason:
            assert theirs.code == 250, f"{text!r}: no exception: {theirs}"
        if (ours.code == 250) != (reason is None) and theirs.code == 250:
            wrong.append((text, str(theirs), str(ours)))
        if theirs.code == ours.code == 250:
            if verb.startswith("MAIL"):
                both.say("RCPT TO:<ann@example.com>")
            marks[text] = both.content()
    for text, mark in marks.items():
        theirs, ours = map(told, both.got(mark))
        if theirs != ours and text not in DIFFERS:
            wrong.append((text, theirs, ours))
    assert not wrong, "\n".join(map(str, wrong))
    assert len(marks) > len(inputs) / 2


def test_senders_are_taken_as_postfix_takes_them(both):
    both.say("EHLO client.test")
    inputs = rows(SENDERS) + list(REFUSED["MAIL"]) + list(DIFFERS)
    compare(both, "MAIL FROM:", inputs, [],
            lambda mail: same(mail.sender))


def test_recipients_are_taken_as_postfix_takes_them(both):
    both.say("EHLO client.test")
    inputs = rows(RECIPIENTS) + list(REFUSED["RCPT"])
    compare(both, "RCPT TO:", inputs, ["MAIL FROM:<s@b.test>"],
            lambda mail: [same(a.replace('"ann"', "ann"))
                          for a in mail.rcpt])


@pytest.mark.parametrize("rcpt", [
    "ann%b.test@example.com", "b.test!ann@example.com",
    '"ann@b.test"@example.com', "ann@b.test@example.com",
    "ann\\@b.test@example.com", "ann+x%b.test@example.com.",
    "<@example.com:ann@b.test>", '"ann%b.test"@example.com'])
def test_neither_relays(both, rcpt):
    """T4: an address that means another host to some server."""
    both.say("EHLO client.test", "RSET", "MAIL FROM:<s@b.test>")
    theirs, ours = both.say(f"RCPT TO:<{rcpt}>")
    assert 400 <= theirs.code < 600 and (ours.code, ours.enh) == \
        (550, "5.7.1"), (theirs, ours)


def test_greetings_are_taken_as_postfix_takes_them(both):
    wrong = []
    for text in rows(GREETINGS):
        theirs, ours = both.say(text)
        if (theirs.code == 250) and ours.code != 250:
            wrong.append((text, str(theirs), str(ours)))
    assert not wrong, "\n".join(map(str, wrong))
    both.say("HELO MY (old) PC", "RSET", "MAIL FROM:<s@b.test>",
             "RCPT TO:<ann@example.com>")
    mail = both.got(both.content())[1]
    assert re.match(rb'Received: from "MY \?old\? PC" \(', mail.trace)
    until(lambda: [e for e in both.gw.all_events()
                   if e.get("helo") == "MY (old) PC"], "its name on record")


def test_mail_without_a_greeting_is_taken_by_both(both):
    for port in (both.postfix.port, both.gw.ports["mx"]):
        with Dialog(port) as d:
            for line in (" MAIL\tFROM:alarm@b.test ", "rcpt to:ann@example.com",
                         "DATA\t", "Subject: alarm\r\n\r\n."):
                d.ok(line)
            d.ok("NOOP\tx")
            d.ok("RSET\t")


@pytest.mark.parametrize("size", ["BDAT  5 LAST", "BDAT\t5  LAST",
                                  "BDAT 5   LAST  ", "bdat 5 last"])
def test_the_size_of_a_chunk_is_found_between_blanks(both, size):
    both.say("EHLO client.test", "RSET", "MAIL FROM:<s@b.test>",
             "RCPT TO:<ann@example.com>")
    for r in both.say(size + "\r\na:b"):
        assert r.code == 250, r


def test_a_mailbox_with_dots_has_a_row_like_any_other(gw, cloud):
    gw.cli("route set cloud ann..lee@example.com")
    for rcpt in ("ann..lee@example.com", '"Ann..Lee"@example.com.'):
        with gw.dialog() as d:
            d.envelope("a@elsewhere.test", rcpt)
            assert d.data("x\r\n.\r\n").code == 250
    got = cloud.wait_count(2)
    assert {m.rcpt[0].lower() for m in got} == {'"ann..lee"@example.com'}
    assert gw.wait_event("delivered", to="ann..lee@example.com")
