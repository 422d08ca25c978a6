# SPDX-License-Identifier: ISC
"""Mail that a leg hands back (D6): never to the leg it came from, to one that
has not had it if there is one, else refused or parked, and always named."""
import base64
import hashlib
import hmac
import re
import stat

import pytest

from dialog import dotted, queued_id
from peers import Postfix
from until import until

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"
CLOUD_IP = "127.0.0.9"      # of the leg's own, where it says so


def hand_back(gw, mail, *to, port=None, source=None, sender="s@elsewhere.test"):
    """As the leg would send it on; the reply to each RCPT, and to the
    content (None when no recipient was taken)."""
    with gw.dialog(source=source) if port is None else \
            gw_dialog(port, source) as d:
        d.ok("EHLO leg.test")
        d.ok(f"MAIL FROM:<{sender}>")
        rcpts = [d.cmd(f"RCPT TO:<{a}>") for a in to]
        if all(r.code >= 400 for r in rcpts):
            return rcpts, None
        raw = b"Received: from us by leg.test; now\r\n" + mail
        return rcpts, d.data(dotted(raw) + b".\r\n")


def gw_dialog(port, source):
    from dialog import Dialog
    return Dialog(port, source=source)


def first(gw, leg, to=ANN, **kw):
    """A message that arrived at that leg: its id and its bytes."""
    id = gw.send(to=to, **kw)
    mail = leg.wait_message(id)
    gw.wait_event("delivered", id, leg=leg.name)
    return id, mail.raw


def named(gw, address=ANN):
    return gw.wait_event("alarm", kind="loop", about=address)["text"]


# ---- the token


def test_what_comes_back_with_our_token_is_refused(gw, cloud):
    gw.cli(f"route set cloud {ANN}")
    id, raw = first(gw, cloud)
    _, r = hand_back(gw, raw, ANN)
    assert (r.code, r.enh) == (554, "5.4.6"), r
    told = gw.wait_event("refused", enhanced="5.4.6")
    assert (told["to"], told["stage"]) == (ANN, "data")
    assert "loops" in told["reason"]
    assert id in named(gw)
    assert "cloud" in named(gw)
    assert len(cloud.mails) == 1


def test_it_goes_to_a_leg_that_has_not_had_it(make_gw, cloud, legacy):
    gw = make_gw({"retry": {"grace": "0s"}})
    gw.cli(f"route set cloud {ANN}")
    id, raw = first(gw, cloud)
    gw.cli(f"route set cloud+legacy {ANN}")
    _, r = hand_back(gw, raw, ANN)
    assert r.code == 250, r
    again = queued_id(r)
    legacy.wait_message(again)
    moved = gw.wait_event("delivered", again)
    assert (moved["leg"], moved["role"]) == ("legacy", "primary")
    said = gw.wait_event("accepted", again)
    assert (said["came_from"], said["parent"]) == ("cloud", id)
    until(lambda: gw.run("trace", again).returncode == 0, "the index")
    assert gw.cli_json("trace", again)[0]["parent"] == id
    # Now both have had it, by one ancestor or the other.
    _, r = hand_back(gw, legacy.messages(again)[0].raw, ANN)
    assert (r.code, r.enh) == (554, "5.4.6"), r
    assert len(cloud.mails) == 1


def test_a_leg_that_will_have_it_counts_too(gw, cloud, legacy):
    gw.cli(f"route set cloud+legacy {ANN}")
    legacy.refuse_connections()
    id = gw.send(to=ANN)
    raw = cloud.wait_message(id).raw
    _, r = hand_back(gw, raw, ANN)
    assert (r.code, r.enh) == (554, "5.4.6"), r
    legacy.accept_connections()
    assert legacy.wait_message(id)
    gw.wait_empty()
    assert len(legacy.mails) == 1


def test_a_legs_own_address_is_its_row(make_gw, legacy, cloud, outside):
    gw = make_gw(legs={"cloud": {
        "hosts": [f"127.0.0.1:{cloud.port}"], "tls": "none",
        "domains": ["tenant.example"]}})
    gw.cli("route", "set", "cloud", ANN, "--address",
           "cloud=ann@tenant.example")
    id, raw = first(gw, cloud)
    assert cloud.messages(id)[0].rcpt == ["ann@tenant.example"]
    for to in "ann@tenant.example", "Ann+x@tenant.example", ANN:
        _, r = hand_back(gw, raw, to)
        assert (r.code, r.enh) == (554, "5.4.6"), (to, r)
    assert len(cloud.mails) == 1


