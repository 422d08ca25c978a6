# SPDX-License-Identifier: ISC
"""The cutover table while mail flows: D1, R1, R2, R3."""
import json

import pytest

from dialog import Dialog

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"


def rcpt_reply(gw, rcpt):
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        return d.cmd(f"RCPT TO:<{rcpt}>")


ROUTES = [("legacy", ["legacy"]), ("cloud", ["cloud"]),
          ("legacy+cloud", ["legacy", "cloud"]),
          ("cloud+legacy", ["cloud", "legacy"]),
          ("both", ["cloud", "legacy"]), ("third", ["third"])]


@pytest.mark.parametrize("route, names", ROUTES)
def test_mail_goes_where_the_route_says(make_gw, make_leg, legacy, cloud,
                                        route, names):
    third = make_leg("third")
    gw = make_gw(legs={"third": third})
    gw.cli(f"route set {route} {ANN}")
    id = gw.send(to=ANN)
    legs = {"legacy": legacy, "cloud": cloud, "third": third}
    for i, name in enumerate(names):
        assert legs[name].wait_message(id).rcpt == [ANN]
        e = gw.wait_event("delivered", id, leg=name)
        assert e["role"] == ("copy" if i else "primary")
    gw.wait_empty()
    assert sum(len(l.mails) for l in legs.values()) == len(names)


ANSWERS = [("defer", 450, "4.2.1"), ("reject", 550, "5.1.1"),
           ("gone", 550, "5.1.6")]


@pytest.mark.parametrize("route, code, enh", ANSWERS)
def test_a_route_that_is_an_answer_is_given_at_rcpt(gw, route, code, enh):
    gw.cli(f"route set {route} {ANN}")
    r = rcpt_reply(gw, ANN)
    assert (r.code, r.enh) == (code, enh)


def test_the_very_next_rcpt_of_an_open_session_sees_a_change(gw):
    """R1: no reload, and no session is dropped."""
    gw.cli(f"route set legacy {ANN}")
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        for _ in range(3):
            assert d.cmd(f"RCPT TO:<{ANN}>").code == 250
            gw.cli(f"flip reject {ANN}")
            assert d.cmd(f"RCPT TO:<{ANN}>").code == 550
            gw.cli(f"flip legacy {ANN}")


def test_a_flip_moves_queued_mail_and_records_what_it_superseded(
        gw, legacy, cloud):
    """D1."""
    gw.cli(f"route set cloud {ANN}")
    cloud.refuse_connections()
    id = gw.send(to=ANN)
    gw.wait_event("deferred", id, leg="cloud")
    change = gw.change(f"flip legacy {ANN}")
    assert legacy.wait_message(id).rcpt == [ANN]
    e = gw.wait_event("superseded", id, leg="cloud")
    assert e["by"] == f"change {change}"
    gw.wait_event("delivered", id, leg="legacy", role="primary",
                  change=change)
    cloud.accept_connections()
    gw.wait_empty()
    assert not cloud.mails


def test_mail_under_a_changed_default_goes_by_the_new_one(gw, legacy, cloud):
    legacy.refuse_connections()
    id = gw.send(to="anybody@example.com")
    gw.wait_event("deferred", id)
    gw.cli("flip cloud @example.com")
    cloud.wait_message(id)
    gw.wait_event("superseded", id, leg="legacy")


def test_what_was_delivered_as_primary_gets_no_other_primary(gw, legacy,
                                                             cloud):
    """D3."""
    gw.cli(f"route set legacy+cloud {ANN}")
    cloud.refuse_connections()
    id = gw.send(to=ANN)
    legacy.wait_message(id)
    gw.wait_event("deferred", id, leg="cloud")
    gw.cli(f"flip cloud {ANN}")
    cloud.accept_connections()
    gw.wait_empty()
    assert len(legacy.messages(id)) == 1
    assert not [e for e in gw.events(id, "delivered", leg="cloud")
                if e["role"] == "primary"]


