# SPDX-License-Identifier: ISC
"""An administrator's decisions about many deliveries at once."""
import json
import os
import pty
import socket
import subprocess

import pytest

from dialog import queued_id
from gateway import BUILD
from until import DEADLINE_S, until

ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
def down(gw, legacy):
    """A leg that is suspended: what comes in waits, untouched."""
    gw.cli("leg suspend legacy")
    return gw


def states(gw, *words):
    return sorted(q["state"] for q in gw.queue(*words))


def bulk(gw, messages, rcpts=100):
    """So many deliveries, over one connection; the ids of the messages."""
    rcpt = [f"RCPT TO:<user{r}@example.com>\r\n" for r in range(rcpts)]
    ids = []
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        for _ in range(messages):
            d.send("MAIL FROM:<bulk@elsewhere.test>\r\n" + "".join(rcpt))
            assert all(d.reply().code == 250 for _ in range(rcpts + 1))
            assert d.cmd("DATA").code == 354
            ids.append(queued_id(d.ok("Subject: bulk\r\n\r\nx\r\n.").text))
    return ids


def test_an_act_on_nothing_in_particular_is_refused(down):
    id = down.send(to=ANN)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(str(down.folder / "control.sock"))
        sock.sendall(b'{"command":"queue.act","args":'
                     b'{"action":"delete","ids":[]}}\n')
        answer = sock.makefile().readline()
    assert '"exit":2' in answer and "say which deliveries" in answer
    assert [q["id"] for q in down.queue()] == [id]


@pytest.mark.parametrize("words", [
    ["--to", b"ann\xe9@example.com"], [b"--from=\xe9@example.com"],
    [b"01JD5K3W7Q2M\xe9"]])
def test_what_is_not_utf8_selects_nothing(down, words):
    id = down.send(to=ANN)
    said = down.cli_fails("queue", "delete", *words, "--yes", code=2)
    assert r"\xe9" in said and "is not UTF-8" in said
    assert [q["id"] for q in down.queue()] == [id]


@pytest.mark.parametrize("selection, named", [
    (["--to", BOB], "b"), (["--from", "two@elsewhere.test"], "b"),
    (["--leg", "legacy"], "ab"), (["--state", "queued"], "ab"),
    (["--leg", "cloud"], ""), (["--age", "1h"], ""),
    (["--age", "900000w"], ""),
    (["--age", "0s", "--to", ANN], "a"),
])
def test_a_selection_means_what_it_says(down, selection, named):
    gw = down
    ids = {"a": gw.send(to=ANN, sender="one@elsewhere.test"),
           "b": gw.send(to=BOB, sender="two@elsewhere.test")}
    wanted = sorted(ids[n] for n in named)
    assert sorted(q["id"] for q in gw.queue(*selection)) == wanted
    if not wanted:
        assert "nothing in the queue fits" in gw.cli_fails(
            "queue", "freeze", *selection)
        return
    dry = gw.cli_json("queue", "freeze", *selection, "--dry-run")
    assert sorted(r["id"] for r in dry) == wanted
    assert states(gw) == ["queued", "queued"]
    done = gw.cli_json("queue", "freeze", *selection, "--reason", "look")
    assert sorted(r["id"] for r in done) == wanted
    assert all(r["done"] and r["state"] == "queued" for r in done)
    assert states(gw) == sorted(
        ["frozen"] * len(wanted) + ["queued"] * (2 - len(wanted)))
    for id in wanted:
        e = gw.wait_event("frozen", id)
        assert e["by"] and e["reason"] == "look"


@pytest.mark.parametrize("option", ["--leg", "--to", "--from", "--state",
                                    "--age"])
def test_an_empty_selection_is_not_all(down, option):
    """As from a script whose variable is not set."""
    down.send(to=ANN)
    down.cli_fails("queue", "delete", option, "", "--yes", code=2)
    assert states(down) == ["queued"]


def test_the_null_sender_can_be_selected(down):
    down.send(to=ANN)
    id = down.send(to=ANN, sender="")
    assert [q["id"] for q in down.queue("--from", "<>")] == [id]
    down.cli("queue", "delete", "--from", "<>", "--yes")
    assert len(down.queue()) == 1


def test_age_leaves_out_what_is_younger(down):
    gw = down
    old = gw.send(to=ANN)
    until(lambda: gw.queue("--age", "2s"), "it to grow old")
    young = gw.send(to=ANN)
    gw.cli("queue", "park", "--age", "2s", "--yes")
    by_id = {q["id"]: q["state"] for q in gw.queue()}
    assert by_id[old] == "parked"
    assert by_id[young] == "queued"