def test_another_recipient_of_that_leg_is_no_loop(gw, cloud):
    """A list outside got it from Ann and sends it to Bob."""
    gw.cli(f"route set cloud {ANN} {BOB}")
    id, raw = first(gw, cloud)
    _, r = hand_back(gw, raw, BOB)
    assert r.code == 250, r
    again = cloud.wait_message(queued_id(r))
    assert again.rcpt == [BOB]
    # But the second time round it is one.
    _, r = hand_back(gw, again.raw, BOB)
    assert (r.code, r.enh) == (554, "5.4.6"), r


def test_some_recipients_loop(gw, cloud, legacy):
    gw.cli(f"route set cloud {ANN}")
    gw.cli(f"route set legacy {EVE}")
    _, raw = first(gw, cloud)
    _, r = hand_back(gw, raw, ANN, EVE)
    assert r.code == 250, r
    again = queued_id(r)
    assert legacy.wait_message(again).rcpt == [EVE]
    parked = gw.wait_event("parked", again)
    assert (parked["to"], parked["leg"], parked["reason"]) == \
        (ANN, "cloud", "loop")
    assert "parked" in named(gw)
    row, = gw.queue("--state", "parked")
    assert (row["to"], row["reason"]) == (ANN, "loop")
    # An administrator's retry does not send it there either.
    gw.cli("queue", "retry", again)
    gw.wait_event("retried", again)
    assert len(gw.events(again, "parked")) >= 1
    gw.wait_empty()
    assert len(cloud.mails) == 1
    # Another route has a leg for it.
    gw.cli(f"flip legacy {ANN}")
    assert [ANN] in [m.rcpt for m in legacy.wait_count(2)]
    gw.wait_event("superseded", again)


def test_in_the_grace_period_it_is_told_to_wait(make_gw, cloud):
    gw = make_gw({"retry": {"grace": "72h"}})
    gw.cli(f"route set legacy {ANN} {BOB}")
    gw.cli(f"flip cloud {ANN}")
    gw.cli(f"route set cloud {EVE}")    # new, not flipped
    for to, code, enh in (ANN, 451, "4.4.6"), (EVE, 554, "5.4.6"):
        _, raw = first(gw, cloud, to=to)
        _, r = hand_back(gw, raw, to)
        assert (r.code, r.enh) == (code, enh), (to, r)
    gw.set("retry", grace="0s")
    assert gw.reload()
    _, raw = first(gw, cloud)
    _, r = hand_back(gw, raw, ANN)
    assert (r.code, r.enh) == (554, "5.4.6"), r


def test_what_is_held_waits_for_its_new_route(gw, cloud, legacy):
    gw.cli(f"route set legacy {ANN}")
    _, raw = first(gw, legacy)
    gw.cli("hold", ANN)
    _, r = hand_back(gw, raw, ANN)
    assert r.code == 250, r
    again = queued_id(r)
    gw.wait_event("held", again)
    gw.cli(f"flip cloud {ANN}")
    gw.cli("release", ANN)
    assert cloud.wait_message(again)
    gw.wait_empty()
    assert len(legacy.mails) == 1


def test_what_was_held_and_still_loops_is_parked(gw, legacy):
    gw.cli(f"route set legacy {ANN}")
    _, raw = first(gw, legacy)
    gw.cli("hold", ANN)
    _, r = hand_back(gw, raw, ANN)
    gw.cli("release", ANN)
    parked = gw.wait_event("parked", queued_id(r))
    assert parked["reason"] == "loop"
    assert len(legacy.mails) == 1


def test_a_storm_is_one_alarm_and_many_refusals(make_gw, cloud):
    gw = make_gw({"": {"workers": 1}})
    gw.cli(f"route set cloud {ANN} {BOB}")
    _, raw = first(gw, cloud, to=[ANN, BOB])
    for to in ANN, BOB:
        for _ in range(5):
            _, r = hand_back(gw, raw, to)
            assert r.enh == "5.4.6", r
    until(lambda: sum(e["count"] for e in gw.events(
        event="refused", enhanced="5.4.6")) == 10, "the refusals")
    assert [e["about"] for e in gw.events(event="alarm", kind="loop")] == \
        [ANN, BOB]


# ---- keys


NAMED = b"From: <s@elsewhere.test>\r\nMessage-ID: <a@b>\r\n\r\nHello.\r\n"


