# SPDX-License-Identifier: ISC
"""`posthouse verdict` of 2,100,000 recipients that have moved, each with a last
delivery, a watermark and a delivery in the old server's logs that is younger
than the first synchronization, and 20,000 clients: a GO. Routes, changes and
watermarks are made by the product's commands; times, deliveries, logs and
clients are written into its files."""
import datetime
import json
import resource
import sqlite3
import statistics
import time

from cutover import size, timed, write_csv
from rig import Figure, Receiver, posthouse, say
from stragglers import fill as fill_clients
from until import until

CLIENTS, MESSAGES = 20_000, 10_000_000
RUNS = 5
US = 1_000_000


def watermarks(folder):
    db = sqlite3.connect(f"file:{folder}/audit/ledger.db?mode=ro", uri=True)
    try:
        return db.execute("SELECT count(*) FROM watermark").fetchone()[0]
    finally:
        db.close()


def wait_begun(folder, rows):
    """The follower has begun each; whether they are reached is written."""
    until(lambda: watermarks(folder) >= rows,
          lambda: f"{rows} watermarks, of which {watermarks(folder)} are begun",
          within=3600)


def fill_ledger(path, now_us):
    """Each got mail a week ago, and was synchronized at a time of its own."""
    db = sqlite3.connect(path)
    db.execute("UPDATE watermark SET time = ?1 - 604800000000, id = 1, state"
               " = 4, told = 4, hook = 0, at = ?1 + abs(recipient %"
               " 1000000000)", (now_us - 3600 * US,))
    db.execute("INSERT OR REPLACE INTO delivery SELECT recipient, leg, 0,"
               " time, 1, 0, NULL FROM watermark")
    db.execute("INSERT OR REPLACE INTO address SELECT recipient, address"
               " FROM watermark")
    db.commit()
    rows = db.execute("SELECT address, at - 1 FROM watermark").fetchall()
    db.close()
    return rows


def fill_log(path, rows):
    """The newest delivery inside the old server, just before it went."""
    db = sqlite3.connect(path)
    db.executemany("INSERT OR REPLACE INTO inside VALUES(?, 'eve@example.com'"
                   ", ?, 3)", rows)
    db.commit()
    db.close()


def log_line(folder):
    file = folder / "mail.log"
    at = datetime.datetime.now(datetime.timezone.utc) + \
        datetime.timedelta(hours=1)
    file.write_text(f"{at.isoformat()} old postfix/anvil[5]: statistics: "
                    "max cache size 1\n")
    return file


def build(folder, gw, rows):
    write_csv(folder / "all.csv", rows)
    timed(gw, "route", "import", str(folder / "all.csv"))
    timed(gw, "flip", "cloud", "--all", "example.com", "--create", "--yes")
    wait_begun(folder, rows)
    say("the watermarks are begun")
    gw.stop()
    now_us = int(time.time() * US)
    marks = fill_ledger(folder / "audit/ledger.db", now_us)
    fill_clients(folder / "audit/ledger.db", CLIENTS, MESSAGES, 0)
    timed(gw, "stragglers", "set", "10.0.0.0/8", "ignore", "--note", "done")
    timed(gw, "stragglers", "import", "--format", "postfix",
          str(log_line(folder)))
    fill_log(folder / "audit/imported.db", marks)
    gw.start()
    timed(gw, "verdict", "waive", "propagation", "--until", "+1d", "--note",
          "there are no name servers here")


def ask(gw):
    """Wall and processor time of one, and what it said."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = gw.run("--json", "verdict")
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows, done
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - \
        before.ru_stime, rows


def verdict(folder, args):
    rows, _ = size(args)
    receiver = Receiver(1, linger=2000)
    gw = posthouse(folder, receiver.port, settings={
        "verdict": {"leg": "legacy", "quiet": "1s"},
        'leg "legacy"': {"hosts": ["127.0.0.1:9"],
                         "clients": ["192.0.2.9"]}})
    took, cpu = [], []
    try:
        build(folder, gw, rows)
        ask(gw)
        for _ in range(RUNS):
            wall, used, said = ask(gw)
            took.append(wall)
            cpu.append(used)
        bad = [r for r in said[:-1] if r["state"] != "ok" and not r["waived"]]
        assert said[-1]["verdict"] == "GO", bad
        assert f"{rows} synchronized" in next(
            r["evidence"] for r in said[:-1] if r["reason"] == "watermarks")
    finally:
        gw.stop()
        receiver.stop()
    return [Figure(f"verdict of {rows:,} recipients, a GO",
                   statistics.median(took), "<= 5", " s", note="runs " +
                   " ".join(f"{t:.1f}" for t in took) +
                   "; processor time " + " ".join(f"{c:.1f}" for c in cpu))]
