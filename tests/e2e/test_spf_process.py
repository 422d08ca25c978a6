# SPDX-License-Identifier: ISC
"""posthouse-spf, the guard and libspf2 in it: the suite of RFC 7208, limits,
attacks. No DNS server: the questions of a check are answered from a zone."""
import os
import resource
import signal
import socket
import struct

import pytest

import spf_process as spf
import spf_suite
from conftest import SHARED
from gateway import BUILD

PROGRAM = BUILD / "posthouse-spf"
CLIENT = "192.0.2.3"


@pytest.fixture(scope="module")
def process():
    with spf.Process(PROGRAM) as p:
        yield p
    assert p.run.returncode == 0


def zone_of(records, silent=()):
    """Name -> text of its record, and addresses: "A 192.0.2.1"."""
    zone = spf.Zone()
    for name, rows in records.items():
        zone.add_name(name)
        for row in [rows] if isinstance(rows, str) else rows:
            kind, _, value = row.partition(" ")
            if kind == "A":
                zone.add(name, spf.A, socket.inet_aton(value))
            elif kind in ("MX", "PTR"):
                zone.add(name, spf.NUMBERS[kind], value.encode())
            else:
                zone.add(name, spf.TXT, row.encode("latin-1"))
    zone.silent |= {n.encode() for n in silent}
    return zone


def check(process, records, sender="ann@d.example", helo="h.example",
          client=CLIENT, silent=()):
    return process.check(client, helo, sender, zone_of(records, silent))


@pytest.mark.skipif(not (SHARED / spf_suite.SUITE).exists(),
                    reason="the suite of RFC 7208 is not here: PH_SHARED")
def test_the_suite_of_rfc_7208(process):
    wrong, count = [], 0
    for name, zone, host, helo, sender, results, text in \
            spf_suite.cases(SHARED):
        count += 1
        r = process.check(host, helo, sender, zone)
        explained = text is None or r["result"] != "fail" or \
            r["explanation"] == (text if text != "DEFAULT" else "")
        if r["result"] not in results or not explained:
            wrong.append((name, results, text, r))
    assert not wrong
    assert count == 203


def test_the_term_that_decides_is_named(process):
    records = {"d.example": "v=spf1 ip4:10.0.0.0/8 include:i.example a:x.y ~all",
               "i.example": "v=spf1 ip4:192.0.2.0/24 -all",
               "x.y": ["A 198.51.100.1"],
               "r.example": "v=spf1 redirect=d.example"}
    r = check(process, records)
    assert (r["result"], r["mechanism"], r["domain"]) == \
        ("pass", "include:i.example", "d.example")
    assert r["lookups"] == 1 and r["voids"] == 0
    assert r["read"] == [b"d.example", b"i.example"]
    r = check(process, records, client="203.0.113.9", sender="a@r.example")
    assert (r["result"], r["mechanism"], r["domain"]) == \
        ("softfail", "~all", "d.example")
    assert r["lookups"] == 3
    r = check(process, records, client="10.1.1.1")
    assert (r["result"], r["mechanism"]) == ("pass", "ip4:10.0.0.0/8")
    r = check(process, {"d.example": "v=spf1 a:x.y"})
    assert (r["result"], r["mechanism"], r["domain"]) == \
        ("neutral", "", "d.example")
    assert r["voids"] == 1


def test_an_error_names_its_term_and_its_domain(process):
    r = check(process, {"d.example": "v=spf1 include:i.example -all",
                        "i.example": "v=spf1 ip4:1.2.3.4/33"})
    assert (r["result"], r["mechanism"], r["domain"]) == \
        ("permerror", "ip4:1.2.3.4/33", "i.example")
    assert r["problem"] == "a network has more bits than an address"
    r = check(process, {"d.example": "v=spf1 mx:m.example -all"},
              silent=["m.example"])
    assert (r["result"], r["mechanism"]) == ("temperror", "mx:m.example")


def test_names_are_asked_with_every_octet(process):
    odd = 'a b\\c"%\xff.d'
    r = check(process, {"d.example": "v=spf1 exists:%{l}.x.y -all"},
              sender=odd.encode("latin-1") + b"@d.example")
    # A local part that is not ASCII matches no term with it (RFC 8616 4).
    assert r["result"] == "fail"
    assert [n for _, n in r["asked"]] == [b"d.example"]
    r = check(process, {"d.example": "v=spf1 exists:%{l}.x.y -all",
                        'a b\\c"%.d.x.y': "A 127.0.0.2"},
              sender='a b\\c"%.d@d.example')
    assert r["result"] == "pass"
    assert r["asked"][1] == (spf.A, b'a b\\c"%.d.x.y')
    r = check(process, {"d.example": "v=spf1 exists:%{h}.x.y -all"},
              helo=b"MY \xfe PC")
    assert r["asked"][1] == (spf.A, b"my \xfe pc.x.y")


