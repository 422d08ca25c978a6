# SPDX-License-Identifier: ISC
"""leg guide: what to set up at the platform of a leg, for each profile and
trust, with what the configuration has filled in. tests/data/guide has the
texts; PH_WRITE_GUIDES=1 writes them anew, to be read before they are kept."""
import os
import pathlib
import re

import pytest

GUIDES = pathlib.Path(__file__).parents[1] / "data/guide"
PROFILES = ("generic", "google", "microsoft365")
TRUSTS = ("none", "address", "certificate", "skip-listing", "inbound-gateway")
NET, V6 = "198.51.100.16/28", "2001:db8:5::/48"


@pytest.fixture
def guide(make_gw, authority):
    """The guide of the leg cloud with these keys; the daemon never runs."""
    certificate = authority.make("mx", "relay.example.com")

    def run(keys, top=(("public_address", ["198.51.100.7", NET]),),
            json=False):
        gw = make_gw({"": dict(top)}, start=False, legs={"cloud": {
            "hosts": ["127.0.0.1:9"], "tls": "encrypt", **keys}})
        gw.write_conf()
        return gw.cli_json("leg guide cloud") if json \
            else gw.cli("leg guide cloud")
    run.certificate = certificate
    return run


def settled(text):
    """Without what a new certificate changes."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "FINGERPRINT", text)
    text = re.sub(r"\b(?:[0-9A-F]{2}:){31}[0-9A-F]{2}\b", "FINGER:PRINT", text)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "ITS-END", text)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("trust", TRUSTS)
def test_each_profile_and_trust(guide, profile, trust):
    keys = {"profile": profile, "trust": trust}
    if trust == "certificate":
        keys["certificate"] = guide.certificate
    text = settled(guide(keys))
    kept = GUIDES / f"{profile}-{trust}.txt"
    if os.environ.get("PH_WRITE_GUIDES"):
        GUIDES.mkdir(exist_ok=True)
        kept.write_text(text)
    assert text == kept.read_text()
    # Nothing stands for something else any more.
    assert not re.search(r"\{[a-z]+\}", text)


def test_programs_get_the_same(guide):
    keys = {"profile": "microsoft365", "trust": "skip-listing",
            "certificate": guide.certificate}
    rows, text = guide(keys, json=True), guide(keys)
    us = {row["name"]: row["value"] for row in rows if row["kind"] == "us"}
    assert us["addresses"] == f"198.51.100.7, {NET}"
    assert us["certificate names"] == "relay.example.com"
    assert re.fullmatch(r"[0-9a-f]{64}", us["certificate SHA-256"])
    assert us["certificate ends"].endswith("Z")
    steps = [row for row in rows if row["kind"] == "step"]
    assert [s["number"] for s in steps] == list(range(1, len(steps) + 1))
    flat = " ".join(text.split())
    for step in steps:
        assert f"{step['number']}. {step['place']}" in flat
        assert " ".join((step["action"] + " " + step["command"]).split()) \
            in flat
    # The certificate goes before the addresses; those are skipped.
    assert "-TlsSenderCertificateName \"relay.example.com\"" in \
        steps[0]["command"]
    assert f"-EFSkipIPs 198.51.100.7,{NET}" in steps[1]["command"]
    assert {row["trust"] for row in rows} == {"skip-listing"}


def test_without_an_address_it_says_what_to_write(guide):
    text = guide({"trust": "address", "profile": "google"}, top=())
    assert "Write the addresses that the leg sees us by: public_address" in text
    assert "Enter OUR-ADDRESS." in text


def test_ipv6(guide):
    top = (("public_address", ["192.0.2.1", V6]),)
    text = guide({"trust": "address", "profile": "microsoft365"}, top)
    assert 'Write family = "ipv4"' in text
    text = guide({"trust": "address", "xclient": True}, top)
    assert "smtpd_authorized_xclient_hosts = 192.0.2.1, [2001:db8:5::]/48" \
        in text
    assert "rspamd" not in text and "rewrite_sender" not in text


def test_a_source_is_an_address_too(guide):
    text = guide({"trust": "address", "source": "203.0.113.5"}, top=())
    assert "addresses            203.0.113.5" in text
    assert "203.0.113.5 OK" in text


def test_what_has_none(make_gw):
    gw = make_gw({'egress "way"': {"hosts": ["127.0.0.1:9"], "tls": "none"}},
                 start=False)
    gw.write_conf()
    assert 'no leg is called "nothing"' in gw.cli_fails("leg guide nothing")
    assert "way is an egress" in gw.cli_fails("leg guide way")