def test_what_destroys_is_refused_without_a_terminal(down):
    gw = down
    gw.send(to=ANN)
    for action in ("bounce", "delete", "park"):
        said = gw.cli_fails("queue", action, "--leg", "legacy")
        assert f"{action} 1 delivery" in said and "--yes" in said
    assert states(gw) == ["queued"]


def at_terminal(gw, words, answer, meanwhile=lambda: None):
    """The true program at a terminal; exit code and what it showed."""
    ours, its = pty.openpty()
    p = subprocess.Popen([BUILD / "posthouse", "-c", gw.conf, *words],
                         stdin=its, stdout=its, stderr=its, close_fds=True)
    os.close(its)
    shown, answered = b"", False
    while True:
        try:
            more = os.read(ours, 4096)
        except OSError:
            break
        if not more:
            break
        shown += more
        if b"[y/N]" in shown and not answered:
            answered = True
            meanwhile()
            os.write(ours, answer.encode() + b"\n")
    code = p.wait(DEADLINE_S)
    os.close(ours)
    return code, shown.decode()


def test_at_a_terminal_it_counts_and_asks(down):
    gw = down
    ids = bulk(gw, 2, 30)
    words = ["queue", "delete", *ids]
    code, shown = at_terminal(gw, words, "n")
    assert code == 1 and "delete 60 deliveries" in shown
    assert len(gw.queue()) == 60
    code, shown = at_terminal(gw, words, "y")
    assert code == 0 and "delete [" in shown and "60 done" in shown
    assert gw.queue() == []
    gw.verify()


def test_what_comes_in_while_it_asks_is_not_meant(down):
    gw = down
    old, new = gw.send(to=ANN), []
    code, shown = at_terminal(
        gw, ["queue", "delete", "--leg", "legacy"], "y",
        lambda: new.append(gw.send(to=ANN)))
    assert code == 0 and "1 done" in shown and old in shown
    assert [q["id"] for q in gw.queue()] == new


def test_more_deliveries_than_a_slice_are_all_seen(down):
    """Of one message, too."""
    gw = down
    gw.set("limits", recipients=1000)
    assert gw.reload()
    id, = bulk(gw, 1, 700)
    assert len(gw.queue()) == 700
    shown = gw.cli_json("queue", "show", id)
    assert len([r for r in shown if r["section"] == "delivery"]) == 700
    done = gw.cli_json("queue", "park", id, "--yes")
    assert len(done) == 700 and all(r["done"] for r in done)
    assert len({r["to"] for r in done}) == 700
    assert states(gw) == ["parked"] * 700


def test_a_recipient_is_found_however_it_is_written(down):
    """Also after the domain has another character before the detail."""
    gw = down
    id, other = gw.send(to="Ann+News@Example.com"), gw.send(to=BOB)
    for subaddress in ("+", "-", "="):
        gw.set('domain "example.com"', subaddress=subaddress)
        assert gw.reload()
        for to in ("ann+news@example.com", "ANN+NEWS@EXAMPLE.COM"):
            assert [q["id"] for q in gw.queue("--to", to)] == [id]
        assert gw.queue("--to", ANN) == []
        assert [q["id"] for q in gw.queue("--to", BOB, "--from",
                                          "Sender@Elsewhere.test")] == [other]
    gw.kill()
    gw.start()
    assert [q["id"] for q in gw.queue("--to", "ann+news@example.com")] == [id]
    assert len(gw.queue("--from", "SENDER@elsewhere.TEST")) == 2
    assert gw.queue("--from", "a@elsewhere.test") == []


def test_of_many_the_first_and_the_refused_are_shown(down):
    """And all are done, each on record."""
    gw = down
    ids = bulk(gw, 12)
    gw.cli("queue", "freeze", "--to", "user50@example.com")
    said = gw.cli_fails("queue", "retry", "--leg", "legacy")
    assert "12 of 1200 could not be changed" in said
    done = gw.run("queue", "freeze", "--leg", "legacy", "--reason", "look")
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert "freeze: 1188 done, 12 refused" in done.stdout + done.stderr
    refused = [l for l in lines if "frozen already" in l]
    assert sorted(l.split()[0] for l in refused) == sorted(ids)
    assert all("user50@example.com" in l for l in refused)
    assert 20 <= len([l for l in lines if "@example.com" in l]) <= 32
    assert states(gw) == ["frozen"] * 1200
    gw.kill()
    gw.start()
    assert states(gw) == ["frozen"] * 1200
    gw.verify()


