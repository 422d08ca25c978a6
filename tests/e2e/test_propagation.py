# SPDX-License-Identifier: ISC
"""Where the MX of a domain leads, by each of its name servers: real nsd and
unbound. Clean is only what each of them says."""
import hashlib
import json
import os
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from certs import Authority
from conftest import PEERS
from dnspeers import DOMAIN, Delegation
from test_backup import backup, destroy, restore
from until import until

STATED = f"propagation set {DOMAIN} --old-ttl 1h --changed -9d --note known"


@pytest.fixture
def world(folder, own_address):
    w = Delegation(PEERS, folder, own_address)
    yield w
    w.stop()


@pytest.fixture
def gw(world, make_gw):
    return make_gw({
        "": {"public_address": [world.us]},
        "resolver": {"servers": [world.resolver.address], "timeout": "2s"},
        "propagation": {"interval": "0s", "stale": "3d"},
    }, legs={"legacy": {"hosts": [f"{world.legacy}:2525"], "tls": "none"}})


def rows(gw, *more, code=None):
    """Servers as (kind, name, state), and the row of the domain."""
    p = gw.run("propagation", DOMAIN, "--json", *more)
    if code is not None:
        assert p.returncode == code, p
    out = [json.loads(line) for line in p.stdout.splitlines()]
    return [r for r in out if r["kind"] not in ("domain", "mx")], \
        next(r for r in out if r["kind"] == "domain")


def state_of(servers, kind, name=""):
    found = {r["state"] for r in servers
             if r["kind"] == kind and r["name"] == name}
    assert len(found) == 1, (kind, name, servers)
    return found.pop()


def is_unknown(gw, name):
    """That server, and so the domain."""
    servers, domain = rows(gw, code=1)
    assert domain["state"] == "unknown"
    return [r["state"] for r in servers if r["kind"] == "authoritative" and
            r["name"] == name] == ["unknown"]


def test_all_clean_waits_for_caches_until_it_is_stated(world, gw):
    servers, domain = rows(gw, code=1)
    assert {(r["kind"], r["name"], r["state"]) for r in servers} == {
        ("resolver", "", "clean"), ("parent", "com", "clean"),
        ("authoritative", "ns1.example.com", "clean"),
        ("authoritative", "ns2.example.com", "clean")}
    ns1 = next(r for r in servers if r["name"] == "ns1.example.com")
    assert ns1["address"] == world.ns1.address
    assert ns1["serial"] == world.ns1.serial
    assert ns1["ttl"] == 300
    assert ns1["mx"] == [{"preference": 10, "host": "mx.example.com",
                          "addresses": [{"address": world.us,
                                         "leads": "us"}]}]
    assert domain["state"] == "waits" and domain["unseen"]
    assert domain["old_ttl"] == 7 * 86400
    gw.cli(STATED)
    servers, domain = rows(gw, code=0)
    assert domain["state"] == "clean" and domain["stated"]
    assert domain["note"] == "known" and domain["old_ttl"] == 3600
    people = gw.run("propagation", DOMAIN).stdout
    assert "as stated by" in people and "[%s us]" % world.us in people
    # What is kept is shown without a daemon, too, as long as it is fresh.
    gw.stop()
    p = gw.run("propagation", DOMAIN)
    assert p.returncode == 0 and "does not run" in p.stdout


def test_each_server_alone_is_named(world, gw):
    gw.cli(STATED)
    rows(gw, code=0)
    # An old MX, of a worse preference.
    world.ns2.serve({DOMAIN: world.zone("@ MX 10 mx\n@ MX 20 old\n")})
    servers, domain = rows(gw, code=1)
    assert state_of(servers, "authoritative", "ns2.example.com") == "old"
    assert state_of(servers, "authoritative", "ns1.example.com") == "clean"
    assert domain["state"] == "old"
    # The same name, by IPv6 elsewhere.
    world.ns2.serve({DOMAIN: world.zone(more="mx AAAA 2001:db8::25\n")})
    servers, domain = rows(gw, code=1)
    assert state_of(servers, "authoritative", "ns2.example.com") == "old"
    # A host without an address.
    world.ns2.serve({DOMAIN: world.zone("@ MX 10 none\n")})
    servers, domain = rows(gw, code=1)
    assert state_of(servers, "authoritative", "ns2.example.com") == "old"
    # No MX: the domain's own address (RFC 5321 5.1).
    world.ns2.serve({DOMAIN: world.zone("", f"@ A {world.legacy}\n")})
    servers, domain = rows(gw, code=1)
    assert state_of(servers, "authoritative", "ns2.example.com") == "old"
    assert [r["mx"][0]["host"] for r in servers
            if r["name"] == "ns2.example.com"] == [DOMAIN]
    # It serves another zone. (Meanwhile the resolver may not say who serves
    # this one.)
    world.ns2.serve({"example.net": world.zone()})
    until(lambda: is_unknown(gw, "ns2.example.com"), "another zone's server")
    # Silence.
    world.ns2.stop()
    until(lambda: is_unknown(gw, "ns2.example.com"), "a server that is gone")
    world.ns2.serve({DOMAIN: world.zone()})
    # All of it was seen: the clock begins anew. (The resolver takes a moment
    # to believe in ns2 again.)
    until(lambda: rows(gw, code=1)[1]["state"] == "waits", "all to be clean")
    assert not rows(gw, code=1)[1]["unseen"]