def test_a_route_without_a_leg_parks_what_waits(gw, legacy, cloud):
    gw.cli(f"route set cloud {ANN}")
    cloud.refuse_connections()
    id = gw.send(to=ANN)
    gw.wait_event("deferred", id)
    gw.cli(f"flip reject {ANN}")
    e = gw.wait_event("parked", id, leg="cloud")
    assert e["reason"] == "no-route"
    cloud.accept_connections()
    gw.cli(f"flip legacy {ANN}")
    legacy.wait_message(id)


def test_an_attempt_past_mail_from_completes_and_flip_waits_for_it(
        gw, legacy, cloud):
    gw.cli(f"route set cloud {ANN}")
    gate = cloud.hold("DOT")
    id = gw.send(to=ANN)
    gate.reached()
    flip = gw.spawn("flip", "legacy", ANN, "--wait")
    gw.wait_event("change", command="flip")
    assert flip.poll() is None
    gate.release()
    assert flip.wait() == 0
    assert gw.events(id, "delivered", leg="cloud") or \
        gw.wait_event("delivered", id, leg="cloud")
    gw.wait_empty()
    assert not legacy.messages(id)
    later = gw.send(to=ANN)
    legacy.wait_message(later)


def test_a_flip_of_very_many_waits_for_its_own_recipients_alone(gw, cloud):
    """Their addresses are more than a request of the control socket takes."""
    many = [f"recipient.number.{n:06}@example.com" for n in range(20000)]
    assert sum(map(len, many)) > 512 * 1024
    listed = gw.folder / "many"
    listed.write_text("\n".join(many + [BOB]))
    gw.cli("route", "import", "-", stdin="address,route\n" + "".join(
        f"{a},legacy\n" for a in [*many, ANN, BOB]))
    gw.cli(f"flip cloud {ANN}")
    gate = cloud.hold("DOT")
    gw.send(to=ANN)
    gate.reached()
    gw.cli(f"flip cloud --file {listed} --wait --timeout 30s")
    listed.write_text("\n".join(many + [ANN]))
    flip = gw.spawn("flip", "legacy", "--file", listed, "--wait")
    gw.wait_event("change", command="flip", change=5)
    assert flip.poll() is None
    gate.release()
    assert flip.wait() == 0
    gw.wait_empty()


def test_hold_delivers_nothing_and_release_lets_go_oldest_first(
        make_gw, legacy, cloud):
    """R3. What was fetched for the same worker may overtake by a place."""
    gw = make_gw({"": {"workers": 1}})
    gw.cli(f"route set legacy {ANN} {BOB}")
    gw.cli(f"hold {ANN} --wait")
    ids = [gw.send(to=ANN) for _ in range(5)]
    other = gw.send(to=BOB)
    gw.wait_event("delivered", other)
    assert {q["state"] for q in gw.queue()} == {"held"}
    gw.cli(f"flip cloud {ANN}")
    assert gw.cli_json(f"route get {ANN}")[0]["held"] is True
    gw.set('leg "cloud"', connections=1)
    assert gw.reload()
    gw.cli(f"release {ANN}")
    came = [m.id for m in cloud.wait_count(5)]
    assert came[0] == ids[0] and sorted(came) == ids
    gw.wait_empty()
    assert len(cloud.mails) == 5 and len(legacy.mails) == 1


def test_held_mail_survives_a_restart(gw, legacy):
    gw.cli(f"route set legacy {ANN}")
    gw.cli(f"hold {ANN}")
    id = gw.send(to=ANN)
    gw.restart()
    assert [q["state"] for q in gw.queue()] == ["held"]
    gw.cli(f"release {ANN}")
    legacy.wait_message(id)


