# SPDX-License-Identifier: ISC
"""contrib/hooks/doveadm-sync between two real Dovecots, with mail that went to
both: none twice, none gone, and the source as it was."""
import pathlib
import re
import stat

import pytest

from conftest import unpacked
from gateway import ROOT
from peers import DOVECOT_START, Dovecot
from until import until

ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
def servers(folder):
    packages = unpacked("dovecot-core", "dovecot-lmtpd")
    both = [Dovecot(packages, folder / name, {ANN: None, BOB: None})
            for name in ("old", "new")]
    if not both[0].runs_here():
        pytest.skip("no overlay can be mounted here")
    try:
        yield [s.start() for s in both]
    finally:
        for s in both:
            s.stop()


@pytest.fixture
def program(tmp_path, servers):
    """A copy of the program that names its file of settings, and a doveadm
    that finds its own where the peers are unpacked."""
    old, new = servers
    doveadm = tmp_path / "doveadm"
    words = new.program("-c", str(new.folder / "dovecot.conf"))
    script = DOVECOT_START.replace('exec "$1/sbin/dovecot" "$@"',
                                   'shift 2 && exec doveadm "$@"')
    doveadm.write_text(
        "#!/bin/sh\nexec unshare --mount sh -c '" + script + "' sh "
        f"{words[-2]} {words[-1]} -c {new.folder / 'dovecot.conf'} \"$@\"\n")
    conf = tmp_path / "doveadm-sync.conf"
    conf.write_text(f"doveadm = {doveadm}\n"
                    f"source = maildir:{old.folder}/mail/%u\n")
    copy = tmp_path / "doveadm-sync"
    text = (ROOT / "contrib" / "hooks" / "doveadm-sync").read_text()
    copy.write_text(text.replace("\n", f"\n# conf = {conf}\n", 1))
    for path in (doveadm, copy):
        path.chmod(0o755)
    return copy


def subjects(server, user):
    return sorted(re.search(rb"(?im)^subject:\s*(\S+)", m).group(1).decode()
                  for m in server.mails(user))


def mail(n, with_id=True):
    name = f"Message-ID: <{n}.1@elsewhere.test>\r\n" if with_id else ""
    return (f"From: s@elsewhere.test\r\n{name}"
            f"Subject: {n}\r\n\r\nbody {n}\r\n").encode()


def wait_synced(gw, user):
    def done():
        return [r for r in gw.cli_json("watermark", "list")
                if r["address"] == user and r["leg"] == "legacy"
                and (r["state"] == "synced" or r.get("hook") == "failed")]
    [row] = until(done, f"{user} to be synchronized")
    assert row["state"] == "synced", row.get("note")


def names(folder):
    return {p: (p.stat().st_size, stat.S_IMODE(p.stat().st_mode))
            for p in pathlib.Path(folder).rglob("*")
            if p.parent.name in ("new", "cur")}


def test_none_is_doubled_and_none_is_gone(make_gw, servers, program):
    old, new = servers
    leg = {"protocol": "lmtp", "tls": "none"}
    # The peers are shown themselves where they were installed, by a mount
    # that the sandbox of programs would refuse.
    gw = make_gw({"": {"sandbox": False},
                  "hook": {"on_watermark": program}}, legs={
        "legacy": {"hosts": [f"127.0.0.1:{old.port}"], **leg},
        "cloud": {"hosts": [f"127.0.0.1:{new.port}"], **leg}})
    for user in (ANN, BOB):
        gw.cli("route", "set", "legacy", user)
        for n in ("a", "b"):
            gw.wait_event("delivered", gw.send(
                to=user, message=mail(n, with_id=n == "a")))
        gw.cli("route", "set", "legacy+cloud", user)
        for n in ("c", "d"):
            gw.send(to=user, message=mail(n))
    until(lambda: all(subjects(old, u) == ["a", "b", "c", "d"]
                      and subjects(new, u) == ["c", "d"]
                      for u in (ANN, BOB)), "all mail to be there")
    # Dual mail is not the same bytes on both.
    assert not set(old.mails(ANN)) & set(new.mails(ANN))
    before = names(old.folder / "mail")
    gw.cli("flip", "cloud", ANN, BOB)
    gw.send(to=ANN, message=mail("e"))
    for user in (ANN, BOB):
        wait_synced(gw, user)
    gw.wait_empty()
    assert subjects(new, ANN) == ["a", "b", "c", "d", "e"]
    assert subjects(new, BOB) == ["a", "b", "c", "d"]
    # Once more, after another one on the old server.
    gw.cli("flip", "legacy", BOB, "--wait")
    until(lambda: not [r for r in gw.cli_json("watermark", "list")
                       if r["address"] == BOB and r["leg"] == "legacy"],
          "the watermark of the old server to end")
    gw.wait_event("delivered", gw.send(to=BOB, message=mail("f")))
    gw.cli("flip", "cloud", BOB, "--wait")
    wait_synced(gw, BOB)
    gw.wait_empty()
    assert subjects(new, BOB) == ["a", "b", "c", "d", "f"]
    assert before.items() <= names(old.folder / "mail").items()
