# SPDX-License-Identifier: ISC
"""spf forecast: how delivered mail fares at a leg that asks for DMARC, counted
by the daemon in the background. Clients come by PROXY; a leg sees
198.51.100.7."""
import pytest

from dialog import queued_id
from names import Names
from until import until

ANN, STRANGER = "ann@example.com", "guess@example.com"
US, CLIENT = "198.51.100.7", "192.0.2.10"
PROXIED = f"PROXY TCP4 {CLIENT} 127.0.0.1 4000 25\r\n".encode()
BOTH = f"v=spf1 ip4:{US} ip4:{CLIENT} -all"
HIS = f"v=spf1 ip4:{CLIENT} -all"


def policy(p):
    return [f"v=DMARC1; p={p}"]


ZONE = {("both.test", "TXT"): [BOTH], ("_dmarc.both.test", "TXT"):
            policy("reject"),
        ("his.test", "TXT"): [HIS], ("_dmarc.his.test", "TXT"):
            policy("reject"),
        ("quiet.test", "TXT"): [HIS], ("_dmarc.quiet.test", "TXT"):
            policy("quarantine"),
        ("none.test", "TXT"): [HIS], ("_dmarc.none.test", "TXT"):
            policy("none"),
        ("bare.test", "TXT"): [HIS],
        ("other.test", "TXT"): [BOTH],
        ("silent.test", "TXT"): [BOTH],
        ("forged.test", "TXT"): ["v=spf1 -all"]}


@pytest.fixture
def names():
    with Names(dict(ZONE)) as n:
        n.silent = {"_dmarc.silent.test"}
        yield n


@pytest.fixture
def make(make_gw, legacy, names, folder):
    def make(more=None, **keys):
        gw = make_gw({
            "": {"public_address": [US], "workers": 1},
            'listen "mx"': {"proxy_from": ["127.0.0.1"]},
            "spf": {"check": True},
            "resolver": {"servers": [names.address], "timeout": "300ms"},
            **(more or {})},
            legs={"legacy": {"hosts": [f"127.0.0.1:{legacy.port}"],
                             "tls": "none", **keys}})
        gw.change(f"route set legacy {ANN}")
        return gw
    return make


def send(gw, sender, to=ANN, header=None):
    header = header or f"From: Someone <x@{sender.rpartition('@')[2]}>\r\n"
    with gw.dialog(first=PROXIED) as d:
        d.envelope(sender, to)
        return queued_id(d.data(f"{header}Subject: x\r\n\r\nx\r\n.\r\n"))


def forecast(gw, names, legacy, *words):
    """The leg's counts, and those of each sender. With one worker a mail that
    comes behind the last answer of the DNS is delivered behind it, too."""
    def is_settled():
        asked = {name for name, kind in names.asked if kind == "TXT"}
        return all(f"_dmarc.{d}" in asked for d in gw.asked_for)
    until(is_settled, "the questions about policies")
    for _ in range(2):
        legacy.wait_message(send(gw, "x@other.test", to=STRANGER))
    gw.stop()
    *rows, total = gw.cli_json("spf", "forecast", *words)
    assert total["kind"] == "total" and total["since"] is not None
    assert total["signatures_verified"] is False
    shares = ("by_spf", "by_signature", "fail_none", "fail_quarantine",
              "fail_reject", "unclear")
    counts = {(r["leg"], r.get("domain")) if r["kind"] == "sender" else
              r["leg"]: [r[s] for s in shares] for r in rows}
    for r in rows:
        assert r["messages"] == sum(r[s] for s in shares)
    return counts


def sign(domain):
    return f"DKIM-Signature: v=1; a=rsa-sha256; d={domain}; s=a; b=x\r\n"


