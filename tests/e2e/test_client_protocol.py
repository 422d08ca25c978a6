# SPDX-License-Identifier: ISC
"""What is said to a leg: LMTP, AUTH, DSN, limits, 8-bit content, and the
second copy after an answer that was lost."""
import base64
import ssl
import threading

import pytest

from until import until

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"
SENDER = "sender@elsewhere.test"


def at(leg, **keys):
    return {"hosts": [f"127.0.0.1:{leg.port}"], "tls": "none"} | keys


# -- LMTP (RFC 2033)

@pytest.fixture(params=[(), ("CHUNKING", "DSN")], ids=["DATA", "BDAT"])
def store(make_leg, request):
    return make_leg("store", offers=request.param, lmtp=True)


@pytest.fixture
def lmtp_gw(make_gw, store):
    return make_gw(legs={"legacy": at(store, protocol="lmtp")})


def test_each_recipient_of_lmtp_has_a_fate_of_his_own(lmtp_gw, store,
                                                      outside):
    store.reply("DOT", "452 4.2.2 Full", to=BOB, times=2)
    store.reply("DOT", "554 5.6.0 Not for me", to=EVE)
    id = lmtp_gw.send(to=[ANN, BOB, EVE])
    e = lmtp_gw.wait_event("bounced", id, to=EVE)
    assert (e["code"], e["enhanced"]) == (554, "5.6.0")
    assert lmtp_gw.wait_event("deferred", id, to=BOB)["class"] == "mailbox"
    lmtp_gw.wait_event("delivered", id, to=ANN)
    lmtp_gw.wait_event("delivered", id, to=BOB)
    assert [(m.rcpt, m.taken) for m in store.messages(id)] == \
        [([ANN, BOB, EVE], [ANN]), ([BOB], [BOB])]
    assert store.messages(id)[0].how == \
        ("BDAT" if "CHUNKING" in store.offers else "DATA")
    outside.wait_count(1)


def test_who_had_no_reply_from_lmtp_is_uncertain_and_comes_again(lmtp_gw,
                                                                 store):
    """D8, for each recipient: who was answered does not come twice."""
    store.drop("DOT", to=BOB)
    id = lmtp_gw.send(to=[ANN, BOB, EVE])
    for to in (BOB, EVE):
        e = lmtp_gw.wait_event("deferred", id, to=to)
        assert e["uncertain"] == "yes"
        lmtp_gw.wait_event("delivered", id, to=to)
    assert not lmtp_gw.events(id, "deferred", to=ANN)
    first, *rest = store.messages(id)
    assert [m.rcpt for m in rest] == [[BOB, EVE]]
    assert rest[0].raw == first.raw


def test_a_connection_of_lmtp_is_kept(lmtp_gw, store):
    for _ in range(3):
        lmtp_gw.wait_event("delivered", lmtp_gw.send(to=[ANN, BOB]))
    assert len({m.connection for m in store.mails}) < 3


def test_a_leg_that_speaks_no_lmtp_is_a_fault_of_the_set_up(make_gw, legacy,
                                                            outside):
    gw = make_gw(legs={"legacy": at(legacy, protocol="lmtp")})
    id = gw.send()
    e = gw.wait_event("deferred", id)
    assert (e["class"], e["code"]) == ("configuration", 500)
    assert not outside.mails


# -- AUTH (RFC 4954)

USER, PASSWORD = "posthouse", "correct horse"


@pytest.fixture
def secret(folder):
    def write(password=PASSWORD):
        file = folder / "leg.secret"
        file.write_text(password + "\n")
        file.chmod(0o600)
        return file

    return write


@pytest.fixture
def login_leg(make_leg, authority):
    def make(**kw):
        kw = {"login": (USER, PASSWORD)} | kw
        return make_leg("login", tls_context=authority.server(
            "login", "127.0.0.1"), **kw)

    return make


def logged_in(leg, authority, secret, **keys):
    return at(leg, tls="verify", tls_ca=authority.file, auth_user=USER,
              auth_secret=secret) | keys


def tells_nobody(gw):
    """Neither log nor events nor trace have the password, in any form."""
    told = gw.all_log() + gw.events_file.read_text() + gw.cli("trace")
    coded = [PASSWORD.encode(), f"\0{USER}\0{PASSWORD}".encode()]
    for word in [PASSWORD] + [base64.b64encode(c).decode() for c in coded]:
        assert word not in told


