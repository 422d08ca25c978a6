# SPDX-License-Identifier: ISC
"""Clients that may send to the outside: by a login over TLS, a certificate or
an address; and all others, which may not (T4)."""
import base64
import os
import pty
import re
import socket
import subprocess

import pytest

from certs import fingerprint
from dialog import Dialog, queued_id
from fault import sanitized
from gateway import BUILD, Refused
from names import Names
from test_proxy import v2
from until import DEADLINE_S

NAME = "relay.example.com"
ANN = "ann@example.com"
PASSWORD = "correct-horse-battery-staple"
OUTSIDE = "someone@elsewhere.test"
MAY = (250, "2.1.5")
MAY_NOT = (550, "5.7.1")


@pytest.fixture(scope="module")
def line():
    """Lines of outbound.users, by the true command; one hash for all."""
    out = subprocess.run(
        [BUILD / "posthouse", "passwd", "NAME"], input=PASSWORD + "\n",
        check=True, capture_output=True, text=True).stdout.strip()
    assert re.fullmatch(r"NAME:\$y\$[^:]+:", out), out
    return lambda name, senders="": out.replace("NAME", name) + senders + "\n"


def b64(*words):
    return base64.b64encode("\0".join(words).encode()).decode()


def plain(name, password=PASSWORD):
    return b64("", name, password)


class Door:
    """A gateway whose listener takes logins, and ways through it."""

    def __init__(self, make_gw, authority, folder, line):
        self.make_gw, self.authority, self.line = make_gw, authority, line
        self.users = folder / "users"
        self.write("ann", "scanner")
        self.keys = {"certificate": [authority.make("mx", NAME)],
                     "auth": True}
        self.context = authority.client()

    def write(self, *names):
        self.users.write_text("".join(
            n if ":" in n else self.line(n) for n in names))
        self.users.chmod(0o600)

    def start(self, listen=None, outbound=None, more=None, **kw):
        self.gw = self.make_gw(
            {'listen "mx"': {**self.keys, **(listen or {})},
             'egress "outside"': {"spf_address": ["192.0.2.10"]},
             "outbound": {"users": self.users, "use": ["outside"],
                          **(outbound or {})},
             **(more or {})}, **kw)
        return self

    def refused(self, *settings):
        """The sentence that it does not start with."""
        self.start(*settings, start=False)
        with pytest.raises(Refused) as why:
            self.gw.start()
        assert self.gw.ended() == 1
        return str(why.value).replace('\\"', '"')

    def dialog(self, cert=None, source=None, first=b""):
        d = self.gw.dialog(source=source, first=first)
        d.ok("EHLO client.test")
        context = self.authority.client()
        if cert:
            context.load_cert_chain(cert)
        d.starttls(context)
        d.ok("EHLO client.test")
        return d

    def login(self, name="ann", password=PASSWORD, **kw):
        d = self.dialog(**kw)
        r = d.cmd("AUTH PLAIN " + plain(name, password))
        assert r.code == 235, r
        return d


@pytest.fixture
def door(make_gw, authority, folder, line):
    return Door(make_gw, authority, folder, line)


def said(r):
    return r.code, r.enh


def outside_answer(d, sender=ANN, to=OUTSIDE):
    """The answer to a recipient at the outside."""
    d.ok(f"MAIL FROM:<{sender}>")
    r = d.cmd(f"RCPT TO:<{to}>")
    d.ok("RSET")
    return said(r)


# ---- how one logs in

LOGINS = {
    "PLAIN at once": [("AUTH PLAIN " + plain("ann"), 235)],
    "PLAIN": [("AUTH PLAIN", 334), (plain("ann"), 235)],
    "PLAIN as oneself": [("auth plain " + b64("ann", "ann", PASSWORD), 235)],
    "LOGIN": [("AUTH LOGIN", 334), (b64("ann"), 334), (b64(PASSWORD), 235)],
    "LOGIN at once": [("AUTH LOGIN " + b64("ann"), 334),
                      (b64(PASSWORD), 235)],
}


