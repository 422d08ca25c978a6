# SPDX-License-Identifier: ISC
"""posthouse-spf spoken to directly: frames of relay/spf/spf_wire.h, and the
questions of a check answered from a zone, without a DNS server."""
import ipaddress
import itertools
import socket
import struct
import subprocess

A, PTR, MX, TXT, AAAA = 1, 12, 15, 16, 28
NUMBERS = {"A": A, "PTR": PTR, "MX": MX, "TXT": TXT, "AAAA": AAAA}
OK, NODATA, NXDOMAIN, FAILED = range(4)
RESULTS = ("none neutral pass fail softfail temperror permerror").split()


def text(value):
    return struct.pack("<I", len(value)) + value


def octets(value):
    return value if isinstance(value, bytes) else \
        value.encode("latin-1" if value.isascii() else "utf-8")


class Zone:
    """(name, type) -> records, as bytes; names are bytes in lower case. There
    is no answer for a (name, type) in `silent`, nor for a name in it where it
    has no records."""

    def __init__(self):
        self.rows, self.alias = {}, {}
        self.silent, self.names = set(), set()

    def add(self, name, kind, record):
        name = octets(name).lower()
        self.names.add(name)
        self.rows.setdefault((name, kind), []).append(record)

    def add_name(self, name):
        self.names.add(octets(name).lower())

    def answer(self, name, kind):
        name = name.lower()
        name = self.alias.get(name, name)
        rows = self.rows.get((name, kind), [])
        if (name, kind) in self.silent or (name in self.silent and not rows):
            return FAILED, []
        if rows:
            return OK, rows
        return (NODATA if name in self.names else NXDOMAIN), []


def nested(levels, width, leaf):
    """Records, each with `width` includes, `levels` deep; at the bottom
    `leaf`."""
    records = {}
    for level in range(levels + 1):
        for path in itertools.product(range(width), repeat=level):
            name = ".".join(["i%d" % i for i in reversed(path)] +
                            ["d.example"])
            records[name] = leaf if level == levels else "v=spf1 " + " ".join(
                "include:i%d.%s" % (i, name) for i in range(width)) + " -all"
    return records


# Texts that a macro's expansion may break on.
ATTACKS = ["%{d}" * 127, "%{d2r}." * 43, "%{D128r}" * 80, "%{L}" * 400,
           "%{S99r-_.}" * 60, "%{i}" * 200, "%{p}" * 100, "%{d999}" * 20,
           "%{H}" * 200, "x" * 4096, "%" * 4000, "%%" * 2000, "%_" * 2000,
           "%-" * 1300, "%{d" + "r" * 3000 + "}", "%{l" + "-" * 4000 + "}",
           "%{t}" * 500, "%{r}%{c}" * 300, "\x80%{d}", "%{l99999999999999}"]


def unmapped(client):
    address = ipaddress.ip_address(client)
    return getattr(address, "ipv4_mapped", None) or address


def reverse_name(client):
    return unmapped(client).reverse_pointer


def split_sender(sender, helo):
    """RFC 7208 2.4, 4.3: local part and domain of the identity."""
    local, at, domain = sender.rpartition(b"@")
    if not sender:
        return b"postmaster", helo
    return (local if at and local else b"postmaster"), domain


class Process:
    """One posthouse-spf; `checks` are one after another."""

    def __init__(self, program):
        ours, theirs = socket.socketpair()
        self.sock = ours
        self.run = subprocess.Popen([str(program)], stdin=theirs,
                                    stdout=subprocess.DEVNULL)
        theirs.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
        self.run.wait(10)

    def read(self, n):
        data = b""
        while len(data) < n:
            piece = self.sock.recv(n - len(data))
            if not piece:
                raise EOFError("posthouse-spf died")
            data += piece
        return data

    def exchange(self, body):
        self.sock.sendall(text(body))
        n, = struct.unpack("<I", self.read(4))
        return self.read(n)

    def check(self, client, helo, sender, zone):
        """The reply as a dictionary, with `asked`: all questions in order."""
        helo = octets(helo)
        local, domain = split_sender(octets(sender), helo)
        head = b"\2" + text(unmapped(client).packed) + text(helo) + \
            text(local) + text(domain) + b"\0"  # no other addresses
        answers, asked, rounds = b"", [], 0
        while True:
            rounds += 1
            assert rounds <= 60, "a check without end"
            reply = parse_reply(self.exchange(
                head + bytes([len(asked)]) + answers))
            if not reply["questions"]:
                reply.update(asked=asked, rounds=rounds)
                return reply
            for kind, name in reply["questions"]:
                assert (kind, name) not in asked, "asked again: %r" % name
                status, rows = zone.answer(name, kind)
                answers += bytes([kind, status]) + text(name) + \
                    text(b"".join(text(r) for r in rows))
                asked.append((kind, name))


def take(data, at):
    n, = struct.unpack_from("<I", data, at)
    return data[at + 4:at + 4 + n], at + 4 + n


def parse_reply(body):
    version, result, lookups, voids = struct.unpack_from("<BBHH", body)
    assert version == 2
    reply = {"result": RESULTS[result], "lookups": lookups, "voids": voids}
    at = 6
    for key in ("mechanism", "domain", "explanation", "problem"):
        value, at = take(body, at)
        reply[key] = value.decode("ascii")
    reply["used"], questions, reads = struct.unpack_from("<BBB", body, at)
    at += 3
    reply["questions"], reply["read"] = [], []
    for _ in range(questions):
        kind = body[at]
        name, at = take(body, at + 1)
        reply["questions"].append((kind, name))
    for _ in range(reads):
        name, at = take(body, at)
        reply["read"].append(name)
    assert body[at:] == b"\0"  # no other addresses were asked for
    return reply
