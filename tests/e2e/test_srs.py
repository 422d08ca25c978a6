# SPDX-License-Identifier: ISC
"""SRS: mail to an address that the relay or another implementation with its
secrets made goes to the sender that it stands for; all else at that domain is
refused, and guesses are limited."""
import re
import socket
import subprocess

import pytest

from conftest import unpacked
from names import Names
from ports import free_port
from shift import HOUR_S, LIBRARY, Shift
from until import until

AWAY = "friend@elsewhere.test"
STRANGER = "127.0.0.2"
DAY_S = 24 * HOUR_S
SECRETS = ["0123456789abcdef", "fedcba9876543210"]
HASH = 8
SENDER = "ann@foreign.test"


@pytest.fixture
def names():
    zone = {("foreign.test", "TXT"): ["v=spf1 -all"],
            ("long.foreign.test", "TXT"): ["v=spf1 -all"],
            ("mx.helo.test", "TXT"): ["v=spf1 ip4:192.0.2.10 -all"],
            ("srs.test", "TXT"): ["v=spf1 ip4:192.0.2.10 -all"]}
    with Names(zone) as server:
        yield server


def secrets_file(folder, secrets):
    path = folder / "srs.secrets"
    path.write_text("".join(s + "\n" for s in secrets))
    path.chmod(0o600)
    return path


@pytest.fixture
def shift(folder):
    if not LIBRARY.exists():
        pytest.skip(f"{LIBRARY} is not built")
    return Shift(folder)


@pytest.fixture
def make_srs(make_gw, make_leg, names, folder):
    """A gateway and its way out. 127.0.0.1 may send to the outside."""
    def make(environment=None):
        way = make_leg("way")
        gw = make_gw({
            "resolver": {"servers": [names.address], "timeout": "400ms"},
            "outbound": {"clients": ["127.0.0.1/32"], "use": ["way"]},
            "limits": {"per_client": 100, "errors": 100},
            'egress "way"': {"hosts": [f"127.0.0.1:{way.port}"],
                             "tls": "none", "helo": "mx.helo.test",
                             "spf_address": ["192.0.2.10"]},
            'domain "ours.test"': {"route": "legacy"},
            "srs": {"domain": "srs.test",
                    "secrets": secrets_file(folder, SECRETS)},
        }, start=False)
        gw.environment = environment or {}
        gw.start()
        return gw, way
    return make


@pytest.fixture
def srs(make_srs):
    return make_srs()


def rewritten(gw, way, sender=SENDER):
    """How `sender` is written at our SRS domain."""
    return way.wait_message(gw.send(to=AWAY, sender=sender)).sender


def answer(gw, to, sender=""):
    """What a stranger is told at RCPT: code and enhanced code."""
    with gw.dialog(source=STRANGER) as d:
        d.ok("EHLO mx.stranger.test")
        d.ok(f"MAIL FROM:<{sender}>")
        reply = d.cmd(f"RCPT TO:<{to}>")
        return reply.code, reply.enh


def bounce(gw, to, sender=""):
    """A stranger's mail to it; its id."""
    with gw.dialog(source=STRANGER) as d:
        d.envelope(sender, to)
        text = d.data(b"Subject: it failed\r\n\r\nSorry.\r\n.\r\n").text
        return re.search(r"queued as (\S+)", text)[1]


# ---- where it leads

def test_to_the_outside_and_back(srs):
    gw, way = srs
    to = rewritten(gw, way)
    assert re.fullmatch("SRS0=.{8}=..=foreign.test=ann@srs.test", to)
    id = bounce(gw, to)
    mail = way.wait_message(id)
    assert (mail.sender, mail.rcpt) == ("", [SENDER])
    gw.wait_event("delivered", id)


def test_letters_of_another_case(srs):
    gw, way = srs
    id = bounce(gw, rewritten(gw, way).lower())
    assert way.wait_message(id).rcpt == [SENDER]


def test_to_a_domain_of_ours(srs, names, legacy):
    """The table decides."""
    names.zone[("ours.test", "TXT")] = ["v=spf1 -all"]
    gw, way = srs
    gw.change("route set legacy bob@ours.test")
    to = rewritten(gw, way, "bob@ours.test")
    id = bounce(gw, to)
    assert legacy.wait_message(id).rcpt == ["bob@ours.test"]
    gw.change("route set reject bob@ours.test")
    assert answer(gw, to) == (550, "5.1.1")


def test_the_short_form_is_looked_up(srs):
    gw, way = srs
    sender = "a" * 50 + "@long.foreign.test"
    to = rewritten(gw, way, sender)
    assert re.fullmatch(r"srs\.[0-9a-z]+\.\d+\.\w+@srs\.test", to)
    id = bounce(gw, to)
    assert way.wait_message(id).rcpt == [sender]