@pytest.mark.parametrize("how", LOGINS)
def test_a_user_logs_in(door, legacy, how):
    door.start()
    with door.dialog() as d:
        asked = []
        for words, code in LOGINS[how]:
            r = d.cmd(words)
            assert r.code == code
            asked += [r.text] if code == 334 else []
        want = {"PLAIN": [""], "LOGIN": [b64("Username:"), b64("Password:")],
                "LOGIN at once": [b64("Password:")]}
        assert asked == want.get(how, [])
        assert outside_answer(d) == MAY
        assert d.cmd("AUTH PLAIN " + plain("ann")).code == 503
        d.ok(f"MAIL FROM:<{ANN}>")
        d.ok(f"RCPT TO:<{ANN}>")
        id = queued_id(d.data(b"Subject: x\r\n\r\nHi\r\n.\r\n"))
    assert b"with ESMTPSA" in legacy.wait_message(id).trace
    assert door.gw.wait_event("accepted", id)["login"] == "ann"


def test_a_login_is_offered_over_tls_and_with_users_alone(door):
    door.start(outbound={"users": door.users})
    with door.gw.dialog() as d:
        assert "AUTH" not in d.ok("EHLO client.test").text
        r = d.cmd("AUTH PLAIN " + plain("ann"))
        assert said(r) == (538, "5.7.11")
        assert outside_answer(d) == MAY_NOT
        d.starttls(door.context)
        assert "AUTH PLAIN LOGIN" in d.ok("EHLO client.test").text
        d.ok("AUTH PLAIN " + plain("ann"))
        assert "AUTH" not in d.ok("EHLO client.test").text


BAD = [
    ("AUTH", 504), ("AUTH CRAM-MD5", 504), ("AUTH " + plain("ann"), 504),
    ("AUTH PLAIN =", 501), ("AUTH PLAIN ==", 501), ("AUTH PLAIN *", 501),
    ("AUTH PLAIN " + plain("ann")[:-1], 501),
    ("AUTH PLAIN " + plain("ann") + "=", 501),
    ("AUTH PLAIN " + b64("ann", PASSWORD), 501),
    ("AUTH PLAIN " + b64("ann"), 501),
    ("AUTH PLAIN " + b64("", "", "ann", PASSWORD), 501),
    ("AUTH PLAIN " + b64("", "ann", PASSWORD, ""), 501),
    ("AUTH PLAIN " + b64("", "ann", "", PASSWORD), 501),
    ("AUTH PLAIN " + b64("scanner", "ann", PASSWORD), 501),
    ("AUTH PLAIN " + b64("", "ann", ""), 501),
    ("AUTH PLAIN " + "A" * 12200, 501),
    ("AUTH PLAIN " + "A" * 12300, 500),
    ("AUTH PLAIN " + plain("ann", PASSWORD + "x"), 535),
    ("AUTH PLAIN " + plain("ann", "x" * 5000), 535),
    ("AUTH PLAIN " + plain("Ann"), 535),
]


def test_what_is_no_login_is_refused_and_gives_no_right(door):
    door.start(more={"limits": {"errors": 1000}})
    for words, code in BAD:
        with door.dialog() as d:
            assert d.cmd(words).code == code, words
            assert outside_answer(d) == MAY_NOT
            d.ok("AUTH PLAIN " + plain("ann"))


def test_a_response_may_be_cancelled_or_nonsense(door):
    door.start(more={"limits": {"errors": 1000}})
    with door.dialog() as d:
        for words, code in [("*", 501), ("", 501), ("=", 501), ("AAA", 501),
                            ("A" * 12292, 500)]:
            assert d.cmd("AUTH PLAIN").code == 334
            assert d.cmd(words).code == code, words
            assert d.cmd("AUTH LOGIN").code == 334
            assert d.cmd("*").code == 501
            assert outside_answer(d) == MAY_NOT
        d.ok("AUTH PLAIN " + plain("ann"))


