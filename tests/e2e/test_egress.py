# SPDX-License-Identifier: ISC
"""Mail to the outside: each way out is judged by the sender's record of SPF,
the first that it believes is taken, and where none is good the sender is
rewritten or the mail waits. doc/egress.md has the table."""
import re

import pytest

from names import Names
from until import until

AWAY = "friend@elsewhere.test"
US = "192.0.2.10"
RECORDS = {
    "pass": [f"v=spf1 ip4:{US} -all"], "fail": ["v=spf1 -all"],
    "softfail": ["v=spf1 ~all"], "neutral": ["v=spf1 ?all"],
    "none": None, "permerror": ["v=spf1 bad:term -all"], "temperror": None,
}
KEY = "0123456789abcdef"


def zone_of(**more):
    """own-RESULT.test is a domain of ours, foreign-RESULT.test is not."""
    zone = {(f"{who}-{result}.test", "TXT"): record
            for who in ("own", "foreign")
            for result, record in RECORDS.items() if record}
    zone[("srs.test", "TXT")] = RECORDS["pass"]
    zone.update({(name.replace("_", "."), "TXT"): [record]
                 for name, record in more.items()})
    return zone


@pytest.fixture
def names():
    with Names(zone_of()) as server:
        server.silent = {"own-temperror.test", "foreign-temperror.test"}
        yield server


@pytest.fixture
def make_way(make_gw, make_leg, names, folder, legacy):
    """A gateway whose egresses are sinks: name -> keys beside its host."""
    def make(ways, srs=True, more=None):
        sinks = {name: make_leg(name) for name in ways}
        settings = {
            "resolver": {"servers": [names.address], "timeout": "400ms"},
            "outbound": {"clients": ["127.0.0.1/32"], "use": list(ways),
                         "temperror_wait": "4h"},
            "limits": {"per_client": 100},
        }
        for name, keys in ways.items():
            settings[f'egress "{name}"'] = {
                "hosts": [f"127.0.0.1:{sinks[name].port}"], "tls": "none",
                "helo": "mx.helo.test", **keys}
        for result in RECORDS:
            settings[f'domain "own-{result}.test"'] = {"route": "legacy"}
        if srs:
            secrets = folder / "srs.secrets"
            secrets.write_text(KEY + "\n")
            secrets.chmod(0o600)
            settings["srs"] = {"domain": "srs.test", "secrets": secrets}
        for section, keys in (more or {}).items():
            settings.setdefault(section, {}).update(keys)
        return make_gw(settings), sinks
    return make


ANY = {"spf_address": [US]}
OURS = {"spf_address": [US], "senders": "ours"}


def drop(gw):
    """What waits is deleted, once no attempt is under way."""
    until(lambda: not gw.queue() or
          gw.run("queue delete --state deferred --yes").returncode == 0 and
          not gw.queue(), "the queue to be empty")


def choice(gw, id):
    return gw.wait_event("egress", id)


def sent(gw, sink, id, sender):
    """It went out by that sink, as `sender` (a pattern)."""
    gw.wait_event("delivered", id)
    mail = sink.wait_message(id)
    assert re.fullmatch(sender, mail.sender), mail.sender
    return mail


# Result -> what becomes of an own and a foreign sender, by one way out:
# "" as it is, "srs" rewritten, "wait".
TABLE = {
    ("any", True): {"pass": ("", ""), "none": ("", ""), "neutral": ("", ""),
                    "permerror": ("", ""), "softfail": ("srs", "srs"),
                    "fail": ("srs", "srs"), "temperror": ("wait", "wait")},
    ("any", False): {"pass": ("", ""), "none": ("", ""), "neutral": ("", ""),
                     "permerror": ("", ""), "softfail": ("", ""),
                     "fail": ("wait", "wait"),
                     "temperror": ("wait", "wait")},
    ("ours", True): {"pass": ("", "srs"), "none": ("", "srs"),
                     "neutral": ("", "srs"), "permerror": ("", "srs"),
                     "softfail": ("srs", "srs"), "fail": ("srs", "srs"),
                     "temperror": ("wait", "srs")},
    ("ours", False): {"pass": ("", "wait"), "none": ("", "wait"),
                      "neutral": ("", "wait"), "permerror": ("", "wait"),
                      "softfail": ("", "wait"), "fail": ("wait", "wait"),
                      "temperror": ("wait", "wait")},
}


