# SPDX-License-Identifier: ISC
"""STARTTLS in and out (RFC 3207), SNI, levels, and what must not happen."""
import json
import ssl

import pytest

from dialog import Dialog, queued_id
from names import Names

ANN = "ann@example.com"
NAME = "relay.example.com"


@pytest.fixture
def tls_gw(make_gw, authority):
    return make_gw({'listen "mx"': {
        "certificate": [authority.make("relay", NAME),
                        authority.make("other", "mx.other.test")]}})


def test_mail_comes_in_by_tls_and_the_trace_says_so(tls_gw, authority,
                                                    legacy):
    with tls_gw.dialog() as d:
        assert "STARTTLS" in d.ok("EHLO client.test").text
        d.starttls(authority.client())
        assert "STARTTLS" not in d.ok("EHLO client.test").text
        assert d.cmd("STARTTLS").code == 503
        d.ok("MAIL FROM:<a@elsewhere.test>")
        d.ok(f"RCPT TO:<{ANN}>")
        id = queued_id(d.data(b"Subject: x\r\n\r\nHi\r\n.\r\n"))
    assert b"with ESMTPS" in legacy.wait_message(id).trace
    assert tls_gw.wait_event("accepted", id)["tls"].startswith("TLSv1.3")


def test_certificates_are_chosen_by_sni(tls_gw, authority):
    for name in (NAME, "mx.other.test"):
        with tls_gw.dialog() as d:
            d.ok("EHLO client.test")
            d.starttls(authority.client(), name)  # checks the name


def test_all_from_before_tls_is_forgotten(tls_gw, authority):
    with tls_gw.dialog() as d:
        d.ok("EHLO client.test")
        d.starttls(authority.client())
        d.ok("MAIL FROM:<a@elsewhere.test>")
        d.ok("RCPT TO:<ann@example.com>")
        assert d.data("x\r\n.\r\n").code == 250
    assert tls_gw.wait_event("accepted")["helo"] == ""


def test_bytes_ahead_of_starttls_end_the_session(tls_gw):
    with tls_gw.dialog() as d:
        d.ok("EHLO client.test")
        d.send("STARTTLS\r\nMAIL FROM:<x@y.test>\r\n")
        r = d.reply()
        assert r.code == 554 and d.closed()


def test_starttls_inside_a_transaction_and_with_words_is_refused(tls_gw):
    with tls_gw.dialog() as d:
        d.ok("EHLO client.test")
        assert d.cmd("STARTTLS now").code == 501
        d.ok("MAIL FROM:<a@elsewhere.test>")
        assert d.cmd("STARTTLS").code == 503


def old_client(authority):
    context = authority.client()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    return context


def test_old_versions_are_not_spoken(tls_gw, authority):
    with tls_gw.dialog() as d:
        d.ok("EHLO client.test")
        with pytest.raises((ssl.SSLError, OSError)):
            d.starttls(old_client(authority))


def test_a_listener_of_old_devices_changes_no_other_listener(make_gw,
                                                             authority):
    """And `status` names who needed it."""
    certificate = [authority.make("relay", NAME)]
    gw = make_gw({'listen "mx"': {"certificate": certificate},
                  'listen "old"': {"address": ["127.0.0.1:0"],
                                   "certificate": certificate,
                                   "tls_min": "1.0",
                                   "starttls_never": ["127.0.0.3"]}})
    with Dialog(gw.ports["old"]) as d:
        d.ok("EHLO client.test")
        d.starttls(old_client(authority))
        d.envelope("a@elsewhere.test", "ann@example.com")
        assert d.data("x\r\n.\r\n").code == 250
    assert gw.wait_event("accepted")["tls"].startswith("TLSv1.1 ")
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        with pytest.raises((ssl.SSLError, OSError)):
            d.starttls(old_client(authority))
    with Dialog(gw.ports["old"], source="127.0.0.3") as d:
        assert "STARTTLS" not in d.ok("EHLO client.test").text
        assert d.cmd("STARTTLS").code == 502
    rows = [r for r in map(json.loads, gw.cli("status --json").splitlines())
            if r.get("section") == "old-tls"]
    assert [(r["listen"], r["client"], r["version"], r["mails"])
            for r in rows] == [("old", "127.0.0.1", "TLSv1.1", 1)]