def test_base64_of_any_length_is_answered(door):
    door.start(more={"limits": {"errors": 100000, "commands": 100000}})
    with door.dialog() as d:
        for n in [*range(1, 200), *range(200, 10001, 199), 9999, 10000]:
            assert d.cmd("AUTH PLAIN " + "A" * n).code == 501, n


# ---- the senders of a user

def test_a_user_sends_as_its_line_says(door, line):
    door.write("ann", line("scanner", "scan@example.com, @branch.example.com"))
    door.start(more={'domain "branch.example.com"': {"route": "legacy"}})
    no = (553, "5.7.1")
    table = [("ann", ANN, MAY), ("ann", "b@branch.example.com", MAY),
             ("ann", "x@elsewhere.test", no), ("ann", "", MAY),
             ("scanner", "SCAN@Example.com", MAY),
             ("scanner", "any@branch.example.com", MAY),
             ("scanner", ANN, no), ("scanner", "scan+x@example.com", no)]
    for name, sender, want in table:
        with door.login(name) as d:
            r = d.cmd(f"MAIL FROM:<{sender}>")
            if r.code == 250:
                r = d.cmd(f"RCPT TO:<{OUTSIDE}>")
            assert said(r) == want, (name, sender)


# ---- certificates, addresses, doors

def test_a_certificate_is_asked_for_where_some_are_let_in(door, authority):
    ours = authority.make("device", "device.test")
    other = authority.make("other", "other.test")
    door.start(outbound={"certificates": [fingerprint(ours)]})
    for cert, want in [(ours, MAY), (other, MAY_NOT), (None, MAY_NOT)]:
        for _ in range(2):  # the second resumes where the client does
            with door.dialog(cert) as d:
                assert outside_answer(d, "any@elsewhere.test") == want


def test_no_certificate_is_asked_for_without_auth(door, authority):
    ours = authority.make("device", "device.test")
    door.start({"auth": False}, {"certificates": [fingerprint(ours)]})
    with door.dialog(ours) as d:
        assert outside_answer(d) == MAY_NOT


def test_a_network_sends_with_any_sender(door):
    door.start(outbound={"clients": ["127.0.0.2"]})
    for source, want in [("127.0.0.2", MAY), ("127.0.0.3", MAY_NOT)]:
        with door.gw.dialog(source=source) as d:
            d.ok("EHLO client.test")
            for sender in ("", "x@elsewhere.test", ANN):
                assert outside_answer(d, sender) == want


@pytest.mark.parametrize("header", [
    b"", b"PROXY UNKNOWN\r\n", v2("192.0.2.9", command=0),
    b"PROXY TCP4 192.0.2.9 127.0.0.1 4000 25\r\n"])
def test_a_proxy_in_a_network_gives_its_clients_no_right(door, header):
    door.start({"proxy_from": ["127.0.0.1"]}, {"clients": ["127.0.0.1"]})
    with door.gw.dialog(greet=False, first=header or v2("127.0.0.1")) as d:
        assert d.reply().code == 220
        d.ok("EHLO client.test")
        assert outside_answer(d) == (MAY_NOT if header else MAY)


def test_a_door_can_be_for_them_alone_or_not_for_them(door):
    def listen(outbound, **kw):
        return {"address": ["127.0.0.1:0"], "outbound": outbound, **kw}

    gw = door.start(listen("only"), {"clients": ["127.0.0.2"]}, {
        'listen "off"': listen("off")}).gw
    with Dialog(int(gw.ports["off"]), source="127.0.0.2") as d:
        d.ok("EHLO client.test")
        assert outside_answer(d) == MAY_NOT
        assert d.cmd("AUTH PLAIN").code == 500
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        assert said(d.cmd(f"MAIL FROM:<{ANN}>")) == (530, "5.7.0")
        d.starttls(door.context)
        d.ok("EHLO client.test")
        assert said(d.cmd("MAIL FROM:<>")) == (530, "5.7.0")
        d.ok("AUTH PLAIN " + plain("ann"))
        assert outside_answer(d) == MAY
    with gw.dialog(source="127.0.0.2") as d:
        d.ok("EHLO client.test")
        assert outside_answer(d) == MAY