@pytest.mark.parametrize("kind, srs", TABLE)
def test_each_verdict(make_way, kind, srs):
    gw, sinks = make_way({"way": ANY if kind == "any" else OURS}, srs)
    sink, asked = sinks["way"], []
    for result, fates in TABLE[kind, srs].items():
        for who, fate in zip(("own", "foreign"), fates):
            sender = f"u@{who}-{result}.test"
            asked.append((gw.send(to=AWAY, sender=sender), sender, result,
                          fate))
    for id, sender, result, fate in asked:
        event = choice(gw, id)
        assert event["verdicts"][0]["egress"] == "way"
        assert event["verdicts"][0]["result"] == result, sender
        if fate == "wait":
            assert event["egress"] == ""
            gw.wait_event("deferred", id)
            continue
        assert event["egress"] == "way" and event["spf"] == result
        if fate == "srs":
            pattern = "SRS0=.{8}=..=" + re.escape(
                sender.split("@")[1]) + "=u@srs.test"
            assert sent(gw, sink, id, pattern).sender == event["rewritten"]
        else:
            sent(gw, sink, id, re.escape(sender))
            assert "rewritten" not in event
    waits = {id for id, _, _, fate in asked if fate == "wait"}
    assert {row["id"] for row in gw.queue()} == waits
    drop(gw)


def test_the_first_that_passes_is_taken(make_way, names):
    names.zone[("own-pass.test", "TXT")] = ["v=spf1 ip4:192.0.2.12 ~all"]
    gw, sinks = make_way({"one": ANY, "two": {"spf_address": ["192.0.2.12"]}})
    id = gw.send(to=AWAY, sender="u@own-pass.test")
    sent(gw, sinks["two"], id, "u@own-pass.test")
    event = choice(gw, id)
    assert [(v["egress"], v["result"]) for v in event["verdicts"]] == [
        ("one", "softfail"), ("two", "pass")]
    assert event["reason"] == "pass"
    assert not sinks["one"].mails


@pytest.mark.parametrize("record, fate", [
    ("v=spf1 ip4:192.0.2.10 -all", "sent"), ("v=spf1 -all", "waits"),
    ("v=spf1 ~all", "sent")])
def test_the_null_sender_is_never_rewritten(make_way, names, record, fate):
    names.zone[("mx.helo.test", "TXT")] = [record]
    gw, sinks = make_way({"way": ANY})
    id = gw.send(to=AWAY, sender="")
    if fate == "sent":
        sent(gw, sinks["way"], id, "")
        return
    assert choice(gw, id)["reason"] == "fail"
    gw.wait_event("deferred", id)
    assert not sinks["way"].mails
    drop(gw)


def test_a_record_that_changes_while_mail_waits(make_way, names):
    names.ttl = 1
    gw, sinks = make_way({"way": ANY}, srs=False)
    id = gw.send(to=AWAY, sender="u@own-fail.test")
    text = gw.wait_event("deferred", id)["reply"]
    assert "own-fail.test forbids every way out (-all)" in text
    names.zone[("own-fail.test", "TXT")] = RECORDS["pass"]
    sent(gw, sinks["way"], id, "u@own-fail.test")
    alarm = gw.wait_event("alarm", kind="egress")
    assert "add ip4:192.0.2.10/32 to it" in alarm["text"]


