# SPDX-License-Identifier: ISC
"""rollback by expression and time: no daemon runs here."""
import datetime

import pytest

from gateway import Gateway

LEGS = {
    "legacy": {"hosts": ["192.0.2.10:25"], "clients": ["192.0.2.10"]},
    "cloud": {"hosts": ["192.0.2.20:25"], "domains": ["tenant.example"]},
}


@pytest.fixture
def ph(folder):
    gw = Gateway(folder, LEGS, {"dsn": {"via": "mx"}})
    gw.cli("route", "import", "-", stdin=(
        "address,route,mailbox,tags\n"
        "ann@example.com,legacy,mb-ann,client=apple\n"
        "anne@example.com,legacy,mb-ann,\n"
        "bob@example.com,legacy,,client=apple\n"
        "cid@example.com,legacy,,\n"))
    return gw


def routes(ph):
    return {row["address"]: row["route"]
            for row in ph.cli_json("route export")
            if row["address"][0] != "@"}


def test_flips_of_one_client_are_taken_back_across_changes(ph):
    ph.cli("flip", "cloud", "ann@example.com", "cid@example.com")
    ph.cli("flip", "both", "bob@example.com")
    ph.cli("flip", "cloud", "bob@example.com")
    ph.cli("rollback", "--where", "client=apple", "--since", "-1h",
           "--note", "no calendars")
    assert routes(ph) == {
        "ann@example.com": "legacy", "anne@example.com": "legacy",
        "bob@example.com": "legacy", "cid@example.com": "cloud"}
    made = ph.cli_json("changes list")
    last = max(made, key=lambda c: c["change"])
    assert (last["command"], last["note"]) == ("rollback", "no calendars")


def test_a_dry_run_changes_nothing_and_a_second_run_finds_nothing(ph):
    ph.cli("flip", "cloud", "ann@example.com")
    said = ph.cli("rollback", "--where", "client=apple", "--since", "-1h",
                  "--dry-run")
    assert "would change 2 recipients" in said
    assert routes(ph)["ann@example.com"] == "cloud"
    ph.cli("rollback", "--where", "client=apple", "--since", "-1h")
    said = ph.cli("rollback", "--where", "client=apple", "--since", "-1h")
    assert said.startswith("nothing to change")


def test_only_flips_since_then(ph):
    ph.cli("flip", "both", "ann@example.com", "bob@example.com")
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    ph.cli("flip", "cloud", "ann@example.com", "bob@example.com")
    ph.cli("rollback", "--where", "client=apple", "--since", now,
           "--only-address")
    assert routes(ph) == {
        "ann@example.com": "cloud+legacy", "anne@example.com": "cloud",
        "bob@example.com": "cloud+legacy", "cid@example.com": "legacy"}


def test_a_row_that_was_written_to_since_is_named(ph):
    ph.cli("flip", "cloud", "new@example.com", "--create")
    ph.cli("hold", "new@example.com")
    done = ph.run("rollback", "--where", "address = 'new@example.com'",
                  "--since", "-1h")
    assert done.returncode == 1
    assert "new@example.com" in done.stdout and "held" in done.stdout
    assert routes(ph)["new@example.com"] == "cloud"


@pytest.mark.parametrize("words, why", [
    (["--where", "client=apple"], "--since"),
    (["--since", "-1h"], "--where"),
    (["--where", "client=apple", "--since", "soon"], "a time is"),
    (["--where", "and", "--since", "-1h"], "and"),
])
def test_a_slip_of_the_pen_is_said(ph, words, why):
    assert why in ph.cli_fails("rollback", *words, code=2)
