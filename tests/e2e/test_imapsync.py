# SPDX-License-Identifier: ISC
"""contrib/hooks/imapsync with a stand-in for imapsync, which Debian 12 does not
have: how it is called, and what comes of its end. No mailbox is copied here."""
import json
import subprocess

import pytest

from gateway import ROOT

ANN, BOB = "ann@example.com", "bob@example.net"


@pytest.fixture
def hook(tmp_path):
    """Runs it for addresses; the calls, and what it printed."""
    stand_in, calls = tmp_path / "stand-in", tmp_path / "calls"
    stand_in.write_text(f"""#!/usr/bin/python3
import json, sys
with open({str(calls)!r}, "a") as out:
    out.write(json.dumps(sys.argv[1:]) + "\\n")
if "bob" in sys.argv[sys.argv.index("--user1") + 1]:
    print("a lot of words")
    print("Err 1/1: Host1 failure: can not login")
    sys.exit(16)
""")
    stand_in.chmod(0o755)
    conf = tmp_path / "imapsync.conf"
    program = tmp_path / "imapsync"
    text = (ROOT / "contrib/hooks/imapsync").read_text()
    program.write_text(text.replace("\n", f"\n# conf = {conf}\n", 1))
    program.chmod(0o755)

    def run(*users, drop="", **keys):
        lines = {"imapsync": stand_in, "host1": "old.example",
                 "user1": "%n", "passfile1": "/secret/old",
                 "host2": "new.example", "user2": "%u",
                 "passfile2": "/secret/new/%d", **keys}
        conf.write_text("# a comment = that is none\n" + "".join(
            f"{k} = {v}\n" for k, v in lines.items() if k != drop))
        done = subprocess.run(
            [program, "watermark"], capture_output=True, text=True,
            env={"PATH": "/usr/bin:/bin"},
            input="".join(json.dumps({"address": u}) + "\n" for u in users))
        made = [json.loads(c) for c in calls.read_text().splitlines()] \
            if calls.exists() else []
        return done, made

    return run


def test_it_is_known_by_its_message_id_and_nothing_is_deleted(hook):
    done, calls = hook(ANN, options="--ssl1 --authuser1 'the admin'")
    assert (done.returncode, done.stdout) == (0, f"{ANN} synced\n")
    assert calls == [[
        "--host1", "old.example", "--user1", "ann",
        "--passfile1", "/secret/old", "--host2", "new.example",
        "--user2", ANN, "--passfile2", "/secret/new/example.com",
        "--useheader", "Message-Id", "--addheader", "--nolog",
        "--ssl1", "--authuser1", "the admin"]]


def test_one_that_fails_is_said_with_the_end_of_its_words(hook):
    done, calls = hook(ANN, BOB, "cid@example.com")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"{ANN} synced",
        f"{BOB} failed a lot of words Err 1/1: Host1 failure: can not login",
        "cid@example.com synced"]
    assert len(calls) == 3


@pytest.mark.parametrize("option", ["--delete2", "--delete1 --expunge1"])
def test_options_that_delete_are_refused(hook, option):
    done, calls = hook(ANN, options=option)
    assert done.returncode == 1 and "nothing may be deleted" in done.stderr
    assert not calls and not done.stdout


def test_what_is_missing_is_named(hook, tmp_path):
    done, calls = hook(ANN, drop="passfile2")
    assert done.returncode == 1 and not calls
    assert "there is no line `passfile2 = ...`" in done.stderr
    done, _ = hook(ANN, imapsync=tmp_path / "none")
    assert "failed [Errno 2] No such file" in done.stdout
