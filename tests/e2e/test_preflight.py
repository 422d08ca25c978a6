# SPDX-License-Identifier: ISC
"""Legs are asked about a wave's members before it moves: wave preflight."""
import datetime
import json

import pytest

import peers as peers_module
from shift import Shift
from test_ask import knows, questions, strangers
from test_wave_run import create, fill, routes, shown
from until import until

PEOPLE = [f"p{n:02}@example.com" for n in range(30)]
CLOUD = 'leg "cloud"'
QUICK = {CLOUD: {"ask_rate": 1000}}


def preflight(gw, *words):
    """The exit code, and the rows by address."""
    done = gw.run("--json", "wave", "preflight", *words)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, {r["address"]: r for r in rows}


def classes(rows):
    return {a: r["class"] for a, r in rows.items()}


@pytest.fixture
def gw(make_gw):
    return make_gw(QUICK)


def test_members_are_asked_about_and_told_apart(gw, cloud):
    fill(gw, PEOPLE)
    create(gw, "w1", PEOPLE, "--to", "cloud")
    knows(cloud, *PEOPLE[3:])
    cloud.reply("RCPT", "550 5.7.1 Policy", to=PEOPLE[1])
    cloud.reply("RCPT", "450 4.2.0 Greylisted", to=PEOPLE[2])
    run = gw.spawn("--json", "wave", "preflight", "w1", "cloud")
    until(lambda: classes(preflight(gw, "w1", "--show")[1]).get(PEOPLE[2]) ==
          "undecided", "an undecided one")
    # It is asked again, so the preflight goes on.
    assert run.poll() is None
    run.terminate()
    code, rows = preflight(gw, "w1", "--show")
    assert code == 1
    assert classes(rows) == {
        PEOPLE[0]: "unknown", PEOPLE[1]: "refused", PEOPLE[2]: "undecided",
        **{a: "taken" for a in PEOPLE[3:]}}
    assert rows[PEOPLE[0]]["reply"] == "Nobody of that name"
    assert not rows[PEOPLE[2]]["settled"] and rows[PEOPLE[0]]["settled"]
    assert not cloud.mails


def test_a_leg_that_takes_any_name_proves_nothing(gw, cloud):
    fill(gw, PEOPLE)
    create(gw, "w1", PEOPLE, "--to", "cloud")
    code, rows = preflight(gw, "w1", "cloud")
    assert code == 0
    assert set(classes(rows).values()) == {"any-name"}
    assert len(strangers(cloud)) == 1
    said = gw.cli("wave preflight w1 --show")
    assert "proves nothing" in said


def test_an_undecided_one_is_asked_again_and_then_left_at_that(
        make_gw, cloud, folder):
    shift = Shift(folder)
    gw = make_gw(QUICK, start=False)
    gw.environment = shift.environment
    gw.start()
    fill(gw, PEOPLE)
    create(gw, "w1", PEOPLE[:2], "--to", "cloud")
    knows(cloud)
    for a in PEOPLE[:2]:
        cloud.reply("RCPT", "450 4.2.0 Greylisted", to=a)
    run = gw.spawn("wave", "preflight", "w1", "cloud")
    until(lambda: questions(cloud, PEOPLE[1]), "the first question")
    cloud.reply("RCPT", "250 2.1.5 Ok", to=PEOPLE[0])
    for n, pause in enumerate((70, 370, 910), 2):
        shift.forward(gw, pause)
        until(lambda: len(questions(cloud, PEOPLE[1])) == n, "it asked again")
    assert run.wait() == 0
    assert classes(preflight(gw, "w1", "--show")[1]) == {
        PEOPLE[0]: "taken", PEOPLE[1]: "undecided"}
    assert len(questions(cloud, PEOPLE[0])) == 2


def test_it_asks_over_so_many_connections_and_no_more(gw, cloud):
    gw.set(CLOUD, ask_connections=2)
    gw.reload()
    people = [f"user{n:03}@example.com" for n in range(200)]
    fill(gw, people)
    knows(cloud, *people)
    create(gw, "w1", people, "--to", "cloud")
    held = [cloud.hold("RCPT") for _ in range(3)]
    run = gw.spawn("wave", "preflight", "w1", "cloud")
    until(lambda: held[-1].times == 0 and held[-2].times == 0, "two wait")
    assert {n for n, line in cloud.said if line.startswith(b"MAIL")} == {1, 2}
    cloud.normal()
    knows(cloud, *people)
    assert run.wait() == 0