def test_a_replay_says_where_the_mx_of_its_domains_leads(world, gw):
    """What came by an MX that points elsewhere is not covered."""
    address = f"ann@{DOMAIN}"
    words = ["replay", address, "--from-leg", "legacy", "--to-leg", "cloud",
             "--since", "-1h", "--yes"]
    gw.set('leg "cloud"', hosts=["127.0.0.1:9"], tls="none")
    gw.reload()
    gw.cli(STATED)
    assert f"MX of {DOMAIN}: unknown, its name servers were not looked at" \
        in gw.cli(*words, "--dry-run")
    rows(gw, code=0)
    assert f"MX of {DOMAIN}: clean, it leads here alone, looked at" \
        in gw.cli(*words, "--dry-run")
    world.ns2.serve({DOMAIN: world.zone("@ MX 10 mx\n@ MX 20 old\n")})
    rows(gw, code=1)
    assert f"MX of {DOMAIN}: old" in gw.cli(*words)
    (number,) = [r["number"] for r in gw.cli_json("replay list")]
    until(lambda: f"MX of {DOMAIN}: old" in gw.cli(f"replay show {number}"),
          "the report")
    (row,) = [r for r in gw.cli_json(f"replay show {number}")
              if r["kind"] == "domain"]
    assert (row["domain"], row["mx"]) == (DOMAIN, "old")
    assert "an MX leads to the leg, by " in row["mx_why"]
    assert " of 4 name servers" in row["mx_why"]


def test_a_silent_resolver_is_unknown(world, gw):
    gw.cli(STATED)
    rows(gw, code=0)
    gw.set("resolver", servers=[world.resolver.address, "127.0.0.1:9"])
    gw.reload()
    servers, domain = rows(gw, code=1)
    assert {r["address"]: r["state"] for r in servers
            if r["kind"] == "resolver"} == {
        world.resolver.address: "clean", "127.0.0.1:9": "unknown"}
    assert domain["state"] == "unknown"
    # One that is asked no more says nothing either.
    gw.set("resolver", servers=[world.resolver.address])
    gw.reload()
    rows(gw, code=0)


def test_servers_of_before_are_asked_for_the_old_mx(world, gw):
    """One that was seen, and one that the configuration names."""
    gw.cli(STATED)
    world.ns3 = world.nsd("ns3", {DOMAIN: world.zone("@ MX 10 old\n")})
    world.ns2.serve({DOMAIN: world.zone("@ MX 10 old\n")})
    rows(gw, code=1)
    # ns2 leaves the zone and its delegation, and goes on with the old MX.
    world.com.serve({"com": f"@ NS ns\nns A {world.com.address}\n"
                     "example 3600 NS ns1.example\n"
                     f"ns1.example A {world.ns1.address}\n"
                     f"old A {world.ns3.address}\n"})
    world.ns1.serve({DOMAIN: world.zone().replace("@ NS ns2\n", "")})
    servers, domain = rows(gw, code=1)
    assert state_of(servers, "retired", "ns2.example.com") == "old"
    gw.set("propagation", old_ns=["old.com"])
    gw.reload()
    servers, domain = rows(gw, code=1)
    assert state_of(servers, "retired", "old.com") == "old"
    # When they serve it no more, the last old answer has an end.
    for server in world.ns2, world.ns3:
        server.serve({"example.net": world.zone()})
    servers, domain = rows(gw, code=1)
    assert state_of(servers, "retired", "old.com") == "clean"
    assert state_of(servers, "retired", "ns2.example.com") == "clean"
    assert domain["state"] == "waits"
    # ... to which the delegation of before belongs.
    assert domain["old_ttl"] == 3600


