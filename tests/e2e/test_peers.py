# SPDX-License-Identifier: ISC
"""Real mail servers on both legs and real clients before us: a Postfix is
legacy, an Exim is cloud, each hands on to a sink. What arrives behind them
must equal, below our trace field, what was sent."""
import os
import re
import smtplib
import subprocess

import dkim
import pytest

from dialog import crlf, dotted, queued_id
from gateway import DEFAULTS, Gateway
from peers import Exim, Postfix
from sink import Leg
from until import DEADLINE_S, until

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"


class World:
    """Sinks behind servers behind a gateway; made once for the module."""

    def __init__(self, unpacked, folder):
        self.legacy, self.cloud = Leg("legacy"), Leg("cloud")
        self.outside = Leg("outside")
        self.postfix = Postfix(unpacked, folder / "postfix", self.legacy)
        self.exim = Exim(unpacked, folder / "exim", self.cloud)
        self.gw = Gateway(folder, {
            "legacy": self.postfix.port, "cloud": self.exim.port,
            "outside": self.outside}, {"limits": {"per_client": 200}})

    def start(self):
        self.postfix.start()
        self.exim.start()
        self.gw.start()
        self.gw.cli(f"route set legacy+cloud {ANN}")
        self.gw.cli(f"route set cloud {BOB}")
        self.gw.cli(f"route set legacy {EVE}")
        return self

    def stop(self):
        status = 0
        if self.gw.process is not None:
            self.gw.verify()
            status = self.gw.stop()
        self.postfix.stop()
        self.exim.stop()
        for leg in (self.legacy, self.cloud, self.outside):
            leg.stop()
        assert status == 0

    def both(self, id):
        return [leg.wait_message(id) for leg in (self.legacy, self.cloud)]


@pytest.fixture(scope="module")
def world(peers, tmp_path_factory):
    from conftest import BUILD, quiet
    import shutil
    folder = BUILD / "e2e" / f"world{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    world = World(peers, folder)
    try:
        yield world.start()
    finally:
        world.stop()
    quiet(world.gw)


def send_data(gw, to, body):
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", to, params=" BODY=8BITMIME")
        return queued_id(d.data(dotted(body) + b".\r\n"))


def send_bdat(gw, to, body):
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", to, params=" BODY=8BITMIME")
        for at in range(0, len(body), 100_000):
            chunk = body[at:at + 100_000]
            last = b" LAST" if at + 100_000 >= len(body) else b""
            d.send(b"BDAT %d%s\r\n" % (len(chunk), last) + chunk)
            r = d.reply()
        return queued_id(r)


@pytest.mark.parametrize("how", [send_data, send_bdat],
                         ids=["data", "bdat"])
def test_real_mail_arrives_byte_for_byte_on_both_legs(world, real_mail, how):
    for file in real_mail:
        # The first line of a mailbox file is no part of the message; servers
        # that mend headers would move it.
        body = crlf(re.sub(rb"\AFrom .*\n", b"", file.read_bytes()))
        id = how(world.gw, ANN, body)
        for mail in world.both(id):
            assert mail.below == body, file


def test_each_route_leads_to_its_server(world):
    ids = {to: world.gw.send(to=to) for to in (ANN, BOB, EVE)}
    world.both(ids[ANN])
    world.cloud.wait_message(ids[BOB])
    world.legacy.wait_message(ids[EVE])
    world.gw.wait_empty()
    assert not world.legacy.messages(ids[BOB])
    assert not world.cloud.messages(ids[EVE])
    event = world.gw.wait_event("delivered", ids[EVE])
    assert "queued as" in event["reply"]


KEY_NAME = b"sel._domainkey.elsewhere.test."


@pytest.mark.parametrize("how", [send_data, send_bdat],
                         ids=["data", "bdat"])
@pytest.mark.parametrize("rule", [b"simple", b"relaxed"])
def test_a_dkim_signature_still_verifies_on_both_legs(world, dkim_key, how,
                                                      rule):
    private, record = dkim_key
    body = (b"From: Ann <ann@elsewhere.test>\r\nTo: <ann@example.com>\r\n"
            b"Subject: signed\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n"
            b".dots and  blanks \r\n..\r\n\r\n" + "Grüße\r\n".encode())
    signature = dkim.sign(body, b"sel", b"elsewhere.test", private,
                          canonicalize=(rule, rule))
    id = how(world.gw, ANN, signature + body)
    for mail in world.both(id):
        assert dkim.verify(mail.raw, dnsfunc=lambda name, **_:
                           record if name == KEY_NAME else None)