@pytest.mark.parametrize("to", ["ann@tenant.cloud.test", "postmaster"])
def test_by_whatever_name_held_mail_is_released_after_a_restart(
        make_gw, legacy, cloud, to):
    gw = make_gw({"": {"postmaster": ANN},
                  'leg "cloud"': {"domains": ["tenant.cloud.test"]}})
    gw.cli(f"route set cloud {ANN} --address cloud=ann@tenant.cloud.test")
    gw.cli(f"hold {ANN}")
    id = gw.send(to=to)
    gw.restart()
    assert [q["state"] for q in gw.queue()] == ["held"]
    gw.cli(f"release {ANN}")
    cloud.wait_message(id)


def test_hold_takes_mail_that_waits_already(gw, legacy):
    gw.cli(f"route set legacy {ANN}")
    legacy.refuse_connections()
    id = gw.send(to=ANN)
    gw.wait_event("deferred", id)
    gw.cli(f"hold {ANN} --wait")
    gw.wait_event("held", id)
    legacy.accept_connections()
    other = gw.send(to=BOB)
    legacy.wait_message(other)
    assert not legacy.messages(id)
    gw.cli(f"release {ANN}")
    legacy.wait_message(id)


def test_both_needs_a_meaning(make_gw):
    gw = make_gw({'domain "example.com"': {"both": ""}})
    assert "both" in gw.cli_fails(f"route set both {ANN}")


# -- changes and their history

def test_every_change_is_on_record_with_who_and_why(gw):
    """R2."""
    first = gw.change("route", "set", "legacy", ANN, "--note", "as it was")
    second = gw.change("flip", "cloud", ANN, "--note", "wave one")
    third = gw.change("route", "delete", ANN)
    rows = gw.cli_json(f"route history {ANN}")
    assert [r["change"] for r in rows] == [first, second, third]
    assert rows[0]["old"] is None
    assert rows[0]["new"]["route"] == "legacy"
    assert rows[1]["note"] == "wave one"
    assert rows[1]["old"]["route"] == "legacy"
    assert rows[1]["new"]["route"] == "cloud"
    assert rows[2]["new"] is None
    assert all(r["who"] and r["host"] and r["time"] for r in rows)
    listed = {c["change"]: c for c in gw.cli_json("changes list")}
    assert listed[second]["recipients"] == 1
    assert gw.wait_event("change", change=second)["note"] == "wave one"


def test_undo_restores_what_still_has_the_change_s_value(gw):
    gw.cli(f"route set legacy {ANN} {BOB} {EVE}")
    n = gw.change(f"flip cloud {ANN} {BOB} {EVE}")
    gw.cli(f"flip reject {BOB}")
    out = gw.cli(f"undo {n}")
    assert BOB in out and ANN not in out
    routes = {r["address"]: r["route"]
              for r in gw.cli_json(f"route get {ANN} {BOB} {EVE}")}
    assert routes == {ANN: "legacy", BOB: "reject", EVE: "legacy"}


def test_undo_of_a_new_row_takes_it_away(gw):
    n = gw.change(f"route set cloud {ANN}")
    gw.cli(f"undo {n}")
    gw.cli_fails(f"route get {ANN}")


def test_a_mailbox_flips_together(gw):
    gw.cli(f"route set legacy {ANN} {BOB} --mailbox ann")
    gw.cli(f"flip cloud {ANN}")
    assert gw.cli_json(f"route get {BOB}")[0]["route"] == "cloud"
    gw.cli(f"flip legacy {ANN} --only-address")
    assert gw.cli_json(f"route get {BOB}")[0]["route"] == "cloud"