def test_tls_may_begin_before_the_greeting(door, legacy):
    door.start({"tls": "implicit"})
    with Dialog(door.gw.port, greet=False) as d:
        d.begin_tls(door.context)
        assert d.reply().code == 220
        text = d.ok("EHLO client.test").text
        assert "STARTTLS" not in text and "AUTH PLAIN LOGIN" in text
        assert d.cmd("STARTTLS").code == 503
        d.ok("AUTH PLAIN " + plain("ann"))
        assert outside_answer(d) == MAY
        d.ok(f"MAIL FROM:<{ANN}>")
        d.ok(f"RCPT TO:<{ANN}>")
        id = queued_id(d.data(b"Subject: x\r\n\r\nHi\r\n.\r\n"))
    assert legacy.wait_message(id).trace
    # Plaintext there is no SMTP.
    with Dialog(door.gw.port, greet=False) as d:
        d.send("EHLO client.test\r\n")
        try:
            assert b"220" not in d.file.read()
        except ConnectionResetError:
            pass


@pytest.mark.parametrize("apart", [False, True])
def test_a_proxy_names_the_client_before_implicit_tls(door, apart):
    door.start({"tls": "implicit", "proxy_from": ["127.0.0.1"]},
               {"clients": ["192.0.2.7"]})
    header = v2("192.0.2.7")
    with Dialog(door.gw.port, greet=False) as d:
        if apart:
            d.send(header)
            d.begin_tls(door.context)
        else:
            d.begin_tls(door.context, ahead=header)
        assert d.reply().code == 220
        d.ok("EHLO client.test")
        assert outside_answer(d) == MAY


# ---- strangers

PROBES = [p.strip() for p in r"""
    <u@elsewhere.test>
    <u%elsewhere.test@[127.0.0.1]>
    <u%elsewhere.test@example.com>
    <"u@elsewhere.test">
    <"u%elsewhere.test">
    <u@elsewhere.test@[127.0.0.1]>
    <"u@elsewhere.test"@[127.0.0.1]>
    <u@elsewhere.test@example.com>
    <@[127.0.0.1]:u@elsewhere.test>
    <@example.com:u@elsewhere.test>
    <elsewhere.test!u>
    <elsewhere.test!u@[127.0.0.1]>
    <elsewhere.test!u@example.com>
    <u%elsewhere.test>
    <"u@elsewhere.test"@example.com>
    <@example.com,@x.test:u@elsewhere.test>
    <example.com!elsewhere.test!u>
    <u@elsewhere.test.>
    <u@example.com.elsewhere.test>
    <u@elsewhereexample.com>
    <u@elsewhere.test%example.com>
    <u@[192.0.2.99]>
    <u@[IPv6:2001:db8::99]>
    <u@localhost>
    <u@ex\u0430mple.com>
    <u@EXAMPLE\0.elsewhere.test>
    <SRS0=xxxx=TT=elsewhere.test=u@relay.example.com>
    <SRS1=xxxx=a.test==xxxx=TT=elsewhere.test=u@relay.example.com>
    <prvs=1234abcdef=u@elsewhere.test>
    u@elsewhere.test
    """.strip().splitlines()]
SENDERS = ["", "x@elsewhere.test", ANN, "u@[127.0.0.1]"]