def test_one_that_only_the_zone_above_names_is_asked(world, gw):
    gw.cli(STATED)
    world.ns3 = world.nsd("ns3", {DOMAIN: world.zone("@ MX 10 old\n")})
    world.com.serve({"com": f"@ NS ns\nns A {world.com.address}\n"
                     "example 3600 NS ns1.example\n"
                     f"ns1.example A {world.ns1.address}\n"
                     "example 3600 NS ns3\n"
                     f"ns3 A {world.ns3.address}\n"})
    servers, domain = rows(gw, code=1)
    assert state_of(servers, "authoritative", "ns3.com") == "old"
    assert state_of(servers, "authoritative", "ns2.example.com") == "clean"
    assert domain["state"] == "old"


def test_a_change_is_watched_to_its_end(world, gw):
    old = world.zone("@ 1 MX 10 old\n").replace("old A", "old 1 A")
    for server in world.ns1, world.ns2:
        server.serve({DOMAIN: old})
    gw.set("propagation", stale="0s", interval="1s")
    gw.reload()
    servers, domain = rows(gw, code=1)
    assert domain["state"] == "old" and "until" not in domain
    watching = subprocess.Popen(
        [gw.build / "posthouse", "-c", gw.conf, "propagation", DOMAIN,
         "--watch", "--every", "1s"], stdout=subprocess.PIPE, text=True)
    for server in world.ns1, world.ns2:
        server.serve({DOMAIN: world.zone()})
    out, _ = watching.communicate(timeout=60)
    assert watching.returncode == 0, out
    assert "old, an MX leads to the leg" in out
    assert "changed: " in out and "clean" in out.splitlines()[-2]
    servers, domain = rows(gw, "--kept", code=0)
    assert domain["old_ttl"] == 1 and not domain["stated"]
    # The daemon looks by itself.
    at = domain["looked"]
    until(lambda: rows(gw, "--kept")[1]["looked"] > at, "the next look")


def test_an_answer_that_is_cut_short_is_asked_for_over_tcp(world, gw):
    gw.cli(STATED)
    long = ".".join(c * 60 for c in "abc")
    mx = "".join(f"@ MX {n} m{n}.{long}\n" for n in range(16))
    more = "".join(f"m{n}.{long} A {world.us}\n" for n in range(16))
    for server in world.ns1, world.ns2:
        server.serve({DOMAIN: world.zone(mx, more)})
    servers, domain = rows(gw, code=0)
    assert {len(r["mx"]) for r in servers if r["kind"] != "parent"} == {16}


def test_without_what_was_heard_nothing_is_clean(world, gw):
    gw.cli(STATED)
    rows(gw, code=0)
    for name in "observed.db", "observed.db-wal", "observed.db-shm":
        (gw.folder / "audit" / name).unlink(missing_ok=True)
    p = gw.run("propagation", DOMAIN, "--kept")
    assert p.returncode == 1 and "observed.db" in p.stderr
    rows(gw, code=0)


def test_what_is_wrong_is_said_and_changes_nothing(world, gw):
    gw.cli(STATED)
    for words, code, said in [
            ("propagation elsewhere.example", 1, "no domain"),
            ("propagation example.com --leg none", 1, "no leg"),
            ("propagation example.com --watch --every 0s", 2, "--every"),
            ("propagation set example.com", 2, "--old-ttl"),
            ("propagation set elsewhere.example --old-ttl 1d --changed -1d "
             "--note x", 1, "no domain"),
            ("propagation set example.com --old-ttl x --changed -1d "
             "--note x", 2, "--old-ttl x"),
            ("propagation set example.com --old-ttl 1d --changed x "
             "--note x", 2, "--changed x"),
            ("propagation set example.com --old-ttl 1d --changed +1d "
             "--note x", 2, "not past")]:
        p = gw.run(*words.split())
        assert p.returncode == code and said in p.stderr, (words, p)
    assert rows(gw, code=0)[1]["note"] == "known"