MAILS = [  # sender, header or None: From is the sender's domain
    ("x@both.test", None), ("x@both.test", None),
    ("x@his.test", None),
    ("x@his.test", sign("mail.his.test") + "From: x@his.test\r\n"),
    ("x@his.test", sign("elsewhere.test") + "From: x@his.test\r\n"),
    ("x@quiet.test", None), ("x@none.test", None), ("x@bare.test", None),
    # SPF passes a sender that is not aligned with From.
    ("x@both.test", "From: x@his.test\r\n"),
    ("x@both.test", "From: x@silent.test\r\n"),
    # The same name is aligned by any policy.
    ("x@silent.test", None),
    ("x@both.test", "From: x@both.test\r\nFrom: y@both.test\r\n"),
    ("x@forged.test", None)]


def send_all(gw, legacy, mails=MAILS, without=()):
    """`without`: domains whose policy does not matter, beside those that our
    address passes for."""
    gw.asked_for = {s.rpartition("@")[2] for s, h in mails if h is None} - \
        {"forged.test", "both.test", "silent.test", *without}
    for sender, header in mails:
        legacy.wait_message(send(gw, sender, header=header))


def test_by_our_address(make, legacy, names):
    gw = make()
    send_all(gw, legacy)
    counts = forecast(gw, names, legacy)
    assert counts == {
        "legacy": [3, 1, 2, 1, 3, 2],
        ("legacy", "his.test"): [0, 1, 0, 0, 3, 0],
        ("legacy", "both.test"): [2, 0, 0, 0, 0, 0],
        ("legacy", None): [0, 0, 0, 0, 0, 1],
        ("legacy", "bare.test"): [0, 0, 1, 0, 0, 0],
        ("legacy", "none.test"): [0, 0, 1, 0, 0, 0],
        ("legacy", "quiet.test"): [0, 0, 0, 1, 0, 0],
        ("legacy", "silent.test"): [1, 0, 0, 0, 0, 1]}


def test_by_the_true_client(make, legacy, names):
    """Where the leg looks through us it is the client's SPF that counts."""
    gw = make(trust="skip-listing")
    send_all(gw, legacy, [("x@his.test", None), ("x@quiet.test", None),
                          ("x@both.test", "From: x@his.test\r\n")],
             without=("quiet.test",))
    counts = forecast(gw, names, legacy)
    assert counts["legacy"] == [2, 0, 0, 0, 1, 0]


def test_a_sender_that_is_rewritten_is_judged_as_it_is_told(
        make, legacy, names, folder):
    key = folder / "keys"
    key.write_text("0123456789abcdef\n")
    key.chmod(0o600)
    names.zone[("srs.test", "TXT")] = [BOTH]
    gw = make({"srs": {"domain": "srs.test", "secrets": key},
               "return": {"domain": "return.test", "secrets": key}},
              rewrite_sender="when-spf-fails")
    send_all(gw, legacy, [("x@his.test", None), ("x@both.test", None)])
    assert [m.sender for m in legacy.mails][1] == "x@both.test"
    assert legacy.mails[0].sender.startswith("SRS0=")
    assert forecast(gw, names, legacy)["legacy"] == [1, 0, 0, 0, 1, 0]


def test_nothing_is_counted_without_checks(make, legacy, names):
    gw = make({"spf": {"check": False}})
    legacy.wait_message(send(gw, "x@both.test"))
    gw.stop()
    assert [r["kind"] for r in gw.cli_json("spf forecast")] == ["total"]
    assert "nothing was counted yet" in gw.cli("spf forecast")


def test_what_people_read(make, legacy, names):
    gw = make()
    send_all(gw, legacy, [("x@both.test", None)] * 2 + [("x@his.test", None)])
    forecast(gw, names, legacy)
    lines = gw.cli("spf forecast --leg legacy").splitlines()
    assert lines[1].split() == ["legacy", "3", "66.6%", "0.0%", "0.0%",
                                "0.0%", "33.3%", "0.0%"]
    assert lines[4].split()[:3] == ["legacy", "both.test", "2"]
    assert lines[-1].endswith("signatures were seen, not verified")
    assert "no leg \"x\"" in gw.cli_fails("spf forecast --leg x")