def test_the_servers_see_our_envelope(world):
    id = world.gw.send(to=[ANN, EVE], sender="bounce+x@elsewhere.test",
                       mail_options=["ENVID=x1", "RET=HDRS"],
                       rcpt_options=["NOTIFY=FAILURE"])
    # Exim and Postfix both split or keep as they like: by recipient.
    until(lambda: {r for m in world.legacy.messages(id) for r in m.rcpt} ==
          {ANN, EVE}, "both recipients behind Postfix")
    assert world.legacy.messages(id)[0].sender == "bounce+x@elsewhere.test"
    assert world.cloud.wait_message(id).rcpt == [ANN]
    assert "NOTIFY=NEVER" in world.cloud.wait_message(id).rcpt_params[0]


# -- clients

def test_swaks_is_a_client(world):
    done = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{world.gw.port}", "--from",
         "swaks@elsewhere.test", "--to", ANN, "--pipeline", "--header",
         "Subject: by swaks", "--helo", "swaks.test"],
        capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stdout
    id = re.search(r"queued as (\S+)", done.stdout).group(1)
    for mail in world.both(id):
        assert b"Subject: by swaks" in mail.below


def test_smtplib_is_a_client(world):
    body = "Subject: by smtplib\r\n\r\n.leading\r\nend\r\n".encode()
    with smtplib.SMTP("127.0.0.1", world.gw.port) as smtp:
        refused = smtp.sendmail("py@elsewhere.test",
                                [ANN, "x@not-ours.test"], body)
    assert list(refused) == ["x@not-ours.test"]
    e = world.gw.wait_event("accepted", **{"from": "py@elsewhere.test"})
    for mail in world.both(e["id"]):
        assert mail.below == body


def test_smtp_source_is_a_client(world, peers):
    root = peers / "postfix"
    before = len(world.gw.events(event="accepted"))
    done = subprocess.run(
        [root / "usr/sbin/smtp-source", "-c", "-s", "5", "-m", "50", "-l",
         "4096", "-f", "load@elsewhere.test", "-t", ANN,
         f"127.0.0.1:{world.gw.port}"], capture_output=True, text=True,
        env={**os.environ, "LD_LIBRARY_PATH": str(root / "usr/lib/postfix"),
             "MAIL_CONFIG": str(world.postfix.folder)},
        timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    until(lambda: len(world.gw.events(event="accepted")) == before + 50,
          "50 messages")
    ids = [e["id"] for e in world.gw.events(event="accepted")[before:]]
    for id in ids:
        world.both(id)


# -- end of data, before real servers

def test_no_false_end_makes_a_second_message_behind_real_servers(world):
    from test_smuggling import ENDS, HARMLESS, SECOND
    taken = []
    for end in ENDS:
        with world.gw.dialog() as d:
            d.envelope("smuggler@elsewhere.test", ANN)
            r = d.data(b"Subject: first\r\n\r\nbody" + end + SECOND)
            assert (r.code == 250) == (end in HARMLESS), (end, r)
            if r.code == 250:
                taken.append(queued_id(r))
    for id in taken:
        for mail in world.both(id):
            assert mail.sender == "smuggler@elsewhere.test"
    last = world.gw.send(to=ANN)
    world.both(last)
    for leg in (world.legacy, world.cloud):
        assert not [m for m in leg.mails
                    if m.sender == "evil@elsewhere.test"]


def test_a_flip_while_one_server_is_down_loses_nothing(world):
    world.exim.stop()
    id = world.gw.send(to=BOB)
    world.gw.wait_event("deferred", id, leg="cloud")
    world.gw.cli(f"flip legacy {BOB}")
    world.legacy.wait_message(id)
    world.exim.start_again()
    world.gw.cli(f"flip cloud {BOB}")
    world.cloud.wait_message(world.gw.send(to=BOB))
