# SPDX-License-Identifier: ISC
"""export coexist: what the servers of both sides are told, read by a real
Postfix and a real Exim (doc/coexist.md)."""
import csv
import io
import json
import os
import pwd
import subprocess

import pytest

from conftest import PEERS
from peers import EXIM_CONF, Exim, Postmap
from shift import Shift
from until import until

ANN, BOB, CID = "ann@example.com", "bob@example.com", "cid@example.com"
NOT_BUILT = not (PEERS / "postfix/usr/sbin/postmap").exists()
real = pytest.mark.skipif(NOT_BUILT or os.geteuid() != 0,
                          reason="no real mail servers here")


@pytest.fixture
def moved(make_gw):
    """Ann and Bob are in the cloud, Bob with an address of its own there;
    Cid has both, Dan no leg."""
    gw = make_gw()
    gw.cli(f"route set cloud {ANN}")
    gw.cli(f"route set cloud {BOB} --address cloud=b@tenant.example")
    gw.cli(f"route set cloud+legacy {CID}")
    gw.cli("route set reject dan@example.com")
    gw.now = gw.cli_json("changes list --last 1")[0]["change"]
    return gw


def export(gw, *words):
    done = gw.run("export", "coexist", "--leg", "legacy", "--format", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@real
def test_postfix_reads_the_maps(moved, cloud):
    gw = moved
    postmap = Postmap(PEERS, gw.folder / "postmap")
    hop = f"smtp:[127.0.0.1]:{cloud.port}"
    text = export(gw, "postfix")
    assert f"at change {gw.now}\n" in text.splitlines(True)[0]
    assert postmap.ask(text, ANN, BOB, CID, "dan@example.com") == \
        [hop, hop, None, None]
    assert postmap.ask(export(gw, "postfix", "--via", "relay.example.com"),
                       ANN) == ["smtp:[relay.example.com]:25"]
    assert postmap.ask(export(gw, "postfix", "--map", "recipient"),
                       ANN, BOB, CID) == [ANN, "b@tenant.example", None]


@real
def test_postfix_takes_one_that_stays_out_of_a_domain_that_went(
        moved, cloud):
    gw = moved
    postmap = Postmap(PEERS, gw.folder / "postmap")
    gw.cli("flip cloud --all example.com --yes")
    gw.cli(f"flip legacy {ANN}")
    gw.cli("route set cloud @example.com")
    text = export(gw, "postfix")
    assert postmap.ask(text, "example.com", ANN, BOB) == [
        f"smtp:[127.0.0.1]:{cloud.port}", ":",
        f"smtp:[127.0.0.1]:{cloud.port}"]


EXIM_ROUTERS = """
begin routers

alias:
  driver = redirect
  data = ${{lookup{{$local_part@$domain}}lsearch*@{{{alias}}}}}

moved:
  driver = manualroute
  route_data = ${{lookup{{$local_part@$domain}}lsearch*@{{{moved}}}}}
  transport = sink
  self = send

here:
  driver = accept
  transport = here

begin transports

here:
  driver = appendfile
  file = /dev/null

"""


def exim_says(gw, folder, moved_map, alias_map, address):
    """The lines of `exim4 -bt`."""
    peer = Exim(PEERS, folder, gw)
    (folder / "moved").write_text(moved_map)
    (folder / "alias").write_text(alias_map)
    head, rest = EXIM_CONF.split("begin routers")
    transports = rest.split("begin transports")[1]
    conf = folder / "exim.conf"
    conf.write_text(head.format(home=folder, root=PEERS / "exim4-daemon-light",
                                port=peer.port) +
                    EXIM_ROUTERS.format(moved=folder / "moved",
                                        alias=folder / "alias") + transports)
    conf.chmod(0o644)
    owner = pwd.getpwnam("uucp")
    peer.spool(owner)
    done = subprocess.run(
        [PEERS / "exim4-daemon-light/usr/sbin/exim4", "-C", conf, "-bt",
         address], env={"PATH": "/usr/bin:/bin", **peer.account(owner)},
        capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@real
@pytest.mark.parametrize("who, router, target", [
    (ANN, "moved", ANN), (BOB, "moved", "b@tenant.example"),
    (CID, "here", CID)])
def test_exim_reads_the_maps(make_gw, moved, cloud, who, router, target):
    gw = moved
    # The address that Bob has there leads to the same leg.
    gw.set('leg "cloud"', domains=["tenant.example"])
    gw.reload()
    said = exim_says(gw, gw.folder / "exim", export(gw, "exim"),
                     export(gw, "exim", "--map", "recipient"), who)
    assert said.splitlines()[0] == target
    assert f"router = {router}," in said
    assert (f"port={cloud.port}" in said) == (router == "moved")


def test_exchange_and_google_name_addresses(moved):
    gw = moved
    rows = list(csv.DictReader(io.StringIO(export(gw, "exchange"))))
    assert rows == [{"address": BOB, "targetAddress": "smtp:b@tenant.example",
                     "change": str(gw.now)}]
    said = gw.run("export", "coexist", "--format", "exchange", "--leg",
                  "legacy").stderr
    assert f"change {gw.now}: other legs than legacy have 1 recipient" in said
    assert "1 recipient: left out, for they have no address" in said
    gw.set('leg "cloud"', domains=["tenant.example"])
    gw.reload()
    rows = list(csv.DictReader(io.StringIO(export(gw, "exchange"))))
    assert [r["targetAddress"] for r in rows] == [
        "smtp:ann@tenant.example", "smtp:b@tenant.example"]
    assert export(gw, "google") == \
        f"{ANN},ann@tenant.example\n{BOB},b@tenant.example\n"


def test_since_a_change_names_those_that_came_back(moved):
    gw = moved
    gw.cli(f"flip legacy {BOB}")
    gw.cli(f"tag add vip {CID}")
    rows = export(gw, "exchange", "--since", str(gw.now)).splitlines()[1:]
    assert rows == [f"{BOB},,{gw.now + 2}", f"{CID},,{gw.now + 2}"]
    assert export(gw, "postfix", "--since", str(gw.now + 2)).count("\n") == 1
    said = gw.cli_json("export", "coexist", "--format", "postfix", "--leg",
                       "legacy", "--since", str(gw.now - 3))
    assert [(r["address"], r["leg"]) for r in said] == [
        (BOB, ""), (CID, ""), ("dan@example.com", "")]


@pytest.mark.parametrize("words, said", [
    ("--format csv", "a format is exchange, postfix, exim or google"),
    ("--format exim --map alias --leg cloud", "a map is transport or"),
    ("--format postfix --leg moon", "no leg is called"),
    ("", "a format is exchange"),
])
def test_a_slip_gets_one_sentence(gw, words, said):
    assert said in gw.cli_fails(f"export coexist {words}", code=2)


@pytest.fixture
def exported(make_gw, legacy, cloud, tmp_path, folder):
    """A gateway that keeps a map up to date and runs a program."""
    program, told = tmp_path / "on_export", folder / "told"
    (folder / "maps").mkdir()

    def make(script="", where="maps"):
        program.write_text("#!/usr/bin/python3\nimport os, sys\n"
                           f"with open({str(told)!r}, 'a') as out:\n"
                           "    out.write(sys.argv[1] + ' ' + "
                           f"sys.stdin.read())\n{script}\n")
        program.chmod(0o755)
        gw = make_gw({"hook": {"on_export": program},
                      'coexist "moved"': {
                          "format": "postfix", "leg": "legacy",
                          "file": folder / where / "moved"}})
        gw.map, gw.told = folder / where / "moved", told
        return gw

    return make


def told(gw):
    if not gw.told.exists():
        return []
    return [json.loads(line.removeprefix("export "))
            for line in gw.told.read_text().splitlines()]


def wait_map(gw, *lines):
    until(lambda: gw.map.exists() and
          set(lines) == set(gw.map.read_text().splitlines()[1:]),
          f"the map to have {lines}")


def test_a_file_is_written_after_each_change_and_the_program_run(
        exported, cloud):
    gw = exported()
    hop = f"smtp:[127.0.0.1]:{cloud.port}"
    wait_map(gw)
    gw.map.chmod(0o640)
    change = gw.change("flip", "cloud", ANN, "--create")
    wait_map(gw, f"{ANN} {hop}")
    assert gw.map.read_text().splitlines()[0].endswith(f"at change {change}")
    until(lambda: told(gw) and told(gw)[-1]["change"] == change,
          "the program to be told")
    last = told(gw)[-1]
    assert (last["name"], last["format"], last["file"]) == \
        ("moved", "postfix", str(gw.map))
    assert gw.map.stat().st_mode & 0o777 == 0o640
    gw.cli(f"flip legacy {ANN}")
    wait_map(gw)
    # What another program wrote does not stay over a start.
    gw.stop()
    gw.map.write_text("# nonsense\nx y\n")
    runs = len(told(gw))
    gw.start()
    wait_map(gw)
    until(lambda: len(told(gw)) > runs, "the program to be told again")


def test_a_program_that_fails_is_an_alarm(exported):
    gw = exported('sys.exit("postmap: no space left")')
    alarm = gw.wait_event("alarm", kind="hook")
    assert "hook.on_export failed for" in alarm["text"]
    assert "no space left" in alarm["text"]
    assert len(told(gw)) == 1


def test_a_file_that_lags_is_an_alarm(exported):
    gw = exported(where="no-such-folder")
    assert "no-such-folder" in gw.wait_log("coexist.write")[0]
    gw.stop()
    clock = Shift(gw.folder)
    gw.environment = clock.environment
    gw.start()
    gw.cli(f"route set legacy {ANN}")
    clock.forward(gw, 15 * 60 + 1)
    alarm = gw.wait_event("alarm", kind="coexist")
    assert alarm["about"] == "moved"
    assert "for 15 minutes now: " in alarm["text"]
    assert "No such file" in alarm["text"]


@pytest.mark.parametrize("keys, said", [
    ({"via": "a b"}, "via = \"a b\" is no next hop"),
    ({"format": "csv"}, "none of exchange, postfix, exim, google"),
    ({"map": "alias"}, "neither transport nor recipient"),
    ({"leg": "moon"}, 'there is no leg "moon"'),
])
def test_a_section_that_is_wrong_is_refused(make_gw, folder, keys, said):
    gw = make_gw(start=False)
    gw.set('coexist "moved"', **{"format": "postfix", "leg": "legacy",
                                 "file": folder / "moved", **keys})
    gw.write_conf()
    done = subprocess.run([gw.build / "posthoused", "-t", "-c", gw.conf],
                          capture_output=True, text=True)
    assert done.returncode == 1 and said in done.stderr