def test_each_member_of_a_large_wave_is_a_row(gw, cloud):
    people = [f"user{n:05}@example.com" for n in range(20000)]
    fill(gw, people)
    create(gw, "w1", people, "--to", "cloud")
    cloud.hold("RCPT")
    gw.spawn("wave", "preflight", "w1", "cloud")
    until(lambda: set(preflight(gw, "w1", "--show")[1]) == set(people),
          "a row for each")
    cloud.normal()


def test_what_cannot_be_asked_is_said(gw):
    fill(gw, PEOPLE)
    create(gw, "w1", PEOPLE)
    for words, why in ((["w9", "cloud"], "w9"),
                       (["w1"], "has no route yet"),
                       (["w1", "nowhere"], "nowhere"),
                       (["w1", "--show"], "nothing of that name")):
        done = gw.run("wave", "preflight", *words)
        assert done.returncode == 1 and why in done.stderr, done.stderr
    # They have that leg.
    assert "nothing to ask" in gw.cli("wave preflight w1 legacy")


def test_answers_are_used_for_a_day(gw, cloud):
    fill(gw, PEOPLE)
    create(gw, "w1", PEOPLE, "--to", "cloud")
    knows(cloud, *PEOPLE)
    assert preflight(gw, "w1", "cloud")[0] == 0
    asked = len(questions(cloud))
    assert asked == len(PEOPLE) + 1
    code, rows = preflight(gw, "w1", "cloud")
    assert code == 0 and set(classes(rows).values()) == {"taken"}
    assert len(questions(cloud)) == asked


@pytest.mark.parametrize("reply, why", [
    ("421 4.7.0 Too many errors", "asks for less"),
    ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using "
     "a list", "refuses us"),
])
def test_the_first_sign_stops_it_with_an_alarm(gw, cloud, reply, why):
    fill(gw, PEOPLE)
    create(gw, "w1", PEOPLE, "--to", "cloud")
    knows(cloud, *PEOPLE)
    cloud.reply("RCPT", reply, to=PEOPLE[0])
    said = gw.run("wave", "preflight", "w1", "cloud")
    assert said.returncode == 1 and why in said.stdout, said.stdout
    alarm = gw.wait_event("alarm", kind="preflight")
    assert alarm["about"] == "cloud" and why in alarm["text"]
    # A person has it go on.
    cloud.normal()
    knows(cloud, *PEOPLE)
    assert preflight(gw, "w1", "cloud")[0] == 0


def test_a_leg_that_takes_no_connection_stops_it(gw, cloud):
    fill(gw, PEOPLE)
    create(gw, "w1", PEOPLE, "--to", "cloud")
    cloud.refuse_connections()
    said = gw.run("wave", "preflight", "w1", "cloud")
    assert said.returncode == 1 and "takes no connection" in said.stdout
    assert gw.wait_event("alarm", kind="preflight")
    cloud.accept_connections()


def test_too_many_strangers_stop_it(gw, cloud):
    fill(gw, PEOPLE)
    create(gw, "w1", PEOPLE, "--to", "cloud")
    gw.set(CLOUD, ask_rate=5)
    gw.reload()
    knows(cloud)
    said = gw.run("wave", "preflight", "w1", "cloud")
    assert said.returncode == 1 and "over 5 %" in said.stdout
    asked = len(questions(cloud)) - len(strangers(cloud))
    assert 11 <= asked <= 21, asked
    assert gw.wait_event("alarm", kind="preflight")


def test_a_kill_in_the_middle_goes_on(gw, cloud):
    fill(gw, PEOPLE)
    create(gw, "w1", PEOPLE, "--to", "cloud")
    gw.set(CLOUD, ask_rate=5)
    gw.reload()
    knows(cloud, *PEOPLE)
    gw.spawn("wave", "preflight", "w1", "cloud")
    until(lambda: len(questions(cloud)) > 6, "some were asked")
    gw.kill()
    before = len(questions(cloud))
    assert before < len(PEOPLE)
    gw.set(CLOUD, ask_rate=1000)
    gw.start()
    until(lambda: set(classes(preflight(gw, "w1", "--show")[1]).values()) ==
          {"taken"}, "the rest, unasked for")
    # At most what was under way is asked twice.
    assert len(questions(cloud)) <= len(PEOPLE) + 1 + 6


