# SPDX-License-Identifier: ISC
"""A DNS server for tests on a free port, UDP and TCP: answers from a dict,
NXDOMAIN for all else, and lies or is silent when it is told to. A character of
a name or a text is an octet."""
import socket
import struct
import threading

TYPES = {1: "A", 5: "CNAME", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA",
         52: "TLSA"}
NUMBERS = {text: number for number, text in TYPES.items()}
UDP_MAX = 1232
AD = 0x20


def labels(name):
    return b"".join(bytes([len(l)]) + l.encode("latin-1")
                    for l in name.split(".") if l) + b"\0"


def strings(text):
    """Of a TXT record: 255 octets each at most; an empty one is one, too."""
    data = text.encode("latin-1")
    parts = [data[i:i + 255] for i in range(0, len(data), 255)] or [b""]
    return b"".join(bytes([len(p)]) + p for p in parts)


def record_data(kind, text):
    if kind == "A":
        return socket.inet_aton(text)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, text)
    if kind in ("CNAME", "PTR"):
        return labels(text)
    if kind == "TXT":
        return strings(text)
    if kind == "TLSA":
        usage, selector, matching, data = text.split()
        return bytes([int(usage), int(selector), int(matching)]) + \
            bytes.fromhex(data)
    preference, _, host = text.partition(" ")
    return struct.pack("!H", int(preference)) + labels(host)


def read_question(packet):
    """Name, type and where the question ends."""
    at, parts = 12, []
    while packet[at]:
        parts.append(packet[at + 1:at + 1 + packet[at]])
        at += 1 + packet[at]
    number, = struct.unpack("!H", packet[at + 1:at + 3])
    name = b".".join(parts).lower().decode("latin-1")
    return name, TYPES.get(number, ""), at + 5


class Names:
    def __init__(self, zone, signed=(), silent=()):
        """`zone`: (name, type) -> list of texts. `signed`: names whose
        answers have the AD bit for those who ask for it. `silent`: names,
        or (name, type), that get no answer unless there are records."""
        self.zone, self.signed, self.silent = zone, set(signed), set(silent)
        self.ttl = 60
        self.lie = None     # (question, answer) -> what is sent; None: nothing
        self.asked = []
        self.listen()
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]

    def listen(self):
        """A port that is free for both; a hundred tries are plenty."""
        for _ in range(100):
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.bind(("127.0.0.1", 0))
            self.tcp = socket.socket()
            try:
                self.tcp.bind(self.sock.getsockname())
                self.tcp.listen(16)
                return
            except OSError:
                self.sock.close()
                self.tcp.close()
        raise AssertionError("no free port")

    def __enter__(self):
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self.serve, self.serve_tcp)]
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self.sock.getsockname())
        self.tcp.shutdown(socket.SHUT_RDWR)
        for t in self.threads:
            t.join()
        self.sock.close()
        self.tcp.close()

    def reply(self, packet):
        answer = self.answer(packet)
        name, kind, _ = read_question(packet)
        if (name, kind) in self.silent or \
                (name in self.silent and not self.rows(name, kind)):
            return None
        return self.lie(packet, answer) if self.lie else answer

    def serve(self):
        while True:
            packet, peer = self.sock.recvfrom(4096)
            if not packet:
                return
            answer = self.reply(packet)
            if answer is not None and len(answer) > UDP_MAX:
                end = read_question(packet)[2]
                answer = answer[:2] + b"\x83\x80\0\1\0\0\0\0\0\0" + \
                    packet[12:end]
            if answer is not None:
                self.sock.sendto(answer, peer)

    def serve_tcp(self):
        while True:
            try:
                conn, _ = self.tcp.accept()
            except OSError:
                return
            with conn:
                conn.settimeout(5)
                try:
                    packet = conn.recv(4096)[2:]
                    answer = self.reply(packet) if packet else None
                    if answer is not None:
                        conn.sendall(struct.pack("!H", len(answer)) + answer)
                except OSError:
                    pass

    def rows(self, name, kind):
        """With the aliases on the way, as they stand in the zone."""
        out = []
        for _ in range(4):
            out += [(name, kind, t) for t in self.zone.get((name, kind), [])]
            alias = self.zone.get((name, "CNAME"))
            if kind == "CNAME" or not alias:
                break
            out.append((name, "CNAME", alias[0]))
            name = alias[0]
        return out

    def answer(self, packet):
        name, kind, end = read_question(packet)
        self.asked.append((name, kind))
        known = any(n == name for n, _ in self.zone)
        rows = self.rows(name, kind)
        flags = 0x8180 | (0 if known else 3)
        if name in self.signed:
            flags |= packet[3] & AD
        body = b""
        for owner, of, text in rows:
            data = record_data(of, text)
            body += labels(owner) + struct.pack(
                "!HHIH", NUMBERS[of], 1, self.ttl, len(data)) + data
        return packet[:2] + struct.pack("!HHHHH", flags, 1, len(rows), 0, 0) \
            + packet[12:end] + body
