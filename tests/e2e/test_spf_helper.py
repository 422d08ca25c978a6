# SPDX-License-Identifier: ISC
"""The life of posthouse-spf under the true daemon: what a death, silence or
absence of it costs is the verdict of one check, and never mail."""
import os
import shutil
import signal
import time
import zlib

import processes
import pytest
from dialog import Dialog, queued_id
from names import Names
from until import until

ANN = "ann@example.com"


WORDS = "one", "two", "three", "last", "head", "behind", "next", "bad", "good"


@pytest.fixture
def kills(request):
    return 1000 if request.config.getoption("--long") else 100


@pytest.fixture
def names(kills):
    """They all let the client pass."""
    words = [*WORDS, *(f"{place}{i}" for place in "hb" for i in range(kills))]
    with Names({(f"{w}.test", "TXT"): ["v=spf1 ip4:192.0.2.0/24 -all"]
                for w in words}) as n:
        yield n


@pytest.fixture
def make_spf(make_gw, names):
    def make(start=True, **spf):
        return make_gw({
            "": {"workers": 1},
            "resolver": {"servers": [names.address], "timeout": "2s"},
            'listen "mx"': {"address": ["127.0.0.1:0"],
                            "proxy_from": ["127.0.0.1"]},
            "alarm": {"interval": "1s"},
            "spf": {"check": True, "wait": "30s", **spf}}, start=start)

    return make


def helpers(gw):
    """Alive; a zombie is not in the way of the next one."""
    return [p for p in processes.below(gw.process.pid)
            if processes.name(p) == "posthouse-spf" and processes.alive(p)]


def spf_row(gw):
    row, = [r for r in gw.cli_json("status") if r.get("section") == "spf"]
    return row


def helper(gw, other_than=None):
    """The process of the only worker, when it answers."""
    def one():
        now = [p for p in helpers(gw) if p != other_than]
        return now if len(now) == 1 and spf_row(gw)["helpers"] == 1 else None

    return until(one, "a helper to be up")[0]


def begin(gw, domain):
    """A session whose check has begun: the answer to MAIL comes after that.
    Each domain has a client of its own, for one may not ask without end."""
    client = "192.0.2.%d" % (zlib.crc32(domain.encode()) % 250 + 1)
    d = Dialog(gw.port, first=f"PROXY TCP4 {client} 127.0.0.1 4000 25\r\n"
               .encode())
    d.ok("EHLO helo.test")
    d.ok(f"MAIL FROM:<a@{domain}>")
    return d


def begin_stopped(gw, pid, domain):
    """The process is stopped before, and then has the request: there is one
    for it, and it reads nothing."""
    os.kill(pid, signal.SIGSTOP)
    asked = spf_row(gw)["helper_asked"]
    d = begin(gw, domain)
    until(lambda: spf_row(gw)["helper_asked"] == asked + 1,
          "the helper to be asked")
    return d


def finish(gw, d):
    """The verdict of the message, which is taken."""
    with d:
        d.ok(f"RCPT TO:<{ANN}>")
        r = d.data("Subject: x\r\n\r\nx\r\n.\r\n")
        assert r.code == 250, r
        d.ok("QUIT")
    return gw.wait_event("accepted", id=queued_id(r))["spf"]


def judged(gw, domain):
    return finish(gw, begin(gw, domain))


def test_a_kill_in_mid_check_costs_one_verdict(make_spf, legacy, kills):
    """One request is with the process when it is killed, another waits behind
    it. Each time other domains: one that killed three is not asked about."""
    gw = make_spf()
    slowest = 0
    for i in range(kills):
        pid = helper(gw)
        head = begin_stopped(gw, pid, f"h{i}.test")
        behind = begin(gw, f"b{i}.test")
        os.kill(pid, signal.SIGKILL)
        begun = time.monotonic()
        assert finish(gw, head) == "temperror"
        assert finish(gw, behind) == "pass"
        slowest = max(slowest, time.monotonic() - begun)
    print(f"{kills} kills; the slowest pair was taken {slowest:.3f} s later")
    assert judged(gw, "last.test") == "pass"
    assert len(legacy.wait_count(2 * kills + 1)) == 2 * kills + 1
    row = spf_row(gw)
    assert row["helper_deaths"] == kills and row["helper_timeouts"] == 0
    assert not gw.events(event="alarm")
    gw.wait_empty()
    gw.verify()


