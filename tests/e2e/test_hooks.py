# SPDX-License-Identifier: ISC
"""The programs of the section `hook`: what they are given, what they say, and
that a list comes again until it is taken."""
import json

import pytest

from until import until

ANN, BOB, CAY = "ann@example.com", "bob@example.com", "cay@example.com"


class Program:
    def __init__(self, path, out):
        self.program, self.out = path, out

    def write(self, script):
        self.program.write_text(f"""#!/usr/bin/python3
import json, os, sys, threading
rows = [json.loads(line) for line in sys.stdin]
with open({str(self.out)!r}, "a") as out:
    out.write(json.dumps([sys.argv[1:], rows]) + "\\n")
{script}
""")
        self.program.chmod(0o755)

    @property
    def runs(self):
        if not self.out.exists():
            return []
        return [json.loads(l) for l in self.out.read_text().splitlines()]

    def wait(self, n=1):
        return until(lambda: len(self.runs) >= n and self.runs,
                     f"{n} runs of the program")


@pytest.fixture
def hook(tmp_path, folder):
    # Where the daemon may not write: that would be refused.
    return Program(tmp_path / "on_watermark", folder / "told")


@pytest.fixture
def held(tmp_path, folder):
    return Program(tmp_path / "on_held", folder / "told-held")


def mark(gw, address):
    return next((r for r in gw.cli_json("watermark", "list")
                 if r["address"] == address), {})


def wait_mark(gw, address, **want):
    return until(lambda: want.items() <= mark(gw, address).items()
                 and mark(gw, address), f"{address} to have {want}")


def flip(gw, *addresses):
    for address in addresses:
        gw.cli("route", "set", "legacy", address)
    gw.cli("flip", "cloud", *addresses)


def test_it_is_told_and_its_lines_count(make_gw, legacy, cloud, hook):
    hook.write(f'print("{ANN} synced"); print("{BOB} failed no such folder")\n'
               'print("something else")')
    gw = make_gw({"hook": {"on_watermark": hook.program}})
    gw.cli("route", "set", "legacy", ANN)
    message = gw.send(to=ANN)
    assert legacy.wait_message(message)
    gw.wait_event("delivered", id=message)
    flip(gw, ANN, BOB, CAY)
    wait_mark(gw, ANN, state="synced")
    failed = wait_mark(gw, BOB, hook="failed")
    assert failed["state"] == "reached"
    assert failed["note"] == "no such folder"
    # That it was told makes nothing synchronized.
    assert wait_mark(gw, CAY, hook="taken")["state"] == "reached"
    gw.wait_event("watermark", to=ANN, state="synced")
    alarm = gw.wait_event("alarm", kind="hook")
    assert BOB in alarm["text"] and "no such folder" in alarm["text"]
    args = {tuple(a) for a, _ in hook.runs}
    rows = {r["address"]: r for _, rs in hook.runs for r in rs}
    assert args == {("watermark",)} and set(rows) == {ANN, BOB, CAY}
    assert rows[ANN]["leg"] == "legacy" and rows[ANN]["message"] == message
    assert rows[ANN]["covers"] == "mail that passed here"
    assert rows[BOB]["since"] and "last" not in rows[BOB]


def test_a_line_counts_while_the_program_still_runs(make_gw, hook, folder):
    hook.write(f'''print("{ANN} synced", flush=True)
fd = os.open({str(folder / "gate")!r}, os.O_RDONLY)
os.read(fd, 1)''')
    gw = make_gw({"hook": {"on_watermark": hook.program}}, start=False)
    (folder / "gate").unlink(missing_ok=True)
    __import__("os").mkfifo(folder / "gate")
    gw.start()
    flip(gw, ANN)
    wait_mark(gw, ANN, state="synced")
    with open(folder / "gate", "w") as gate:
        gate.write("x")
    assert len(hook.runs) == 1


def test_what_it_did_not_see_is_told_again(make_gw, legacy, cloud, hook,
                                           folder):
    """Mail comes between the list and the line `synced`: the program looked
    before it, so the line does not count, and the mailbox comes again."""
    gate = folder / "open"
    hook.write(f'''while not os.path.exists({str(gate)!r}):
    threading.Event().wait(0.02)
for r in rows: print(r["address"], "synced")''')
    gw = make_gw({"hook": {"on_watermark": hook.program}})
    flip(gw, ANN, BOB)
    told = {r["address"] for r in hook.wait()[0][1]}
    assert ANN in told
    gw.cli("flip", "legacy", ANN)
    message = gw.send(to=ANN)
    assert legacy.wait_message(message)
    gw.wait_event("delivered", id=message)
    gw.cli("flip", "cloud", ANN)
    wait_mark(gw, ANN, state="reached", id=message)
    hook.write("pass")
    gate.touch()
    again = [r for r in hook.wait(2)[1][1] if r["address"] == ANN]
    assert [r["message"] for r in again] == [message]
    assert wait_mark(gw, ANN, hook="taken")["state"] == "reached"
    if BOB in told:
        wait_mark(gw, BOB, state="synced")


