# SPDX-License-Identifier: ISC
"""kill -9 at any moment, and what must be true after it: nothing that got
250 is lost, and what came twice is marked so."""
import collections
import random
import smtplib
import threading

import pytest

from dialog import queued_id
from meddler import Meddler
from until import DEADLINE_S, until


class Senders:
    """Clients that send one message after another until they are told to
    stop; `ids` is what got 250."""

    def __init__(self, port, n, size=300):
        self.port, self.size = port, size
        self.ids, self.lock = [], threading.Lock()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True)
                        for _ in range(n)]
        for t in self.threads:
            t.start()

    def run(self):
        body = b"Subject: load\r\n\r\n" + b"x" * self.size + b"\r\n"
        try:
            with smtplib.SMTP("127.0.0.1", self.port, "client.test",
                              timeout=DEADLINE_S) as smtp:
                smtp.ehlo()
                while not self.over.is_set():
                    smtp.mail("a@elsewhere.test")
                    smtp.rcpt("ann@example.com")
                    code, text = smtp.data(body)
                    if code == 250:
                        with self.lock:
                            self.ids.append(queued_id(text.decode()))
        except (OSError, smtplib.SMTPException):
            pass  # killed under us: that message got no 250

    def stop(self):
        self.over.set()
        for t in self.threads:
            t.join()
        return self.ids


def uncertain(gw):
    """The recipients whose double is explained on record."""
    return {e["id"] for e in gw.all_events() if e.get("uncertain")}


def one_kill(gw, legs, rng, ids):
    load = Senders(gw.port, 8)
    wanted = rng.randrange(1, 60)
    until(lambda: len(load.ids) >= wanted, f"{wanted} messages")
    gw.kill()
    ids += load.stop()
    gw.start()


def check_all(gw, legs, ids):
    for leg in legs:
        until(lambda: set(ids) <= {m.id for m in leg.mails},
              lambda: "all that got 250 at %s; missing %s" % (
                  leg.name, set(ids) - {m.id for m in leg.mails}))
    gw.wait_empty()
    gw.verify()
    for leg in legs:
        n = collections.Counter(m.id for m in leg.mails)
        double = {id for id, k in n.items() if k > 1}
        assert double <= uncertain(gw), double - uncertain(gw)


def kills(make_gw, legacy, cloud, times, seed):
    rng = random.Random(seed)
    gw = make_gw()
    gw.cli("route set legacy+cloud ann@example.com")
    ids = []
    for _ in range(times):
        one_kill(gw, (legacy, cloud), rng, ids)
    assert len(ids) == len(set(ids)) > 0
    check_all(gw, (legacy, cloud), ids)


def unmarked(gw, leg):
    """Messages that came to that leg twice without an event that says so."""
    n = collections.Counter(m.id for m in leg.mails)
    marked = {e["id"] for e in gw.all_events()
              if e.get("uncertain") and e["leg"] == leg.name}
    return {id for id, k in n.items() if k > 1} - marked


def kills_amid_changes(make_gw, legacy, cloud, times, seed):
    rng = random.Random(seed)
    gw = make_gw({"retry": {"steps": ["1s"], "jitter": 0},
                  "spool": {"segment": "1M"}})
    gw.cli("route set legacy+cloud ann@example.com")
    ids = []
    for _ in range(times):
        for leg in legacy, cloud:  # … and later attempts
            leg.reply("RCPT", "450 4.2.1 busy", times=10)
        meddler = Meddler(gw, rng, "ann@example.com")
        one_kill(gw, (legacy, cloud), rng, ids)
        meddler.stop()
    gw.cli("release ann@example.com")
    gw.cli("flip legacy ann@example.com")
    gw.run("queue", "retry", "--state", "parked", "--yes")
    until(lambda: set(ids) <= {m.id for m in legacy.mails + cloud.mails},
          "all that got 250, somewhere")
    gw.wait_empty()
    gw.verify()
    for leg in legacy, cloud:
        assert not unmarked(gw, leg), leg.name


