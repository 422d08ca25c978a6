# SPDX-License-Identifier: ISC
"""TLS towards legs beyond its levels: fingerprints, DANE, chains, sessions;
what is said when mail falls back to the clear; both kinds of certificate
inbound; and the end of our own certificates."""
import ssl

import pytest

from certs import fingerprint
from dialog import queued_id
from names import Names
from until import until

ANN = "ann@example.com"
HOST = "mx.cloud.test"


@pytest.fixture
def names():
    with Names({(HOST, "A"): ["127.0.0.1"]}) as names:
        yield names


@pytest.fixture
def gateway(make_gw, names):
    """A gateway that sends ANN's mail to `leg` by name."""
    def make(leg, validating=False, **keys):
        gw = make_gw({"resolver": {"servers": [names.address],
                                   "timeout": "1s",
                                   "validating": validating}},
                     legs={"cloud": {"hosts": [f"{HOST}:{leg.port}"],
                                     **keys}})
        gw.cli(f"route set cloud {ANN}")
        return gw

    return make


@pytest.fixture
def leg(make_leg, authority):
    leg = make_leg("tls", tls_context=authority.server("leg", HOST))
    leg.pem = authority.folder / "leg.pem"
    return leg


# -- fingerprints

@pytest.mark.parametrize("level", ["encrypt", "verify"])
def test_the_right_fingerprint_is_enough_and_needed(gateway, leg, authority,
                                                    outside, level):
    right = fingerprint(leg.pem)
    gw = gateway(leg, tls=level, tls_ca=authority.file,
                 tls_fingerprint=["ab" * 32])
    id = gw.send(to=ANN)
    event = gw.wait_event("deferred", id)
    assert event["class"] == "configuration" and right in event["reply"]
    assert not leg.seen and not outside.mails
    # Written as people write it: upper case, with colons.
    gw.set('leg "cloud"', tls_fingerprint=[
        "ab" * 32, ":".join(right[i:i + 2] for i in range(0, 64, 2)).upper()])
    assert gw.reload()
    assert leg.wait_message(id).tls


# -- DANE

def tlsa(leg, names, data, signed=True):
    owner = f"_{leg.port}._tcp.{HOST}"
    names.zone[(owner, "TLSA")] = [f"3 0 1 {data}"]
    names.signed = {HOST, owner} if signed else set()


def test_a_tlsa_record_that_fits_is_believed(gateway, leg, names):
    tlsa(leg, names, fingerprint(leg.pem))
    gw = gateway(leg, tls="dane", validating=True)
    id = gw.send(to=ANN)
    assert leg.wait_message(id).tls
    (row,) = gw.cli_json("leg probe cloud")
    assert row["dane"] == "fits" and row["tlsa"] == 1 and row["signed"]
    assert row["state"] == "good" and not row["verified"]


def test_a_tlsa_record_that_does_not_fit_waits(gateway, leg, names, outside):
    tlsa(leg, names, "ab" * 32)
    names.ttl = 1
    gw = gateway(leg, tls="dane", validating=True)
    id = gw.send(to=ANN)
    event = gw.wait_event("deferred", id)
    assert event["class"] == "configuration" and "TLSA" in event["reply"]
    done = gw.run("leg", "probe", "cloud", "--json")
    assert done.returncode == 1 and "one of the two" in done.stdout
    assert not leg.seen and not outside.mails
    tlsa(leg, names, fingerprint(leg.pem))
    assert leg.wait_message(id).tls


def test_a_record_that_is_not_signed_says_nothing(gateway, leg, names):
    tlsa(leg, names, "ab" * 32, signed=False)
    gw = gateway(leg, tls="dane", validating=True)
    assert leg.wait_message(gw.send(to=ANN)).tls
    # It was not even asked for: the address was not signed.
    assert all(kind != "TLSA" for _, kind in names.asked)
    assert "nobody checks the certificate" in \
        gw.cli_json("leg probe cloud")[0]["note"]


def test_who_silences_the_lookup_does_not_get_the_mail(gateway, leg, names):
    tlsa(leg, names, fingerprint(leg.pem))
    names.lie = lambda q, a: a if b"\4_tcp" not in q else \
        a[:3] + b"\x82" + a[4:]
    gw = gateway(leg, tls="dane", validating=True)
    id = gw.send(to=ANN)
    assert "TLSA records" in gw.wait_event("deferred", id)["reply"]
    assert not leg.talks
    names.lie = None
    assert leg.wait_message(id).tls


def test_dane_without_starttls_waits(gateway, make_leg, names):
    plain = make_leg("plain")
    tlsa(plain, names, "ab" * 32)
    gw = gateway(plain, tls="dane", validating=True)
    id = gw.send(to=ANN)
    gw.wait_event("deferred", id)
    assert not plain.seen


# -- chains and sessions

def test_our_whole_chain_is_shown(gateway, make_leg, authority):
    """The leg knows the root alone, and fetches nothing."""
    context = authority.server("leg", HOST)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    leg = make_leg("tls", tls_context=context)
    ours = authority.below().make("us", "relay.example.com")
    gw = gateway(leg, tls="encrypt", certificate=ours)
    assert leg.wait_message(gw.send(to=ANN)).tls


def test_a_chain_of_the_leg_without_its_middle_waits(gateway, make_leg,
                                                     authority):
    below = authority.below()
    whole = below.make("leg", HOST)
    alone = authority.folder / "alone.pem"
    text = whole.read_text()
    alone.write_text(text[:text.index("-----END CERTIFICATE-----") + 26])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(alone)
    leg = make_leg("tls", tls_context=context)
    gw = gateway(leg, tls="verify", tls_ca=authority.file)
    id = gw.send(to=ANN)
    assert "issuer" in gw.wait_event("deferred", id)["reply"]
    done = gw.run("leg", "probe", "cloud")
    assert "intermediate certificates" in done.stdout
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(whole)
    leg.tls_context = context
    assert leg.wait_message(id).tls


