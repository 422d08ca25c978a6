# SPDX-License-Identifier: ISC
"""Several organisations on one machine: lists of one, flips of one, and one
that leaves."""
import csv
import os
import subprocess

import pytest

from fault import fail_for
from gateway import BUILD

ANN, BOB = "ann@acme.example", "bob@beta.example"


@pytest.fixture
def gw(make_gw):
    gw = make_gw()
    for name in ("acme", "beta"):
        gw.settings[f'domain "{name}.example"'] = {
            "route": "legacy", "customer": name, "unknown": "route"}
    gw.write_conf()
    assert gw.reload(), gw.log_text()
    for address in (ANN, BOB):
        gw.cli("route", "set", "legacy", address, "--tag", "wave-1")
    return gw


def routes(gw, *words):
    return {row["address"]: row["route"]
            for row in gw.cli_json("route", "list", *words)}


def test_a_flip_by_tag_is_of_one_customer(gw):
    said = gw.cli_fails("flip", "cloud", "--tag", "wave-1")
    assert "of the customers acme, beta" in said and "--yes" in said
    gw.cli("flip", "cloud", "--tag", "wave-1", "--customer", "acme")
    assert routes(gw, "--where", "wave-1") == {ANN: "cloud", BOB: "legacy"}
    gw.cli("flip", "cloud", "--where", "wave-1 and leg=legacy")
    assert "customer gamma" in gw.cli_fails(
        "flip", "legacy", "--tag", "wave-1", "--customer", "gamma")
    assert routes(gw, "--customer", "beta") == {
        "@beta.example": "legacy", BOB: "cloud"}


def test_nothing_is_removed_while_the_export_may_be_lost(gw):
    gw.cli("leg suspend legacy")
    gw.send(to=ANN)
    fail = fail_for(gw.folder)
    fail.arm("sync", path=".eml")
    done = subprocess.run(
        [BUILD / "posthouse", "-c", gw.conf, "purge", "--customer", "acme",
         "--yes", "--to", gw.folder / "acme"], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60,
        env={**os.environ, **fail.environment})
    assert fail.hits == 1 and done.returncode == 1
    assert ".eml: Input/output error" in done.stderr
    assert ANN in routes(gw)
    assert len(gw.cli_json("queue list --customer acme")) == 1


def test_a_customer_that_leaves_is_exported_then_removed(gw):
    gw.cli("leg suspend legacy")
    mixed, single = gw.send(to=[ANN, BOB]), gw.send(to=BOB)
    assert len(gw.cli_json("queue list --customer acme")) == 1
    assert len(gw.cli_json("queue list --customer beta")) == 2
    folder = gw.folder / "acme"
    said = gw.cli_fails("purge", "--customer", "acme", "--to", folder)
    assert "The 2 rows and 1 delivery of the customer acme" in said
    assert "nothing was removed" in said
    assert ANN in routes(gw)
    # Messages that were exported by then are not written over.
    said = gw.cli_fails("purge", "--customer", "acme", "--to", folder)
    assert "not there yet" in said
    folder = gw.folder / "acme2"
    gw.cli("purge", "--customer", "acme", "--to", folder, "--yes")
    with open(folder / "rows.csv", newline="") as f:
        assert [row["address"] for row in csv.DictReader(f)] == \
            ["@acme.example", ANN]
    assert sorted(p.name for p in folder.iterdir()) == \
        sorted([f"{mixed}.eml", "rows.csv"])
    assert b"\r\n\r\n" in (folder / f"{mixed}.eml").read_bytes()
    assert {a for a in routes(gw) if "acme" in a} == set()
    assert gw.cli_json("queue list --customer acme") == []
    assert {row["id"] for row in gw.cli_json("queue list")} == \
        {mixed, single}
    del gw.settings['domain "acme.example"']
    gw.write_conf()
    assert gw.reload(), gw.log_text()
