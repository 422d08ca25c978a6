# SPDX-License-Identifier: ISC
"""An SMTP client that says exactly what a test tells it, byte for byte."""
import re
import socket

from until import DEADLINE_S


class Reply:
    def __init__(self, lines):
        self.lines = lines
        self.code = int(lines[-1][:3])
        self.text = "\n".join(line[4:] for line in lines)
        m = re.match(r"([245]\.\d{1,3}\.\d{1,3}) ", self.text)
        self.enh = m.group(1) if m else ""

    def __repr__(self):
        return " / ".join(self.lines)


class Dialog:
    """One connection. Reads replies one by one, never ahead of them."""

    def __init__(self, port, host="127.0.0.1", source=None, greet=True,
                 first=b""):
        self.sock = socket.create_connection(
            (host, port), timeout=DEADLINE_S,
            source_address=(source, 0) if source else None)
        self.file = self.sock.makefile("rb")
        self.sock.sendall(first)
        self.greeting = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def reply(self):
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                raise ConnectionError(f"closed after {lines}")
            assert line.endswith(b"\r\n"), line
            lines.append(line[:-2].decode("utf-8"))
            if line[3:4] != b"-":
                return Reply(lines)

    def cmd(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def ok(self, line):
        r = self.cmd(line)
        assert r.code < 400, f"{line}: {r}"
        return r

    def closed(self):
        """True when nothing more comes; the bytes that came are gone."""
        try:
            return self.file.read() == b""
        except ConnectionResetError:
            return True

    def envelope(self, sender, *to, params=""):
        self.ok("EHLO client.test")
        self.ok(f"MAIL FROM:<{sender}>{params}")
        for rcpt in to:
            self.ok(f"RCPT TO:<{rcpt}>")

    def data(self, wire):
        """DATA with these bytes as they are, the final dot included."""
        r = self.cmd("DATA")
        assert r.code == 354, r
        self.send(wire)
        return self.reply()

    def starttls(self, context, name="relay.example.com"):
        r = self.cmd("STARTTLS")
        assert r.code == 220, r
        self.begin_tls(context, name)

    def begin_tls(self, context, name="relay.example.com", ahead=b""):
        """Here and now; `ahead` goes in one piece with the handshake."""
        self.file.close()
        if ahead:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            self.sock.sendall(ahead)
        self.sock = context.wrap_socket(self.sock, server_hostname=name)
        self.file = self.sock.makefile("rb")


def crlf(data):
    """As a message travels: each line ends in CR LF."""
    data = re.sub(rb"\r\n|\r|\n", b"\r\n", data)
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def dotted(body):
    """As it stands in DATA."""
    return re.sub(rb"(?m)^\.", b"..", body)


def queued_id(reply):
    """The id in "250 2.0.0 Ok: queued as ID"."""
    text = reply if isinstance(reply, str) else reply.text
    m = re.search(r"queued as (\S+)", text)
    assert m, f"no id in: {text}"
    return m.group(1)
