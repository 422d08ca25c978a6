# SPDX-License-Identifier: ISC
"""What a leg cannot take: said at RCPT where it is known of the primary,
parked for a copy; and content that is changed for nobody but by name."""
import pytest

from dialog import queued_id

ANN, BOB = "ann@example.com", "bob@example.com"
MAIL = b"From: <s@elsewhere.test>\r\nSubject: x\r\n\r\nHello.\r\n"
AUTO = b"X-Auto-Response-Suppress: All\r\n"


def learn(gw, *legs):
    """A message to each, so that what they offer is known."""
    for leg in legs:
        gw.cli(f"route set {leg.name} teach@example.com")
        leg.wait_message(gw.send(to="teach@example.com"))
        gw.wait_empty()


def sender(params):
    """That MAIL says SMTPUTF8 is no reason; that the sender needs it is."""
    return "s\u00e9@elsewhere.test" if "UTF8" in params else "s@elsewhere.test"


def rcpt(gw, to, params=""):
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok(f"MAIL FROM:<{sender(params)}>{params}")
        return d.cmd(f"RCPT TO:<{to}>")


def send(gw, *to, params=""):
    with gw.dialog() as d:
        d.envelope(sender(params), *to, params=params)
        return queued_id(d.data(MAIL + b".\r\n"))


CANNOT = {
    "size": ("SIZE=5000", (552, "5.3.4"), "too-large", "larger than"),
    "utf8": ("SMTPUTF8", (553, "5.6.7"), "no-utf8", "SMTPUTF8"),
}


@pytest.mark.parametrize("what", sorted(CANNOT))
def test_a_primary_that_cannot_take_it(what, gw, legacy, cloud):
    params, said, _, _ = CANNOT[what]
    legacy.size, legacy.utf8 = 4000, []
    gw.cli(f"route set legacy {ANN}")
    gw.cli(f"route set cloud+legacy {BOB}")
    assert rcpt(gw, ANN, " " + params).code == 250  # it was never greeted
    learn(gw, legacy, cloud)
    r = rcpt(gw, ANN, " " + params)
    assert (r.code, r.enh) == said, r
    gw.wait_event("refused", to=ANN, enhanced=said[1])
    assert rcpt(gw, ANN, " SIZE=4000").code == 250
    assert rcpt(gw, BOB, " " + params).code == 250
    # Held mail waits for a leg that can.
    gw.cli("hold", ANN)
    assert rcpt(gw, ANN, " " + params).code == 250


@pytest.mark.parametrize("what", sorted(CANNOT))
def test_a_copy_that_cannot_take_it_is_parked(what, gw, legacy, cloud):
    params, _, why, shown = CANNOT[what]
    legacy.size, legacy.utf8 = 4000, []
    gw.cli(f"route set cloud+legacy {BOB}")
    learn(gw, legacy, cloud)
    id = send(gw, BOB, params=" " + params)
    assert cloud.wait_message(id)
    parked = gw.wait_event("parked", id)
    assert (parked["leg"], parked["role"], parked["reason"]) == \
        ("legacy", "copy", why)
    row, = gw.queue("--state", "parked")
    assert shown in row["reason"]
    gw.wait_empty()
    assert legacy.messages(id) == []