@pytest.mark.parametrize("mechanisms", ["PLAIN LOGIN", "LOGIN GSSAPI"])
def test_we_log_in_once_a_connection(make_gw, login_leg, authority, secret,
                                     mechanisms):
    leg = login_leg(mechanisms=mechanisms)
    gw = make_gw({"": {"workers": 1}}, legs={
        "legacy": logged_in(leg, authority, secret())})
    for _ in range(3):
        gw.wait_event("delivered", gw.send())
    assert {m.user for m in leg.mails} == {USER}
    said = [line.split()[0] for _, line in leg.said]
    assert said.count(b"AUTH") == len(leg.talks) == 1
    tells_nobody(gw)


def test_a_refused_login_keeps_the_mail_until_it_is_mended(
        make_gw, login_leg, authority, secret, outside):
    leg = login_leg()
    gw = make_gw(legs={"legacy": logged_in(leg, authority,
                                           secret("wrong " + PASSWORD))})
    id = gw.send()
    e = gw.wait_event("deferred", id)
    assert (e["class"], e["code"], e["enhanced"]) == \
        ("configuration", 535, "5.7.8")
    secret(PASSWORD)
    assert gw.reload()
    gw.wait_event("delivered", id)
    assert not outside.mails
    tells_nobody(gw)


def test_a_refused_login_is_told_of_the_leg(make_gw, login_leg, authority,
                                            secret):
    leg = login_leg()
    gw = make_gw(legs={"legacy": logged_in(leg, authority,
                                           secret("wrong " + PASSWORD))})
    for _ in range(6):
        gw.send()
    down = gw.wait_event("leg", leg="legacy", state="down")
    assert "said 535 5.7.8" in down["reason"]
    assert "said 535 5.7.8" in gw.cli("leg list")
    # An unused password is not called good without a word.
    assert "login" in gw.run("leg probe legacy").stdout
    secret(PASSWORD)
    assert gw.reload()
    gw.wait_empty()
    tells_nobody(gw)


def test_a_leg_without_auth_is_a_fault_that_says_so(make_gw, make_leg,
                                                    authority, secret):
    leg = make_leg("open", tls_context=authority.server("open", "127.0.0.1"))
    gw = make_gw(legs={"legacy": logged_in(leg, authority, secret())})
    e = gw.wait_event("deferred", gw.send())
    assert e["class"] == "configuration"
    assert "AUTH is not offered" in e["reply"]
    assert not leg.mails
    assert "AUTH is not offered" in gw.run("leg probe legacy").stdout


def test_lmtp_by_tls_with_a_login(make_gw, login_leg, authority, secret):
    leg = login_leg(lmtp=True)
    gw = make_gw(legs={"legacy": logged_in(leg, authority, secret(),
                                           protocol="lmtp")})
    id = gw.send(to=[ANN, BOB])
    e = gw.wait_event("delivered", id, to=BOB)
    assert e["tls"].startswith("TLSv1")
    mail = leg.wait_message(id)
    assert (mail.user, mail.taken) == (USER, [ANN, BOB])


def test_a_server_that_is_not_ours_takes_the_login(make_gw, authority, secret,
                                                   folder):
    """aiosmtpd, which asks for TLS and AUTH before MAIL."""
    controller = pytest.importorskip("aiosmtpd.controller")
    smtp = pytest.importorskip("aiosmtpd.smtp")
    got, logins = [], []

    class Handler:
        async def handle_DATA(self, server, session, envelope):
            got.append(bytes(envelope.content))
            return "250 2.0.0 Ok"

    def check(server, session, envelope, mechanism, data):
        logins.append(mechanism)
        return smtp.AuthResult(success=(data.login, data.password) == (
            USER.encode(), PASSWORD.encode()))

    class Controller(controller.Controller):
        def factory(self):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            return smtp.SMTP(Handler(), tls_context=context,
                             require_starttls=True, auth_required=True,
                             authenticator=check)

        def _trigger_server(self):
            # It connects to the port that was asked for: any.
            self.port = self.server.sockets[0].getsockname()[1]
            super()._trigger_server()

    pem = authority.make("aio", "127.0.0.1")
    server = Controller(Handler(), hostname="127.0.0.1", port=0)
    server.start()
    try:
        gw = make_gw(legs={"legacy": logged_in(server, authority, secret())})
        gw.wait_event("delivered", gw.send())
        assert b"Subject: a test" in got[0] and logins == ["PLAIN"]
    finally:
        server.stop()


