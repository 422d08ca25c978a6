#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The mail of contrib/try: a server that stands for a leg, a sender, and the
check that what arrived is what was sent.

    try-mail.py leg FOLDER NAME PORT         receives into FOLDER/NAME/
    try-mail.py send FOLDER PORT FILE ADDR…  sends FILE; prints its id
    try-mail.py show FOLDER ID               what arrived of it, and where
    try-mail.py arrived FOLDER               0 when all that is expected came
    try-mail.py check FOLDER                 compares all of it, prints a table
    try-mail.py samples FOLDER               writes messages to send

FOLDER/expected has a line `ID LEG ADDRESS` for each copy that must arrive;
FOLDER/sent/ID.eml is what was sent. A leg writes a file ID,ADDRESS,N.eml for
each recipient of each message, N counting from 1: a second one is a
duplicate.
"""
import asyncio
import collections
import pathlib
import re
import signal
import smtplib
import sys

SENDER = "sender@elsewhere.test"
LONGEST_LINE = 4 << 20
# The trace block is one field: Received, with its folded lines.
TRACE = re.compile(rb"\AReceived:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")


def split(raw):
    """A message as it arrived: the id in our trace field, what is below."""
    m = TRACE.match(raw)
    if m is None:
        return "none", raw
    word = re.search(rb"\sid\s+([0-9A-Za-z]+)", m.group(0))
    return word.group(1).decode() if word else "none", raw[m.end():]


# -- a leg

class Keeper:
    def __init__(self, folder):
        self.folder = folder

    async def handle_DATA(self, server, session, envelope):
        # A leg vouches for what it took, so it is on the disk before 250.
        id, _ = split(envelope.original_content)
        for to in envelope.rcpt_tos:
            n = 1 + len(list(self.folder.glob(f"{id},{to},*.eml")))
            part = self.folder / f"{id},{to},{n}.part"
            part.write_bytes(envelope.original_content)
            part.rename(part.with_suffix(".eml"))
        return "250 2.0.0 Ok"


def leg(folder, name, port):
    from aiosmtpd.smtp import SMTP

    class Server(SMTP):
        line_length_limit = LONGEST_LINE    # as it comes, not as it should

    async def serve():
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        for sig in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sig, ended.set)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        server = await loop.create_server(
            lambda: Server(Keeper(home), data_size_limit=0,
                           enable_SMTPUTF8=True, hostname=f"{name}.test"),
            "127.0.0.1", int(port))
        # The name appears with the number in it, never empty.
        part = home / "port.part"
        part.write_text(str(server.sockets[0].getsockname()[1]))
        part.rename(home / "port")
        await ended.wait()

    home = pathlib.Path(folder) / name
    home.mkdir(exist_ok=True)
    asyncio.run(serve())


# -- a sender

def send(folder, port, file, *rcpts):
    text = pathlib.Path(file).read_bytes()
    text = re.sub(rb"\r\n|\r|\n", b"\r\n", text)
    if not text.endswith(b"\r\n"):
        text += b"\r\n"
    options = ["BODY=8BITMIME"] if max(text) > 127 else []
    with smtplib.SMTP("127.0.0.1", int(port), "client.test", 30) as smtp:
        smtp.ehlo()
        told(smtp.mail(SENDER, options))
        for rcpt in rcpts:
            told(smtp.rcpt(rcpt))
        answer = told(smtp.data(text))
    id = answer.rpartition(" ")[2]
    (pathlib.Path(folder) / "sent" / f"{id}.eml").write_bytes(text)
    print(id)


def told(answer):
    code, text = answer
    if code >= 400:
        sys.exit(f"refused: {code} {text.decode('utf-8', 'replace')}")
    return text.decode("ascii", "replace")


# -- the check

def expected(folder):
    lines = (folder / "expected").read_text().splitlines()
    return collections.Counter(tuple(line.split()) for line in lines)


def arrived(folder):
    """(id, leg, address) -> its files."""
    found = collections.defaultdict(list)
    for file in folder.glob("*/*,*,*.eml"):
        id, _, rest = file.stem.partition(",")
        found[id, file.parent.name, rest.rpartition(",")[0]].append(file)
    return found


def all_arrived(folder):
    found = arrived(pathlib.Path(folder))
    missing = [w for w in expected(pathlib.Path(folder)) if w not in found]
    for id, name, to in missing:
        print(f"{id} for {to} has not come to {name}")
    sys.exit(bool(missing))


def show(folder, id):
    folder = pathlib.Path(folder)
    for (got, name, to), files in sorted(arrived(folder).items()):
        for file in files if got == id else ():
            print(f"{name} has it for {to}: {file.stat().st_size} bytes")


def verdict(sent, files, wanted):
    if not wanted:
        return "NOT MEANT FOR IT"
    if len(files) != wanted:
        return f"CAME {len(files)} TIMES"
    same = all(split(f.read_bytes())[1] == sent for f in files)
    return "same bytes" if same else "BYTES DIFFER"


def check(folder):
    folder = pathlib.Path(folder)
    want, found = expected(folder), arrived(folder)
    bad = 0
    print(f"{'MESSAGE':<15}{'BYTES':>8}  {'LEG':<8}{'RECIPIENT':<32}ARRIVED")
    for key in sorted(set(want) | set(found)):
        id, name, to = key
        file = folder / "sent" / f"{id}.eml"
        sent = file.read_bytes() if file.exists() else b""
        says = verdict(sent, found.get(key, ()), want[key])
        bad += says != "same bytes"
        print(f"{id:<15}{len(sent):>8}  {name:<8}{to:<32}{says}")
    sys.exit(bool(bad))


# -- messages, where there are no real ones

def samples(folder):
    from email.message import EmailMessage
    from email.policy import SMTP

    def message(n, subject, text):
        mail = EmailMessage(policy=SMTP.clone(cte_type="8bit"))
        mail["Date"] = "Mon, 02 Mar 2026 09:12:44 +0100"
        mail["From"] = f"Sender <{SENDER}>"
        mail["To"] = "undisclosed-recipients:;"
        mail["Subject"] = subject
        mail["Message-ID"] = f"<try-{n}@elsewhere.test>"
        mail.set_content(text, cte="8bit")
        return mail

    order = message(1, "Order 4711", "Hello,\n\n.three dots\n..\n"
                    ".\nthat begin a line must arrive as they are.\n")
    notes = message(2, "Notizen zur Übergabe", "Grüße aus dem Büro, "
                    "8 bit und alles.\n" * 40)
    plan = message(3, "The plan", "See the plan that is attached.\n")
    plan.add_alternative("<p>See the <b>plan</b>.</p>", subtype="html")
    plan.add_attachment(bytes(range(256)) * 400, maintype="application",
                        subtype="octet-stream", filename="plan.bin")
    for name, mail in (("1-order", order), ("2-notes", notes),
                       ("3-plan", plan)):
        path = pathlib.Path(folder) / f"{name}.eml"
        path.write_bytes(mail.as_bytes())


COMMANDS = {"leg": leg, "send": send, "show": show, "arrived": all_arrived,
            "check": check, "samples": samples}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]](*sys.argv[2:])