def mark(key, id, date, message_id):
    made = hmac.new(key, b"token-2\0" + b"\0".join([id, date, message_id]),
                    hashlib.sha256).digest()[:10]
    return base64.b32encode(made).lower()


def field(raw):
    """Id, mark and date of our field, and the Message-ID."""
    flat = re.sub(rb"\r\n[\t ]", b" ", raw)
    ours = re.search(rb" id (\w+) \(t=(\w+)\); ([^\r]+)", flat)
    return *ours.groups(), re.search(rb"Message-ID: (\S+)", flat)[1]


def test_the_key_is_made_once_and_is_ours_alone(gw, cloud):
    file = gw.folder / "token.secrets"
    key = file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert re.fullmatch(rb"[0-9a-f]{64}\n", key)
    gw.cli(f"route set cloud {ANN}")
    id, raw = first(gw, cloud, message=NAMED)
    there, made, date, message_id = field(raw)
    assert there == id.encode()
    assert made == mark(key.strip(), there, date, message_id)
    gw.restart()
    assert file.read_bytes() == key
    _, r = hand_back(gw, raw, ANN)
    assert r.enh == "5.4.6", r


def test_nodes_share_a_key(make_gw, folder, cloud):
    keys = folder / "keys"
    keys.write_text("# ours\nthis is the first key\nthis is the old key\n")
    keys.chmod(0o600)
    gw = make_gw({"token": {"secrets": keys}})
    assert not (gw.folder / "token.secrets").exists()
    gw.cli(f"route set cloud {ANN}")
    id, raw = first(gw, cloud, message=NAMED)
    there, good, date, message_id = field(raw)
    said = there, date, message_id
    assert good == mark(b"this is the first key", *said)
    old = mark(b"this is the old key", *said)
    for there, code in (old, 554), (good.upper(), 554), \
            (mark(b"another key, not ours", *said), 250):
        _, r = hand_back(gw, raw.replace(good, there), ANN)
        assert r.code == code, (there, r)


def test_a_parent_that_is_gone_stops_nobody(gw, cloud):
    key = (gw.folder / "token.secrets").read_bytes().strip()
    gw.cli(f"route set cloud {ANN}")
    id = "0000000000123"
    made = mark(key, id.encode(), b"long ago", b"<a@b>")
    _, r = hand_back(gw, b"Received: by relay.example.com id " + id.encode() +
                     b" (t=" + made + b");\r\n\tlong ago\r\n"
                     b"Message-ID: <a@b>\r\n\r\nHi\r\n", ANN)
    assert r.code == 250, r
    assert gw.wait_event("accepted", queued_id(r))["parent"] == id


# ---- the mark is bound to its message


HEAD = (b"From: <s@elsewhere.test>\r\nDate: Mon, 30 Nov 2026 08:00:00 +0000\r\n"
        b"Subject: another\r\n")


def trace_field(raw):
    return re.match(rb"Received:.*?\r\n(?=\S)", raw, re.S)[0]


@pytest.mark.parametrize("old", [NAMED, None], ids=["named", "nameless"])
@pytest.mark.parametrize("new", [b"Message-ID: <new@elsewhere.test>\r\n", b""],
                         ids=["named", "nameless"])
def test_a_mark_in_another_message_says_nothing(gw, cloud, old, new):
    gw.cli(f"route set cloud {ANN}")
    id, raw = first(gw, cloud, message=old)
    _, r = hand_back(gw, trace_field(raw) + new + HEAD + b"\r\nHi\r\n", ANN)
    assert r.code == 250, r
    again = queued_id(r)
    assert cloud.wait_message(again)
    said = gw.wait_event("token", again)
    assert (said["about"], said["from"]) == (id, "s@elsewhere.test")
    accepted = gw.wait_event("accepted", again)
    assert "parent" not in accepted and "came_from" not in accepted
    assert gw.events(event="alarm", kind="loop") == []


def test_a_message_without_a_message_id_is_known_again(gw, cloud):
    gw.cli(f"route set cloud {ANN}")
    _, r = hand_back(gw, HEAD + b"\r\nHi\r\n", ANN)
    raw = cloud.wait_message(queued_id(r)).raw
    trace = trace_field(raw)
    rest = raw[len(trace):]
    for back, code in (rest, 554), \
            (b"Message-ID: <added@leg.test>\r\n" + rest, 554), \
            (rest.replace(b"Subject: ", b"Subject: not "), 250):
        _, r = hand_back(gw, trace + back, ANN)
        assert r.code == code, (back, r)