def probe(d):
    """Those that were taken."""
    taken = []
    for sender in SENDERS:
        d.ok(f"MAIL FROM:<{sender}>")
        for p in PROBES:
            p = p.encode().decode("unicode_escape")
            d.send(b"RCPT TO:" + p.encode() + b"\r\n")
            r = d.reply()
            if r.code < 500:
                taken.append((sender, p, r))
        d.ok("RSET")
    return taken


def test_a_stranger_relays_nowhere(door):
    doors = {"open": {}, "off": {"outbound": "off"},
             "early": {"tls": "implicit", **door.keys}}
    gw = door.start(outbound={"clients": ["127.0.0.9"]}, more={
        **{f'listen "{n}"': {"address": ["127.0.0.1:0"], **keys}
           for n, keys in doors.items()},
        "limits": {"errors": 100000, "commands": 100000}}).gw
    for name, port in gw.ports.items():
        with Dialog(int(port), greet=False) as d:
            if name == "early":
                d.begin_tls(door.context)
            assert d.reply().code == 220
            d.ok("EHLO client.test")
            assert probe(d) == [], name
            if name == "mx":
                d.starttls(door.context)
                d.ok("EHLO client.test")
                assert probe(d) == []
            if name in ("mx", "early"):
                assert d.cmd("AUTH PLAIN " + plain("ann", "no")).code == 535
                assert probe(d) == [], name
    with gw.dialog() as d:
        d.envelope("x@elsewhere.test", "postmaster")


def test_a_user_relays_to_no_name_of_ours_and_no_literal(door):
    door.start(more={"limits": {"errors": 1000}})
    with door.login() as d:
        for to in ("u@relay.example.com", "u@[127.0.0.1]", "u@[192.0.2.99]",
                   '"u@elsewhere.test"@example.com'):
            assert outside_answer(d, to=to)[0] == 550, to


# ---- the file, and what a reload does

def test_a_reload_takes_users_in_and_out(door):
    door.start()
    with door.login() as old:
        door.write("scanner", "new")
        assert door.gw.reload()
        # Also in a session that goes on.
        assert outside_answer(old) == MAY_NOT
    with door.dialog() as d:
        assert d.cmd("AUTH PLAIN " + plain("ann")).code == 535
        d.ok("AUTH PLAIN " + plain("new"))
        assert outside_answer(d) == MAY
    door.write("new", "weak:$1$abcdefgh$EyEmPcK4vrv6lZFCAvnXU/:")
    assert not door.gw.reload()
    assert f"{door.users}:2: user \"weak\": the hash is of a method that is " \
        "weak" in door.gw.log_text().replace('\\"', '"')
    with door.login("new") as d:
        assert outside_answer(d) == MAY
    door.write("new")


def test_a_file_that_others_read_is_refused(door):
    door.users.chmod(0o644)
    assert "chmod o-rwx" in door.refused()


def test_a_backup_has_the_users(door, folder):
    door.start()
    door.gw.cli("backup", folder / "kept")
    found = [p for p in (folder / "kept").rglob("*") if p.is_file() and
             door.users.read_bytes() in p.read_bytes()]
    assert found, "the file of users is not in the backup"


# ---- the way out

def test_mail_of_a_user_goes_out(door, outside, legacy):
    zone = {("example.com", "TXT"): ["v=spf1 ip4:192.0.2.10 -all"]}
    with Names(zone) as names:
        door.start(more={"resolver": {"servers": [names.address]}})
        with door.login() as d:
            d.ok(f"MAIL FROM:<{ANN}>")
            d.ok(f"RCPT TO:<{OUTSIDE}>")
            d.ok("RCPT TO:<bob@example.com>")
            id = queued_id(d.data(b"Subject: x\r\n\r\nHi\r\n.\r\n"))
        assert outside.wait_message(id).rcpt == [OUTSIDE]
        # Inside the house the table decides.
        assert legacy.wait_message(id).rcpt == ["bob@example.com"]
        door.gw.wait_empty()


def test_without_a_way_nothing_is_taken(door):
    door.start(outbound={"use": []})
    with door.login() as d:
        assert outside_answer(d) == (451, "4.3.5")