def test_what_a_record_used_is_told(process):
    for text, used in (("%{h}.x.y", 1), ("%{S}.x.y", 2), ("%{l1r-}.x.y", 4),
                       ("%{i}.%{h}.%{s}.x.y", 3), ("%{d}.%{o}.x.y", 0)):
        r = check(process, {"d.example": "v=spf1 -exists:%s -all" % text})
        assert r["used"] == used, text
    # Behind a term that matches, and in an explanation.
    r = check(process, {"d.example": "v=spf1 +all exists:%{l}.x.y"})
    assert r["used"] == 4
    r = check(process, {"d.example": "v=spf1 -all exp=%{h}.%{l}.e.x",
                        "h.example.ann.e.x": "no"})
    assert (r["used"], r["explanation"]) == (0, "no")


def test_only_a_clients_loopback_is_not_judged(process):
    records = {"d.example": "v=spf1 -all"}
    for client in ("127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"):
        r = check(process, records, client=client)
        assert r["result"] == "none" and not r["asked"], client
    for client in ("128.0.0.1", "10.0.0.1", "::2"):
        assert check(process, records, client=client)["result"] == "fail"


def test_what_is_no_domain_has_no_result(process):
    for sender in ("ann", "ann@", "@", "ann@host", "ann@[192.0.2.1]",
                   "a@b..c", "a@.b.c", "a@b.c.", "a@%s.b" % ("x" * 64),
                   "a@" + ".".join(["x" * 50] * 6)):
        assert check(process, {}, sender=sender)["result"] == "none", sender
    assert check(process, {}, sender="", helo="PC")["result"] == "none"
    # No at sign and no local part, but a domain.
    for sender in ("d.example", "@d.example"):
        r = check(process, {"d.example": "v=spf1 exists:%{l}.x.y -all",
                            "postmaster.x.y": "A 127.0.0.2"}, sender=sender)
        assert r["result"] == "pass", sender


# ---- limits ----

def test_includes_of_includes_are_counted_together(process):
    r = check(process, spf.nested(3, 9, "v=spf1 -all"))
    assert r["result"] == "permerror" and r["lookups"] == 11
    assert len(r["asked"]) <= 11
    # What matches before the limit still does.
    r = check(process, spf.nested(3, 9, "v=spf1 +all"))
    assert r["result"] == "pass" and len(r["asked"]) <= 11


def test_ten_includes_are_three_rounds_of_questions(process):
    records = {"d.example": "v=spf1 " + " ".join(
        "include:i%d.example" % i for i in range(10)) + " -all"}
    records.update(("i%d.example" % i, "v=spf1 ip4:10.0.0.0/8 -all")
                   for i in range(10))
    r = check(process, records)
    assert (r["result"], r["lookups"], len(r["asked"])) == ("fail", 10, 11)
    assert r["rounds"] <= 4     # the record, the first include, all others


def test_no_record_costs_more_than_50_questions(process):
    mx = {"m%d.x.y" % i: ["MX h%d.%d.x.y" % (j, i) for j in range(10)]
          for i in range(10)}
    records = dict(mx, **{"d.example": "v=spf1 " + " ".join(
        "mx:m%d.x.y" % i for i in range(10)) + " -all"})
    records.update(("h%d.%d.x.y" % (j, i), "A 198.51.100.1")
                   for i in range(10) for j in range(10))
    r = check(process, records)
    assert r["result"] == "permerror" and len(r["asked"]) <= 50
    assert r["problem"] == "more than 50 questions to the DNS"


def test_the_third_name_without_an_answer_is_an_error(process):
    for terms, result in (("a:n1.x.y a:n2.x.y", "fail"),
                          ("a:n1.x.y mx:n2.x.y exists:n3.x.y", "permerror"),
                          ("a:x.y a:n1.x.y a:n2.x.y", "fail"),
                          ("a:n1.x.y a:n1.x.y a:n1.x.y a:n2.x.y", "fail")):
        r = check(process, {"d.example": "v=spf1 %s -all" % terms,
                            "x.y": "A 198.51.100.1"})
        assert r["result"] == result, terms
    # A name that cannot be asked is none (RFC 7208 4.8), and costs nothing.
    r = check(process, {"d.example": "v=spf1 " + "a:b..%{d} " * 5 + "-all"})
    assert r["result"] == "fail" and r["voids"] == 0


def test_ten_hosts_of_an_mx_are_enough(process):
    for hosts, result in ((10, "pass"), (11, "permerror")):
        records = {"d.example": ["v=spf1 mx -all"] +
                   ["MX h%d.x.y" % i for i in range(hosts)]}
        records.update(("h%d.x.y" % i, "A 198.51.100.%d" % i)
                       for i in range(hosts - 1))
        records["h%d.x.y" % (hosts - 1)] = "A " + CLIENT
        assert check(process, records)["result"] == result