def test_the_few_of_a_long_queue_that_are_changed_are_shown(down):
    """However far they are from each other."""
    gw = down
    ids = bulk(gw, 45)
    few = [ids[0], ids[22], ids[44]]
    for id in few:
        gw.cli("queue", "freeze", id, "--to", "user5@example.com")
    done = gw.run("queue", "thaw", "--state", "frozen")
    assert done.returncode == 0, done.stderr
    rows = [l for l in done.stdout.splitlines() if "@example.com" in l]
    assert sorted(l.split()[0] for l in rows) == sorted(few)
    assert "thaw: 3 done, 0 refused" in done.stdout + done.stderr
    gw.verify()


def test_a_bounce_of_a_copy_is_refused_and_said_why(gw, legacy, cloud,
                                                    outside):
    gw.cli(f"route set cloud+legacy {ANN}")
    gw.cli("leg suspend legacy")
    gw.cli("leg suspend cloud")
    id = gw.send(to=ANN)
    done = gw.run("queue", "bounce", id, "--yes", "--json")
    assert done.returncode == 1
    rows = {r["role"]: r for r in map(json.loads, done.stdout.splitlines())}
    assert rows["primary"]["done"] and rows["primary"]["why"] is None
    assert not rows["copy"]["done"]
    assert "sender is never told" in rows["copy"]["why"]
    assert "1 of 2 could not" in done.stderr
    outside.wait_count(1)
    assert [q["role"] for q in gw.queue()] == ["copy"]
    gw.verify()


def test_many_are_bounced_and_each_sender_hears_once(down, outside):
    gw = down
    ids = bulk(gw, 150, 2)
    done = gw.cli_json("queue bounce --leg legacy --yes")
    assert len(done) == 300 and all(r["done"] for r in done)
    assert gw.queue("--leg", "legacy") == []
    # One notice of a message, however many recipients it had.
    outside.wait_count(150)
    gw.wait_empty()
    assert len(outside.mails) == 150
    assert all(m.raw.count(b"Final-Recipient:") == 2 for m in outside.mails)
    for id in (ids[0], ids[-1]):
        assert len(gw.events(id, "bounced")) == 2
    gw.verify()


def test_export_of_a_selection_is_a_folder_of_messages(down, folder):
    gw = down
    ids = [gw.send(to=ANN) for _ in range(3)]
    gw.send(to=BOB)
    to = folder / "mail"
    rows = gw.cli_json("queue", "export", "--to", ANN, "--to-dir", to)
    assert [r["id"] for r in rows] == sorted(ids)
    assert sorted(os.listdir(to)) == sorted(f"{i}.eml" for i in ids)
    for id in ids:
        text = (to / f"{id}.eml").read_bytes()
        assert text.startswith(b"Received:") and text.endswith(b"Hello.\r\n")
        assert (to / f"{id}.eml").stat().st_mode & 0o777 == 0o600
        e = gw.wait_event("body", id)
        assert e["command"] == "queue export" and e["who"]
    # Files that are there belong to the user.
    said = gw.cli_fails("queue", "export", ids[0], "--to-dir", to)
    assert "File exists" in said
    assert (to / f"{ids[0]}.eml").read_bytes().endswith(b"Hello.\r\n")
    gw.cli_fails("queue export --to-dir", to, code=2)
    # A file of a command that was killed has no message's name.
    (to / f"{ids[0]}.eml").unlink()
    (to / f"{ids[0]}.eml.part").write_bytes(b"Rec")
    gw.cli("queue", "export", ids[0], "--to-dir", to)
    assert sorted(os.listdir(to)) == sorted(f"{i}.eml" for i in ids)


def test_a_hundred_thousand_are_parked_while_mail_goes_on(
        gw, legacy, cloud):
    """Delivery to the other leg does not stand still."""
    gw.set("limits", recipients=1000)
    gw.restart()
    gw.cli(f"route set cloud {ANN}")
    gw.cli("leg suspend legacy")
    bulk(gw, 100, 1000)
    park = gw.spawn("queue", "park", "--leg", "legacy", "--yes")
    sent = 0
    while park.poll() is None:
        cloud.wait_message(gw.send(to=ANN))
        sent += 1
    assert park.returncode == 0
    assert sent > 3
    leg, = [l for l in gw.cli_json("leg list") if l["leg"] == "legacy"]
    assert (leg["parked"], leg["open"], leg["gap"]) == (100000, 0, 0)


def test_wait_without_the_daemon_changes_nothing(gw):
    before = gw.cli_json(f"route set legacy {ANN}") and \
        gw.cli_json(f"route get {ANN}")
    gw.stop()
    assert "does not answer" in gw.cli_fails(
        f"flip cloud {ANN} --wait", code=3)
    assert gw.cli_json(f"route get {ANN}") == before
    gw.cli(f"flip cloud {ANN}")  # without --wait it is the table's alone