# ---- what a start makes of it ----------------------------------------------

def members(gw, name):
    rows = gw.cli_json("wave", "show", name, "--members")
    return {r["address"]: r for r in rows if "address" in r}


def test_members_that_would_fail_are_left_out(gw, cloud):
    fill(gw, PEOPLE)
    gw.cli(f"route set legacy {PEOPLE[4]} {PEOPLE[5]} --mailbox both")
    create(gw, "w1", PEOPLE, "--to", "cloud")
    knows(cloud, *PEOPLE[1:5], *PEOPLE[6:])
    cloud.reply("RCPT", "550 5.7.1 Policy", to=PEOPLE[1])
    assert preflight(gw, "w1", "cloud")[0] == 1
    rehearsed = gw.cli("wave rehearse w1")
    assert "Nobody of that name" in rehearsed
    said = gw.cli("wave start w1 cloud --wait")
    assert "no preflight" not in said
    assert shown(gw, "w1")["unfit"] == 3 and shown(gw, "w1")["preflight"]
    assert ": 3 would fail" in gw.cli("wave show w1")
    left = {a: r["reason"] for a, r in members(gw, "w1").items()
            if r["state"] == "skipped"}
    # A mailbox stays whole: one of its addresses is unknown.
    assert set(left) == {PEOPLE[0], PEOPLE[1], PEOPLE[4], PEOPLE[5]}
    assert "cloud said 550 5.1.1 Nobody of that name" in left[PEOPLE[0]]
    assert "cloud said 550 5.7.1 Policy" in left[PEOPLE[1]]
    assert PEOPLE[5] in left[PEOPLE[4]]
    moved = routes(gw)
    assert {a for a in PEOPLE if moved[a] == "legacy"} == set(left)
    assert gw.wait_event("wave", step="start")["preflight"].startswith("20")


def test_force_takes_them_all_the_same(gw, cloud):
    fill(gw, PEOPLE)
    create(gw, "w1", PEOPLE, "--to", "cloud")
    knows(cloud, *PEOPLE[1:])
    assert preflight(gw, "w1", "cloud")[0] == 1
    gw.cli("wave start w1 cloud --force --wait")
    assert {routes(gw)[a] for a in PEOPLE} == {"cloud"}


def test_a_wave_without_a_preflight_starts_and_says_so(gw):
    fill(gw, PEOPLE)
    create(gw, "w1", PEOPLE, "--to", "cloud")
    said = gw.cli("wave start w1 --wait")
    assert "it had no preflight" in said
    assert gw.wait_event("wave", step="start")["preflight"] == "none"
    assert {routes(gw)[a] for a in PEOPLE} == {"cloud"}


def test_the_preflight_of_an_earlier_wave_of_that_name_counts_no_more(
        gw, cloud):
    fill(gw, PEOPLE)
    create(gw, "w1", PEOPLE, "--to", "cloud")
    knows(cloud, *PEOPLE[1:])
    assert preflight(gw, "w1", "cloud")[0] == 1
    gw.cli("wave delete w1")
    create(gw, "w1", PEOPLE, "--to", "cloud")
    assert "it had no preflight" in gw.cli("wave start w1 --wait")
    assert {routes(gw)[a] for a in PEOPLE} == {"cloud"}


def test_a_scheduled_wave_has_its_preflight_by_itself(gw, cloud):
    fill(gw, PEOPLE)
    knows(cloud, *PEOPLE)
    now = datetime.datetime.now(datetime.timezone.utc)
    for name, who, hours in (("w1", PEOPLE[:15], 13), ("w2", PEOPLE[15:], 11)):
        create(gw, name, who, "--to", "cloud")
        at = now + datetime.timedelta(hours=hours)
        gw.cli("wave", "schedule", name, "--at",
               at.isoformat(timespec="seconds"))
    until(lambda: set(classes(preflight(gw, "w2", "--show")[1]).values()) ==
          {"taken"}, "its own preflight")
    assert "posthoused" in gw.cli("wave preflight w2 --show")
    # That of a wave which begins later than that waits.
    assert "nothing of that name" in gw.cli_fails("wave preflight w1 --show")