def test_a_silent_helper_is_killed_and_replaced(make_spf, legacy):
    gw = make_spf()
    pid = helper(gw)
    head = begin_stopped(gw, pid, "head.test")
    behind = begin(gw, "behind.test")
    assert finish(gw, head) == "temperror"
    assert finish(gw, behind) == "pass"
    assert not processes.alive(pid)
    assert spf_row(gw)["helper_timeouts"] == 1
    assert judged(gw, "next.test") == "pass"


def test_a_domain_that_killed_three_is_not_asked_about(make_spf, legacy):
    gw = make_spf()
    for _ in range(3):
        assert not gw.events(event="alarm")
        pid = helper(gw)
        d = begin_stopped(gw, pid, "bad.test")
        os.kill(pid, signal.SIGKILL)
        assert finish(gw, d) == "temperror"
        helper(gw, pid)
    e = gw.wait_event("alarm", kind="spf-domain", about="bad.test")
    assert "posthouse spf check" in e["text"]
    pid = helper(gw)
    before = spf_row(gw)
    assert judged(gw, "bad.test") == "temperror"
    after = spf_row(gw)
    assert after["helper_asked"] == before["helper_asked"]
    assert after["helper_unasked"] == before["helper_unasked"] + 1
    assert judged(gw, "good.test") == "pass"
    assert helper(gw) == pid


def test_without_the_program_mail_goes_on_and_it_is_an_alarm(
        make_spf, legacy, tmp_path):
    gw = make_spf(start=False)
    for name in "posthoused", "posthouse":
        shutil.copy(gw.build / name, tmp_path / name)
    gw.build = tmp_path
    gw.start()
    e = gw.wait_event("alarm", kind="spf-helper")
    assert "libexec" in e["text"] and "mail goes on" in e["text"]
    assert judged(gw, "one.test") == "temperror"
    assert spf_row(gw)["helpers"] == 0 and not helpers(gw)
    legacy.wait_count(1)


def test_a_program_that_does_not_come_up_is_an_alarm_until_it_does(
        make_spf, legacy, tmp_path):
    gw = make_spf(start=False)
    for name in "posthoused", "posthouse":
        shutil.copy(gw.build / name, tmp_path / name)
    program = tmp_path / "posthouse-spf"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    true_program = gw.build / "posthouse-spf"
    gw.build = tmp_path
    gw.start()
    e = gw.wait_event("alarm", kind="spf-helper")
    assert "before it was ready" in e["text"]
    assert judged(gw, "one.test") == "temperror"
    shutil.copy(true_program, tmp_path / "new")
    (tmp_path / "new").rename(program)
    helper(gw)
    assert judged(gw, "two.test") == "pass"


def test_with_the_spawner_its_helpers_are_replaced(make_spf, legacy):
    gw = make_spf()
    pid = helper(gw)
    keeper, = processes.children(gw.process.pid)
    server, = [p for p in processes.children(keeper)
               if processes.name(p) == "ph-spawner"]
    os.kill(server, signal.SIGKILL)
    helper(gw, pid)
    assert not processes.alive(pid)
    assert judged(gw, "one.test") == "pass"
    os.kill(keeper, signal.SIGKILL)
    until(lambda: not processes.alive(keeper), "the keeper to be gone")
    assert judged(gw, "two.test") in ("pass", "temperror")
    until(lambda: spf_row(gw)["helpers"] == 1, "a helper to be up")
    assert judged(gw, "three.test") == "pass"


def test_no_helper_without_checks_and_none_after_the_daemon(make_spf):
    gw = make_spf(check=False)
    assert spf_row(gw)["helpers"] == 0 and not helpers(gw)
    gw.set("spf", check=True)
    assert gw.reload()
    pid = helper(gw)
    gw.kill()
    until(lambda: not processes.alive(pid), "the helper to be gone")
    gw.start()
    pid = helper(gw)
    assert gw.stop() == 0
    until(lambda: not processes.alive(pid), "the helper to be gone")
