# SPDX-License-Identifier: ISC
"""spf what-if: the clients that sent in the name of a domain of ours, counted
by the daemon, and the egresses, judged by the record that is and by another."""
import pytest

from dialog import queued_id
from names import Names

OFFICE, SHOP, FORGER = "192.0.2.10", "203.0.113.20", "198.51.100.99"
US = "192.0.2.44"
ANN = "ann@example.com"
NOW = f"v=spf1 ip4:{OFFICE} ip4:{US} -all"
ZONE = {("example.com", "TXT"): [NOW],
        ("shop.test", "TXT"): [f"v=spf1 ip4:{SHOP} -all"],
        ("else.test", "TXT"): ["v=spf1 -all"]}


@pytest.fixture
def names():
    with Names(dict(ZONE)) as n:
        yield n


@pytest.fixture
def gw(make_gw, names, legacy):
    return make_gw({
        'listen "mx"': {"proxy_from": ["127.0.0.1"]},
        "spf": {"check": True},
        "resolver": {"servers": [names.address], "timeout": "400ms"},
        "outbound": {"clients": ["192.0.2.99/32"], "use": ["main"]},
        'egress "main"': {"hosts": ["127.0.0.1:9"], "tls": "none",
                          "spf_address": [US]}})


def send(gw, client, sender):
    first = f"PROXY TCP4 {client} 127.0.0.1 4000 25\r\n".encode()
    with gw.dialog(first=first) as d:
        d.envelope(sender, ANN)
        queued_id(d.data("Subject: x\r\n\r\nx\r\n.\r\n"))


def what_if(gw, record, domain="example.com"):
    *rows, total = gw.cli_json("spf", "what-if", domain, "--record", record)
    assert total["kind"] == "total"
    return {(row["kind"], row["name"]):
            (row.get("messages"), row["before"], row["after"])
            for row in rows}, total


@pytest.fixture
def mailed(gw):
    """What is counted is in the file when the daemon has ended."""
    for client, sender in [(OFFICE, "ann@example.com"),
                           (OFFICE, "bob@Example.COM"),
                           (SHOP, "orders@example.com"),
                           (SHOP, "orders@shop.test"),
                           (FORGER, "ceo@example.com"),
                           ("192.0.2.99", "out@example.com"),
                           (OFFICE, "")]:
        send(gw, client, sender)
    gw.stop()
    return gw


def test_each_client_before_and_after(mailed):
    rows, total = what_if(mailed, "v=spf1 include:shop.test -all")
    assert rows == {
        ("egress", "main"): (None, "pass", "fail"),
        ("client", OFFICE): (2, "pass", "fail"),
        ("client", SHOP): (1, "fail", "pass"),
        ("client", FORGER): (1, "fail", "fail")}
    assert (total["clients"], total["changed"], total["messages"]) == (3, 2, 3)
    assert total["since"] is not None and total["problem"] == ""


def test_another_domain_has_no_clients(mailed):
    rows, total = what_if(mailed, "v=spf1 ?all", domain="shop.test")
    assert rows == {("egress", "main"): (None, "fail", "neutral")}
    assert total["clients"] == 0


def test_counts_add_up_over_restarts(mailed):
    mailed.start()
    send(mailed, SHOP, "orders@example.com")
    mailed.stop()
    rows, _ = what_if(mailed, NOW)
    assert rows[("client", SHOP)] == (2, "fail", "fail")


def test_what_people_read(mailed):
    text = mailed.cli("spf", "what-if", "example.com", "--record",
                      f"v=spf1 ip4:{SHOP} ip4:{US} nonsense:x -all")
    assert "the record is in error" in text
    text = mailed.cli("spf", "what-if", "example.com", "--record",
                      f"v=spf1 ip4:{SHOP} ip4:{US} -all")
    assert "3 clients in 7 days, of which 2 change (3 messages)" in text
    lines = text.splitlines()
    assert lines[1].split() == ["egress", "main", "-", "pass",
                                f"ip4:{US}", "pass", f"ip4:{US}"]
    # Those that change come first, the busiest of them ahead.
    assert [line.split()[1] for line in lines[2:5]] == [OFFICE, SHOP, FORGER]


def test_without_a_ledger_the_egresses_are_judged(make_gw, names, legacy):
    gw = make_gw({
        "resolver": {"servers": [names.address], "timeout": "400ms"},
        "outbound": {"clients": ["192.0.2.99/32"], "use": ["main"]},
        'egress "main"': {"hosts": ["127.0.0.1:9"], "tls": "none",
                          "spf_address": [US]}}, start=False)
    gw.write_conf()
    rows, total = what_if(gw, "v=spf1 -all")
    assert rows == {("egress", "main"): (None, "pass", "fail")}
    assert total["since"] is None
    assert "no clients are known" in gw.cli(
        "spf", "what-if", "example.com", "--record", "v=spf1 -all")


def test_what_is_no_record_and_no_domain(gw):
    assert "which record" in gw.cli_fails("spf what-if example.com", code=2)
    assert "is no SPF record" in gw.cli_fails(
        "spf", "what-if", "example.com", "--record", "v=spf10 -all", code=2)
    assert "is no domain" in gw.cli_fails(
        "spf", "what-if", "a b", "--record", "v=spf1 -all", code=2)