# ---- shadow ----------------------------------------------------------------

def test_a_shadow_is_asked_about_recipients_of_mail(make_gw, legacy, cloud):
    gw = make_gw({CLOUD: {"shadow": True, "ask_rate": 1000}})
    fill(gw, PEOPLE)
    gw.cli(f"route set cloud {PEOPLE[3]}")
    knows(cloud, PEOPLE[0], PEOPLE[3])
    for a in PEOPLE[:2]:
        legacy.wait_message(gw.send(to=a))
    cloud.wait_message(gw.send(to=PEOPLE[3]))
    until(lambda: set(PEOPLE[:2]) <= set(questions(cloud)), "both asked")
    # That one is there already.
    assert PEOPLE[3] not in questions(cloud)
    # The answers serve a preflight.
    create(gw, "w1", PEOPLE[:2], "--to", "cloud")
    until(lambda: classes(preflight(gw, "w1", "cloud")[1]) == {
        PEOPLE[0]: "taken", PEOPLE[1]: "unknown"}, "the answers")
    assert questions(cloud, PEOPLE[0]) == [PEOPLE[0]]
    assert not [m for m in cloud.mails if PEOPLE[0] in m.rcpt]


# ---- what a report says beside ----------------------------------------------

def test_the_offers_of_both_legs_are_compared(gw, legacy, cloud):
    fill(gw, PEOPLE)
    cloud.size, cloud.utf8 = 1000000, []
    legacy.wait_message(gw.send(to=PEOPLE[0]))
    create(gw, "w1", PEOPLE, "--to", "cloud")
    knows(cloud, *PEOPLE)
    said = gw.cli("wave preflight w1 cloud")
    assert "cloud takes messages of 1000000 bytes at most, legacy of " \
        "104857600" in said
    assert "cloud does not offer SMTPUTF8, which legacy does" in said
    assert "8BITMIME" not in said


def test_what_is_not_known_of_an_old_leg_is_said(gw, cloud):
    fill(gw, PEOPLE)
    create(gw, "w1", PEOPLE, "--to", "cloud")
    knows(cloud, *PEOPLE)
    assert "legacy was not greeted" in gw.cli("wave preflight w1 cloud")


def test_final_addresses_aliases_and_groups(gw, cloud):
    gw.cli("route set legacy ann@example.com --mailbox ann "
           "--address cloud=ann@tenant.example")
    gw.cli("route set legacy team@example.com --tag kind=group")
    create(gw, "w1", ["ann@example.com", "team@example.com"], "--to", "cloud")
    # Made since the wave was created.
    gw.cli("route set legacy annie@example.com --mailbox ann")
    knows(cloud, "ann@tenant.example")
    cloud.reply("RCPT", "550 5.7.133 Not allowed for this group",
                to="team@example.com")
    code, rows = preflight(gw, "w1", "cloud")
    assert code == 1
    assert rows["ann@example.com"]["said"] == "ann@tenant.example"
    assert classes(rows) == {"ann@example.com": "taken",
                             "annie@example.com": "unknown",
                             "team@example.com": "refused"}
    assert rows["annie@example.com"]["kind"] == "alias"
    assert rows["team@example.com"]["kind"] == "group"
    said = gw.run("wave", "preflight", "w1", "--show").stdout
    assert "1 of them are groups" in said and "1 of these would fail" in said


# ---- compare -----------------------------------------------------------------

def compare(gw, *words):
    done = gw.run("--json", "leg", "compare", *words)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, {r["address"]: r for r in rows}


