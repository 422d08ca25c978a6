# SPDX-License-Identifier: ISC
"""A DNS server for tests on a free port, UDP only: answers A and MX from a
dict, NXDOMAIN for all else."""
import socket
import struct
import threading

TYPES = {1: "A", 15: "MX"}


def labels(name):
    return b"".join(bytes([len(l)]) + l.encode()
                    for l in name.split(".")) + b"\0"


def record_data(kind, text):
    if kind == "A":
        return socket.inet_aton(text)
    preference, host = text.split()
    return struct.pack("!H", int(preference)) + labels(host)


class Names:
    def __init__(self, zone):
        """`zone`: (name, type) -> list of texts."""
        self.zone = zone
        self.asked = []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self.sock.getsockname())
        self.thread.join()
        self.sock.close()

    def serve(self):
        while True:
            packet, peer = self.sock.recvfrom(4096)
            if not packet:
                return
            self.sock.sendto(self.answer(packet), peer)

    def answer(self, packet):
        at, parts = 12, []
        while packet[at]:
            parts.append(packet[at + 1:at + 1 + packet[at]].decode())
            at += 1 + packet[at]
        number, = struct.unpack("!H", packet[at + 1:at + 3])
        name, kind = ".".join(parts).lower(), TYPES.get(number, "")
        self.asked.append((name, kind))
        known = any(n == name for n, _ in self.zone)
        data = [record_data(kind, t)
                for t in self.zone.get((name, kind), [])]
        head = packet[:2] + struct.pack(
            "!HHHHH", 0x8180 | (0 if known else 3), 1, len(data), 0, 0)
        rows = b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", number, 1, 60, len(d)) + d
            for d in data)
        return head + packet[12:at + 5] + rows