def test_a_new_connection_resumes_the_session(gateway, leg, authority):
    gw = gateway(leg, tls="verify", tls_ca=authority.file, max_messages=1)
    gw.set("", workers=1)
    gw.restart()
    for _ in range(3):
        leg.wait_message(gw.send(to=ANN))
        gw.wait_empty()
    assert leg.tls_context.session_stats()["hits"] == 2


# -- never silently

def broken_context():
    """A server without a certificate: every handshake fails."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def test_a_fall_back_to_the_clear_is_said_once(gateway, make_leg):
    leg = make_leg("broken", tls_context=broken_context())
    gw = gateway(leg, tls="may", max_messages=1)
    gw.set("", workers=1)
    gw.restart()
    for _ in range(3):
        id = gw.send(to=ANN)
        assert not leg.wait_message(id).tls
        assert gw.wait_event("delivered", id)["tls"] == ""
    assert gw.log_text().count(" leg.in_clear ") == 1
    said = gw.said("leg.in_clear").group(0)
    assert "leg=cloud" in said and "error=" in said
    assert all(e["tls_failed"] for e in gw.events(event="delivered"))
    (alarm,) = gw.events(event="alarm", kind="in-clear")
    assert alarm["about"] == "cloud" and "in the clear" in alarm["text"]
    (row,) = gw.cli_json("leg probe cloud")
    assert row["note"].startswith("mail goes in the clear: TLS")


@pytest.mark.parametrize("level", ["encrypt", "verify"])
def test_a_failed_handshake_takes_the_next_host_never_the_clear(
        make_gw, make_leg, authority, level):
    broken = make_leg("broken", tls_context=broken_context())
    good = make_leg("good", tls_context=authority.server("g", "127.0.0.1"))
    gw = make_gw(legs={"cloud": {
        "hosts": [f"127.0.0.1:{broken.port}", f"127.0.0.1:{good.port}"],
        "tls": level, "tls_ca": authority.file}})
    gw.cli(f"route set cloud {ANN}")
    assert good.wait_message(gw.send(to=ANN)).tls
    assert not broken.seen and not gw.said("leg.in_clear")


# -- in

@pytest.fixture
def both_kinds(make_gw, authority):
    name = "relay.example.com"
    return make_gw({'listen "mx"': {"certificate": [
        authority.make("ec", name), authority.make("rsa", name, key="rsa")]}})


@pytest.mark.parametrize("kind", ["ECDSA", "RSA"])
def test_old_and_new_senders_find_their_kind(both_kinds, authority, legacy,
                                             kind):
    context = authority.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"ECDHE-{kind}-AES128-GCM-SHA256")
    with both_kinds.dialog() as d:
        d.ok("EHLO client.test")
        d.starttls(context, "relay.example.com")
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        d.ok(f"RCPT TO:<{ANN}>")
        id = queued_id(d.data(b"Subject: x\r\n\r\nHi\r\n.\r\n"))
    event = both_kinds.wait_event("accepted", id)
    assert event["tls"] == f"TLSv1.2 ECDHE-{kind}-AES128-GCM-SHA256"
    legacy.wait_message(id)


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_versions_before_1_2_are_refused(both_kinds, authority, version):
    context = authority.client()
    context.minimum_version = context.maximum_version = \
        ssl.TLSVersion[version]
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with both_kinds.dialog() as d:
        d.ok("EHLO client.test")
        with pytest.raises((ssl.SSLError, OSError)):
            d.starttls(context, "relay.example.com")


# -- our own certificates end

def certificates(gw):
    return {r["used_by"]: r for r in gw.cli_json("status")
            if r.get("section") == "certificate"}


def test_the_end_of_a_certificate_is_shown_and_an_alarm(make_gw, authority,
                                                        cloud):
    soon = authority.make("soon", "relay.example.com", days="3")
    late = authority.make("late", "us.example.com", days="29")
    gw = make_gw({'listen "mx"': {"certificate": [soon]}},
                 legs={"cloud": {"hosts": [f"127.0.0.1:{cloud.port}"],
                                 "tls": "may", "certificate": late}})
    shown = certificates(gw)
    assert shown["listen mx"]["state"] == "ends soon"
    assert shown["listen mx"]["days_left"] in (2, 3)
    assert shown["listen mx"]["names"] == "relay.example.com"
    assert shown["leg cloud"]["state"] == "ok"
    alarm = gw.wait_event("alarm", kind="certificate")
    assert alarm["about"] == str(soon) and "renew it" in alarm["text"]
    assert "ends soon" in gw.cli("status")
    # Renewed: nothing is said of it any more.
    gw.set('listen "mx"', certificate=[late])
    assert gw.reload()
    assert certificates(gw)["listen mx"]["state"] == "ok"
    assert len(gw.events(event="alarm", kind="certificate")) == 1


def test_how_early_is_a_setting(make_gw, authority):
    soon = authority.make("soon", "relay.example.com", days="3")
    gw = make_gw({'listen "mx"': {"certificate": [soon]},
                  "alarm": {"certificate": "1d"}})
    assert certificates(gw)["listen mx"]["state"] == "ok"
    gw.set("alarm", certificate="4d")
    assert gw.reload()
    gw.wait_event("alarm", kind="certificate")
    until(lambda: certificates(gw)["listen mx"]["state"] == "ends soon",
          "the state to be told")