# ---- the command

def on_terminal(*lines):
    """What `passwd` prints on its output, and what the terminal showed."""
    ours, theirs = pty.openpty()
    p = subprocess.Popen([BUILD / "posthouse", "passwd", "ann"], stdin=theirs,
                         stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    shown = b""
    for line in lines:
        while not shown.endswith(b": "):
            shown += os.read(ours, 100)
        os.write(ours, line + b"\n")
        shown += b"|"
    out = p.communicate(timeout=DEADLINE_S)[0]
    try:
        while part := os.read(ours, 1000):
            shown += part
    except OSError:  # its other end is closed
        pass
    os.close(ours)
    return p.returncode, out, shown


def test_passwd_asks_twice_and_shows_nothing():
    code, out, shown = on_terminal(b"first-one", b"first-one")
    assert code == 0 and re.fullmatch(r"ann:\$y\$[^:]+:\n", out)
    assert b"first-one" not in shown and b"Once more" in shown
    code, out, shown = on_terminal(b"first-one", b"other-one")
    assert (code, out) == (1, "") and b"differ" in shown


@pytest.mark.parametrize("sender", ["ann", "@", "a@x.test,b@x.test",
                                    "a@x.test\nroot:"])
def test_passwd_takes_what_the_daemon_takes(sender):
    p = subprocess.run([BUILD / "posthouse", "passwd", "ann", "--sender",
                        sender], input="secret\n", capture_output=True,
                       text=True)
    assert (p.returncode, p.stdout) == (2, "")
    assert "is no sender; write an address" in p.stderr


# ---- guessing

def test_five_failures_of_a_client_are_all_that_is_looked_at(door):
    door.start(more={"limits": {"errors": 1000}})
    with door.dialog(source="127.0.0.2") as d:
        for n in range(5):
            r = d.cmd("AUTH PLAIN " + plain(f"name{n}", "guess"))
            assert said(r) == (535, "5.7.8")
        assert said(d.cmd("AUTH PLAIN " + plain("ann"))) == (421, "4.7.0")
        assert d.closed()
    with door.login(source="127.0.0.3") as d:
        assert outside_answer(d) == MAY


def test_strangers_lock_out_no_user(door):
    door.start(more={"limits": {"errors": 1000}})
    door.login(source="127.0.0.2").close()
    for n in range(5):
        with door.dialog(source=f"127.0.0.{10 + n}") as d:
            assert d.cmd("AUTH PLAIN " + plain("ann", "guess")).code == 535
    # One that never logged in under it is not looked at …
    with door.dialog(source="127.0.0.20") as d:
        assert d.cmd("AUTH PLAIN " + plain("ann")).code == 421
    # … under another name it is, and the user is where it was.
    door.login("scanner", source="127.0.0.20").close()
    door.login(source="127.0.0.2").close()


def test_an_hour_has_so_many_recipients(door):
    door.start(outbound={"rate": 3, "clients": ["127.0.0.5"]})
    for _ in range(2):  # over sessions, so over workers
        with door.login() as a, door.login("scanner") as b:
            a.ok(f"MAIL FROM:<{ANN}>")
            answers = [said(a.cmd(f"RCPT TO:<u{n}@elsewhere.test>"))
                       for n in range(4)]
            a.ok(f"RCPT TO:<{ANN}>")  # not at the outside
            if _ == 0:
                assert answers == [MAY] * 3 + [(450, "4.7.1")]
                assert outside_answer(b) == MAY
            else:
                assert answers == [(450, "4.7.1")] * 4
    door.gw.wait_event("alarm", kind="outbound-rate", about="user ann")
    assert len(door.gw.events(event="alarm", kind="outbound-rate")) == 1


def test_an_ipv6_client_is_its_network(door):
    """A machine has as many addresses as it likes in one of 64 bits."""
    door.start({"proxy_from": ["127.0.0.1"]},
               {"rate": 2, "clients": ["2001:db8::/32"]})

    def answer(address):
        first = f"PROXY TCP6 {address} ::1 4000 25\r\n".encode()
        with door.gw.dialog(first=first) as d:
            d.ok("EHLO client.test")
            return outside_answer(d)

    assert [answer(f"2001:db8::{n}") for n in range(1, 4)] == \
        [MAY, MAY, (450, "4.7.1")]
    assert answer("2001:db8:0:1::1") == MAY


# ---- what stays secret

def test_a_password_is_on_no_record(door, folder):
    """Not in the log, the events, the trail."""
    wrong = "not-" + PASSWORD
    door.start(more={"limits": {"errors": 1000}})
    with door.gw.dialog() as d:
        d.ok("EHLO client.test")
        d.cmd("AUTH PLAIN " + plain("ann"))
        d.cmd(plain("ann"))
        d.cmd(b64(PASSWORD))
    with door.dialog() as d:
        d.cmd("AUTH " + plain("ann"))
        d.cmd("AUTH PLAIN " + plain("ann", wrong))
        d.cmd("AUTH LOGIN")
        d.cmd(b64("ann"))
        d.cmd(b64(wrong))
        d.cmd("AUTH PLAIN " + plain("ann"))
    door.gw.wait_event("refused", code=535)
    assert door.gw.stop() == 0
    secrets = [w.encode() for p in (PASSWORD, wrong) for w in
               (p, plain("ann", p), b64(p))]
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            assert not [s for s in secrets if s in text], path
    door.gw.start()


# The end of a long one: what is written over the beginning does not hide it.
SECRET = "a-filler-" * 40 + "the-end-of-the-password-"


def whole(d):
    d.cmd("AUTH PLAIN " + plain("ann", SECRET))


def apart(d):
    """The rest comes when the beginning was kept."""
    assert d.cmd("AUTH PLAIN").code == 334
    line = plain("ann", SECRET)
    d.send(line[:-20])
    d.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with d.gw.dialog() as other:  # by then it was read
        other.ok("EHLO other.test")
        other.ok("NOOP")
    d.send(line[-20:] + "\r\n")
    d.reply()


@pytest.mark.parametrize("say", [whole, apart])
def test_a_password_is_not_left_in_memory(door, say):
    if sanitized():
        pytest.skip("under a sanitizer there are terabytes to look through")
    door.start(more={"": {"sandbox": False, "workers": 1}})
    ends = [SECRET[-20:].encode(), plain("ann", SECRET)[-60:-30].encode()]
    with door.dialog() as d:
        d.gw = door.gw
        say(d)
        pid = door.gw.process.pid
        assert in_memory(pid, b"PIPELINING")
        assert [e for e in ends if in_memory(pid, e)] == []


def in_memory(pid, what):
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for area in maps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", area)
            if not m or "[v" in area:
                continue
            at, end = (int(x, 16) for x in m.groups())
            mem.seek(at)
            if what in mem.read(end - at):
                return True
    return False


# ---- mistakes that are refused at the start

@pytest.mark.parametrize("listen, outbound, why", [
    ({"certificate": []}, {}, "has auth = true, which takes passwords over "
     "TLS alone"),
    ({}, {"users": ""}, "no client can log in"),
    ({"outbound": "off"}, {}, "by which a login is good for nothing"),
    ({"auth": False, "outbound": "only"}, {}, "no client can use it"),
    ({"auth": False, "certificate": [], "tls": "implicit"}, {},
     "has tls = \"implicit\" and no certificate"),
    ({}, {"clients": ["0.0.0.0/0"]}, "would trust strangers"),
    ({}, {"clients": ["52.100.0.0/14"]}, "all its tenants send from"),
])
def test_a_door_that_makes_no_sense_is_refused(door, listen, outbound, why):
    assert why in door.refused(listen, outbound)