def test_ten_names_of_a_ptr_are_read(process):
    for names, result in ((10, "pass"), (11, "fail")):
        reverse = "3.2.0.192.in-addr.arpa"
        records = {"d.example": "v=spf1 ptr -all",
                   reverse: ["PTR n%d.example" % i for i in range(names - 1)]
                   + ["PTR x.d.example"], "x.d.example": "A " + CLIENT}
        assert check(process, records)["result"] == result
        # An address that is not to be had leaves its name out (5.5).
        r = check(process, records, silent=["x.d.example", reverse])
        assert r["result"] == "fail" or names == 10 and r["result"] == "pass"


def test_nothing_is_void_in_an_explanation(process):
    records = {"d.example": "v=spf1 -all exp=e.x", "e.x": "%{p}.",
               "3.2.0.192.in-addr.arpa": ["PTR n%d.x" % i for i in range(5)]}
    r = check(process, records)
    assert (r["result"], r["explanation"], r["voids"]) == \
        ("fail", "unknown.", 0)


def test_a_long_record_is_evaluated_whole(process):
    networks = " ".join("ip4:10.%d.%d.0/24" % (i // 8, i % 8)
                        for i in range(99))
    r = check(process, {"d.example": "v=spf1 %s +all" % networks})
    assert (r["result"], r["mechanism"]) == ("pass", "+all")
    r = check(process, {"d.example": "v=spf1 a %s +all" % networks})
    assert r["result"] == "permerror"       # 101 mechanisms
    r = check(process, {"d.example": "v=spf1 " + "a:x.y " * 99 + "+all",
                        "x.y": "A 198.51.100.1"})
    assert r["result"] == "permerror" and r["lookups"] == 11


def test_networks_of_no_bits_hold_all_of_their_family(process):
    for term, client, result in (
            ("ip4:1.2.3.4/0", CLIENT, "pass"), ("ip4:1.2.3.4/0", "::2", "fail"),
            ("ip6:2001:db8::/0", "::2", "pass"), ("a:x.y/0", CLIENT, "pass"),
            ("a:x.y//0", CLIENT, "fail"), ("mx:m.y/0", CLIENT, "pass"),
            ("a:n.y/0", CLIENT, "fail")):
        r = check(process, {"d.example": "v=spf1 %s -all" % term,
                            "x.y": "A 198.51.100.1", "m.y": "MX x.y"},
                  client=client)
        assert r["result"] == result, term


# ---- attacks ----

@pytest.mark.parametrize("text", spf.ATTACKS, ids=range(len(spf.ATTACKS)))
def test_an_explanation_kills_nothing(process, text):
    domain = ".".join(["x" * 59] * 4) + ".example"
    for sender in ("ann@" + domain, "\xff" * 64 + "@" + domain,
                   "a-b_c.d" * 30 + "@" + domain):
        r = check(process, {domain: "v=spf1 -all exp=e.x", "e.x": text},
                  sender=sender.encode("latin-1"), helo="h" * 250)
        assert r["result"] == "fail"
        assert len(r["explanation"]) <= 400
        assert all(" " <= c <= "~" for c in r["explanation"])


@pytest.mark.parametrize("text", spf.ATTACKS, ids=range(len(spf.ATTACKS)))
def test_a_term_kills_nothing(process, text):
    domain = ".".join(["x" * 59] * 4) + ".example"
    for term in ("exists:%s.x.y", "a:%s", "include:%s.x.y", "redirect=%s",
                 "ptr:%s.x.y/24", "mx:%s//64", "x=%s", "exp=%s", "%s"):
        r = check(process, {domain: "v=spf1 %s -all" % (term % text)},
                  sender=b"\xff-a@" + domain.encode(), helo=b"\x01\xff %d")
        assert r["result"] in ("fail", "permerror", "neutral")
        assert len(r["asked"]) <= 50


def test_a_frame_that_is_none_ends_the_process_and_nothing_more():
    for data in (b"\0\0\0\0", b"\xff\xff\xff\xff", struct.pack("<I", 3) +
                 b"abc", struct.pack("<I", 1 << 17) + b"x"):
        with spf.Process(PROGRAM) as p:
            p.sock.sendall(data)
            assert p.sock.recv(1) == b""
        assert p.run.returncode == 1


def test_the_process_is_shut_in(process):
    check(process, {"d.example": "v=spf1 -all"})
    pid = process.run.pid
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        status = dict(line.split(":\t", 1) for line in f)
    # A sanitizer needs more than a filter leaves.
    sanitized = b"__asan_init" in PROGRAM.read_bytes()
    assert status["NoNewPrivs"].strip() == "1" or sanitized
    assert status["Seccomp"].strip() == "2" or sanitized
    if not sanitized:
        assert resource.prlimit(pid, resource.RLIMIT_AS) == \
            (256 << 20, 256 << 20)
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
    assert os.listdir("/proc/%d/fd" % pid) == ["0"]


def test_it_ends_when_the_other_side_closes():
    with spf.Process(PROGRAM) as p:
        check(p, {"d.example": "v=spf1 -all"})
    assert p.run.returncode == 0
    with spf.Process(PROGRAM) as p:
        p.run.send_signal(signal.SIGKILL)
    assert p.run.returncode == -signal.SIGKILL
