# SPDX-License-Identifier: ISC
"""What logins that are being hashed cost a sender: its wait for 250, calm and
while 64 of them are under way, in turn."""
import base64
import statistics
import subprocess
import threading

from certs import Authority  # found by rig
from dialog import Dialog
from rig import BUILD, Figure, Receiver, posthouse, say, sender, sent

RATE = 300       # messages a second: no core is full
AT_ONCE = 64
PASSWORD = "not to be guessed"


def users_file(folder, count):
    """One hash for all: what is remembered goes by the name, too."""
    line = subprocess.run(
        [BUILD / "posthouse", "passwd", "NAME"], input=PASSWORD + "\n",
        capture_output=True, text=True, check=True).stdout
    file = folder.parent / "users"
    file.write_text("".join(line.replace("NAME", f"user{i}")
                            for i in range(count)))
    file.chmod(0o600)
    return file


class Logins:
    """Sessions that are ready to log in, each from an address of its own."""

    def __init__(self, port, authority, first):
        self.codes = []
        self.dialogs = []
        for i in range(AT_ONCE):
            d = Dialog(port, source=f"127.0.{first % 200}.{i + 2}")
            d.ok("EHLO client.test")
            d.starttls(authority.client())
            d.ok("EHLO client.test")
            self.dialogs.append((d, first * AT_ONCE + i))

    def one(self, d, user):
        words = f"\0user{user}\0{PASSWORD}".encode()
        with d:
            self.codes.append(d.cmd(
                "AUTH PLAIN " + base64.b64encode(words).decode()).code)

    def run(self):
        threads = [threading.Thread(target=self.one, args=a)
                   for a in self.dialogs]
        for t in threads:
            t.start()
        for t in threads:
            t.join()


def login(folder, args):
    rounds = 2 if args.quick else 10
    messages = RATE * 2
    folder.parent.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder.parent)
    receiver = Receiver(messages * rounds * 2)
    gw = posthouse(folder, receiver.port, settings={
        'listen "mx"': {
            "auth": True,
            "certificate": [authority.make("mx", "relay.example.com")]},
        "outbound": {"users": users_file(folder, rounds * AT_ONCE)}})
    waits = {"calm": [], "hashing": []}
    hashed = []
    try:
        for i in range(rounds):
            for k, mode in enumerate(waits):
                ready = Logins(gw.port, authority, i) \
                    if mode == "hashing" else None
                load = sender(gw.port, messages, sessions=1, rate=RATE,
                              first=(2 * i + k) * messages + 1)
                if ready:
                    ready.run()
                    hashed += ready.codes
                out = sent(load)
                waits[mode].append(out["wait_ms_p999"])
                say(f"{mode:<7} wait p50 {out['wait_ms_p50']:.2f} p99 "
                    f"{out['wait_ms_p99']:.2f} p99.9 "
                    f"{out['wait_ms_p999']:.2f} ms")
        receipt = receiver.result()
    finally:
        gw.stop()
        receiver.stop()
    if receipt["lost"] or receipt["double"]:
        raise RuntimeError(f"not every message came once: {receipt}")
    if set(hashed) - {235, 454}:
        raise RuntimeError(f"logins were answered {set(hashed)}")
    calm, busy = (statistics.median(waits[m]) for m in waits)
    return [Figure("a sender's p99.9 amid 64 logins / calm", busy / calm,
                   "<= 2", note=f"{busy:.2f} / {calm:.2f} ms, "
                   f"{hashed.count(235)} logins right, "
                   f"{hashed.count(454)} told 454")]
