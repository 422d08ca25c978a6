# SPDX-License-Identifier: ISC
"""A GO without a waiver: real name servers, and logs of the old server. Then
each of these turns it, and so does the loss of what they said."""
import os
import sqlite3
import subprocess
import time

import pytest

from conftest import PEERS
from dnspeers import DOMAIN, Delegation
from gateway import BUILD
from test_propagation import STATED, PolicyServer
from test_verdict import REASONS, against, verdict, wait_go
from until import until

ANN = "ann@example.com"
# A domain-spec of over 253 bytes that stands for a shorter name.
LONG = "%{d1.-+,/_=}." * 20 + "ok.example.com"


@pytest.fixture
def world(folder, own_address):
    w = Delegation(PEERS, folder, own_address)
    yield w
    w.stop()


def line(seconds_ago, text):
    at = time.strftime("%b %d %H:%M:%S", time.gmtime(time.time() -
                                                     seconds_ago))
    return f"{at} mail-old postfix/{text}\n"


def log_of(gw, to, seconds_ago=0, queue="4A5C1"):
    """A delivery into a mailbox of the old server, by its own log."""
    file = gw.folder / f"mail-{queue}.log"
    file.write_text(
        line(seconds_ago, f"smtpd[7]: {queue}: client=app.example[10.0.0.7]")
        + line(seconds_ago, f"qmgr[9]: {queue}: from=<eve@example.com>, "
               "size=9, nrcpt=1 (queue active)")
        + line(seconds_ago, f"local[8]: {queue}: to=<{to}>, relay=local, "
               "delay=0, dsn=2.0.0, status=sent (delivered to mailbox)")
        + line(seconds_ago, f"qmgr[9]: {queue}: removed"))
    gw.cli("stragglers", "import", "--format", "postfix", "--zone", "UTC",
           file)


@pytest.fixture
def gone(world, make_gw, cloud):
    gw = make_gw({
        "": {"public_address": [world.us]},
        "resolver": {"servers": [world.resolver.address], "timeout": "2s"},
        "propagation": {"interval": "1s", "stale": "3d"},
        "verdict": {"leg": "legacy", "quiet": "1s"},
        'domain "example.com"': {"route": "cloud"}},
        legs={"legacy": {"hosts": [f"{world.legacy}:2525"], "tls": "none",
                         "clients": [world.legacy]}})
    gw.cli("route", "set", "legacy", ANN)
    gw.cli("flip", "cloud", ANN)
    until(lambda: gw.run("watermark", "synced", ANN).returncode == 0,
          f"{ANN} to be synchronized")
    gw.cli(*STATED.split())
    # Of an address that has not moved, so that it says where the log ends.
    log_of(gw, "other@elsewhere.test", seconds_ago=-3600, queue="4A5C0")
    gw.cli("stragglers", "set", "10.0.0.7", "ignore", "--note", "replaced")
    wait_go(gw)
    return gw


def test_go_without_a_waiver(gone):
    answer, rows = verdict(gone)
    assert (answer["verdict"], answer["waived"]) == ("GO", 0)
    assert {rows[r]["state"] for r in REASONS} == {"ok"}
    assert gone.cli("verdict").splitlines()[-1] == "GO"


def test_a_resolver_that_is_silent(gone, world):
    world.resolver.stop()
    assert DOMAIN in against(gone, "propagation", state="unknown")


def test_a_server_of_before_with_the_old_mx(gone, world):
    world.ns2.serve({DOMAIN: world.zone("@ 300 MX 10 old\n")})
    assert DOMAIN in against(gone, "propagation")


def test_no_look_at_the_name_servers_is_no_good_news(gone):
    gone.stop()
    db = sqlite3.connect(gone.folder / "audit/observed.db")
    for table, in db.execute("SELECT name FROM sqlite_schema WHERE type ="
                             " 'table' AND name LIKE 'spread%'").fetchall():
        db.execute(f"DELETE FROM {table}")
    db.commit()
    db.close()
    assert verdict(gone)[1]["propagation"]["state"] == "unknown"
    gone.start()
    wait_go(gone)


def test_a_delivery_inside_after_the_synchronization(gone):
    log_of(gone, ANN, seconds_ago=-60, queue="4A5C2")
    said = against(gone, "inside")
    assert ANN in said and "eve@example.com" in said


def test_a_client_of_the_logs_that_is_not_quiet(gone):
    gone.cli("stragglers", "set", "10.0.0.7", "keep", "--note", "payroll")
    said = against(gone, "stragglers")
    assert "clients in the logs of the old server" in said
    assert "10.0.0.7" in said


def test_logs_that_are_lost_are_no_good_news(gone):
    for file in (gone.folder / "audit").glob("imported.db*"):
        file.unlink()
    said = against(gone, "inside", state="unknown")
    assert "whose logs were not imported: 1 (legacy)" in said


def test_the_report_names_what_still_leads_there(gone, world, authority,
                                                 own_address):
    at = own_address()
    policy = PolicyServer(at, authority.make("sts", "mta-sts.example.com"))
    policy.body = "version: STSv1\nmode: enforce\nmx: mx.example.com\n" \
        "mx: old.example.com\nmax_age: 86400\n"
    world.serve(world.zone(
        "@ 300 MX 10 old\n",
        '@ TXT "v=spf1 ip4:192.0.2.10 a:old.example.com -all"\n'
        f'mta-sts A {at}\n_mta-sts TXT "v=STSv1; id=1"\n'))
    gone.stop()
    world.resolver.stop()
    world.resolver = type(world.resolver)(
        PEERS / "unbound", gone.folder / "unbound2", "com",
        world.com.address)
    gone.set("resolver", servers=[world.resolver.address])
    # No record says anything of an address on the loopback.
    gone.set('leg "legacy"', hosts=[f"{world.legacy}:2525", "192.0.2.10:25"])
    try:
        text = report(gone, SSL_CERT_FILE=str(authority.file))
        assert f"<td>MX</td><td>old.example.com, {world.legacy}</td>" in text
        assert f"<td>MTA-STS</td><td>old.example.com, {world.legacy}</td>" \
            in text
        assert "ip4:192.0.2.10 of example.com lets it send; without it: " \
            "fail<" in text
        # By a second term it may send all the same.
        world.serve(world.zone("@ 300 MX 10 mx\n", '@ TXT "v=spf1 '
                               'ip4:192.0.2.10 ip4:192.0.2.0/24 -all"\n'))
        text = report(gone)
        assert "<td>MX</td>" not in text and "MTA-STS" not in text
        assert "lets it send; without it: pass, by ip4:192.0.2.0/24" in text
        # A term that is written with its qualifier.
        world.serve(world.zone("@ 300 MX 10 mx\n", '@ TXT "v=spf1 '
                               '+ip4:192.0.2.10 -all"\n'))
        assert "+ip4:192.0.2.10 of example.com lets it send; without it: " \
            "fail<" in report(gone)
        # One that a report cuts is not found again, so nothing is tried.
        world.serve(world.zone(
            "@ 300 MX 10 mx\n*.ok A 127.0.0.2\n",
            f'@ TXT "v=spf1 exists:" "{LONG[:150]}" "{LONG[150:]}" " -all"\n'))
        text = report(gone)
        assert "exists:%{d1" in text and "of example.com lets it send<" in text
    finally:
        policy.stop()


def report(gw, **environment):
    file = gw.folder / "report.html"
    done = subprocess.run([BUILD / "posthouse", "-c", gw.conf, "verdict",
                           "--report", file], capture_output=True, text=True,
                          env={**os.environ, **environment})
    assert done.returncode in (0, 1) and file.exists(), done
    return file.read_text()
