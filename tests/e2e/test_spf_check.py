# SPDX-License-Identifier: ISC
"""posthouse spf check: no daemon, a DNS server of the test's own."""
import json
import subprocess

import pytest

import spf_process as spf
import spf_suite
from conftest import SHARED
from gateway import BUILD
from names import Names

CONF = """hostname = "relay.example.com"
postmaster = "admin@example.com"
listen "mx" { address = { "127.0.0.1:0" } }
leg "legacy" { hosts = { "127.0.0.1:1" } }
domain "example.com" { route = "legacy" }
resolver { servers = { "%s" } timeout = "300ms" }
"""
CLIENT = "192.0.2.3"


class Cli:
    def __init__(self, folder):
        self.conf = folder / "posthouse.conf"

    def run(self, names, *words):
        self.conf.write_text(CONF % names.address)
        words = [w if isinstance(w, bytes) else w.encode("latin-1")
                 for w in words]
        return subprocess.run(
            [BUILD / "posthouse", "-c", self.conf, "spf", "check", *words],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60)

    def check(self, names, *words):
        done = self.run(names, "--json", "--", *words)
        assert done.returncode == 0, done.stderr
        row, = done.stdout.splitlines()
        return json.loads(row)


@pytest.fixture
def cli(folder):
    return Cli(folder)


@pytest.mark.skipif(not (SHARED / spf_suite.SUITE).exists(),
                    reason="the suite of RFC 7208 is not here: PH_SHARED")
def test_the_suite_of_rfc_7208(cli):
    wrong, count, zone = [], 0, None
    for name, zone, host, helo, sender, results, text in \
            spf_suite.cases(SHARED):
        count += 1
        with Names(**spf_suite.names_of(zone)) as names:
            r = cli.check(names, host, sender, helo)
            assert len(names.asked) <= 50
        explained = text is None or r["result"] != "fail" or \
            r["explanation"] == (text if text != "DEFAULT" else "")
        if r["result"] not in results or not explained:
            wrong.append((name, results, text, r))
    assert not wrong
    assert count == 203


ZONE = {
    ("d.example", "TXT"): ["v=spf1 include:i.example -all exp=e.example",
                           "another record"],
    ("i.example", "TXT"): ["v=spf1 ip4:192.0.2.0/24 ?all"],
    ("e.example", "TXT"): ["%{c} is not for %{d}"],
}


def test_what_it_tells(cli):
    with Names(ZONE) as names:
        r = cli.check(names, CLIENT, "ann@d.example", "h.example")
        assert r.pop("time_ms") >= 0
        assert r == {
            "result": "pass", "mechanism": "include:i.example",
            "domain": "d.example", "lookups": 1, "voids": 0,
            "explanation": "", "problem": "", "identity": "mailfrom",
            "queries": 2, "records": [
                {"domain": "d.example",
                 "record": "v=spf1 include:i.example -all exp=e.example"},
                {"domain": "i.example",
                 "record": "v=spf1 ip4:192.0.2.0/24 ?all"}]}
        r = cli.check(names, "2001:db8::1", "ann@d.example")
        assert (r["result"], r["mechanism"], r["explanation"]) == \
            ("fail", "-all", "2001:db8::1 is not for d.example")
        text = cli.run(names, "2001:db8::1", "<ann@D.example.>").stdout
        for line in (b"result       fail\n", b"mechanism    -all\n",
                     b"domain       d.example\n",
                     b"explanation  2001:db8::1 is not for d.example\n",
                     b"lookups      1 of 10, 0 of 2 without an answer\n"):
            assert line in text


def test_whom_it_is_about(cli):
    zone = {("h.example", "TXT"): ["v=spf1 ip4:192.0.2.3 -all"],
            ("d.example", "TXT"): ["v=spf1 exists:%{l}.%{h}.x.y -all"],
            ("postmaster.my pc 100%.x.y", "A"): ["127.0.0.2"]}
    with Names(zone) as names:
        for null in ("", "<>"):
            r = cli.check(names, CLIENT, null, "h.example")
            assert (r["result"], r["identity"]) == ("pass", "helo")
        # RFC 7208 4.3: any HELO; without an at sign or a local part.
        for sender in ("@d.example", "d.example"):
            r = cli.check(names, CLIENT, sender, "MY PC 100%")
            assert r["result"] == "pass", sender
        r = cli.check(names, CLIENT, "", 'A "B" %{d}')
        assert r["result"] == "none"
        r = cli.check(names, CLIENT, "ann@d.example", "é\\".encode())
        assert r["result"] == "fail"
        assert names.asked[-1] == ("ann.Ã©\\.x.y", "A")


def test_an_address_of_the_other_family_in_an_answer_matches_nothing(cli):
    zone = {("d.example", "TXT"): ["v=spf1 a mx:m.example -all"],
            ("d.example", "AAAA"): ["::ffff:192.0.2.3", "::ffff:0:0"],
            ("m.example", "MX"): ["10 d.example"]}
    with Names(zone) as names:
        r = cli.check(names, "2001:db8::1", "ann@d.example")
        assert r["result"] == "fail", r
        zone[("d.example", "AAAA")].append("2001:db8::1")
        r = cli.check(names, "2001:db8::1", "ann@d.example")
        assert r["result"] == "pass", r


def test_no_record_asks_a_dns_server_without_end(cli):
    zone = {(name, "TXT"): [record] for name, record in
            spf.nested(3, 9, "v=spf1 -all").items()}
    with Names(zone) as names:
        r = cli.check(names, CLIENT, "ann@d.example")
        assert (r["result"], r["lookups"]) == ("permerror", 11)
        assert len(names.asked) <= 11
    zone = {("d.example", "TXT"): ["v=spf1 " + " ".join(
        "mx:m%d.x.y" % i for i in range(10)) + " -all"]}
    for i in range(10):
        zone["m%d.x.y" % i, "MX"] = ["10 h%d.%d.x.y" % (j, i)
                                     for j in range(10)]
        zone.update(((h[3:], "A"), ["198.51.100.1"])
                    for h in zone["m%d.x.y" % i, "MX"])
    with Names(zone) as names:
        r = cli.check(names, CLIENT, "ann@d.example")
        assert r["result"] == "permerror"
        assert r["problem"] == "more than 50 questions to the DNS"
        assert len(names.asked) <= 50


def test_an_explanation_of_a_stranger_is_shown_and_harms_nothing(cli):
    domain = ".".join(["x" * 59] * 4) + ".example"
    for text in spf.ATTACKS[:6] + spf.ATTACKS[-2:]:
        zone = {(domain, "TXT"): ["v=spf1 -all exp=e.x"],
                ("e.x", "TXT"): [text]}
        with Names(zone) as names:
            r = cli.check(names, CLIENT, "ann@" + domain, "h" * 200)
            assert r["result"] == "fail"
            assert len(r["explanation"]) <= 400


def test_usage_is_told(cli):
    with Names({}) as names:
        for words, said in ((["1.2.3", "a@b.c"], "no IPv4 or IPv6 address"),
                            ([CLIENT, "<>"], "give that as well"),
                            ([CLIENT], "")):
            done = cli.run(names, *words)
            assert done.returncode == 2
            assert said.encode() in done.stderr
        assert names.asked == []


def test_a_dns_that_is_silent_is_a_temperror(cli):
    with Names(ZONE, silent=["d.example", ("i.example", "TXT")]) as names:
        r = cli.check(names, CLIENT, "ann@d.example")
        assert r["result"] == "temperror"
        assert r["problem"] == "the DNS did not answer for a record"
        assert (r["mechanism"], r["domain"]) == ("include:i.example",
                                                 "d.example")