@pytest.mark.parametrize("mail, why", [
    (b"Subject: x\r\n\r\nplain\r\n", None),
    (b"Subject: x\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n", None),
    (b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nx\r\n", "the header needs")])
def test_only_what_needs_smtputf8_is_bound_to_legs_that_have_it(
        gw, legacy, mail, why):
    legacy.utf8 = []
    gw.cli(f"route set legacy {ANN}")
    with gw.dialog() as d:
        d.envelope("s@b\u00fccher.test", ANN,
                   params=" SMTPUTF8 BODY=8BITMIME")
        id = queued_id(d.data(mail + b".\r\n"))
    if why:
        event = gw.wait_event("bounced", id)
        assert event["enhanced"] == "5.6.7" and why in event["reply"]
        return
    got = legacy.wait_message(id)
    assert got.below == mail and got.sender == "s@xn--bcher-kva.test"
    assert "SMTPUTF8" not in got.params


def test_what_a_leg_offers_anew_counts(gw, legacy):
    legacy.size = 4000
    gw.cli(f"route set legacy {ANN}")
    learn(gw, legacy)
    assert rcpt(gw, ANN, " SIZE=5000").code == 552
    legacy.size = 6000
    legacy.refuse_connections()
    legacy.accept_connections()
    learn(gw, legacy)
    assert rcpt(gw, ANN, " SIZE=5000").code == 250


# ---- the one header that may be added


@pytest.mark.parametrize("how", ["BDAT", "DATA"])
def test_copies_are_not_answered_a_second_time(how, make_gw, legacy, cloud):
    for leg in legacy, cloud:
        leg.offers = {"CHUNKING", "DSN"} if how == "BDAT" else {"DSN"}
    gw = make_gw(legs={leg.name: {"hosts": [f"127.0.0.1:{leg.port}"],
                                  "tls": "none", "suppress_auto": True}
                       for leg in (legacy, cloud)})
    gw.cli(f"route set cloud+legacy {ANN}")
    id = send(gw, ANN)
    primary, copy = cloud.wait_message(id), legacy.wait_message(id)
    assert (primary.how, copy.how) == (how, how)
    assert primary.raw.endswith(MAIL) and AUTO not in primary.raw
    assert copy.raw == AUTO + primary.raw
    for mail in primary, copy:
        assert f"SIZE={len(mail.raw)}" in mail.params
    # One that is tried again, from disk and in another process.
    legacy.reply("DOT", "451 4.3.0 not now", times=1)
    id = send(gw, ANN)
    gw.wait_event("deferred", id, leg="legacy")
    gw.restart()
    again = legacy.wait_message(id)
    assert again.raw == AUTO + cloud.wait_message(id).raw


def test_only_legs_that_ask_for_it(gw, legacy, cloud):
    gw.cli(f"route set cloud+legacy {ANN}")
    id = send(gw, ANN)
    assert legacy.wait_message(id).raw == cloud.wait_message(id).raw


# ---- content that came by BDAT


def bdat(gw, to, content):
    with gw.dialog() as d:
        d.envelope("s@elsewhere.test", to)
        d.send(b"BDAT %d LAST\r\n" % len(content) + content)
        return queued_id(d.reply())


@pytest.mark.parametrize("content", [
    b"Subject: x\r\n\r\nbare\nline\r\n", b"Subject: x\r\n\r\nbare\rcr\r\n"])
def test_bare_ends_of_line_towards_a_leg_without_chunking(
        content, gw, legacy, cloud, outside):
    legacy.offers = {"DSN"}
    gw.cli(f"route set cloud+legacy {ANN}")
    gw.cli(f"route set legacy {BOB}")
    id = bdat(gw, ANN, content)
    # As it is to who can take it, and the copy is parked.
    assert cloud.wait_message(id).raw.endswith(content)
    parked = gw.wait_event("parked", id, leg="legacy")
    assert parked["enhanced"] == "5.6.11", parked
    # Now it is known what that leg takes, and the sender of a primary hears of
    # it at the chunk that has it, if that is not the last too.
    with gw.dialog() as d:
        d.envelope("s@elsewhere.test", BOB)
        d.send(b"BDAT 4\r\na:b\r")
        assert d.reply().code == 250
        d.send(b"BDAT %d\r\n\n" % (len(content) + 1) + content)
        reply = d.reply()
        assert (reply.code, reply.enh) == (554, "5.6.11")
    assert legacy.mails == []


def test_bare_ends_of_line_are_parked_when_the_leg_was_not_known(
        gw, legacy, outside):
    """The sender was told 250, and may be a stranger."""
    legacy.offers = {"DSN"}
    id = bdat(gw, ANN, b"Subject: x\r\n\r\nbare\nline\r\n")
    parked = gw.wait_event("parked", id, leg="legacy")
    assert parked["enhanced"] == "5.6.11", parked
    assert gw.events(id, "bounced") == [] and gw.events(id, "dsn") == []
    assert legacy.mails == []


def test_a_missing_last_end_of_line_is_added_towards_data(
        gw, legacy, cloud):
    legacy.offers = {"DSN"}
    content = b"Subject: x\r\n\r\nno end"
    gw.cli(f"route set cloud+legacy {ANN}")
    id = bdat(gw, ANN, content)
    assert cloud.wait_message(id).raw.endswith(content)
    got = legacy.wait_message(id)
    assert got.how == "DATA"
    assert got.raw.endswith(content + b"\r\n")
    assert got.raw == cloud.messages(id)[0].raw + b"\r\n"