@pytest.mark.parametrize("how", ["sys.exit(75)", "os.kill(os.getpid(), 9)"])
def test_what_is_not_taken_comes_again(make_gw, hook, how):
    hook.write(how)
    gw = make_gw({"hook": {"on_watermark": hook.program}})
    flip(gw, ANN)
    hook.wait()
    line = gw.wait_log("hook.again")
    assert "in_s=60" in line.group(0)
    assert mark(gw, ANN)["hook"] == "due"
    hook.write("pass")
    gw.restart()
    wait_mark(gw, ANN, hook="taken")
    assert [r["address"] for r in hook.wait(2)[-1][1]] == [ANN]


def test_an_error_is_said_and_does_not_come_again(make_gw, hook):
    hook.write('print("the server does not answer"); sys.exit(3)')
    gw = make_gw({"hook": {"on_watermark": hook.program}})
    flip(gw, ANN)
    row = wait_mark(gw, ANN, hook="failed")
    assert row["note"] == "the server does not answer"
    assert row["state"] == "reached"
    assert "does not answer" in gw.wait_event("alarm", kind="hook")["text"]
    gw.restart()
    flip(gw, BOB)
    wait_mark(gw, BOB, hook="failed")
    told = [r["address"] for _, rows in hook.runs for r in rows]
    assert told == [ANN, BOB]


def test_a_kill_of_the_daemon_loses_no_list(make_gw, hook, folder):
    gate = folder / "open"
    hook.write(f'''while not os.path.exists({str(gate)!r}):
    threading.Event().wait(0.02)''')
    gw = make_gw({"hook": {"on_watermark": hook.program}})
    flip(gw, ANN, BOB)
    first = hook.wait()[0][1]
    gw.kill()
    gate.touch()
    gw.start()
    for who in (ANN, BOB):
        wait_mark(gw, who, hook="taken")
    told = [{r["address"] for r in rows} for _, rows in hook.runs]
    assert told[0] == {r["address"] for r in first}
    assert set().union(*told[1:]) == {ANN, BOB}  # at least once
    runs = len(hook.runs)
    gw.restart()
    flip(gw, CAY)
    wait_mark(gw, CAY, hook="taken")
    assert [r["address"] for _, rows in hook.runs[runs:] for r in rows] == [
        CAY]


def test_held_mailboxes_have_a_program_of_their_own(
        make_gw, legacy, cloud, hook, held):
    hook.write("pass")
    held.write('for r in rows: print(r["address"], "synced")')
    gw = make_gw({"hook": {"on_watermark": hook.program,
                           "on_held": held.program}})
    gw.cli("route", "set", "legacy", ANN)
    gw.cli("hold", ANN)
    wait_mark(gw, ANN, state="synced")
    assert [(a, [r["address"] for r in rows]) for a, rows in held.runs] == [
        (["held"], [ANN])]
    flip(gw, BOB)
    wait_mark(gw, BOB, hook="taken")
    assert {r["address"] for _, rows in hook.runs for r in rows} == {BOB}


def test_a_mailbox_that_is_held_again_comes_after_it_was_passed_over(
        make_gw, held, folder):
    """What is due for no program is passed over once, and looked at again when
    its route says otherwise."""
    gate = folder / "open"
    held.write(f"""while not os.path.exists({str(gate)!r}):
    threading.Event().wait(0.02)""")
    gw = make_gw({"hook": {"on_held": held.program}})
    for address in (ANN, BOB, CAY):
        gw.cli("route", "set", "legacy", address)
    gw.cli("hold", ANN)
    assert [r["address"] for r in held.wait()[0][1]] == [ANN]
    gw.cli("hold", BOB)
    wait_mark(gw, BOB, hook="due")
    gw.cli("flip", "defer", BOB)  # no leg: no other watermark begins
    gw.cli("release", BOB)
    gw.cli("hold", CAY)
    wait_mark(gw, CAY, hook="due")
    gate.touch()
    # One walk made that list, so it has met BOB, too.
    assert [r["address"] for r in held.wait(2)[1][1]] == [CAY]
    assert mark(gw, BOB)["hook"] == "due"
    gw.cli("hold", BOB)
    told = {r["address"] for r in held.wait(3)[2][1]}
    assert told == {BOB}
    wait_mark(gw, BOB, hook="taken")


def test_a_list_has_a_thousand_lines_at_most(make_gw, hook, folder):
    hook.write("pass")
    gw = make_gw({"hook": {"on_watermark": hook.program}})
    who = [f"user{i}@example.com" for i in range(2300)]
    names = folder / "names"
    names.write_text("\n".join(who) + "\n")
    gw.cli("route", "set", "legacy", "@example.com")
    gw.cli("flip", "cloud", "--file", str(names), "--create", "--yes")
    until(lambda: len(gw.cli_json("watermark", "list")) == len(who) and all(
        r.get("hook") == "taken" for r in gw.cli_json("watermark", "list")),
        "all to be taken")
    told = [[r["address"] for r in rows] for _, rows in hook.runs]
    assert max(map(len, told)) <= 1000
    assert sorted(a for rows in told for a in rows) == sorted(who)


@pytest.mark.parametrize("key", ["on_watermark", "on_held"])
def test_a_program_that_cannot_be_run_is_refused_at_start(
        make_gw, folder, key):
    gw = make_gw({"hook": {key: folder / "nothing"}}, start=False)
    gw.launch()
    assert gw.ended() == 1
    assert f"hook.{key}" in gw.all_log()
