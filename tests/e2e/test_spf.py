# SPDX-License-Identifier: ISC
"""SPF of mail that comes in: the verdict, who is judged, what follows."""
import itertools
import os
import signal

import pytest

import spf_suite
from conftest import SHARED
from dialog import Dialog, queued_id
from names import Names
from test_proxy import v2
from until import until

CLIENT = "192.0.2.1"
ZONE = {
    ("pass.test", "TXT"): ["v=spf1 ip4:192.0.2.0/24 -all"],
    ("fail.test", "TXT"): ["v=spf1 -all exp=why.fail.test"],
    ("why.fail.test", "TXT"): ["%{i} is not one of %{d}'s"],
    ("mute.test", "TXT"): ["v=spf1 -all"],
    ("soft.test", "TXT"): ["v=spf1 ~all"],
    ("default.test", "TXT"): ["v=spf1 ip4:203.0.113.1"],
    ("bare.test", "A"): ["203.0.113.1"],
    ("wrong.test", "TXT"): ["v=spf1 nonsense:1"],
    ("local.test", "TXT"): ["v=spf1 exists:%{l}.ok.test -all"],
    ("ann.ok.test", "A"): ["127.0.0.2"],
    ("1.2.0.192.in-addr.arpa", "PTR"): ["mail.pass.test"],
    ("mail.pass.test", "A"): ["192.0.2.1"],
    ("2.2.0.192.in-addr.arpa", "PTR"): ["mail.pass.test"],
}
SILENT = {"silent.test"}
SETTINGS = {
    "": {"workers": 1},
    "spf": {"check": True, "exempt": ["198.51.100.0/24"], "wait": "30s"},
    'listen "mx"': {"address": ["127.0.0.1:0"], "proxy_from": ["127.0.0.1"]},
    'listen "plain"': {"address": ["127.0.0.1:0"]},
    'listen "mine"': {"address": ["127.0.0.1:0"], "leg": "cloud",
                      "proxy_from": ["127.0.0.1"]},
    'domain "refuse.example"': {"route": "legacy", "unknown": "route",
                                "spf_fail": "refuse"},
    'domain "defer.example"': {"route": "legacy", "unknown": "route",
                               "spf_temperror": "defer"},
}
FAILED = "550 5.7.23"


@pytest.fixture
def names():
    with Names(ZONE, silent=SILENT) as n:
        yield n


@pytest.fixture
def make_spf(make_gw, names):
    def make(spf=None, **more):
        settings = {k: dict(v) for k, v in SETTINGS.items()}
        settings["resolver"] = {"servers": [names.address],
                                "timeout": "300ms"}
        settings["spf"].update(spf or {})
        for section, keys in more.items():
            settings.setdefault(section, {}).update(keys)
        return make_gw(settings)

    return make


def proxy(client):
    family = "TCP6 %s ::1" if ":" in client else "TCP4 %s 127.0.0.1"
    return f"PROXY {family % client} 4000 25\r\n".encode()


def dialog(gw, client=CLIENT, listen="mx"):
    """None: without a proxy."""
    return Dialog(int(gw.ports[listen]),
                  first=proxy(client) if client else b"")


def judged(gw, sender, to="ann@example.com", client=CLIENT, listen="mx",
           helo="helo.pass.test"):
    """The event of a message that is taken."""
    with dialog(gw, client, listen) as d:
        d.ok(f"EHLO {helo}")
        d.ok(f"MAIL FROM:<{sender}>")
        d.ok(f"RCPT TO:<{to}>")
        r = d.data("Subject: x\r\n\r\nx\r\n.\r\n")
        assert r.code == 250, r
    return gw.wait_event("accepted", id=queued_id(r))


def refused(gw, sender, to, client=CLIENT):
    """The answer to RCPT."""
    with dialog(gw, client) as d:
        d.ok("EHLO helo.pass.test")
        d.ok(f"MAIL FROM:<{sender}>")
        return d.cmd(f"RCPT TO:<{to}>")


VERDICTS = [
    ("a@pass.test", "pass", "ip4:192.0.2.0/24 pass.test"),
    ("a@PASS.test", "pass", "ip4:192.0.2.0/24 pass.test"),
    ("a@fail.test", "fail", "-all fail.test"),
    ("a@soft.test", "softfail", "~all soft.test"),
    ("a@default.test", "neutral", "default default.test"),
    ("a@bare.test", "none", None), ("a@nobody.test", "none", None),
    ("a@wrong.test", "permerror", "nonsense:1 wrong.test"),
    ("a@silent.test", "temperror", None),
]


def test_each_verdict_is_told_and_no_mail_is_lost(make_spf, legacy):
    gw = make_spf()
    for sender, spf, by in VERDICTS:
        e = judged(gw, sender)
        assert (e["spf"], e.get("spf_by")) == (spf, by), sender
    told = {m.sender: m.results for m in legacy.wait_count(len(VERDICTS))}
    for sender, spf, _ in VERDICTS:
        fields = told[sender]
        assert f"spf={spf} " in fields["Authentication-Results"]
        assert fields["Received-SPF"].startswith(spf + " ")


