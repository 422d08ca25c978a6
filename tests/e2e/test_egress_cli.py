# SPDX-License-Identifier: ISC
"""What commands say of the ways out, without the daemon: the same function
chooses, and they ask the same DNS."""
import subprocess

import pytest

from names import Names
from until import DEADLINE_S

US, CLOUD = "192.0.2.10", "198.51.100.7"


@pytest.fixture
def names():
    zone = {("ours.test", "TXT"): [f"v=spf1 ip4:{US} -all"],
            ("half.test", "TXT"): [f"v=spf1 ip4:{CLOUD} -all"],
            ("bare.test", "TXT"): ["v=spf1 -all"],
            ("_dmarc.bare.test", "TXT"): ["v=DMARC1; p=reject"],
            ("_dmarc.half.test", "TXT"): ["v=DMARC1; p=none"],
            ("srs.test", "TXT"): [f"v=spf1 ip4:{US} ip4:{CLOUD} -all"],
            ("mx.helo.test", "TXT"): [f"v=spf1 ip4:{US} -all"]}
    with Names(zone) as server:
        server.silent = {"silent.test"}
        yield server


def secrets_file(folder):
    path = folder / "srs.secrets"
    path.write_text("0123456789abcdef\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def make(make_gw, names, folder):
    """A gateway that is never started."""
    def make(more=None, srs=True):
        settings = {
            "resolver": {"servers": [names.address], "timeout": "400ms"},
            "outbound": {"clients": ["192.0.2.99/32"],
                         "use": ["main", "tenant"]},
            'egress "main"': {"hosts": ["127.0.0.1:9"], "tls": "none",
                              "helo": "mx.helo.test", "spf_address": [US]},
            'egress "tenant"': {"hosts": ["127.0.0.1:9"], "tls": "none",
                               "senders": "ours", "spf_address": [CLOUD]},
        }
        for domain in ("ours", "half", "bare", "silent"):
            settings[f'domain "{domain}.test"'] = {"route": "legacy"}
        if srs:
            settings["srs"] = {"domain": "srs.test",
                               "secrets": secrets_file(folder)}
        for section, keys in (more or {}).items():
            settings.setdefault(section, {}).update(keys)
        gw = make_gw(settings, start=False)
        gw.write_conf()
        return gw
    return make


# Sender -> egress, rewritten, reason, results of both.
CHOICES = {
    "ours.test": ("main", False, "pass", ["pass", "fail"]),
    "half.test": ("tenant", False, "pass", ["fail", "pass"]),
    "bare.test": ("main", True, "srs", ["fail", "fail"]),
    "ann@ours.test": ("main", False, "pass", ["pass", "fail"]),
    "silent.test": (None, False, "temperror", ["temperror", "temperror"]),
    "foreign.test": ("main", False, "no-record", ["none", "none"]),
    "<>": ("main", False, "pass", ["pass", "none"]),
}


def test_each_choice(make):
    gw = make()
    rows = gw.cli_json("spf", "egress", *CHOICES)
    assert [row["sender"] for row in rows] == list(CHOICES)
    for row, (sender, (egress, rewritten, reason, results)) in zip(
            rows, CHOICES.items()):
        assert (row["egress"], row["rewritten"], row["reason"]) == \
            (egress, rewritten, reason), sender
        assert [v["result"] for v in row["verdicts"]] == results, sender
        assert [v["egress"] for v in row["verdicts"]] == ["main", "tenant"]


def test_the_policy_of_the_domain(make, names):
    names.silent.add("_dmarc.silent.test")
    rows = make().cli_json("spf", "egress", *CHOICES)
    assert {row["sender"]: row["dmarc"] for row in rows} == {
        "ours.test": "", "half.test": "none", "bare.test": "reject",
        "ann@ours.test": "", "silent.test": None, "foreign.test": "",
        "<>": None}
    text = make().cli("spf egress bare.test half.test")
    assert "DMARC policy is reject, so it needs a signature" in text
    assert "its DMARC policy is none\n" in text


def test_what_people_read(make):
    text = make(srs=False).cli("spf egress bare.test")
    assert "bare.test: it waits: the record forbids every egress" in text
    assert f"add ip4:{US}/32 to the record" in text
    assert "main    fail    -all       bare.test" in text


def test_no_egress_and_no_domain(make):
    gw = make({"outbound": {"use": []}})
    assert "names no egress" in gw.cli_fails("spf egress ours.test")
    gw = make()
    gw.cli_fails("spf", "egress", "a b@", code=2)


# ---- posthoused -t --dns

GOOD = f"v=spf1 ip4:{US} ip4:{CLOUD} -all"


def warnings(gw, code=0):
    done = subprocess.run([gw.build / "posthoused", "-t", "--dns", "-c",
                           gw.conf], capture_output=True, text=True,
                          timeout=DEADLINE_S)
    assert done.returncode == code, done
    return [line.removeprefix("warning: ") for line in
            done.stdout.splitlines() if line.startswith("warning: ")]


@pytest.fixture
def all_good(names):
    """The zone of a configuration about which there is nothing to say."""
    zone = names.zone
    for domain in ("ours", "half", "bare", "silent", "srs", "return"):
        zone[(f"{domain}.test", "TXT")] = [GOOD]
    for domain in ("srs.test", "return.test"):
        zone[(domain, "MX")] = ["10 relay.example.com"]
    names.silent = set()
    return zone


@pytest.fixture
def checked(make, folder, all_good):
    def run(more=None, code=0):
        gw = make({
            'domain "example.com"': {"route": "legacy"},
            "return": {"domain": "return.test",
                       "secrets": secrets_file(folder)},
            "": {"public_address": [US]}, **(more or {})})
        return warnings(gw, code)
    all_good[("example.com", "TXT")] = [GOOD]
    return run


def test_nothing_to_say(checked):
    assert checked() == []


# What the zone has instead, and what the one warning says.
MISSING = {
    ("ours.test", "TXT", f"v=spf1 ip4:{US} ~all"):
        ["the SPF record of ours.test says softfail of egress \"tenant\"",
         f"add ip4:{CLOUD}/32 to it"],
    ("ours.test", "TXT", None):
        ["ours.test has no SPF record",
         f"\"v=spf1 ip4:{US}/32 ip4:{CLOUD}/32 ~all\""],
    ("ours.test", "TXT", "v=spf1 nonsense:x -all"):
        ["the SPF record of ours.test is in error"],
    ("srs.test", "TXT", f"v=spf1 ip4:{CLOUD} ?all"):
        ["the SPF record of srs.test says neutral of egress \"main\"",
         f"add ip4:{US}/32 to it"],
    ("return.test", "TXT", f"v=spf1 ip4:{CLOUD} -all"):
        ["the SPF record of return.test says fail", f"add ip4:{US}/32"],
    ("srs.test", "MX", "10 mx.other.test"):
        ["the MX of srs.test is mx.other.test",
         "add MX 10 relay.example.com"],
    ("return.test", "MX", None): ["return.test has no MX",
                                  "add MX 10 relay.example.com"],
}


@pytest.mark.parametrize("missing", MISSING, ids=lambda m: " ".join(
    str(part) for part in m))
def test_what_is_missing(checked, all_good, missing):
    name, kind, text = missing
    all_good.pop((name, kind))
    if text:
        all_good[(name, kind)] = [text]
    told, = checked()
    for part in MISSING[missing]:
        assert part in told, told


@pytest.mark.parametrize("lookups, said", [(8, False), (9, True)])
def test_a_costly_record(checked, all_good, lookups, said):
    """Also where the egresses stand before the terms that cost."""
    terms = " ".join(f"exists:n{i}.test" for i in range(lookups))
    for i in range(lookups):
        all_good[(f"n{i}.test", "A")] = ["192.0.2.200"]
    all_good[("ours.test", "TXT")] = [
        f"v=spf1 ip4:{US} ip4:{CLOUD} " + terms.replace("exists:n", "a:n") +
        " -all"]
    told = checked()
    assert len(told) == said, told
    assert not said or f"ours.test needs {lookups} lookups" in told[0]


def test_an_mx_of_ours_by_its_address(checked, all_good):
    all_good[("srs.test", "MX")] = ["10 mx.ours.test"]
    all_good[("mx.ours.test", "A")] = [US]
    assert checked() == []


@pytest.mark.parametrize("name, part", [
    ("mx.helo.test", None), ("other.helo.test", "says EHLO mx.helo.test"),
    (None, "has no name that leads back to it")])
def test_the_name_of_a_direct_egress(checked, all_good, name, part):
    if name:
        all_good[("10.2.0.192.in-addr.arpa", "PTR")] = [name]
        all_good[(name, "A")] = [US]
    told = checked({'egress "main"': {"direct": True, "hosts": [],
                                      "tls": "may"}})
    assert len(told) == (part is not None), told
    assert part is None or part in told[0]


@pytest.mark.parametrize("trust", ["skip-listing", "inbound-gateway"])
def test_a_leg_that_looks_through_us(checked, all_good, trust):
    leg = {'leg "cloud"': {"trust": trust}}
    told, = checked(leg)
    assert 'leg "cloud" looks through us' in told and "add ?all" in told
    all_good[("return.test", "TXT")] = [GOOD.replace("-all", "?all")]
    assert checked(leg) == []


def test_a_silent_dns_is_a_warning(checked, names):
    names.silent = {"ours.test"}
    names.zone.pop(("ours.test", "TXT"))
    told, = checked()
    assert "the SPF record of ours.test cannot be read now" in told


def test_a_fault_is_a_fault(checked):
    assert checked({"outbound": {"use": ["nowhere"]}}, code=1) == []


# ---- posthouse explain

AWAY, CLIENT, STRANGER = "friend@elsewhere.test", "192.0.2.99", "203.0.113.5"


def explained(gw, to, client, sender):
    row, = gw.cli_json("explain", to, "--client", client, "--from", sender)
    return row


@pytest.fixture
def running(make):
    """The daemon makes the table."""
    gw = make({'domain "strict.test"': {"route": "legacy",
                                        "spf_fail": "refuse",
                                        "spf_temperror": "defer",
                                        "unknown": "route"},
               "spf": {"check": True}})
    gw.start()
    gw.change("route set legacy ann@ours.test")
    return gw


def test_a_client_that_may_send_out(running):
    row = explained(running, AWAY, CLIENT, "u@bare.test")
    assert (row["verdict"], row["right"], row["rule"]) == \
        ("accept", "client", "relay")
    assert row["spf"] is None
    out = row["outbound"]
    assert out["dmarc"] == "reject"
    assert (out["egress"], out["rewritten"], out["reason"]) == \
        ("main", True, "srs")
    assert [leg["leg"] for leg in row["legs"]] == ["main"]


def test_a_stranger_that_may_not(running):
    row = explained(running, AWAY, STRANGER, "u@bare.test")
    assert (row["verdict"], row["right"], row["outbound"]) == \
        ("refuse", "none", None)
    assert row["spf"]["result"] == "fail"


@pytest.mark.parametrize("sender, client, code, result", [
    ("u@bare.test", STRANGER, 550, "fail"), ("u@ours.test", US, 250, "pass"),
    ("u@silent.test", STRANGER, 451, "temperror"),
    ("u@bare.test", "10.0.0.1", 250, "fail"),
    ("u@bare.test", CLIENT, 250, None)])
def test_the_sender_is_judged(running, sender, client, code, result):
    row = explained(running, "bob@strict.test", client, sender)
    assert row["code"] == code, row
    assert (row["spf"] and row["spf"]["result"]) == result
    # A domain that refuses nothing takes it.
    assert explained(running, "ann@ours.test", client, sender)["code"] == 250


def test_where_an_srs_address_leads(running):
    text = subprocess.run(
        ["perl", "-MMail::SRS", "-e", "print Mail::SRS->new(Secret => "
         "'0123456789abcdef', HashLength => 8)->forward($ARGV[0], "
         "'srs.test')", "eve@foreign.test"], capture_output=True, text=True)
    if text.returncode:
        pytest.skip("libmail-srs-perl is not there; tests/run installs it")
    row = explained(running, text.stdout, STRANGER, "<>")
    assert (row["verdict"], row["rule"], row["led_back"]) == \
        ("accept", "srs", "eve@foreign.test")
    assert row["outbound"]["egress"] == "main"
    row = explained(running, text.stdout.replace("SRS0=", "SRS0=x"),
                    STRANGER, "<>")
    assert (row["code"], row["rule"]) == (550, "srs")


def test_what_people_read_of_it(running):
    text = running.cli("explain", AWAY, "--client", CLIENT, "--from",
                       "u@bare.test")
    assert "right     its address is in outbound.clients" in text
    assert "egress    main, since the sender is rewritten at srs.domain" in \
        text
    text = running.cli("explain", "bob@strict.test", "--client", STRANGER,
                       "--from", "u@bare.test")
    assert "SPF       fail (-all of bare.test), which the recipient's domain " \
        "refuses" in text