def test_the_short_form_without_an_index(srs):
    """It is answered again when the index knows the message."""
    gw, way = srs
    to = rewritten(gw, way, "a" * 50 + "@long.foreign.test")
    gw.wait_empty()
    gw.stop()
    folders = [gw.folder / name for name in ("audit", "spool")]
    for path in folders:
        path.rename(path.with_suffix(".kept"))
    gw.start()
    assert answer(gw, to) == (451, "4.3.0")
    gw.stop()
    for path in folders:
        path.rename(path.with_suffix(".other"))
        path.with_suffix(".kept").rename(path)
    gw.start()
    assert answer(gw, to) == (250, "2.1.5")


def test_from_whatever_sender(srs, names):
    """Not only bounces: mail of others goes on, under our name."""
    gw, way = srs
    id = bounce(gw, rewritten(gw, way), "eve@foreign.test")
    mail = way.wait_message(id)
    assert mail.rcpt == [SENDER]
    assert mail.sender.endswith("=foreign.test=eve@srs.test")


def test_beside_other_recipients(srs, legacy):
    gw, way = srs
    to = rewritten(gw, way)
    with gw.dialog(source=STRANGER) as d:
        d.envelope("", "ann@example.com", to)
        assert d.cmd(f"RCPT TO:<{AWAY}>").code == 550
        assert d.cmd("RCPT TO:<postmaster@srs.test>").code == 250
        d.ok("RSET")
        d.ok("MAIL FROM:<>")
        assert d.cmd(f"RCPT TO:<{SENDER}>").code == 550


# ---- what is refused

@pytest.mark.parametrize("to", [
    "someone@srs.test", "SRS0=@srs.test", "SRS0=a=b=c=d@srs.test",
    "SRS1=abcdefgh=x.test==a=b=c=d@srs.test", "srs.0.1.2@srs.test",
    "srs.0SA86NEVC0001.30000.aaaaaaaaaaaaaaaa@srs.test"])
def test_what_is_not_ours(srs, to):
    gw, _ = srs
    assert answer(gw, to) == (550, "5.7.1")
    # Nor for a client that may send to the outside.
    with gw.dialog() as d:
        d.envelope("")
        assert d.cmd(f"RCPT TO:<{to}>").code == 550


def test_ten_guesses(srs):
    gw, way = srs
    good = rewritten(gw, way)
    for i in range(10):
        assert answer(gw, f"SRS0=guess{i:03}=AA=foreign.test=ann@srs.test") \
            == (550, "5.7.1")
    # The client learns nothing of further ones, other clients do.
    assert answer(gw, "SRS0=guess010=AA=foreign.test=ann@srs.test") == \
        (421, "4.7.0")
    assert answer(gw, good) == (421, "4.7.0")
    with gw.dialog(source="127.0.0.3") as d:
        d.envelope("", good)


def test_a_client_sends_no_more_by_srs_than_by_a_right(srs):
    """Mail to one such address from a forged sender gives its reader an address
    that leads to that sender, so a client can know any number of them."""
    gw, way = srs
    gw.set("outbound", rate=4)
    assert gw.reload()
    known = rewritten(gw, way)
    ids = [bounce(gw, known, f"victim{n}@foreign.test") for n in range(3)]
    gained = [way.wait_message(id).sender for id in ids]
    assert answer(gw, gained[0]) == (250, "2.1.5")
    assert answer(gw, gained[1]) == (450, "4.7.1")
    gw.wait_event("alarm", kind="outbound-rate", about=f"client {STRANGER}")
    with gw.dialog(source="127.0.0.3") as d:
        d.envelope("", gained[1])


@pytest.mark.parametrize("sender", [SENDER, "a" * 50 + "@long.foreign.test"])
def test_sixty_an_hour(srs, sender):
    gw, way = srs
    to = rewritten(gw, way, sender)
    with gw.dialog(source=STRANGER) as d:
        d.envelope("", *[to] * 60)
        reply = d.cmd(f"RCPT TO:<{to}>")
        assert (reply.code, reply.enh) == (450, "4.7.1")
        d.ok("RCPT TO:<ann@example.com>")
    assert answer(gw, rewritten(gw, way, "bob@foreign.test"))[0] == 250