def test_a_null_sender_is_judged_by_its_helo(make_spf):
    gw = make_spf()
    assert judged(gw, "", helo="pass.test")["spf"] == "pass"
    assert judged(gw, "", helo="fail.test")["spf"] == "fail"
    assert judged(gw, "", helo="[192.0.2.1]")["spf"] == "none"


def test_some_clients_are_not_judged(make_spf, names):
    gw = make_spf(outbound={"clients": ["192.0.2.77"]},
                  **{'leg "legacy"': {"clients": ["192.0.2.66"]}})
    for client, listen in [(None, "plain"), ("127.0.0.5", "mx"),
                           ("192.0.2.66", "mx"), ("192.0.2.1", "mine"),
                           ("192.0.2.77", "mx")]:
        to = "ann@example.com"
        if client == "192.0.2.66":
            gw.cli("route", "set", "cloud", to)
        e = judged(gw, "a@fail.test", to, client, listen)
        assert e["spf"] == "" and "spf_by" not in e, (client, listen)
        gw.cli("route", "set", "legacy", to)
    assert not [n for n, kind in names.asked if kind == "TXT"]


@pytest.mark.parametrize("first", [b"PROXY UNKNOWN\r\n",
                                   v2("192.0.2.9", command=0)],
                         ids=["unknown", "local"])
def test_a_proxy_that_speaks_for_itself_is_not_judged(make_spf, first):
    gw = make_spf()
    with Dialog(int(gw.ports["mx"]), first=first) as d:
        d.envelope("a@fail.test", "ann@refuse.example")
        assert d.data("Subject: x\r\n\r\nx\r\n.\r\n").code == 250
    assert gw.wait_event("accepted")["spf"] == ""


def test_a_domain_may_refuse_what_fails(make_spf):
    gw = make_spf()
    for _ in range(2):  # the second time it is known
        r = refused(gw, "a@fail.test", "ann@refuse.example")
        assert r.lines == [
            "550-5.7.23 SPF: fail.test does not let 192.0.2.1 send for it;",
            "550 5.7.23 the domain says: 192.0.2.1 is not one of fail.test's"]
    r = refused(gw, "a@mute.test", "ann@refuse.example")
    assert r.lines == [
        "550 5.7.23 SPF: mute.test does not let 192.0.2.1 send for it"]
    e = gw.wait_event("refused", **{"from": "a@mute.test"})
    assert (e["code"], e["enhanced"]) == (550, "5.7.23")
    for sender, spf, _ in VERDICTS:
        if spf != "fail":
            assert judged(gw, sender, "ann@refuse.example")["spf"] == spf


def test_each_recipient_has_its_own_policy(make_spf, legacy):
    gw = make_spf()
    with dialog(gw) as d:
        d.ok("EHLO helo.pass.test")
        d.ok("MAIL FROM:<a@fail.test>")
        d.ok("RCPT TO:<ann@example.com>")
        assert d.cmd("RCPT TO:<ann@refuse.example>").code == 550
        for role in ["postmaster@refuse.example", "Abuse@refuse.example",
                     "postmaster", "ann@defer.example"]:
            d.ok(f"RCPT TO:<{role}>")
        assert d.data("Subject: x\r\n\r\nx\r\n.\r\n").code == 250
    e = gw.wait_event("accepted")
    assert (e["spf"], e["recipients"]) == ("fail", 5)


@pytest.mark.parametrize("client", ["198.51.100.7", "10.1.2.3", "fe80::1"])
def test_some_clients_are_judged_and_never_refused(make_spf, client):
    gw = make_spf()
    for sender, to, spf in [
            ("a@fail.test", "ann@refuse.example", "fail"),
            ("a@silent.test", "ann@defer.example", "temperror")]:
        assert judged(gw, sender, to, client)["spf"] == spf


def test_a_domain_may_wait_for_the_dns(make_spf, names):
    gw = make_spf()
    r = refused(gw, "a@silent.test", "ann@defer.example")
    assert str(r).startswith("451 4.7.24"), r
    assert judged(gw, "a@fail.test", "ann@defer.example")["spf"] == "fail"
    assert judged(gw, "b@silent.test")["spf"] == "temperror"


def test_a_verdict_is_waited_for_so_long_and_no_longer(make_spf, names):
    """The resolver would take ten minutes."""
    gw = make_spf(spf={"wait": "200ms"}, resolver={"timeout": "5m"})
    assert str(refused(gw, "a@silent.test", "ann@defer.example")
               ).startswith("451 4.7.24")
    assert judged(gw, "b@silent.test")["spf"] == "temperror"


def test_a_client_may_leave_while_it_waits(make_spf, names):
    gw = make_spf(resolver={"timeout": "5m"})
    for last in ["RCPT TO:<ann@defer.example>", "DATA", "BDAT 3"]:
        with dialog(gw) as d:
            d.ok("EHLO helo.pass.test")
            d.ok("MAIL FROM:<a@silent.test>")
            if not last.startswith("RCPT"):
                d.ok("RCPT TO:<ann@example.com>")
            d.send(last + "\r\n")
            until(lambda: ("silent.test", "TXT") in names.asked,
                  "the question")
    assert judged(gw, "a@pass.test")["spf"] == "pass"


