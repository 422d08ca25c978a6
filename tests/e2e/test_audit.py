# SPDX-License-Identifier: ISC
"""Proof: trace, the search, events.jsonl, conservation (A1 to A3)."""
import json

from until import until

ANN, BOB = "ann@example.com", "bob@example.com"


def traced(gw, *words):
    """Events of trace, once the index has them."""
    return until(lambda: [json.loads(l) for l in gw.run(
        "trace", *words, "--json").stdout.splitlines()], f"trace {words}")


def test_trace_shows_all_that_happened_in_order(gw, legacy, cloud):
    gw.cli(f"route set legacy+cloud {ANN}")
    cloud.reply("RCPT", "450 4.2.1 Busy", times=1)
    id = gw.send(to=ANN)
    gw.wait_event("delivered", id, leg="cloud")
    until(lambda: len(traced(gw, id)) >= 4, "four events")
    events = traced(gw, id)
    assert [e["event"] for e in events][0] == "accepted"
    assert sorted(e["time"] for e in events) == [e["time"] for e in events]
    fates = [(e["event"], e.get("leg")) for e in events[1:]]
    assert ("delivered", "legacy") in fates
    assert fates.index(("deferred", "cloud")) < \
        fates.index(("delivered", "cloud"))
    text = gw.cli(f"trace {id}")
    for word in (ANN, "legacy", "cloud", "4.2.1", "Busy"):
        assert word in text


def test_trace_finds_by_message_id_sender_recipient_and_client(gw):
    id = gw.send(to=ANN, sender="who@elsewhere.test", message=(
        b"Message-ID: <find.me@elsewhere.test>\r\n\r\nx\r\n"))
    gw.send(to=BOB, sender="other@elsewhere.test")
    gw.wait_event("delivered", id)
    for words in (["--message-id", "find.me@elsewhere.test"],
                  ["--message-id", "<find.me@elsewhere.test>"],
                  ["--from", "who@elsewhere.test"],
                  ["--to", ANN], ["--to", ANN, "--since", "-1h"]):
        assert {e["id"] for e in traced(gw, *words) if "id" in e} == {id}, \
            words
    assert len({e["id"] for e in traced(gw, "--client", "127.0.0.1")
                if "id" in e}) == 2
    gw.cli_fails("trace 0SA73KWBR0001")


def test_what_was_refused_repaired_or_broken_off_is_found_by_its_addresses(
        gw):
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        assert d.cmd("MAIL FROM:<a b@form.test>").code == 501
        assert d.cmd("MAIL FROM:<p@param.test> XFOO=1").code == 555
        d.ok("MAIL FROM:repair@ed.test ENVID=a=b")
        d.ok(f"RCPT TO:<{ANN}>")
        d.ok("DATA")
        d.send("half of it")
    event = gw.wait_event("aborted", stage="data")
    assert event | {"from": "repair@ed.test", "to": ANN, "listen": "mx",
                    "bytes": 10, "count": 1} == event
    assert [e["code"] for e in traced(gw, "--from", "p@param.test")] == [555]
    [form] = traced(gw, "--from", "a b@form.test")
    assert (form["said"], form["stage"], form["code"]) == \
        ("FROM:<a b@form.test>", "mail", 501)
    assert [(e["event"], e["stage"])
            for e in traced(gw, "--from", "repair@ed.test")] == \
        [("repaired", "mail"), ("aborted", "data")]
    text = gw.cli("trace --from repair@ed.test")
    assert "ENVID is no xtext" in text and "after 10 bytes" in text, text


def test_the_index_outlives_the_daemon_and_a_kill(gw, legacy):
    ids = [gw.send() for _ in range(3)]
    for id in ids:
        gw.wait_event("delivered", id)
    gw.kill()
    gw.start()
    for id in ids:
        until(lambda: [e for e in traced(gw, id)
                       if e["event"] == "delivered"], "the fate")
        assert len([e for e in traced(gw, id)
                    if e["event"] == "accepted"]) == 1


def test_events_go_on_without_a_gap_over_a_kill(gw):
    """At least once: what is there twice has the same place."""
    for _ in range(5):
        gw.send()
    gw.kill()
    gw.start()
    id = gw.send()
    gw.wait_event("delivered", id)
    gw.wait_empty()
    gw.wait_event("delivered", id)
    accepted = {(e["id"], e["pos"]) for e in gw.events(event="accepted")}
    assert len(accepted) == 6 and len({id for id, _ in accepted}) == 6
    for e in gw.all_events():
        assert {"time", "node", "event", "pos"} <= set(e)


def test_every_created_delivery_has_its_place_in_the_sum(gw, legacy, cloud,
                                                         outside):
    """A2, with one of each fate."""
    gw.cli(f"route set legacy+cloud {ANN}")
    cloud.reply("RCPT", "550 5.1.1 Nobody", to=ANN)
    legacy.reply("RCPT", "550 5.1.1 Nobody", to="gone@example.com")
    gw.send(to=ANN)
    gw.send(to="gone@example.com")
    gw.cli(f"route set legacy {BOB}")
    gw.cli(f"hold {BOB}")
    gw.send(to=BOB)
    outside.wait_count(1)
    gw.wait_empty()
    gw.verify()
    sums = {r["leg"]: r for r in gw.cli_json("audit verify") if "leg" in r}
    for key, legacy_n, cloud_n in (("created", 3, 1), ("delivered", 1, 0),
                                   ("open", 1, 0), ("parked", 0, 1),
                                   ("bounced", 1, 0), ("gap", 0, 0)):
        assert (sums["legacy"][key], sums["cloud"][key]) == \
            (legacy_n, cloud_n), key


def test_verify_works_without_the_daemon(gw):
    id = gw.send()
    gw.wait_event("delivered", id)
    gw.verify()
    gw.stop()
    assert gw.run("audit", "verify").returncode in (0, 3)


def test_logs_are_reopened_on_sigusr1(gw):
    import signal
    gw.wait_event("delivered", gw.send())
    old = gw.folder / "events.old"
    gw.events_file.rename(old)
    gw.process.send_signal(signal.SIGUSR1)
    until(gw.events_file.exists, "a new events file")
    gw.events_at = 0
    id = gw.send()
    gw.wait_event("delivered", id)
    assert id not in old.read_text()
