# SPDX-License-Identifier: ISC
"""What sessions and bodies cost in memory: anonymous pages (RssAnon), since
pages of files are the kernel's to take."""
import os
import selectors
import socket
import ssl

from rig import (Figure, Receiver, idle_cpu_s, posthouse, say, send,
                 status_kb)
import certs                     # found by rig
from until import until

IDLE = 2_000
CLIENTS, UPLOAD = 100, 50_000_000
BLOCK = (b"x" * 70 + b"\r\n") * 900


def rss_mb(gw):
    return status_kb(gw.process.pid, "RssAnon") / 1024


def greeted(port, context):
    """It has said EHLO, so it holds what a session holds."""
    s = socket.create_connection(("127.0.0.1", port))
    s.recv(512)
    s.sendall(b"EHLO idle.example\r\n")
    s.recv(1024)
    if context is None:
        return s
    s.sendall(b"STARTTLS\r\n")
    s.recv(512)
    s = context.wrap_socket(s)
    s.sendall(b"EHLO idle.example\r\n")
    s.recv(1024)
    return s


def idle_kind(folder, what, limit, settings=None, context=None):
    gw = posthouse(folder, 9, settings=settings)
    before = rss_mb(gw)
    sessions = []
    try:
        for _ in range(IDLE):
            sessions.append(greeted(gw.port, context))
        after = rss_mb(gw)
    finally:
        for s in sessions:
            s.close()
        gw.stop()
    return Figure(f"RssAnon of an idle session, {what}",
                  (after - before) * 1024 / IDLE, limit, " KB",
                  note=f"{IDLE:,} of them, {before:.1f} to {after:.1f} MB")


def idle(folder, args):
    (folder / "ca").mkdir(parents=True)
    certificate = certs.Authority(folder / "ca").make("bench", "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return [
        idle_kind(folder / "plain", "plain", "<= 2.5"),
        idle_kind(folder / "tls", "TLS 1.3", "<= 30",
                  {'listen "mx"': {"certificate": [certificate]}}, context)]


class Upload:
    """One client with a body of 50 MB, written as the socket takes it."""

    def __init__(self, port, number, size):
        self.left, self.at = size // len(BLOCK), 0
        self.number = number
        self.s = socket.create_connection(("127.0.0.1", port))
        self.reply()
        self.ask(f"EHLO upload{number}.example")
        self.ask("MAIL FROM:<sender@sender.example>")
        self.ask(f"RCPT TO:<user{number}@example.com>")
        self.ask("DATA")
        self.s.sendall(f"X-Bench-Id: {number + 1}\r\n\r\n".encode())
        self.s.setblocking(False)

    def reply(self):
        text = self.s.recv(4096)
        if text[:1] not in b"23":
            raise RuntimeError(text)

    def ask(self, line):
        self.s.sendall(line.encode() + b"\r\n")
        self.reply()

    def push(self):
        """False: all of it is written, the reply is due."""
        while self.left > 0:
            try:
                self.at += self.s.send(memoryview(BLOCK)[self.at:])
            except BlockingIOError:
                return True
            if self.at == len(BLOCK):
                self.left, self.at = self.left - 1, 0
        self.s.setblocking(True)
        self.s.sendall(b".\r\n")
        return False


def upload(folder, args):
    size = UPLOAD // 10 if args.quick else UPLOAD
    gw = posthouse(folder, 9)   # not taken: they stay on disk
    peak = rss_mb(gw)
    before = peak
    try:
        every = selectors.DefaultSelector()
        clients = [Upload(gw.port, i, size) for i in range(CLIENTS)]
        for c in clients:
            every.register(c.s, selectors.EVENT_WRITE, c)
        turns = 0
        while every.get_map():
            for key, _ in every.select(1):
                if not key.data.push():
                    every.unregister(key.data.s)
            turns += 1
            if turns % 20 == 0:
                peak = max(peak, rss_mb(gw))
        for c in clients:
            c.s.settimeout(60)
            c.reply()
        peak = max(peak, rss_mb(gw))
        open_rows = until(lambda: gw.cli_json("leg list"), "the legs")
        say(f"legs afterwards: {open_rows[0]}")
    finally:
        gw.stop()
    limit = 128 + 32
    return [Figure(f"RssAnon, {CLIENTS} uploads of {size // 1000000} MB at "
                   "once", peak, f"<= {limit}", " MB",
                   note=f"body_memory 128 MB + 32; {before:.1f} MB before")]


def descriptors(gw):
    return len(os.listdir(f"/proc/{gw.process.pid}/fd"))


def growth(folder, args):
    """Memory after mail has gone through: a leak shows as a slope."""
    step, rounds = (2_000, 3) if args.quick else (20_000, 10)
    receiver = Receiver(step * rounds)
    gw = posthouse(folder, receiver.port)
    seen = []
    try:
        for i in range(rounds):
            send(gw.port, step, first=i * step + 1)
            gw.wait_empty()
            idle_cpu_s(gw.process.pid)
            seen.append((rss_mb(gw), descriptors(gw)))
            say(f"{(i + 1) * step:,} messages: RssAnon {seen[-1][0]:.1f} MB, "
                f"{seen[-1][1]} descriptors")
        receipt = receiver.result()
    finally:
        gw.stop()
        receiver.stop()
    if receipt["lost"] or receipt["double"]:
        raise RuntimeError(f"not every message came once: {receipt}")
    half = rounds // 2
    late = (rounds - 1 - half) * step
    return [
        Figure(f"RssAnon grown over the last {late:,} messages",
               seen[-1][0] - seen[half][0], "<= 8", " MB",
               note=f"{seen[-1][0]:.1f} MB at the end"),
        Figure(f"descriptors grown over the last {late:,} messages",
               seen[-1][1] - seen[half][1], "<= 32",
               note=f"{seen[-1][1]} at the end")]