def test_a_silent_dns_is_waited_for_and_then_rewritten(make_way):
    gw, sinks = make_way({"way": ANY},
                         more={"outbound": {"temperror_wait": "2s"}})
    id = gw.send(to=AWAY, sender="u@foreign-temperror.test")
    assert choice(gw, id)["reason"] == "temperror"
    sent(gw, sinks["way"], id, "SRS0=.*=u@srs.test")


def test_addresses_of_a_platform_come_from_its_record(make_way, names):
    names.zone[("spf.platform.test", "TXT")] = [
        "v=spf1 ip4:192.0.2.0/28 include:more.platform.test -all"]
    names.zone[("more.platform.test", "TXT")] = ["v=spf1 ip4:192.0.2.64 -all"]
    names.zone[("own-pass.test", "TXT")] = [
        "v=spf1 include:spf.platform.test -all"]
    # One address of the platform is not believed: the worst counts.
    names.zone[("own-neutral.test", "TXT")] = ["v=spf1 ip4:192.0.2.0/28 -all"]
    gw, sinks = make_way({"way": {"spf_include": "spf.platform.test"}},
                         srs=False)
    sent(gw, sinks["way"], gw.send(to=AWAY, sender="u@own-pass.test"),
         "u@own-pass.test")
    id = gw.send(to=AWAY, sender="u@own-neutral.test")
    assert choice(gw, id)["reason"] == "fail"
    gw.wait_event("deferred", id)
    drop(gw)


def test_a_recipient_of_ours_follows_the_table(make_way, legacy, cloud):
    gw, sinks = make_way({"way": ANY})
    legacy.reply("RCPT", "450 4.2.1 Later")
    id = gw.send(to=["ann@example.com", AWAY], sender="u@own-pass.test")
    sent(gw, sinks["way"], id, "u@own-pass.test")
    gw.wait_event("deferred", id)
    gw.change("flip cloud ann@example.com --create")
    cloud.wait_message(id)
    gw.wait_empty()
    assert [m.rcpt for m in sinks["way"].mails] == [[AWAY]]


def test_a_kill_between_choice_and_attempt(make_way, names):
    gw, sinks = make_way({"way": ANY})
    sinks["way"].hold("MAIL")
    id = gw.send(to=AWAY, sender="u@foreign-fail.test")
    choice(gw, id)
    gw.kill()
    sinks["way"].normal()
    gw.start()
    sent(gw, sinks["way"], id, "SRS0=.*=u@srs.test")
    gw.wait_empty()
    assert len(sinks["way"].messages(id)) == 1


def test_an_egress_is_reached_again_by_verdicts_of_no_length(make_way, names):
    """The one that is let through a shut gate has to wait for its verdict: a
    verdict is kept for a second, and the gate is shut for longer."""
    names.ttl = 0
    gw, sinks = make_way({"way": ANY}, more={"retry": {"steps": ["2s"]}})
    sinks["way"].refuse_connections()
    ids = [gw.send(to=AWAY, sender="u@own-pass.test") for _ in range(6)]
    gw.wait_event("leg", leg="way", state="down")
    sinks["way"].accept_connections()
    for id in ids:
        gw.wait_event("delivered", id)


def test_strangers_send_nothing_out(make_way):
    gw, sinks = make_way({"way": ANY}, more={
        "outbound": {"clients": ["192.0.2.99/32"]}})
    with gw.dialog() as d:
        d.ok("EHLO x")
        d.ok("MAIL FROM:<u@own-pass.test>")
        reply = d.cmd(f"RCPT TO:<{AWAY}>")
        assert (reply.code, reply.enh) == (550, "5.7.1")
    until(lambda: gw.events(event="refused"), "the refusal to be an event")
    assert not sinks["way"].mails


# Beside the SPF records: what DMARC asks of mail in From domains.
POLICIES = {
    "_dmarc.own-fail.test": "v=DMARC1; p=reject",
    "_dmarc.foreign-fail.test": "v=DMARC1; p=quarantine",
    "_dmarc.mild.test": "v=DMARC1; p=none",
    "_dmarc.srs.test": "v=DMARC1; p=reject",
}

