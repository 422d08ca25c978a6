# SPDX-License-Identifier: ISC
"""The cutover table as a file: backups and the way back while the daemon runs,
copies that are put over it, its write-ahead log (doc/table.md)."""
import shutil
import smtplib
import sqlite3
import subprocess

import pytest

from until import until

pytestmark = pytest.mark.noverify
ANN = "ann@example.com"


def answer(gw):
    with smtplib.SMTP("127.0.0.1", gw.port) as smtp:
        smtp.ehlo()
        smtp.mail("sender@elsewhere.test")
        return smtp.rcpt(ANN)[0]


def state(gw):
    return next(r["state"] for r in gw.cli_json("status")
                if r.get("section") == "table")


def log_bytes(gw):
    path = gw.folder / "cutover.db-wal"
    return path.stat().st_size if path.exists() else 0


@pytest.fixture
def restored(make_gw):
    """Ann on legacy when the backup was made, on cloud since."""
    gw = make_gw()
    gw.cli("route", "set", "legacy", ANN)
    gw.copy = gw.folder / "copy.db"
    gw.cli("table", "backup", str(gw.copy))
    gw.cli("flip", "cloud", ANN, "--wait")
    return gw


def comes_to(gw, leg):
    message = gw.send(to=ANN)
    return leg.wait_message(message)


def test_restore_while_the_daemon_runs(restored, legacy, cloud):
    gw = restored
    assert comes_to(gw, cloud)
    row = gw.cli_json("table", "restore", str(gw.copy))[0]
    assert (row["was"], row["change"]) == (3, 2)
    assert answer(gw) == 451
    until(lambda: state(gw) == "unusable", "the table to be out of use")
    gw.cli("table", "accept")
    until(lambda: state(gw) == "ok", "the table to be in use again")
    assert comes_to(gw, legacy)
    # What was kept is a backup as well, and it is newer than nothing.
    gw.cli("table", "restore", row["kept"])
    gw.cli("table", "accept")
    until(lambda: state(gw) == "ok", "the table to be in use again")
    assert comes_to(gw, cloud)
    assert gw.cli_json("table", "check")[0]["format"] == 3


@pytest.mark.parametrize("way", ["accept", "restore"])
def test_a_copy_over_the_table_whose_log_remains(
        restored, legacy, cloud, way):
    gw = restored
    gw.kill()
    assert log_bytes(gw) > 0
    shutil.copyfile(gw.copy, gw.folder / "cutover.db")
    check = subprocess.run([gw.build / "posthoused", "-t", "-c", gw.conf],
                           capture_output=True, text=True)
    assert check.returncode == 1
    assert "of another file" in check.stdout + check.stderr
    gw.start()
    assert gw.said("table.trouble")
    assert state(gw) == "unusable"
    assert answer(gw) == 451
    failed = gw.run("route", "set", "cloud", ANN)
    assert failed.returncode == 1
    assert "table accept" in failed.stderr
    if way == "restore":
        gw.cli("table", "restore", str(gw.copy))
    gw.cli("table", "accept")
    until(lambda: state(gw) == "ok", "the table to be in use again")
    assert comes_to(gw, legacy)
    assert gw.cli_json("table", "check")


def test_a_cold_copy_over_the_table_whose_log_remains(make_gw, legacy):
    gw = make_gw()
    gw.cli("route", "set", "legacy", ANN)
    assert gw.stop() == 0
    assert log_bytes(gw) == 0  # so the file alone is the table
    shutil.copyfile(gw.folder / "cutover.db", gw.folder / "cold.db")
    gw.start()
    gw.cli("flip", "cloud", ANN, "--wait")
    gw.kill()
    assert log_bytes(gw) > 0
    shutil.copyfile(gw.folder / "cold.db", gw.folder / "cutover.db")
    gw.start()
    assert answer(gw) == 451
    gw.cli("table", "accept")
    until(lambda: state(gw) == "ok", "the table to be in use again")
    assert comes_to(gw, legacy)


def test_a_copy_over_the_table_while_the_daemon_runs(restored, legacy):
    gw = restored
    shutil.copyfile(gw.copy, gw.folder / "cutover.db")
    gw.wait_log("table.written")
    until(lambda: state(gw) == "unusable", "the table to be out of use")
    assert answer(gw) == 451
    until(lambda: gw.run("table", "accept").returncode == 0,
          "the copy to be accepted")
    until(lambda: state(gw) == "ok", "the table to be in use again")
    assert comes_to(gw, legacy)


def test_a_kill_alone_is_no_copy(restored, cloud):
    gw = restored
    for _ in range(3):
        gw.cli("flip", "cloud+legacy", ANN)
        gw.cli("flip", "cloud", ANN)
        gw.kill()
        assert log_bytes(gw) > 0
        gw.start()
        assert state(gw) == "ok"
    assert comes_to(gw, cloud)


def test_a_table_that_is_damaged_is_replaced_when_it_is_in_use_nowhere(
        restored, legacy):
    gw = restored
    assert gw.stop() == 0
    table = gw.folder / "cutover.db"
    table.write_bytes(table.read_bytes()[:100])
    gw.cli("table", "restore", str(gw.copy))
    gw.start()
    assert answer(gw) == 451
    gw.cli("table", "accept")
    until(lambda: state(gw) == "ok", "the table to be in use again")
    assert comes_to(gw, legacy)


def test_the_log_of_a_long_import_is_emptied(make_gw):
    gw = make_gw()
    rows = gw.folder / "rows.csv"
    with open(rows, "w") as f:
        f.write("address,route,mailbox,tags\n")
        for i in range(200_000):
            f.write(f"user{i * 7919 % 200_000}@example.com,legacy,"
                    f"mailbox-{i},site={i % 40} client=c{i % 7}\n")
    gw.cli("route", "import", str(rows))
    until(lambda: log_bytes(gw) == 0, "the log to be emptied")
    with sqlite3.connect(gw.folder / "cutover.db") as db:
        assert db.execute("SELECT count(*) FROM tag").fetchone() == (400_000,)


def taken(gw):
    """Is a message of 20 kB for a leg that is down taken?"""
    with smtplib.SMTP("127.0.0.1", gw.port) as smtp:
        try:
            smtp.sendmail("sender@elsewhere.test", ANN,
                          "Subject: x\r\n\r\n" + "x" * 70 * 290)
        except smtplib.SMTPResponseException as refused:
            assert refused.smtp_code == 452
            return False
        except smtplib.SMTPSenderRefused as refused:
            assert refused.smtp_code == 452
            return False
    return True


def test_what_the_spool_may_take_counts_from_the_reload_on(make_gw, legacy):
    legacy.refuse_connections()
    gw = make_gw({"spool": {"max": "1M", "segment": "64K"}})
    until(lambda: not taken(gw), "the spool to be full")
    gw.set("spool", max="64M")
    assert gw.reload()
    until(lambda: taken(gw), "mail to be taken again")
    assert all(taken(gw) for _ in range(100))
    legacy.accept_connections()
