#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What contrib/try needs beside Posthouse itself.

  try.py receive NAME PORT LOG    a mail server that stands for one side
  try.py send PORT TO WHICH LOG   message number WHICH to an address
  try.py wait LOG LINES [WORD]    until so many lines (with WORD) stand there
  try.py compare SENT LOG...      what arrived where, and was it unchanged

A receiver is aiosmtpd, which has no code in common with Posthouse. Logs are
lines of words: of a receiver "recipient digest subject", of the sender "id
recipient digest subject". A digest is of all that stands below the trace
field that a relay puts on top.
"""
import email.header
import email.parser
import hashlib
import os
import pathlib
import re
import smtplib
import socket
import sys
import threading

OWN = [
    b"Subject: The invoice for October\r\n"
    b"From: Accounts <accounts@supplier.example>\r\n"
    b"Content-Type: text/plain\r\n\r\n"
    b"Dear customer,\r\n\r\nthe invoice for October is attached.\r\n"
    b".\r\nA line that is a single dot is content, too.\r\n",
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=\r\n"
    "From: =?utf-8?q?J=C3=B6rg?= <joerg@partner.example>\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\n"
    "Schöne Grüße, und bis Mittwoch!\r\n".encode(),
    b"Subject: Build 4711 has passed\r\n"
    b"From: ci@hosting.example\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nAll 812 tests passed.\r\n"
    b"--b\r\nContent-Type: text/x-log\r\n\r\n" +
    b"".join(b"ok %d\r\n" % n for n in range(1, 813)) + b"--b--\r\n",
]


def messages():
    """Real ones where the machine has them, else ours."""
    shared = os.environ.get("PH_SHARED", "")
    files = sorted(pathlib.Path(shared, "data/mail").glob("*.eml")) \
        if shared else []
    real = [re.sub(rb"\r\n|\r|\n", b"\r\n", f.read_bytes()) for f in files]
    told = [m for m in real if re.search(rb"(?mi)^Subject: *\S",
                                         m.partition(b"\r\n\r\n")[0])]
    return [m if m.endswith(b"\r\n") else m + b"\r\n"
            for m in told or OWN]


def digest(content):
    return hashlib.sha256(content).hexdigest()[:12]


def subject(content):
    text = email.parser.BytesHeaderParser().parsebytes(content)["Subject"]
    decoded = str(email.header.make_header(
        email.header.decode_header(text or "(no subject)")))
    return " ".join(decoded.split())[:40]


def note(log, *words):
    with open(log, "a") as f:
        f.write(" ".join(words) + "\n")


class Handler:
    def __init__(self, log):
        self.log = log

    async def handle_DATA(self, _server, _session, envelope):
        below = re.sub(rb"\AReceived:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*",
                       b"", envelope.content)
        for rcpt in envelope.rcpt_tos:
            note(self.log, rcpt, digest(below), subject(below))
        return "250 2.0.0 Ok: taken"


def receive(name, port, log):
    from aiosmtpd.controller import Controller
    if port == "0":
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
    controller = Controller(
        Handler(log), hostname="127.0.0.1", port=int(port),
        server_hostname=f"{name}.example",
        data_size_limit=100_000_000)
    controller.start()
    print(port, flush=True)
    threading.Event().wait()


def send(port, to, which, log):
    content = messages()[int(which) % len(messages())]
    with smtplib.SMTP("127.0.0.1", int(port), "client.example") as smtp:
        smtp.ehlo()
        smtp.mail("sender@elsewhere.example", ["BODY=8BITMIME"])
        code, text = smtp.rcpt(to)
        if code != 250:
            print(f"{code} {text.decode()}")
            return
        code, text = smtp.data(content)
    print(f"{code} {text.decode()}")
    note(log, text.decode().split()[-1], to, digest(content),
         subject(content))


def wait(log, lines, word=""):
    pause = threading.Event()
    for _ in range(1200):
        try:
            with open(log) as f:
                if sum(word in line for line in f) >= int(lines):
                    return
        except FileNotFoundError:
            pass
        pause.wait(0.05)
    sys.exit(f"{log} did not come to {lines} lines {word} within a minute")


def compare(sent, *logs):
    got = {}
    for log in logs:
        side = pathlib.Path(log).stem
        for line in open(log) if os.path.exists(log) else []:
            to, sum_, _ = line.split(" ", 2)
            got.setdefault((to, sum_), []).append(side)
    bad = 0
    for line in open(sent):
        id_, to, sum_, what = line.rstrip("\n").split(" ", 3)
        where = got.get((to, sum_), [])
        bad += not where or len(where) != len(set(where))
        print(f"  {id_}  {to:19} {' and '.join(where) or 'NOWHERE':16} "
              f"{'unchanged' if where else 'lost or changed':10} {what}")
    sys.exit(bad != 0)


if __name__ == "__main__":
    {"receive": receive, "send": send, "wait": wait,
     "compare": compare}[sys.argv[1]](*sys.argv[2:])
