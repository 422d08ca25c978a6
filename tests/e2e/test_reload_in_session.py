# SPDX-License-Identifier: ISC
"""A session that was there before a reload: what the reload changes at once
holds for the next command of it, as posthouse.conf(5) says."""
from dialog import queued_id
from names import Names
from test_notices import KEY, address

STRANGER = "127.0.0.2"
NEW = "bob@new.example"
AWAY = "friend@elsewhere.test"


def told(d, to, sender="eve@away.test"):
    d.ok(f"MAIL FROM:<{sender}>")
    r = d.cmd(f"RCPT TO:<{to}>")
    d.ok("RSET")
    return r.code, r.enh


def offer(d, sender, to):
    """The id of a message."""
    d.ok(f"MAIL FROM:<{sender}>")
    d.ok(f"RCPT TO:<{to}>")
    return queued_id(d.data(b"Subject: x\r\n\r\nx\r\n.\r\n"))


def with_ways(make_gw, make_leg, names, *ways):
    """A gateway with those egresses, and their sinks by name."""
    sinks = {name: make_leg(name) for name in ways}
    settings = {f'egress "{name}"': {
        "hosts": [f"127.0.0.1:{sinks[name].port}"], "tls": "none",
        "spf_address": ["192.0.2.10"]} for name in ways}
    settings["resolver"] = {"servers": [names.address]}
    settings["outbound"] = {"clients": ["127.0.0.1/32"], "use": list(ways)}
    return make_gw(settings), sinks


def test_a_domain_comes_and_goes(make_gw, legacy):
    gw = make_gw()
    with gw.dialog(source=STRANGER) as d:
        d.ok("EHLO client.test")
        assert told(d, NEW) == (550, "5.7.1")
        gw.set('domain "new.example"', route="legacy", unknown="defer")
        assert gw.reload()
        assert told(d, NEW) == (450, "4.1.1")
        gw.set('domain "new.example"', unknown="reject")
        assert gw.reload()
        assert told(d, NEW) == (550, "5.1.1")
        del gw.settings['domain "new.example"']
        gw.write_conf()
        assert gw.reload()
        assert told(d, NEW) == (550, "5.7.1")


def test_a_new_domain_is_not_outside(make_gw, make_leg, legacy):
    """Not for a client that may send to the outside, either."""
    with Names({}) as names:
        gw, sinks = with_ways(make_gw, make_leg, names, "way")
        with gw.dialog() as d:
            d.ok("EHLO client.test")
            gw.set('domain "new.example"', route="legacy")
            assert gw.reload()
            gw.change(f"route set legacy {NEW}")
            id = offer(d, "ann@example.com", NEW)
        assert legacy.wait_message(id).rcpt == [NEW]
        assert gw.events(id, "egress") == [] and not sinks["way"].mails


def test_a_way_out_is_one_in_use(make_gw, make_leg):
    """Also where the verdicts are known at once."""
    with Names({}) as names:
        gw, sinks = with_ways(make_gw, make_leg, names, "a", "b")
        with gw.dialog() as d:
            d.ok("EHLO client.test")
            sinks["a"].wait_message(offer(d, "ann@example.com", AWAY))
            gw.set("outbound", use=["b"])
            assert gw.reload()
            id = offer(d, "ann@example.com", AWAY)
        assert sinks["b"].wait_message(id).rcpt == [AWAY]
        gw.wait_event("delivered", id)
        assert gw.events(id, "superseded") == []


def test_return_addresses_of_a_new_key(make_gw, legacy, folder):
    secrets = folder / "return.secrets"

    def write(*keys):
        secrets.write_text("".join(f"{key}\n" for key in keys))
        secrets.chmod(0o600)

    write(KEY)
    good = address("0SA86NEVC0001", 30000)
    gw = make_gw({"return": {"domain": "return.example.com",
                             "secrets": secrets}})
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        write("another-key-of-ours")
        assert gw.reload()
        assert told(d, good, "") == (550, "5.7.1")
        write("another-key-of-ours", KEY)
        assert gw.reload()
        assert told(d, good, "") == (250, "2.1.5")