@pytest.mark.parametrize("senders", itertools.permutations(
    [("ann@local.test", "pass"), ("bob@local.test", "fail")]))
def test_senders_of_one_domain_have_their_own_verdicts(make_spf, names,
                                                       senders):
    gw = make_spf()
    for _ in range(2):
        for sender, spf in senders:
            assert judged(gw, sender)["spf"] == spf
    assert names.asked.count(("local.test", "TXT")) == 1


def test_nothing_is_asked_when_it_is_off(make_spf, names):
    gw = make_spf(spf={"check": False})
    e = judged(gw, "a@fail.test", "ann@refuse.example")
    assert e["spf"] == "" and e["name"] == ""
    assert names.asked == []
    gw.set("spf", check=True)
    gw.reload()
    assert refused(gw, "a@fail.test", "ann@refuse.example").code == 550


def test_a_client_has_the_name_that_leads_back(make_spf, names, legacy):
    gw = make_spf()

    def name(client):
        return judged(gw, "a@pass.test", client=client)["name"]

    until(lambda: name("192.0.2.1") == "mail.pass.test", "the name")
    until(lambda: ("2.2.0.192.in-addr.arpa", "PTR") in names.asked or
          name("192.0.2.2"), "the question")
    assert name("192.0.2.2") == ""
    assert name("192.0.2.3") == ""
    until(lambda: any(b"mail.pass.test [192.0.2.1]" in m.trace
                      for m in legacy.wait_count(1)), "it in Received")


def test_another_resolver_says_what_counts_then(make_spf, names):
    gw = make_spf()
    assert judged(gw, "a@pass.test")["spf"] == "pass"
    with Names({("pass.test", "TXT"): ["v=spf1 -all"]}) as other:
        gw.set("resolver", servers=[other.address])
        gw.reload()
        until(lambda: judged(gw, "a@pass.test")["spf"] == "fail",
              "the other's word")


# -- the helper

def children(pid):
    """Of all generations: (pid, name)."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            with open(f"/proc/{entry.name}/stat", encoding="ascii",
                      errors="replace") as f:
                stat = f.read()
        except OSError:
            continue
        name = stat[stat.index("(") + 1:stat.rindex(")")]
        parent = int(stat[stat.rindex(")") + 1:].split()[1])
        if parent == pid:
            yield int(entry.name), name
            yield from children(int(entry.name))


def helpers(gw):
    return [p for p, name in children(gw.process.pid)
            if name.startswith("posthouse-spf")]


def test_a_helper_that_is_killed_costs_no_mail(make_spf):
    gw = make_spf()
    assert judged(gw, "a@pass.test")["spf"] == "pass"
    for i in range(3):
        pid, = until(lambda: helpers(gw), "a helper")
        os.kill(pid, signal.SIGKILL)
        # The next check may meet the death, the one behind it does not.
        assert judged(gw, f"a@d{i}.test")["spf"] in ("none", "temperror")
        until(lambda: helpers(gw) not in ([], [pid]), "another helper")
        assert judged(gw, f"b@e{i}.test")["spf"] == "none"


# -- the suite

# Senders that MAIL does not take: a label of 64 octets, an empty one, a blank.
UNSAID = ["toolonglabel", "emptylabel", "dorky-sentinel"]


@pytest.mark.skipif(not (SHARED / spf_suite.SUITE).exists(),
                    reason="the suite of RFC 7208 is not here: PH_SHARED")
def test_the_suite_of_rfc_7208_through_the_daemon(make_spf, names):
    """A start for each zone, so that nothing is known of the one before."""
    gw, wrong, count, unsaid = make_spf(), [], 0, []
    gw.stop()
    for _, part in itertools.groupby(spf_suite.cases(SHARED),
                                     lambda case: id(case[1])):
        part = list(part)
        with Names(**spf_suite.names_of(part[0][1])) as names:
            gw.set("resolver", servers=[names.address])
            gw.start()
            for name, _, host, helo, sender, results, _ in part:
                got = through(gw, host, helo, sender)
                count += 1
                if got is None:
                    unsaid.append(name)
                elif got not in results:
                    wrong.append((name, results, got))
            gw.stop()
    gw.set("resolver", servers=["127.0.0.1:9"])
    gw.start()
    assert not wrong
    assert (count, unsaid) == (203, UNSAID)


def through(gw, host, helo, sender):
    """The verdict; None: the client cannot say it so."""
    with dialog(gw, host) as d:
        if d.cmd(f"EHLO {helo}").code >= 400:
            return None
        if d.cmd(f"MAIL FROM:<{sender}>").code >= 400:
            return None
        d.ok("RCPT TO:<ann@example.com>")
        r = d.data("Subject: x\r\n\r\nx\r\n.\r\n")
        assert r.code == 250, r
    return gw.wait_event(
        "accepted", id=queued_id(r))["spf"]