def test_what_came_twice_is_marked_whatever_was_changed(
        make_gw, legacy, cloud):
    kills_amid_changes(make_gw, legacy, cloud, 4, seed=3)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_what_came_twice_is_marked_over_100_kills(make_gw, legacy, cloud):
    kills_amid_changes(make_gw, legacy, cloud, 100, seed=4)


def test_nothing_is_lost_over_some_kills(make_gw, legacy, cloud):
    kills(make_gw, legacy, cloud, 5, seed=1)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_nothing_is_lost_over_200_kills(make_gw, legacy, cloud):
    kills(make_gw, legacy, cloud, 200, seed=2)


def test_a_kill_with_a_body_half_way_leaves_nothing_of_it(gw, legacy):
    with gw.dialog() as d:
        d.envelope("a@elsewhere.test", "ann@example.com")
        assert d.cmd("DATA").code == 354
        d.send(b"Subject: half\r\n\r\n" + b"x" * 700_000)
        gw.kill()
    gw.start()
    assert gw.queue() == []
    legacy.wait_message(gw.send())
    assert len(legacy.mails) == 1


def test_a_kill_past_the_final_dot_repeats_and_says_so(gw, legacy):
    """D8: after an unclean end."""
    gate = legacy.hold("DOT")
    id = gw.send()
    gate.reached()
    gw.kill()
    gate.release()
    gw.start()
    e = gw.wait_event("delivered", id)
    assert e["uncertain"] in ("yes", "possible")
    one, two = until(lambda: len(legacy.messages(id)) == 2 and
                     legacy.messages(id), "the second")
    assert one.raw == two.raw


def test_big_bodies_survive_a_kill_byte_for_byte(gw, legacy):
    """Over 256 KiB: the bulk lane."""
    legacy.refuse_connections()
    rng = random.Random(3)
    lines = [bytes(rng.randrange(32, 127) for _ in range(70)).lstrip(b".")
             for _ in range(9000)]
    body = b"Subject: big\r\n\r\n" + b"\r\n".join(lines) + b"\r\n"
    ids = [gw.send(message=body) for _ in range(2)]
    gw.kill()
    gw.start()
    legacy.accept_connections()
    for id in ids:
        assert legacy.wait_message(id).below == body


def test_a_stop_lets_the_dialog_past_the_dot_end(gw, legacy):
    gate = legacy.hold("DOT")
    id = gw.send()
    gate.reached()
    gw.process.terminate()
    gw.wait_log("stop.asked")
    gate.release()
    assert gw.ended() == 0
    gw.start()
    gw.wait_empty()
    assert len(legacy.messages(id)) == 1


def test_a_stop_keeps_what_waits_and_tells_idle_clients(gw, legacy):
    legacy.refuse_connections()
    ids = [gw.send() for _ in range(3)]
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        gw.process.terminate()
        assert d.reply().code == 421 and d.closed()
    assert gw.ended() == 0
    legacy.accept_connections()
    gw.start()
    for id in ids:
        legacy.wait_message(id)
    assert not [e for e in gw.all_events() if e.get("uncertain")]


def test_retained_and_waiting_mail_outlives_recycling(make_gw, legacy):
    """The journal goes round several times; one message waits all along."""
    gw = make_gw({"spool": {"segment": "1M", "retain": "0s"}})
    gw.cli("route set legacy ann@example.com")
    gw.cli("hold ann@example.com")
    held = gw.send(to="ann@example.com")
    body = b"Subject: fill\r\n\r\n" + (b"y" * 70 + b"\r\n") * 400
    # The journal may grow first, while the audit trail is behind.
    for _ in range(40):
        for _ in range(50):
            gw.send(to="bob@example.com", message=body)
        gw.wait_empty()
        if any(r.get("carried") for r in gw.cli_json("status")):
            break
    else:
        pytest.fail("56 MB through a journal of some 10 MB carried nothing")
    gw.kill()
    gw.start()
    gw.cli("release ann@example.com")
    legacy.wait_message(held)
