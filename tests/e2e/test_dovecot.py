# SPDX-License-Identifier: ISC
"""A leg that is a real Dovecot by LMTP (RFC 2033): a reply for each recipient,
at RCPT and again behind the content."""
import re

import pytest

from conftest import unpacked
from peers import Dovecot

ANN, BOB = "ann@example.com", "bob@example.com"
FULL, NOBODY = "full@example.com", "nobody@example.com"


@pytest.fixture
def dovecot(folder):
    packages = unpacked("dovecot-core", "dovecot-lmtpd")
    server = Dovecot(packages, folder / "dovecot",
                     {ANN: None, BOB: None, FULL: 10})
    if not server.runs_here():
        pytest.skip("no overlay can be mounted here")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def gw(make_gw, dovecot):
    return make_gw({'domain "example.com"': {"unknown": "route"},
                    "retry": {"grace": "0s"}},
                   legs={"legacy": {"hosts": [f"127.0.0.1:{dovecot.port}"],
                                    "protocol": "lmtp", "tls": "none"}})


def test_it_takes_for_some_and_refuses_for_others(gw, dovecot, outside):
    """Unknown at RCPT, full behind the content, and two that get it."""
    body = b"Subject: some\r\n\r\n.\r\n..dots\r\n"
    id = gw.send(to=[ANN, FULL, NOBODY, BOB], message=body)
    for to in (ANN, BOB):
        assert gw.wait_event("delivered", id, to=to)["attempt"] == 1
        [mail] = dovecot.mails(to)
        assert mail.endswith(b"\r\n" + body)
        assert re.search(rb"\bid\s+" + id.encode(), mail)
    e = gw.wait_event("bounced", id, to=NOBODY)
    assert (e["code"], e["enhanced"], e["class"]) == \
        (550, "5.1.1", "recipient")
    # A mailbox that is full now need not be so tomorrow.
    e = gw.wait_event("deferred", id, to=FULL)
    assert (e["code"], e["enhanced"], e["class"]) == (552, "5.2.2", "mailbox")
    assert dovecot.mails(FULL) == []
    outside.wait_count(1)
    assert NOBODY.encode() in outside.mails[0].raw


def test_the_one_that_was_full_gets_it_alone(gw, dovecot):
    id = gw.send(to=[ANN, FULL])
    gw.wait_event("deferred", id, to=FULL)
    dovecot.users[FULL] = 100_000
    dovecot.write_users()
    gw.wait_event("delivered", id, to=FULL)
    assert len(dovecot.mails(FULL)) == len(dovecot.mails(ANN)) == 1


def test_many_messages_over_kept_connections(gw, dovecot):
    for _ in range(50):
        gw.send(to=[ANN, BOB])
    gw.wait_empty()
    assert len(dovecot.mails(ANN)) == len(dovecot.mails(BOB)) == 50