def test_flip_selects_by_tag_where_file_and_domain(gw, folder):
    gw.cli(f"route set legacy {ANN} --tag wave-1")
    gw.cli(f"route set legacy {BOB} --tag wave-2")
    route = lambda a: gw.cli_json("route", "get", a)[0]["route"]
    gw.cli("flip cloud --tag wave-1")
    assert (route(ANN), route(BOB)) == ("cloud", "legacy")
    gw.cli("flip", "cloud", "--where", "tag = 'wave-2' and route = 'legacy'")
    assert route(BOB) == "cloud"
    (folder / "list").write_text(f"{ANN}\n")
    gw.cli("flip", "legacy", "--file", str(folder / "list"))
    assert (route(ANN), route(BOB)) == ("legacy", "cloud")
    gw.cli("flip legacy --all example.com")
    assert (route(ANN), route(BOB), route("@example.com")) == \
        ("legacy",) * 3


def test_flip_of_an_address_without_a_row_wants_create(gw):
    assert ANN in gw.cli_fails(f"flip cloud {ANN}")
    gw.cli(f"flip cloud {ANN} --create")
    assert gw.cli_json(f"route get {ANN}")[0]["route"] == "cloud"


def test_a_dry_run_changes_nothing(gw):
    gw.cli(f"route set legacy {ANN}")
    before = gw.cli_json("changes list")
    gw.cli(f"flip cloud {ANN} --dry-run")
    assert gw.cli_json("changes list") == before


CSV = ("address,route,mailbox,tags,cloud_address\n"
       f"{ANN},cloud,ann,wave-1,ann@tenant.cloud.test\n"
       f"{BOB},legacy,,,\n")


def test_import_export_and_diff_agree(gw, folder):
    file = folder / "rows.csv"
    file.write_text(CSV)
    gw.cli("route", "import", str(file))
    row = gw.cli_json(f"route get {ANN}")[0]
    assert row["mailbox"] == "ann" and row["tags"] == ["wave-1"]
    assert row["addresses"] == {"cloud": "ann@tenant.cloud.test"}
    exported = gw.cli("route export")
    again = folder / "again.csv"
    again.write_text(exported)
    gw.cli("route", "diff", str(again))
    gw.cli(f"flip legacy {ANN}")
    assert ANN in gw.run("route", "diff", str(again)).stdout


def test_a_bad_line_is_named_and_nothing_is_imported(gw, folder):
    file = folder / "rows.csv"
    file.write_text(CSV + "eve@example.com,nowhere,,,\n")
    said = gw.cli_fails("route", "import", str(file))
    assert "4" in said and "nowhere" in said
    gw.cli_fails(f"route get {ANN}")


def test_an_import_does_not_turn_a_later_flip_back(gw, folder):
    gw.cli(f"route set legacy {ANN}")
    as_of = gw.cli_json("changes list")[-1]["change"]
    gw.cli(f"flip cloud {ANN}")
    file = folder / "rows.csv"
    file.write_text(f"address,route\n{ANN},legacy\n")
    gw.cli_fails("route", "import", str(file), "--as-of", str(as_of))
    gw.cli("route", "import", str(file), "--as-of", str(as_of), "--force")


def test_the_table_can_be_changed_without_a_daemon(make_gw, cloud):
    gw = make_gw()
    gw.stop()
    gw.cli(f"route set cloud {ANN}")
    gw.start()
    cloud.wait_message(gw.send(to=ANN))


def test_explain_says_what_the_server_does(gw):
    gw.cli(f"route set cloud {ANN} --address cloud=a@tenant.cloud.test")
    text = gw.cli("explain ann+x@example.com")
    for word in (ANN, "cloud", "a+x@tenant.cloud.test"):
        assert word in text
    assert json.loads(gw.cli("explain", "x@not-ours.test", "--json")) \
        ["verdict"].startswith("refuse")


def test_thousands_flip_in_one_change_while_a_session_stays(gw, folder):
    rows = folder / "rows.csv"
    rows.write_text("address,route,tags\n" + "".join(
        f"u{i}@example.com,legacy,all\n" for i in range(5000)))
    gw.cli("route", "import", str(rows))
    with Dialog(gw.port) as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        gw.cli("flip reject --tag all")
        assert d.cmd("RCPT TO:<u4999@example.com>").code == 550
