# SPDX-License-Identifier: ISC
"""whereis: one line, resolved as at RCPT, with and without the daemon."""
import re

import pytest

from until import until

ANN = "ann@example.com"
TIME = r"\d{4}-\d\d-\d\dT[\d:.]+Z"


@pytest.fixture
def gw(make_gw):
    gw = make_gw()
    gw.settings['domain "xn--bcher-kva.example"'] = {
        "route": "cloud", "unknown": "route"}
    gw.write_conf()
    assert gw.reload(), gw.log_text()
    gw.cli("route", "set", "legacy", ANN, "bob@example.com")
    return gw


def where(gw, address):
    return gw.cli_json("whereis", address)[0]


def test_the_line_says_legs_since_when_by_which_change_and_what_waits(gw):
    gw.cli("flip", "cloud+legacy", ANN)  # 4
    gw.cli("tag", "add", "vip", ANN)     # moves nothing
    gw.cli("hold", ANN)                  # 6
    gw.cli("wave", "create", "july", ANN, "--to", "cloud")
    gw.send(to=ANN)
    line = gw.cli("whereis", ANN)
    assert line.count("\n") == 1
    assert re.fullmatch(
        f"ann@example.com: cloud \\+ legacy, held; since {TIME} by .* "
        rf"\(change \d+, hold\); wave july, planned; .*open 2 \(2 held\)\n",
        line), line
    row = where(gw, ANN)
    assert [leg["leg"] for leg in row["legs"]] == ["cloud", "legacy"]
    assert (row["command"], row["held"], row["wave"]) == ("hold", True, "july")
    assert row["open"] == {"queued": 0, "deferred": 0, "held": 2, "frozen": 0,
                           "parked": 0, "open": 2, "in_flight": 0}
    gw.cli("release", ANN)
    until(lambda: where(gw, ANN)["open"]["open"] == 0, "all to be delivered")
    row = where(gw, ANN)
    assert row["command"] == "release"
    gw.cli("tag", "remove", "vip", ANN)
    assert where(gw, ANN)["change"] == row["change"]


@pytest.mark.parametrize("asked, row, rule, leg", [
    ("Ann+News@Example.com", ANN, "subaddress", "legacy"),
    ("eve@b\u00fccher.example", "@xn--bcher-kva.example", "domain", "cloud"),
    ("eve@xn--bcher-kva.example", "@xn--bcher-kva.example", "domain",
     "cloud"),
])
def test_it_is_resolved_as_at_rcpt(gw, asked, row, rule, leg):
    found = where(gw, asked)
    assert (found["row"], found["rule"]) == (row, rule)
    assert [leg["leg"] for leg in found["legs"]] == [leg]
    assert found["command"] == ("seed" if row[0] == "@" else "route set")


def test_a_detail_counts_with_its_mailbox(gw):
    gw.cli("hold", ANN)
    gw.send(to="ann+news@example.com")
    assert where(gw, "ann+other@example.com")["open"]["held"] == 1
    assert where(gw, "bob@example.com")["open"]["open"] == 0


def test_an_address_that_is_not_ours(gw):
    assert where(gw, "eve@elsewhere.test")["verdict"] == "refuse"
    assert "refused, 550" in gw.cli("whereis", "eve@elsewhere.test")
    assert "is no address" in gw.cli_fails("whereis", "eve", code=2)


def test_without_the_daemon_what_waits_is_not_known(gw):
    assert gw.stop() == 0
    line = gw.cli("whereis", ANN)
    assert re.search(r"legacy; since .*; open \? \(.*does not answer.*\)\n$", line)
    row = where(gw, ANN)
    assert row["open"] is None and "does not answer" in row["open_unknown"]
