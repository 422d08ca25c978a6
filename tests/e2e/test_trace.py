# SPDX-License-Identifier: ISC
"""trace: by what became of a message, as one would type it."""
import re
import socket

from until import until

ANN, BOB = "ann@example.com", "bob@example.com"


def found(gw, *words):
    done = gw.run("trace", *words, "--json")
    return set(re.findall(r'"event":"accepted","id":"(\w+)"', done.stdout))


def test_a_message_is_found_by_what_became_of_it(gw, legacy, cloud):
    gw.set("audit", subject=True)
    assert gw.reload()
    gw.cli("route", "set", "cloud", BOB, "--address", "cloud=b@tenant.example")
    cloud.reply("RCPT", "550 5.7.1 not in this house")
    one = gw.send(to=ANN, sender="", message=b"Subject: =?utf-8?q?Gr=C3=BC?="
                  b" one\r\n\r\nHi\r\n")
    two = gw.send(to=BOB)
    gw.wait_event("delivered", one)
    gw.wait_event("bounced", two)
    until(lambda: {one, two} <= found(gw, "--since", "-1h"), "the index")
    cases = {
        ("--from", "<>"): one, ("--to", f" <{ANN}> "): one,
        ("--outcome", "bounced"): two, ("--leg", "legacy"): one,
        ("--code", "550"): two, ("--code", "5.7.1"): two,
        ("--reply", "THIS house"): two, ("--subject", "grü ONE"): one,
        ("--subject", "GRÜ"): None, ("--address", "b@tenant.example"): two,
        ("--domain", "elsewhere.test"): two,
        ("--leg", "cloud", "--outcome", "delivered"): None,
    }
    for words, id in cases.items():
        # A notice to the sender of `two` may be among those of no sender.
        assert (found(gw, *words) & {one, two}) == ({id} if id else set()), \
            words


def test_times_are_local_and_the_end_is_counted(gw, monkeypatch):
    monkeypatch.setenv("TZ", "TEST-2")
    id = gw.send(to=ANN)
    until(lambda: "delivered" in gw.run("trace", id).stdout, "the index")
    text = gw.cli("trace", "--to", ANN)
    assert re.search(r"\d\d:\d\d:\d\d\.\d{3} \+02:00  accepted", text), text
    assert text.endswith("\n\n1 message: 1 delivered\n")
    assert "Z  accepted" in gw.cli("trace", "--to", ANN, "--utc")
    assert id in gw.cli("trace", "--to", ANN, "--since", "today")
    assert gw.run("trace", "--to", ANN, "--until", "yesterday").returncode == 1


def test_what_cannot_be_is_a_slip(gw):
    assert "bounced" in gw.cli_fails("trace", "--outcome", "bouncd", code=2)
    assert "5.7.64" in gw.cli_fails("trace", "--code", "5x0", code=2)
    assert "yesterday" in gw.cli_fails("trace", "--since", "noon", code=2)
    assert "192.0.2.10" in gw.cli_fails("trace", "--client", "::x", code=2)
    assert "leave the ID or" in gw.cli_fails("trace", "01JD5K3W7Q2MA",
                                             "--leg", "cloud", code=2)
    assert "before --since" in gw.cli_fails("trace", "--since", "now",
                                            "--until", "-2h", code=2)


def test_a_client_is_found_however_its_address_is_written(gw):
    id = gw.send()
    until(lambda: id in gw.run("trace", "--client", "127.0.0.1").stdout,
          "the index")
    assert id in gw.cli("trace", "--client", "::FFFF:127.0.0.1")


class Asking:
    """A trace by the control socket; nothing of the answer is read."""

    def __init__(self, gw):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(str(gw.folder / "control.sock"))
        self.sock.sendall(b'{"command":"trace","args":{"limit":1000}}\n')

    def begins(self):
        return self.sock.recv(7, socket.MSG_PEEK)

    def answer(self):
        text = b""
        while b'{"end":' not in text[-200:]:
            more = self.sock.recv(1 << 16)
            text += more
            if not more:
                break
        return text


def test_who_reads_nothing_gives_its_place_to_one_that_waits(gw):
    to = [f"{n}.{'x' * 40}@example.com" for n in range(500)]
    ids = [gw.send(to=to) for _ in range(10)]
    until(lambda: all(gw.run("trace", id).stdout.count("delivered") >= 500
                      for id in ids), "the index")
    stalled = [Asking(gw), Asking(gw)]
    assert all(s.begins() == b'{"row":' for s in stalled)
    until(lambda: Asking(gw).begins() == b'{"row":',
          "a place for one that reads")
    assert any(b'{"end":' not in s.answer() for s in stalled)
