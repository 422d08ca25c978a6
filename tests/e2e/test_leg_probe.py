# SPDX-License-Identifier: ISC
"""leg probe: a look at each address of a leg, and what would be right."""
import json

import pytest

from names import Names
from until import until

ANN = "ann@example.com"


def probe(gw, *words, code=0):
    """The rows, by JSON; what was said on standard error is the second."""
    done = gw.run("leg", "probe", *words, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return [json.loads(l) for l in done.stdout.splitlines()], done.stderr


@pytest.fixture
def secure_leg(make_leg, authority):
    return make_leg("secure",
                    tls_context=authority.server("leg", "127.0.0.1"))


def secure(leg, **more):
    return {"hosts": [f"127.0.0.1:{leg.port}"], "tls": "verify", **more}


def test_a_good_leg_is_described(make_gw, secure_leg, authority):
    gw = make_gw(legs={"cloud": secure(secure_leg, tls_ca=authority.file)})
    (row,), _ = probe(gw, "cloud")
    assert row["state"] == "good" and row["stage"] == "done"
    assert row["problem"] == "" and row["address"] == "127.0.0.1"
    assert row["port"] == secure_leg.port and row["connect_ms"] >= 0
    assert row["greeting"].startswith("leg.test")
    assert "CHUNKING" in row["offers"] and row["size"] == 104857600
    assert row["starttls"] and row["tls"].startswith("TLSv1.3")
    assert row["verified"] and row["verified_by"] == "127.0.0.1"
    cert = row["certificate"]
    assert cert["subject"] == "CN=127.0.0.1"
    assert cert["issuer"] == "CN=Test authority"
    assert cert["names"] == ["127.0.0.1"] and cert["key"] == "EC 256"
    assert cert["days_left"] in (29, 30) and len(cert["fingerprint"]) == 64
    # It brought no mail, and said good-bye.
    assert not secure_leg.seen
    said = [line.split()[0] for _, line in secure_leg.said]
    assert said == [b"EHLO", b"STARTTLS", b"EHLO", b"MAIL", b"RCPT", b"RSET",
                    b"QUIT"]


def test_its_limits_are_shown(make_gw, cloud):
    cloud.reply("EHLO", "250-leg.test\r\n250-AUTH PLAIN LOGIN\r\n"
                "250 LIMITS RCPTMAX=7 MAILMAX=9")
    (row,), _ = probe(make_gw(), "cloud")
    assert (row["max_recipients"], row["max_messages"]) == (7, 9)
    assert "AUTH PLAIN LOGIN" in row["offers"] and "size" not in row
    assert row["auth"] == "PLAIN LOGIN"


def test_people_get_a_table_and_what_is_behind_it(make_gw, secure_leg,
                                                  authority):
    gw = make_gw(legs={"cloud": secure(secure_leg, tls_ca=authority.file)})
    text = gw.cli("leg probe cloud")
    head, first = text.splitlines()[:2]
    assert head.split()[:3] == ["HOST", "ADDRESS", "STATE"]
    assert first.split()[:3] == ["127.0.0.1", "127.0.0.1", "good"]
    assert "CN=Test authority" in text and "CHUNKING" in text


PROBLEMS = {
    "not believed": ({"tls": "verify"}, "Write its authority in tls_ca"),
    "another's fingerprint": (
        {"tls": "encrypt", "tls_fingerprint": ["00" * 32]},
        "which tls_fingerprint does not have; if this is the right machine"),
}


@pytest.mark.parametrize("what", PROBLEMS)
def test_what_is_wrong_is_told_with_its_remedy(make_gw, secure_leg, what):
    keys, says = PROBLEMS[what]
    gw = make_gw(legs={"cloud": {**secure(secure_leg), **keys}})
    (row,), error = probe(gw, "cloud", code=1)
    assert row["state"] == "bad" and says in row["problem"]
    assert "no address of cloud would take mail" in error
    # Looked at all the same.
    assert row["stage"] == "done" and not row["verified"]
    assert row["certificate"]["issuer"] == "CN=Test authority"


def test_the_wrong_name_is_told_with_the_right_one(make_gw, make_leg,
                                                   authority):
    leg = make_leg("other", tls_context=authority.server(
        "other", "mx.other.test"))
    gw = make_gw(legs={"cloud": secure(leg, tls_ca=authority.file)})
    (row,), _ = probe(gw, "cloud", code=1)
    assert "it is for mx.other.test" in row["problem"]
    assert "Write a name of it in hosts" in row["problem"]


def test_a_leg_without_starttls(make_gw, cloud):
    for level, code, where in (("may", 0, "note"), ("verify", 1, "problem")):
        gw = make_gw(legs={"cloud": {"hosts": [f"127.0.0.1:{cloud.port}"],
                                     "tls": level}}, name=level)
        (row,), _ = probe(gw, "cloud", code=code)
        assert "STARTTLS is not offered" in row[where]
        assert row["tls"] == "" and not row["starttls"]


def test_each_address_is_looked_at(make_gw, cloud, make_leg):
    """One does not listen, one refuses, one is good."""
    dead, angry = make_leg("dead"), make_leg("angry")
    angry.reply("CONNECT", "554 5.7.1 Go away")
    port = dead.port
    dead.stop()
    zone = {("good.test", "A"): ["127.0.0.1"]}
    with Names(zone) as names:
        gw = make_gw({"resolver": {"servers": [names.address],
                                   "timeout": "1s"}},
                     legs={"cloud": {"tls": "none", "hosts": [
                         f"127.0.0.1:{port}", f"127.0.0.1:{angry.port}",
                         "nobody.test:25", f"good.test:{cloud.port}"]}})
        rows, _ = probe(gw, "cloud")
    assert [r["state"] for r in rows] == ["bad", "bad", "bad", "good"]
    assert rows[0]["stage"] == "connect" and \
        "it cannot be reached" in rows[0]["problem"]
    assert rows[1]["stage"] == "greeting" and \
        "it answered 554 5.7.1: Go away" in rows[1]["problem"]
    assert rows[2]["stage"] == "dns" and rows[2]["address"] == "" and \
        rows[2]["problem"] == "its name does not exist"
    assert rows[3]["host"] == "good.test" and \
        "mail goes in the clear" in rows[3]["note"]


def test_a_leg_that_is_suspended_and_down_can_be_probed(make_gw, cloud):
    gw = make_gw()
    gw.cli("leg suspend cloud")
    (row,), _ = probe(gw, "cloud")
    assert row["state"] == "good"
    gw.cli("leg resume cloud")
    gw.cli(f"route set cloud {ANN}")
    cloud.reply("CONNECT", "421 4.3.2 Busy")
    for _ in range(6):
        gw.send(to=ANN)
    until(lambda: [r for r in gw.cli_json("leg list")
                   if r["leg"] == "cloud" and r["state"] != "up"],
          "the leg to be down")
    cloud.normal()
    (row,), _ = probe(gw, "cloud")
    assert row["state"] == "good"
    gw.wait_empty()


def test_it_ends_when_the_daemon_does(make_gw, cloud):
    """A leg that says nothing holds up no other command."""
    gw = make_gw()
    rule = cloud.hold("CONNECT", times=None)
    asking = gw.spawn("leg", "probe", "cloud")
    until(lambda: cloud.talks, "the leg to be looked at")
    gw.send(to="bob@example.com")     # to the other leg, meanwhile
    gw.wait_empty()
    assert gw.stop() == 0
    assert asking.wait(30) == 1
    rule.release()


def test_what_leads_to_ourselves_is_told(make_gw, cloud):
    cloud.reply("CONNECT", "220 relay.example.com ESMTP")
    gw = make_gw()
    (row,), _ = probe(gw, "cloud", code=1)
    assert "it says our own name" in row["problem"]


def test_no_such_leg(gw):
    error = gw.cli_fails("leg probe nothing")
    assert 'no leg is called "nothing"' in error
    assert "leave the domain out" in gw.cli_fails("leg probe cloud x.test")


def test_a_direct_egress_wants_a_domain(make_gw, own_address, make_leg):
    there = own_address()
    make_leg("mx", host=there, port=25)
    zone = {("far.test", "MX"): ["10 mx.far.test"],
            ("mx.far.test", "A"): [there]}
    with Names(zone) as names:
        gw = make_gw({"resolver": {"servers": [names.address],
                                   "timeout": "1s"}},
                     legs={"outside": {"direct": True, "tls": "may"}})
        assert "name one" in gw.cli_fails("leg probe outside")
        (row,), _ = probe(gw, "outside", "far.test")
        assert row["host"] == "mx.far.test" and row["preference"] == 10
        rows, error = probe(gw, "outside", "no.test", code=1)
        assert not rows and "does not exist" in error


def test_the_recipient_is_one_that_the_leg_took_or_the_one_named(gw, legacy):
    gw.cli(f"route set legacy {ANN}")
    def tried(*words):
        probe(gw, "legacy", *words)
        rcpt = [l for _, l in legacy.said if l.startswith(b"RCPT")]
        return rcpt[-1].decode().strip()

    assert tried() == "RCPT TO:<admin@example.com>"
    gw.wait_event("delivered", gw.send(to=ANN))
    assert tried() == f"RCPT TO:<{ANN}>"
    assert tried("--to", "bob@example.com") == "RCPT TO:<bob@example.com>"


def test_what_is_no_address_is_not_tried(gw, legacy):
    rows, said = probe(gw, "legacy", "--to", "bob", code=1)
    assert not rows and "bob is not an address" in said and not legacy.said