def test_a_long_header_is_bound_too(gw, cloud):
    """And comes through as it was, however it is cut on the way in."""
    gw.cli(f"route set cloud {ANN}")
    for size in 20000, 40000, 80000:
        pad = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 400)
                       for n in range(size // 400))
        mail = HEAD + b"Message-ID: <long@%d>\r\n" % size + pad + \
            b"\r\nHi\r\n"
        _, r = hand_back(gw, mail, ANN)
        raw = cloud.wait_message(queued_id(r)).raw
        assert raw.endswith(mail), size
        _, r = hand_back(gw, raw, ANN)
        assert r.code == 554, (size, r)


@pytest.mark.parametrize("what", ["failure", "whole", "success"])
def test_no_notice_shows_a_mark(make_gw, make_leg, outside, what):
    legacy = make_leg("legacy", offers=("CHUNKING",))
    gw = make_gw(legs={"legacy": legacy.port})
    if what != "success":
        legacy.reply("RCPT", "550 5.1.1 nobody")
    id = gw.send(to=ANN, sender="s@elsewhere.test",
                 mail_options=["RET=" + ("HDRS" if what == "failure"
                                         else "FULL")],
                 rcpt_options=["NOTIFY=SUCCESS,FAILURE"])
    notice, = outside.wait_count(1)
    told = re.search(r"boundary=\"?([^\"\r]+)", notice.raw.decode())[1]
    shown = notice.raw.split(told.encode())[-2]
    assert id.encode() in shown and b"(t=" not in shown, shown


# ---- a leg that takes our trace field away


def again(gw, n, message, to=ANN):
    """It comes back without a trace, and is delivered."""
    for _ in range(n):
        gw.wait_event("delivered", gw.send(to=to, message=message))


def test_what_goes_round_without_a_trace_is_slowed_and_parked(gw, legacy):
    again(gw, 3, NAMED)
    for rounds in 4, 5:
        id = gw.send(to=ANN, message=NAMED)
        row, = until(lambda: gw.queue("--state", "deferred"), "it to wait")
        assert (row["id"], row["reason"]) == (id, "loop")
        assert len(legacy.mails) == rounds - 1
        gw.cli("queue", "retry", id)    # or time passes
        gw.wait_event("delivered", id)
    id = gw.send(to=ANN, message=NAMED)
    parked = gw.wait_event("parked", id)
    assert (parked["leg"], parked["reason"]) == ("legacy", "loop")
    assert len(legacy.mails) == 5
    # It is a hint about this mail alone, and no word against the leg.
    again(gw, 1, NAMED, to=BOB)
    again(gw, 1, NAMED.replace(b"a@b", b"c@d"))
    again(gw, 1, NAMED.replace(b"Hello", b"Hallo"))
    assert gw.events(event="alarm") == []
    # An administrator knows better.
    gw.cli("queue", "retry", id)
    gw.wait_event("delivered", id)


def test_devices_send_the_same_mail_often(gw, legacy):
    again(gw, 7, re.sub(rb"Message-ID.*?\r\n", b"", NAMED))
    assert len(legacy.mails) == 7


def test_a_copy_that_was_not_delivered_is_no_round(gw, legacy):
    legacy.refuse_connections()
    ids = [gw.send(to=ANN, message=NAMED) for _ in range(7)]
    legacy.accept_connections()
    for id in ids:
        gw.wait_event("delivered", id)
    assert gw.events(event="parked") == []


# ---- a leg that is known by its connection


KNOWN = {
    "clients": lambda cloud: (
        {"hosts": [f"127.0.0.1:{cloud.port}"], "tls": "none",
         "clients": [CLOUD_IP + "/32"]}, {}),
    "listener": lambda cloud: (
        {"hosts": [f"127.0.0.1:{cloud.port}"], "tls": "none"},
        {'listen "from-cloud"': {"address": ["127.0.0.1:0"],
                                 "leg": "cloud"}}),
}


@pytest.fixture(params=sorted(KNOWN))
def known(request, make_gw, cloud):
    """A gateway that knows the cloud, and how the cloud comes to it."""
    leg, settings = KNOWN[request.param](cloud)
    gw = make_gw(settings, legs={"cloud": leg})
    if request.param == "clients":
        return gw, {"source": CLOUD_IP}
    return gw, {"port": int(gw.ports["from-cloud"])}


MAIL = b"From: <s@elsewhere.test>\r\n\r\nHello.\r\n"


def test_a_known_leg_is_told_at_rcpt(known, cloud, legacy):
    gw, way = known
    gw.cli(f"route set cloud {ANN}")
    gw.cli(f"route set legacy {EVE}")
    gw.cli(f"route set cloud+legacy {BOB}")
    rcpts, r = hand_back(gw, MAIL, ANN, EVE, BOB, **way)
    assert [x.code for x in rcpts] == [554, 250, 250], rcpts
    assert rcpts[0].enh == "5.4.6"
    id = queued_id(r)
    assert sorted(legacy.wait_message(id).rcpt) == [BOB, EVE]
    gw.wait_empty()
    assert cloud.mails == []
    assert gw.wait_event("accepted", id)["came_from"] == "cloud"
    assert gw.wait_event("refused", to=ANN)["code"] == 554
    assert "cloud" in named(gw)
    # Another client is not the cloud.
    assert cloud.wait_message(gw.send(to=ANN))


def test_a_known_leg_in_the_grace_period(known):
    gw, way = known
    gw.set("retry", grace="72h")
    assert gw.reload()
    gw.cli(f"route set legacy {ANN}")
    gw.cli(f"flip cloud {ANN}")
    rcpts, r = hand_back(gw, MAIL, ANN, **way)
    assert (rcpts[0].code, rcpts[0].enh) == (451, "4.4.6")
    assert r is None


def test_a_change_of_route_never_sends_it_back(known, cloud, legacy):
    gw, way = known
    gw.cli(f"route set legacy {ANN}")
    legacy.refuse_connections()
    _, r = hand_back(gw, MAIL, ANN, **way)
    id = queued_id(r)
    gw.wait_event("deferred", id)
    gw.cli(f"flip cloud {ANN}")
    parked = gw.wait_event("parked", id)
    assert parked["reason"] == "loop"
    legacy.accept_connections()
    gw.cli(f"flip legacy+cloud {ANN}")
    assert legacy.wait_message(id)
    gw.wait_empty()
    assert cloud.mails == []


# ---- a real server that sends it all back


@pytest.fixture
def postfix(peers, folder):
    server = Postfix(peers, folder / "postfix", None)
    yield server
    server.stop()


@pytest.mark.parametrize("how", ["token", "clients", "listener"])
def test_ping_pong_ends_at_the_second_pass(how, postfix, make_gw, legacy):
    leg = {"hosts": [f"127.0.0.1:{postfix.port}"], "tls": "none"}
    settings = {}
    if how == "clients":
        leg["clients"] = ["127.0.0.1/32"]
    if how == "listener":
        settings['listen "from-cloud"'] = {"address": ["127.0.0.1:0"],
                                           "leg": "cloud"}
    if how == "clients":    # others come from elsewhere
        settings['listen "world"'] = {"address": ["127.0.0.2:0"]}
    gw = make_gw(settings, legs={"cloud": leg})
    gw.cli(f"route set cloud {ANN}")
    gw.cli(f"route set cloud+legacy {BOB}")

    class Back:
        port = int(gw.ports["from-cloud"]) if how == "listener" else gw.port

    postfix.sink = Back
    postfix.start()
    # Ann's loops; Bob's is at the other leg already, or goes there.
    for to in ANN, BOB:
        with gw_dialog(gw.port, "127.0.0.3") as d:
            d.envelope("s@elsewhere.test", to)
            id = queued_id(d.data(MAIL + b".\r\n"))
        gw.wait_event("delivered", id, leg="cloud", to=to)
        gw.wait_event("refused", to=to, enhanced="5.4.6")
        assert named(gw, to)
    gw.wait_empty()
    assert len(gw.events(event="delivered", leg="cloud")) == 2
    assert [m.rcpt for m in legacy.mails] == [[BOB]]


def test_explain_says_what_the_server_would(make_gw, cloud):
    leg, _ = KNOWN["clients"](cloud)
    gw = make_gw(legs={"cloud": leg})
    gw.cli(f"route set cloud {ANN}")
    gw.cli(f"route set cloud+legacy {BOB}")
    row, = gw.cli_json(f"explain {ANN} --client {CLOUD_IP}")
    assert (row["verdict"], row["code"], row["from_leg"], row["legs"]) == \
        ("refuse", 554, "cloud", [])
    row, = gw.cli_json(f"explain {BOB} --client {CLOUD_IP}")
    assert [(l["leg"], l["role"]) for l in row["legs"]] == \
        [("legacy", "primary")]
    row, = gw.cli_json(f"explain {ANN} --client 192.0.2.1")
    assert (row["verdict"], row["from_leg"]) == ("accept", None)
