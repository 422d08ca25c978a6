# SPDX-License-Identifier: ISC
"""A change of the table while an attempt is under way: every leg that the
route names gets the message (doc/routing.md, rule 5)."""
import smtplib

import pytest

from dialog import queued_id
from until import until

MESSAGES = 60
ANN, ALL = "ann@example.com", "@example.com"


def send_many(gw, n, sender="sender@elsewhere.test"):
    body = b"Subject: many\r\n\r\ntext\r\n"
    with smtplib.SMTP("127.0.0.1", gw.port, "client.test") as smtp:
        smtp.ehlo()
        ids = []
        for _ in range(n):
            gw.must(smtp.mail(sender))
            gw.must(smtp.rcpt(ANN))
            ids.append(queued_id(gw.must(smtp.data(body))))
    return ids


def all_at(leg, ids):
    until(lambda: set(ids) <= {m.id for m in leg.mails},
          lambda: f"all at {leg.name}, but for "
          f"{len(set(ids) - {m.id for m in leg.mails})}")
    assert len(leg.mails) == len(ids)


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DOT"])
@pytest.mark.parametrize("whom", [ANN, ALL])
def test_a_flip_during_a_dialog_adds_the_copy(gw, legacy, cloud, stage, whom):
    """As many dialogs as may be wait at that stage, the rest in the queue."""
    if whom == ANN:
        gw.cli("route", "set", "legacy", ANN)
    gate = legacy.hold(stage, times=None)
    ids = send_many(gw, MESSAGES)
    gate.reached()
    gw.cli("flip", "legacy+cloud", whom)
    gate.release()
    all_at(legacy, ids)
    all_at(cloud, ids)


def test_a_flip_between_rcpt_and_the_final_dot_adds_the_copy(
        gw, legacy, cloud):
    gw.cli("route", "set", "legacy", ANN)
    dialogs = [gw.dialog() for _ in range(40)]  # of one client
    for d in dialogs:
        d.envelope("a@elsewhere.test", ANN)
        assert d.cmd("DATA").code == 354
    gw.cli("flip", "legacy+cloud", ANN)
    ids = []
    for d in dialogs:
        d.send(b"Subject: x\r\n\r\ntext\r\n.\r\n")
        ids.append(queued_id(str(d.reply())))
        d.close()
    all_at(legacy, ids)
    all_at(cloud, ids)


def test_mail_that_becomes_due_during_the_flip_has_the_copy(
        gw, legacy, cloud):
    """Whatever change a result bears, the legs of that change get it."""
    gw.cli("route", "set", "legacy", ANN)
    gw.cli("leg", "suspend", "legacy")
    ids = send_many(gw, 300)
    resumed = gw.spawn("leg", "resume", "legacy")
    change = gw.change("flip", "legacy+cloud", ANN)
    assert resumed.wait() == 0
    all_at(legacy, ids)
    gw.wait_empty()
    new = {e["id"] for e in gw.events(event="delivered", leg="legacy")
           if e["change"] >= change}
    assert new <= {m.id for m in cloud.mails}
    assert len({m.id for m in cloud.mails}) == len(cloud.mails)