def test_two_legs_are_compared(gw, legacy, cloud):
    fill(gw, PEOPLE)
    gw.cli(f"route set cloud {PEOPLE[4]}")
    knows(legacy, PEOPLE[0], PEOPLE[1], *PEOPLE[3:])
    knows(cloud, PEOPLE[1], PEOPLE[2], *PEOPLE[4:])
    code, rows = compare(gw, "cloud")
    assert code == 1
    assert {a: r["verdict"] for a, r in rows.items()} == {
        PEOPLE[0]: "legacy", PEOPLE[1]: "both", PEOPLE[2]: "cloud",
        PEOPLE[3]: "legacy", **{a: "both" for a in PEOPLE[4:]}}
    assert not rows[PEOPLE[4]]["unseen"] and rows[PEOPLE[5]]["unseen"]
    said = gw.run("leg", "compare", "cloud", "--show").stdout
    assert "27 taken by both, 2 by legacy only, 1 by cloud only" in said
    assert "export coexist" in said
    code, rows = compare(gw, "cloud", "--against", "legacy", "--sample", "7")
    assert len(rows) == 7
    create(gw, "w1", PEOPLE[4:9], "--to", "cloud")
    code, rows = compare(gw, "cloud", "--wave", "w1")
    assert code == 0 and set(rows) == set(PEOPLE[4:9])
    for words, why in ((["nowhere"], "no leg is called"),
                       (["cloud", "--against", "cloud"], "with itself"),
                       (["cloud", "--wave", "w9"], "w9")):
        done = gw.run("leg", "compare", *words)
        assert done.returncode == 1 and why in done.stderr


def test_questions_come_from_an_address_of_their_own(make_gw, cloud):
    gw = make_gw({CLOUD: {"ask_rate": 1000, "probe_source": "127.0.0.77",
                          "source": "127.0.0.78"}})
    fill(gw, PEOPLE)
    knows(cloud, *PEOPLE)
    gw.cli(f"route set cloud {PEOPLE[0]}")
    cloud.wait_message(gw.send(to=PEOPLE[0]))
    create(gw, "w1", PEOPLE[1:], "--to", "cloud")
    assert preflight(gw, "w1", "cloud")[0] == 0
    cloud.wait_message(gw.send(to=PEOPLE[0]))
    asking = {n for n, line in cloud.said if line.startswith(b"MAIL FROM:<>")}
    sending = {n for n, line in cloud.said if line.startswith(b"BDAT")}
    assert asking and sending
    assert {cloud.talks[n - 1].peer for n in asking} == {"127.0.0.77"}
    assert {cloud.talks[n - 1].peer for n in sending} == {"127.0.0.78"}


# ---- real servers ------------------------------------------------------------

KNOWN = PEOPLE[:4]


class KnowingPostfix(peers_module.Postfix):
    def start(self):
        known = " ".join(f"{a}=x" for a in KNOWN)
        return self.start_with(
            "relay_domains = example.com\n"
            f"relay_recipient_maps = inline:{{ {known} }}\n"
            "smtpd_error_sleep_time = 0\n")


EXIM_ACL = """begin acl

check_rcpt:
  deny message = Unrouteable address
       !local_parts = %s
  accept

begin routers
"""


@pytest.mark.parametrize("server", ["postfix", "exim"])
def test_a_real_server_is_asked(make_gw, peers, folder, make_leg, server,
                                monkeypatch):
    behind = make_leg("behind")
    locals_ = " : ".join(a.split("@")[0] for a in KNOWN)
    monkeypatch.setattr(
        peers_module, "EXIM_CONF", peers_module.EXIM_CONF
        .replace("acl_smtp_rcpt = accept", "acl_smtp_rcpt = check_rcpt")
        .replace("begin routers\n", EXIM_ACL % locals_))
    kind = KnowingPostfix if server == "postfix" else peers_module.Exim
    real = kind(peers, folder / server, behind)
    real.start()
    try:
        gw = make_gw({CLOUD: {"ask_rate": 1000}}, legs={"cloud": real.port})
        fill(gw, PEOPLE)
        create(gw, "w1", PEOPLE[:10], "--to", "cloud")
        code, rows = preflight(gw, "w1", "cloud")
        assert code == 1
        assert classes(rows) == {
            **{a: "taken" for a in KNOWN},
            **{a: "unknown" for a in PEOPLE[4:10]}}
        assert rows[PEOPLE[9]]["code"] == 550
        gw.cli("wave start w1 --wait")
        assert {a for a, r in routes(gw).items() if r == "cloud"} == set(KNOWN)
        gw.send(to=KNOWN[0])
        assert behind.wait_count(1)[0].rcpt == [KNOWN[0]]
        gw.wait_empty()
    finally:
        real.stop()