# -- DSN (RFC 3461)

def test_what_the_sender_asked_for_is_passed_on(gw, legacy):
    id = gw.send(mail_options=["RET=HDRS", "ENVID=order+2B7"],
                 rcpt_options=["NOTIFY=SUCCESS,DELAY",
                               "ORCPT=rfc822;Ann+2Bx@Elsewhere.test"])
    mail = legacy.wait_message(id)
    assert {"RET=HDRS", "ENVID=order+2B7"} <= set(mail.params)
    assert mail.rcpt_params == [["NOTIFY=SUCCESS,DELAY",
                                 "ORCPT=rfc822;Ann+2Bx@Elsewhere.test"]]


def test_a_leg_without_dsn_is_told_nothing_of_it(make_gw, make_leg):
    leg = make_leg("plain", offers=())
    gw = make_gw(legs={"legacy": leg})
    id = gw.send(mail_options=["RET=HDRS", "ENVID=order"],
                 rcpt_options=["NOTIFY=SUCCESS", f"ORCPT=rfc822;{ANN}"])
    mail = leg.wait_message(id)
    assert mail.rcpt_params == [[]]
    assert not [p for p in mail.params if p[:4] in ("RET=", "ENVI")]


@pytest.mark.parametrize("to, orcpt, utf8", [
    ("ann+news@example.com", "rfc822;ann+2Bnews@example.com", False),
    ("ren\u00e9@example.com", r"utf-8;ren\x{E9}@example.com", True)])
def test_a_rewritten_recipient_keeps_his_name_for_the_leg_s_dsns(
        gw, cloud, to, orcpt, utf8):
    gw.cli("route", "set", "cloud", to.replace("+news", ""), "--address",
           "cloud=x1@tenant.cloud.test")
    options = ["SMTPUTF8"] if utf8 else []
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok(" ".join([f"MAIL FROM:<{SENDER}>"] + options))
        d.ok(f"RCPT TO:<{to}>")
        d.data(b"Subject: x\r\n\r\nHi\r\n.\r\n")
    mail = cloud.wait_count(1)[0]
    assert mail.rcpt[0].endswith("@tenant.cloud.test")
    assert f"ORCPT={orcpt}" in mail.rcpt_params[0]


# -- limits

def test_what_limits_says_is_kept(make_gw, make_leg):
    """RFC 9422."""
    leg = make_leg("small", extra=["LIMITS RCPTMAX=2 MAILMAX=2"])
    gw = make_gw(legs={"legacy": leg})
    to = [f"u{i}@example.com" for i in range(7)]
    id = gw.send(to=to)
    for rcpt in to:
        gw.wait_event("delivered", id, to=rcpt)
    mails = leg.messages(id)
    assert max(len(m.rcpt) for m in mails) == 2
    assert sorted(r for m in mails for r in m.rcpt) == to
    by = [m.connection for m in mails]
    assert max(by.count(c) for c in by) == 2


def test_recipients_of_one_domain_a_transaction_by_the_profile(make_gw,
                                                               cloud):
    # A slow machine is no reason to send them one by one out of the queue.
    gw = make_gw({'domain "example.net"': {"route": "cloud"},
                  'domain "example.com"': {"route": "cloud"},
                  "retry": {"handover": "20s"}},
                 legs={"cloud": at(cloud, profile="google")})
    to = [ANN, "ann@example.net", BOB, "bob@example.net"]
    id = gw.send(to=to)
    for rcpt in to:
        gw.wait_event("delivered", id, to=rcpt)
    assert sorted(m.rcpt for m in cloud.messages(id)) == \
        [[ANN, BOB], ["ann@example.net", "bob@example.net"]]
    assert not gw.events(id, "deferred")


@pytest.mark.parametrize("keys, most_rcpts, most_mails", [
    ({}, 2, 3), ({"max_recipients": 1, "max_messages": 2}, 1, 2)],
    ids=["profile", "leg"])
