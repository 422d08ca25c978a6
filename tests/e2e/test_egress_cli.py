# SPDX-License-Identifier: ISC
"""What commands say of the ways out, without the daemon: the same function
chooses, and they ask the same DNS."""
import pytest

from names import Names

US, CLOUD = "192.0.2.10", "198.51.100.7"


@pytest.fixture
def names():
    zone = {("ours.test", "TXT"): [f"v=spf1 ip4:{US} -all"],
            ("half.test", "TXT"): [f"v=spf1 ip4:{CLOUD} -all"],
            ("bare.test", "TXT"): ["v=spf1 -all"],
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