def test_what_was_heard_is_in_a_backup(world, gw):
    gw.cli(STATED)
    looked = rows(gw, code=0)[1]["looked"]
    folder, _ = backup(gw)
    gw.stop()
    destroy(gw)
    restore(gw, folder)
    domain = rows(gw, "--kept", code=0)[1]
    assert domain["looked"] == looked and domain["note"] == "known"


class PolicyServer:
    """https://mta-sts.example.com/.well-known/mta-sts.txt"""

    def __init__(self, address, certificate):
        outer = self
        self.status, self.body = 200, ""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                assert self.path == "/.well-known/mta-sts.txt"
                self.send_response(outer.status)
                self.send_header("Location", "https://elsewhere.example/")
                self.end_headers()
                self.wfile.write(outer.body.encode())

            def log_message(self, *_):
                pass

        self.server = HTTPServer((address, 443), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.server.socket = context.wrap_socket(self.server.socket,
                                                 server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def spki(pem):
    der = subprocess.run(
        ["sh", "-c", f"openssl x509 -in {pem} -pubkey -noout | "
         "openssl pkey -pubin -outform DER"], check=True,
        capture_output=True).stdout
    return hashlib.sha256(der).hexdigest()


def test_names_that_lead_to_us_are_checked_as_senders_do(
        world, gw, folder, own_address):
    authority = Authority(folder)
    ours = authority.make("mx", "mx.example.com")
    at = own_address()
    policy = PolicyServer(at, authority.make("sts", "mta-sts.example.com"))
    gw.environment = {"SSL_CERT_FILE": str(authority.file)}

    def checks(code):
        p = subprocess.run(
            [gw.build / "posthouse", "-c", gw.conf, "propagation", DOMAIN,
             "--json"], env={**os.environ, **gw.environment}, text=True,
            capture_output=True, timeout=60)
        assert p.returncode == code, p
        lines = [json.loads(line) for line in p.stdout.splitlines()]
        return {r["check"]: (r["state"], r["why"]) for r in lines
                if r["kind"] == "mx"}

    def serve(more):
        for server in world.ns1, world.ns2:
            server.serve({DOMAIN: world.zone(more=more)})

    try:
        gw.cli(STATED)
        assert {k: v[0] for k, v in checks(0).items()} == {
            "certificate": "none", "tlsa": "none", "mta-sts": "none"}
        # A certificate of another name, then of this one.
        gw.set('listen "mx"', certificate=[authority.make("x", "x.example")])
        gw.reload()
        assert checks(1)["certificate"][0] == "mismatch"
        gw.set('listen "mx"', certificate=[ours])
        gw.reload()
        assert checks(0)["certificate"][0] == "ok"
        # TLSA of another key, of this one.
        tlsa = "_25._tcp.mx TLSA 3 1 1 "
        serve(tlsa + "00" * 32 + "\n")
        assert checks(1)["tlsa"][0] == "mismatch"
        serve(tlsa + spki(ours) + "\n")
        assert checks(0)["tlsa"][0] == "ok"
        # A policy: it does not name the MX, it is a redirect, it fits.
        announced = f'mta-sts A {at}\n_mta-sts TXT "v=STSv1; id=1"\n'
        serve(announced)
        policy.body = "version: STSv1\nmode: enforce\nmx: old.example.com\n" \
            "max_age: 86400\n"
        state, why = checks(1)["mta-sts"]
        assert state == "mismatch" and "mx.example.com is not" in why
        policy.status = 301
        state, why = checks(1)["mta-sts"]
        assert state == "mismatch" and "does not answer 200" in why
        policy.status, policy.body = 200, "x" * 100000
        state, why = checks(1)["mta-sts"]
        assert state == "mismatch" and "64 KiB" in why
        policy.body = "version: STSv1\nmode: enforce\n" \
            "mx: *.example.com\nmax_age: 86400\n"
        assert checks(0)["mta-sts"] == ("ok", "mode enforce")
        # The server that was the MX before, by its name.
        policy.body = "version: STSv1\nmode: enforce\nmx: mx.example.com\n" \
            "mx: old.example.com\nmax_age: 86400\n"
        state, why = checks(1)["mta-sts"]
        assert state == "mismatch" and \
            "still names old.example.com, which is no MX" in why
        # A certificate that the system does not believe.
        gw.environment = {}
        state, why = checks(1)["mta-sts"]
        assert state == "mismatch" and "TLS" in why
    finally:
        policy.stop()