def test_a_new_certificate_counts_after_a_reload(tls_gw, authority):
    fresh = authority.make("fresh", "new.name.test")
    tls_gw.set('listen "mx"', certificate=[fresh])
    assert tls_gw.reload()
    with tls_gw.dialog() as d:
        d.ok("EHLO client.test")
        d.starttls(authority.client(), "new.name.test")


# -- out

@pytest.fixture
def names():
    with Names({("mx.cloud.test", "A"): ["127.0.0.1"]}) as names:
        yield names


@pytest.fixture
def make_gw(make_gw, names):
    def make(settings=None, **kw):
        settings = {"resolver": {"servers": [names.address]},
                    **(settings or {})}
        return make_gw(settings, **kw)

    return make


def cloud_with(make_gw, leg, **keys):
    gw = make_gw(legs={"cloud": {"hosts": [f"mx.cloud.test:{leg.port}"],
                                 **keys}})
    gw.cli(f"route set cloud {ANN}")
    return gw


@pytest.mark.parametrize("level", ["may", "encrypt", "verify"])
def test_mail_goes_out_by_tls(make_gw, make_leg, authority, level):
    leg = make_leg("tls", tls_context=authority.server("leg", "mx.cloud.test"))
    gw = cloud_with(make_gw, leg, tls=level, tls_ca=authority.file)
    id = gw.send(to=ANN)
    assert leg.wait_message(id).tls
    assert gw.wait_event("delivered", id)["tls"].startswith("TLSv1.3")


def test_none_means_none(make_gw, make_leg, authority):
    leg = make_leg("tls", tls_context=authority.server("leg", "mx.cloud.test"))
    gw = cloud_with(make_gw, leg, tls="none")
    assert not leg.wait_message(gw.send(to=ANN)).tls


def test_may_goes_without_when_it_is_not_offered(make_gw, make_leg):
    leg = make_leg("plain")
    gw = cloud_with(make_gw, leg, tls="may")
    assert not leg.wait_message(gw.send(to=ANN)).tls


@pytest.mark.parametrize("level", ["encrypt", "verify"])
def test_never_in_the_clear_when_tls_is_wanted(make_gw, make_leg, outside,
                                               level):
    leg = make_leg("plain")
    gw = cloud_with(make_gw, leg, tls=level)
    id = gw.send(to=ANN)
    gw.wait_event("deferred", id)
    assert not leg.mails and not leg.seen and not outside.mails


def test_a_refused_starttls_is_no_reason_for_clear_text(make_gw, make_leg,
                                                        authority):
    leg = make_leg("tls", tls_context=authority.server("leg", "mx.cloud.test"))
    rule = leg.reply("STARTTLS", "454 4.7.0 Not now")
    gw = cloud_with(make_gw, leg, tls="encrypt")
    id = gw.send(to=ANN)
    gw.wait_event("deferred", id)
    assert not leg.seen
    rule.times = 0
    assert leg.wait_message(id).tls


def test_verify_wants_the_name_and_the_authority(make_gw, make_leg,
                                                 authority):
    leg = make_leg("tls", tls_context=authority.server("leg", "wrong.test"))
    gw = cloud_with(make_gw, leg, tls="verify", tls_ca=authority.file)
    id = gw.send(to=ANN)
    gw.wait_event("deferred", id)
    assert not leg.seen
    leg.tls_context = authority.server("right", "mx.cloud.test")
    assert leg.wait_message(id).tls


def test_encrypt_does_not_ask_for_a_name(make_gw, make_leg, authority):
    leg = make_leg("tls", tls_context=authority.server("leg", "wrong.test"))
    gw = cloud_with(make_gw, leg, tls="encrypt")
    assert leg.wait_message(gw.send(to=ANN)).tls


def test_a_client_certificate_is_shown_to_the_leg_that_asks(
        make_gw, make_leg, authority):
    context = authority.server("leg", "mx.cloud.test")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    leg = make_leg("tls", tls_context=context)
    gw = cloud_with(make_gw, leg, tls="verify", tls_ca=authority.file,
                    certificate=authority.make("us", NAME))
    assert leg.wait_message(gw.send(to=ANN)).tls
