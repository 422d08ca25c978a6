# SPDX-License-Identifier: ISC
"""`posthouse stragglers` over 10 million messages of 20,000 clients, half of
them legitimate, each seen on 62 days, and over a million rows of clients that
only were refused beside them."""
import sqlite3
import statistics
import subprocess
import time

from rig import Figure, Receiver, posthouse, say

DAYS = 62
DAY_US = 86_400_000_000


def fill(path, clients, messages, refused):
    now_us = int(time.time() * 1e6)
    each = messages // clients
    db = sqlite3.connect(path)
    db.execute("DELETE FROM straggler")
    db.execute("DELETE FROM straggler_day")

    def row(i, n, delivered):
        address = ".".join(str(b) for b in (10 + i // 2**24, i // 65536 % 256,
                                            i // 256 % 256, i % 256))
        return (address, "mx", "", f"host{i}.example.net", "helo", "",
                "sender.test 9 other.test 3", now_us - DAYS * DAY_US,
                now_us - i * 1_000_000, DAY_US, n, n, each - n, n,
                n * delivered, n * delivered, n * delivered, 0, 0)

    columns = ", ".join("?" * 19)
    db.executemany(f"INSERT INTO straggler VALUES(NULL, {columns})",
                   (row(i, each, i % 2) for i in range(clients)))
    db.executemany("INSERT INTO straggler_day VALUES(?, ?, ?, ?, 0)",
                   ((i + 1, now_us // DAY_US - d, each // DAYS, each // DAYS)
                    for i in range(clients) for d in range(DAYS)))
    db.executemany(f"INSERT INTO straggler VALUES(NULL, {columns})",
                   (row(i, 0, 0) for i in range(clients, clients + refused)))
    db.commit()
    db.close()


def took_ms(gw, *words):
    command = [gw.build / "posthouse", "-c", gw.conf, *words]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.monotonic() - began) * 1000


def figure(gw, what, *words):
    runs = [took_ms(gw, *words) for _ in range(7)]
    say(f"{what}: {' '.join(f'{r:.0f}' for r in runs)} ms")
    return statistics.median(runs), f"runs {min(runs):.0f} to {max(runs):.0f}"


def stragglers(folder, args):
    clients, messages = (2_000, 1_000_000) if args.quick else \
        (20_000, 10_000_000)
    receiver = Receiver(1, linger=2000)
    gw = posthouse(folder, receiver.port)
    gw.stop()
    receiver.stop()
    ledger = folder / "audit/ledger.db"
    fill(ledger, clients, messages, 0)
    plain, note = figure(gw, "stragglers", "stragglers", "--after=-30d")
    one, one_note = figure(gw, "one client", "stragglers", "10.0.0.1")
    refused = 20_000 if args.quick else 980_000
    fill(ledger, clients, messages, refused)
    hour, hour_note = figure(gw, "an hour of a million rows", "stragglers",
                             "--since=-1h")
    return [Figure(f"stragglers, {messages:,} messages of {clients:,} clients",
                   plain, "<= 100", " ms", note=note),
            Figure("stragglers CLIENT, its chart", one, None, " ms", note=one_note),
            Figure(f"stragglers --since -1h of {clients + refused:,} rows",
                   hour, None, " ms", note=hour_note)]