@pytest.mark.parametrize("sender", [SENDER, "a" * 50 + "@long.foreign.test"])
def test_twenty_one_days(make_srs, shift, sender):
    gw, way = make_srs(shift.environment)
    to = rewritten(gw, way, sender)
    gw.wait_empty()
    shift.forward(gw, 21 * DAY_S)
    assert answer(gw, to) == (250, "2.1.5")
    shift.forward(gw, DAY_S)
    assert answer(gw, to) == (550, "5.7.1")


# ---- other implementations

class Postsrsd:
    """Debian's: two ports, one question a line."""

    def __init__(self, folder, secrets):
        root = unpacked("postsrsd")
        path = folder / "postsrsd.secrets"
        path.write_text("".join(s + "\n" for s in secrets))
        self.ports = free_port(), free_port()
        self.process = subprocess.Popen([
            root / "postsrsd/usr/sbin/postsrsd", f"-s{path}", "-dsrs.test",
            f"-n{HASH}", f"-N{HASH}", f"-f{self.ports[0]}",
            f"-r{self.ports[1]}", "-4"], stdin=subprocess.DEVNULL)
        until(lambda: self.answers(), "postsrsd to answer")

    def answers(self):
        try:
            return self.ask(0, "x@srs.test")
        except OSError:
            return None

    def ask(self, which, address):
        with socket.create_connection(("127.0.0.1", self.ports[which]), 10) \
                as s, s.makefile("rw") as f:
            f.write(f"get {address}\n")
            f.flush()
            return f.readline().strip()

    def make(self, address):
        return self.ask(0, address).removeprefix("200 ")

    def back(self, address):
        return self.ask(1, address).removeprefix("200 ")

    def stop(self):
        self.process.terminate()
        self.process.wait()


class MailSrs:
    """Perl's Mail::SRS, by Guarded as it is used by forwarders."""

    def __init__(self, _, secrets):
        self.secrets = secrets

    def run(self, what):
        code = ("use Mail::SRS; my $s = new Mail::SRS(Secret => "
                f"[qw({' '.join(self.secrets)})], HashLength => {HASH}, "
                f"HashMin => {HASH}, MaxAge => 21); print $s->{what};")
        return subprocess.run(["perl", "-e", code], capture_output=True,
                              text=True).stdout

    def make(self, address):
        return self.run(f"forward('{address}', 'srs.test')")

    def back(self, address):
        return self.run(f"reverse('{address}')")

    def stop(self):
        pass


@pytest.fixture(params=[Postsrsd, MailSrs])
def other(request, folder):
    if request.param is MailSrs and subprocess.run(
            ["perl", "-MMail::SRS", "-e1"], capture_output=True).returncode:
        pytest.skip("libmail-srs-perl is not there; tests/run installs it")
    made = []

    def make(secrets):
        made.append(request.param(folder, secrets))
        return made[-1]
    yield make
    for one in made:
        one.stop()


# SRS0 of another forwarder becomes SRS1, and that does not grow.
SENDERS = [SENDER, "SRS0=abcd=AB=x.test=u@foreign.test",
           "SRS1=abcd=first.test==efgh=AB=x.test=u@foreign.test"]
LED_TO = [SENDER, SENDERS[1], "SRS0=efgh=AB=x.test=u@first.test"]


@pytest.mark.parametrize("secrets", [SECRETS, SECRETS[::-1]])
def test_another_implementation(srs, other, secrets):
    """With the secrets rotated, too: the first signs, all are believed."""
    gw, way = srs
    they = other(secrets)
    for sender, led_to in zip(SENDERS, LED_TO):
        theirs = they.make(sender)
        assert theirs.endswith("@srs.test"), theirs
        mail = way.wait_message(bounce(gw, theirs))
        assert mail.rcpt == [led_to]
        ours = rewritten(gw, way, sender)
        assert they.back(ours) == led_to
        assert (ours == theirs) == (secrets == SECRETS)


def test_a_secret_that_is_gone(srs, other):
    gw, way = srs
    they = other(["another secret of theirs".replace(" ", "-")])
    assert answer(gw, they.make(SENDER)) == (550, "5.7.1")
    assert SENDER not in they.back(rewritten(gw, way))


def test_a_session_goes_on_while_the_secrets_change(srs, folder):
    """What a new key signs is believed at once, and what is gone is not."""
    gw, way = srs
    old = rewritten(gw, way)
    with gw.dialog(source=STRANGER) as d:
        d.ok("EHLO mx.stranger.test")
        secrets_file(folder, ["a-secret-that-is-new"])
        assert gw.reload()
        new = rewritten(gw, way)
        assert new != old
        d.ok("MAIL FROM:<>")
        assert d.cmd(f"RCPT TO:<{new}>").code == 250
        assert d.cmd(f"RCPT TO:<{old}>").code == 550