# Envelope's domain, From, signers -> what becomes of it.
DMARC = [
    ("own-fail", ["u@own-fail.test"], [], "waits"),
    ("own-fail", ["u@a.own-fail.test"], [], "waits"),
    ("own-fail", ["u@own-fail.test"], ["own-fail.test"], "srs"),
    ("own-fail", ["u@own-fail.test"], ["mail.own-fail.test"], "srs"),
    ("own-fail", ["u@own-fail.test"], ["other.test"], "waits"),
    ("own-fail", ["u@mild.test"], [], "srs"),
    ("own-fail", ["u@silent.test"], [], "srs"),
    ("own-fail", ["u@own-fail.test", "v@own-fail.test"], [], "srs"),
    ("own-fail", [], [], "srs"),
    ("foreign-fail", ["u@foreign-fail.test"], [], "would-fail"),
    ("foreign-fail", ["u@foreign-fail.test"], ["foreign-fail.test"], "srs"),
    # SPF passes a domain of the author's own organization.
    ("own-fail", ["u@a.srs.test"], [], "srs"),
    # This one is not rewritten.
    ("own-pass", ["u@own-fail.test"], [], "as it is"),
]


def test_the_policy_of_the_author(make_way, names):
    names.zone.update({(name, "TXT"): [record]
                       for name, record in POLICIES.items()})
    names.silent.add("_dmarc.silent.test")
    gw, sinks = make_way({"way": ANY})
    asked = []
    for domain, authors, signers, fate in DMARC:
        header = "".join(f"DKIM-Signature: v=1; d={d}; s=x; b=AA==\r\n"
                         for d in signers)
        header += "".join(f"From: <{a}>\r\n" for a in authors)
        asked.append((gw.send(to=AWAY, sender=f"u@{domain}.test",
                              message=(header + "\r\nx\r\n").encode()),
                      fate))
    for id, fate in asked:
        event = choice(gw, id)
        assert (event["reason"], event.get("dmarc")) == {
            "waits": ("dmarc", None), "srs": ("srs", None),
            "would-fail": ("srs", "would-fail"),
            "as it is": ("pass", None)}[fate], (id, event)
        if fate == "waits":
            text = gw.wait_event("deferred", id)["reply"]
            assert "the DMARC policy of " in text
        else:
            gw.wait_event("delivered", id)
    alarm = gw.wait_event("alarm", kind="egress")
    assert "add ip4:192.0.2.10/32 to it" in alarm["text"]
    drop(gw)


def test_status_tells_of_each_egress(make_way, names):
    gw, sinks = make_way({"one": ANY, "two": {"spf_address": ["192.0.2.12"]}},
                         srs=False)
    names.zone[("own-pass.test", "TXT")] = ["v=spf1 ip4:192.0.2.12 -all"]
    names.zone[("own-none.test", "TXT")] = RECORDS["pass"]
    ids = [gw.send(to=AWAY, sender=f"u@own-{domain}.test")
           for domain in ("pass", "none", "none", "fail")]
    for id in ids[:3]:
        gw.wait_event("delivered", id)
    gw.wait_event("deferred", ids[3])
    rows = gw.cli_json("status")
    out, = [row for row in rows if row["section"] == "outbound"]
    assert (out["use"], out["delivered"], out["open"]) == ("one two", 3, 1)
    legs = {row["leg"]: row for row in rows if row["section"] == "leg"}
    assert {name: row["delivered"] for name, row in legs.items()
            if row["egress"]} == {"one": 2, "two": 1, "outside": 0}
    spf, = [row for row in rows if row["section"] == "spf"]
    assert spf["checks"] > 0 and spf["helper_deaths"] == 0
    assert "outbound    use one two, delivered 3, open 1" in gw.cli("status")
    drop(gw)