def test_the_profile_limits_what_the_leg_s_section_does_not(
        make_gw, cloud, folder, keys, most_rcpts, most_mails):
    (folder / "profiles").mkdir()
    (folder / "profiles" / "small.profile").write_text(
        'date = "2026-11-01"\nmax_recipients = 2\nmax_messages = 3\n')
    gw = make_gw({"": {"profiles": folder / "profiles"},
                  'domain "example.com"': {"route": "cloud"}},
                 legs={"cloud": at(cloud, profile="small", **keys)})
    to = [f"u{i}@example.com" for i in range(9)]
    id = gw.send(to=to)
    for rcpt in to:
        gw.wait_event("delivered", id, to=rcpt)
    mails = cloud.messages(id)
    by = [m.connection for m in mails]
    assert max(len(m.rcpt) for m in mails) == most_rcpts
    assert max(by.count(c) for c in by) == most_mails


def test_a_split_by_its_text_costs_no_attempt(gw, cloud):
    gw.set("retry", steps=["1h"])
    assert gw.reload()
    gw.cli(f"route set cloud {ANN} {BOB} {EVE}")
    cloud.reply("RCPT", "451 Multiple destination domains per transaction "
                "is unsupported", to=BOB, times=1)
    id = gw.send(to=[ANN, BOB, EVE])
    gw.wait_event("delivered", id, to=BOB)
    assert [m.rcpt for m in cloud.messages(id)] == [[ANN, EVE], [BOB]]


def test_a_leg_is_met_from_its_address_by_its_name(make_gw, legacy):
    gw = make_gw(legs={"legacy": at(legacy, source="127.0.0.7",
                                    helo="out.example.com")})
    mail = legacy.wait_message(gw.send())
    assert (mail.peer, mail.helo) == ("127.0.0.7", "out.example.com")


@pytest.mark.parametrize("how", ["send", "refuse"])
def test_8_bit_content_for_a_leg_without_8bitmime(make_gw, make_leg, outside,
                                                  how):
    leg = make_leg("old", offers=(), lacks=["8BITMIME", "SMTPUTF8"])
    gw = make_gw(legs={"legacy": at(leg, eightbit=how)})
    body = "Subject: x\r\n\r\nGr\u00fc\u00dfe\r\n".encode()
    id = gw.send(message=body, mail_options=["BODY=8BITMIME"])
    if how == "send":
        assert leg.wait_message(id).below == body
        rows = {r["leg"]: r for r in gw.cli_json("leg list")}
        assert rows["legacy"]["eightbit_sent"] == 1
        return
    assert gw.wait_event("bounced", id)["enhanced"] == "5.6.3"
    outside.wait_count(1)
    assert not leg.mails


# -- an answer that was lost (D8)

def test_the_second_copy_is_the_first_also_after_a_restart(gw, legacy):
    """From the journal, not from memory: identical from Received on."""
    gw.set("retry", steps=["1h"])
    assert gw.reload()
    legacy.drop("DOT")
    id = gw.send(to=[ANN, BOB])
    assert gw.wait_event("deferred", id)["uncertain"] == "yes"
    gw.restart()
    gw.cli(f"queue retry {id}")
    for to in (ANN, BOB):
        gw.wait_event("delivered", id, to=to)
    first, *rest = legacy.messages(id)
    assert first.raw.startswith(b"Received:")
    assert {m.raw for m in rest} == {first.raw}
    assert sorted(r for m in rest for r in m.rcpt) == first.rcpt == [ANN, BOB]


def test_the_answer_to_the_dot_is_waited_for(make_gw, make_leg):
    """data_done_timeout, and no other, is what cuts it."""
    leg = make_leg("slow", offers=())
    keys = at(leg, command_timeout="100ms", data_init_timeout="100ms",
              data_block_timeout="100ms", data_done_timeout="60s")
    gw = make_gw(legs={"legacy": keys})
    gate = leg.hold("DOT")
    id = gw.send()
    gate.reached()
    later = threading.Timer(0.5, gate.release)
    later.start()
    gw.wait_event("delivered", id)
    later.join()
    assert len(leg.messages(id)) == 1 and not gw.events(id, "deferred")
    gw.set('leg "legacy"', data_done_timeout="300ms")
    assert gw.reload()
    gate = leg.hold("DOT")
    id = gw.send()
    assert gw.wait_event("deferred", id)["uncertain"] == "yes"
    gate.release()
    until(lambda: len(leg.messages(id)) == 2, "the second copy")
