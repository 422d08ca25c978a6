# SPDX-License-Identifier: ISC
"""Bad input and bad luck: one clear sentence, nothing lost."""
import os
import shutil
import signal
import subprocess

import pytest

from gateway import BUILD, Refused
from ports import free_port
from until import until

ANN = "ann@example.com"
GOOD = """\
hostname = "relay.example.com"
leg "legacy" { hosts = { "192.0.2.1:25" } }
leg "cloud" { hosts = { "192.0.2.2:25" } }
domain "example.com" { route = "legacy" }
"""
BAD = [
    # what, text, line, words that must be said
    ("unknown key", GOOD + "colour = \"red\"\n", 5, "colour"),
    ("double leg", GOOD + 'leg "cloud" { hosts = { "192.0.2.3:25" } }\n', 5,
     "cloud"),
    ("no hostname", GOOD.partition("\n")[2], 1, "hostname"),
    ("open section", GOOD + 'spool {\n    max = "1G"\n', 5, "not closed"),
    ("impossible size", GOOD + 'spool { max = "12 apples" }\n', 5, "12"),
    ("route to nowhere", GOOD.replace('"legacy" }\n', '"moon" }\n'), 4,
     "moon"),
    ("both of nobody", GOOD.replace('route = "legacy"',
                                    'route = "legacy" both = "cloud+sun"'),
     4, "sun"),
    ("missing certificate",
     GOOD + 'listen "x" { certificate = { "/no/such.pem" } }\n', 5,
     "/no/such.pem"),
    ("no leg", 'hostname = "a.example.com"\n', 1, "leg"),
    ("bad address", GOOD.replace("192.0.2.2:25", "192.0.2.2:99999"), 3,
     "99999"),
    ("open to all", GOOD.replace('"192.0.2.1:25" }',
                                 '"192.0.2.1:25" } clients = { "0.0.0.0/0" }'),
     2, "0.0.0.0/0"),
    ("alarms without a way", GOOD + 'dsn { via = "none" }\n'
     'alarm { mail = "oncall@example.org" }\n', 6, 'via = "mx"'),
]


def check(conf):
    return subprocess.run([BUILD / "posthoused", "-t", "-c", conf],
                          capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("what, text, line, word", BAD,
                         ids=[b[0].replace(" ", "-") for b in BAD])
def test_a_bad_configuration_is_named_by_file_and_line(folder, what, text,
                                                       line, word):
    conf = folder / "bad.conf"
    conf.write_text(text)
    done = check(conf)
    assert done.returncode == 1
    said = done.stderr.strip()
    assert said.startswith(f"{conf}:{line}: "), said
    assert word in said and len(said.splitlines()) == 1


def paths(folder):
    """GOOD with everything that is written below `folder`."""
    return GOOD + f'''\
listen "mx" {{ address = {{ "127.0.0.1:2525" }} }}
table {{ path = "{folder}/cutover.db" }}
spool {{ path = "{folder}/spool" }}
audit {{ path = "{folder}/audit" events = "{folder}/events.jsonl" }}
control {{ socket = "{folder}/control.sock" }}
log {{ file = "{folder}/log" }}
'''


def test_a_good_one_is_called_good(folder):
    conf = folder / "good.conf"
    conf.write_text(paths(folder))
    done = check(conf)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (folder / "spool").exists(), "-t makes nothing"
    assert check(folder / "missing.conf").returncode == 1


AWAY = [
    # what, old, new, line, words that must be said
    ("spool without a place", "/spool", "/nowhere/spool", 7, "nowhere"),
    ("audit that is a file", "/audit", "/bad.conf", 8, "not a folder"),
    ("events without a folder", "/events", "/nowhere/events", 8, "nowhere"),
    ("table without a folder", "/cutover", "/nowhere/cutover", 6, "nowhere"),
    ("socket without a folder", "/control", "/nowhere/control", 9,
     "nowhere"),
    ("log that is a folder", "/log", "", 10, "it is a folder"),
    ("foreign listener", "127.0.0.1:2525", "192.0.2.9:2525", 5, "192.0.2.9"),
    ("foreign source", "192.0.2.2:25\" }",
     "192.0.2.2:25\" } source = \"192.0.2.9\"", 3, "192.0.2.9"),
    ("leg to ourselves", "192.0.2.1:25", "127.0.0.1:2525", 2, "ourselves"),
    ("leg to a wildcard of ours", "192.0.2.1:25\" } }\n",
     "127.0.0.1:2526\" } }\nlisten \"all\" "
     "{ address = { \"0.0.0.0:2526\" } }\n", 2, "ourselves"),
    ("domain without a route", 'route = "legacy"', "", 4, "route"),
    ("no folder of profiles", "hostname", 'profiles = "/nowhere"\nhostname',
     1, "/nowhere"),
]


@pytest.mark.parametrize("what, old, new, line, word", AWAY,
                         ids=[a[0].replace(" ", "-") for a in AWAY])
def test_what_the_start_would_miss_is_named(folder, what, old, new, line,
                                            word):
    conf = folder / "bad.conf"
    conf.write_text(paths(folder).replace(old, new, 1))
    done = check(conf)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{conf}:{line}: "), done.stderr
    assert word in done.stderr and len(done.stderr.splitlines()) == 1


def test_every_fault_is_named_in_one_run(folder):
    conf = folder / "bad.conf"
    conf.write_text(paths(folder).replace("/spool", "/nowhere/spool")
                    .replace("/audit", "/nowhere/audit"))
    assert len(check(conf).stderr.splitlines()) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_check_by_root_judges_as_the_owner_of_the_spool(folder):
    conf = folder / "bad.conf"
    secrets = folder / "token.secrets"
    secrets.write_text("a secret of more than sixteen octets\n")
    secrets.chmod(0o600)
    (folder / "spool").mkdir()
    conf.write_text(paths(folder) + f'token {{ secrets = "{secrets}" }}\n')
    folder.chmod(0o755)
    assert check(conf).returncode == 0
    os.chown(folder, 65534, 65534)
    os.chown(folder / "spool", 65534, 65534)
    done = check(conf)
    assert done.returncode == 1 and str(secrets) in done.stderr


def test_a_domain_without_a_route_may_have_a_row(gw, folder):
    gw.cli("route set legacy @example.com")
    conf = folder / "bare.conf"
    conf.write_text(gw.conf.read_text().replace('route = "legacy"', ""))
    assert check(conf).returncode == 0


# -- reload

def test_a_good_reload_counts_and_drops_nobody(gw, legacy, make_leg):
    third = make_leg("third")
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        gw.set('leg "third"', **gw.leg_keys(third))
        gw.set("limits", recipients=100)
        assert gw.reload()
        d.ok("MAIL FROM:<a@elsewhere.test>")
        d.ok(f"RCPT TO:<{ANN}>")
        assert d.data("Subject: x\r\n\r\nx\r\n.\r\n").code == 250
    gw.cli(f"route set third {ANN}")
    third.wait_message(gw.send(to=ANN))


def test_a_bad_reload_changes_nothing_and_says_where(gw, legacy):
    good = gw.conf.read_text()
    gw.conf.write_text(good + "colour = \"red\"\n")
    line = len(good.splitlines()) + 1
    assert not gw.reload()
    assert f"{gw.conf}:{line}: " in gw.log_text()
    legacy.wait_message(gw.send())
    gw.conf.write_text(good)
    assert gw.reload()


def test_a_key_that_needs_a_restart_is_named(gw):
    gw.set("", workers=3)
    assert gw.reload()
    assert "workers" in gw.wait_log("conf.restart").group(0)


def test_a_listener_comes_and_goes_by_reload(gw):
    port = free_port()
    gw.set('listen "second"', address=[f"127.0.0.1:{port}"])
    gw.reload()
    gw.wait_event("delivered", gw.send())


def test_reload_after_reload_under_load(gw, legacy):
    for i in range(20):
        gw.set("limits", errors=20 + i)
        gw.process.send_signal(signal.SIGHUP)
        gw.send()
    legacy.wait_count(20)


# -- start

def refused(gw):
    """Why it did not start; one sentence."""
    with pytest.raises(Refused) as e:
        gw.start()
    assert gw.ended() == 1
    return str(e.value)


def test_a_port_in_use_is_said(gw, make_gw):
    other = make_gw({'listen "mx"': {"address": [f"127.0.0.1:{gw.port}"]}},
                    start=False, name="b")
    said = refused(other)
    assert f"127.0.0.1:{gw.port}" in said and "in use" in said
    gw.wait_event("delivered", gw.send())


def test_a_second_daemon_on_a_spool_is_refused_by_name(gw, make_gw):
    other = make_gw({"control": {"socket": "b.sock"},
                     "spool": {"path": gw.folder / "spool"}},
                    start=False, name="b")
    said = refused(other)
    assert str(gw.process.pid) in said and "spool" in said
    gw.wait_event("delivered", gw.send())


def test_a_control_socket_that_answers_is_not_taken(gw, make_gw):
    other = make_gw({"control": {"socket": gw.folder / "control.sock"}},
                    start=False, name="b")
    assert "control.sock" in refused(other)
    gw.cli("status")


def test_a_dead_daemon_s_socket_is_replaced(gw):
    gw.kill()
    gw.start()
    gw.cli("status")


@pytest.mark.parametrize("make", (
    lambda p: p.write_text("mine"), lambda p: p.mkdir(),
    lambda p: p.symlink_to("elsewhere.sock")), ids=("file", "folder", "link"))
def test_what_is_no_socket_is_left_alone(make_gw, folder, make):
    gw = make_gw(start=False)
    path = folder / "control.sock"
    make(path)
    said = refused(gw)
    assert f"{path} is no socket; remove it" in said
    assert path.is_symlink() or path.exists()
    assert not (folder / "elsewhere.sock").exists()


@pytest.mark.parametrize("name", ("spool", "cutover.db", "audit"))
def test_what_everybody_can_write_is_not_trusted(gw, name):
    gw.stop()
    (gw.folder / name).chmod(0o777)
    assert f"on this machine can write {gw.folder / name}" in refused(gw)


def test_a_table_that_is_none_is_refused(make_gw):
    gw = make_gw(start=False)
    (gw.folder / "cutover.db").write_bytes(b"no table " * 1000)
    assert "cutover.db" in refused(gw)


def test_a_directory_that_is_not_there_is_named(make_gw):
    gw = make_gw({"control": {"socket": "no/such/dir.sock"}}, start=False)
    assert "no/such" in refused(gw)


def test_a_read_only_spool_is_refused(make_gw, mount):
    path = mount("ro", "size=1m,ro")
    gw = make_gw({"spool": {"path": path / "spool"}}, start=False)
    assert "spool" in refused(gw).lower()


# -- while it runs

def test_a_table_that_went_bad_is_451_and_loses_nothing(gw, legacy):
    """Never a default route by accident."""
    legacy.refuse_connections()
    waiting = gw.send(to=ANN)
    table = gw.folder / "cutover.db"
    good = table.with_suffix(".good")
    gw.cli("table", "backup", str(good))
    for name in ("cutover.db", "cutover.db-wal", "cutover.db-shm"):
        (gw.folder / name).rename(gw.folder / (name + ".away"))
    table.write_bytes(b"garbage " * 4096)
    rcpt = lambda: answer(gw)
    until(lambda: rcpt().code == 451, "451")
    assert rcpt().enh == "4.3.0"
    legacy.accept_connections()
    table.unlink()
    shutil.copy(good, table)
    until(lambda: rcpt().code == 250, "250 again")
    legacy.wait_message(waiting)


def answer(gw):
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        return d.cmd(f"RCPT TO:<{ANN}>")


def put_back(gw, backup):
    """As an administrator restores: the daemon stopped, or not."""
    for name in ("cutover.db", "cutover.db-wal", "cutover.db-shm"):
        (gw.folder / name).unlink(missing_ok=True)
    shutil.copy(backup, gw.folder / "cutover.db")


@pytest.mark.parametrize("running", [True, False],
                         ids=["running", "stopped"])
def test_a_restored_backup_is_451_until_it_is_accepted(gw, cloud, running):
    backup = gw.folder / "backup.db"
    gw.cli(f"route set legacy {ANN}")
    gw.cli("table", "backup", str(backup))
    change = gw.change(f"flip cloud {ANN}")
    gw.wait_event("change", change=change)
    if not running:
        gw.stop()
    put_back(gw, backup)
    if not running:
        gw.start()
    until(lambda: answer(gw).code == 451, "451")
    gw.cli("table", "accept", "--note", "restored")
    until(lambda: answer(gw).code == 250, "250")
    gw.cli(f"flip cloud {ANN}")
    cloud.wait_message(gw.send(to=ANN))


def test_a_full_disk_is_452_and_what_was_accepted_goes_out(make_gw, legacy,
                                                           mount):
    path = mount("small", "size=12m")
    gw = make_gw({"spool": {"path": path / "spool", "segment": "1M",
                            "retain": "0s"}})
    legacy.refuse_connections()
    body = b"Subject: fill\r\n\r\n" + (b"z" * 76 + b"\r\n") * 2500
    got = []
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        for _ in range(100):
            d.ok("MAIL FROM:<a@elsewhere.test>")
            d.ok(f"RCPT TO:<{ANN}>")
            r = d.cmd("DATA")
            if r.code == 354:
                d.send(body + b".\r\n")
                r = d.reply()
            if r.code != 250:
                break
            got.append(r.text.split()[-1])
        assert (r.code, r.enh) == (452, "4.3.1"), r
    assert got
    legacy.accept_connections()
    gw.cli("queue retry --leg legacy")
    for id in got:
        legacy.wait_message(id)
    gw.wait_empty()
    # It recovers by itself.
    until(lambda: try_send(gw, body), "mail to be taken again")


def try_send(gw, body):
    with gw.dialog() as d:
        d.ok("EHLO client.test")
        d.ok("MAIL FROM:<a@elsewhere.test>")
        d.ok(f"RCPT TO:<{ANN}>")
        r = d.cmd("DATA")
        if r.code == 354:
            d.send(body + b".\r\n")
            r = d.reply()
        return r.code == 250


def test_a_full_events_disk_stops_no_mail_and_the_trail_catches_up(
        make_gw, legacy, mount):
    path = mount("events", "size=64k")
    gw = make_gw({"audit": {"events": path / "events.jsonl"}})
    for _ in range(200):
        gw.send()
    legacy.wait_count(200)
    gw.wait_empty()
    assert len((path / "events.jsonl").read_text().splitlines()) < 400
    subprocess.run(["mount", "-o", "remount,size=4m", path], check=True)
    gw.verify()
    gw.events_file = path / "events.jsonl"
    until(lambda: len({e["id"] for e in gw.events(event="delivered")}) == 200,
          "a line for each delivery")


@pytest.fixture
def mount(folder):
    """Small file systems; skipped where they cannot be mounted."""
    paths = []

    def make(name, options):
        path = folder / name
        path.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options,
                               "tmpfs", path], capture_output=True)
        if done.returncode != 0:
            pytest.skip("tmpfs cannot be mounted here")
        paths.append(path)
        return path

    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    yield make
    for path in paths:
        subprocess.run(["umount", "-l", path], check=True)


def test_output_that_is_lost_is_no_success(gw):
    gw.cli(f"route set legacy {ANN}")
    for words in ("route export", "changes list --json", "leg list"):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [BUILD / "posthouse", "-c", gw.conf, *words.split()],
                stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1, words
        assert "could not be written" in done.stderr


def leave_cloud(gw):
    del gw.settings['leg "cloud"']
    del gw.settings['domain "example.com"']["both"]
    gw.write_conf()


def test_a_leg_in_use_does_not_leave_the_configuration(make_gw):
    """Its rows would have no route, its mail no way."""
    gw = make_gw()
    gw.cli(f"route set cloud {ANN} bob@example.com")
    gw.cli("leg suspend cloud")
    id = gw.send(to=ANN)
    leave_cloud(gw)
    said = '1: the configuration has no leg \\"cloud\\" any more, but '
    assert not gw.reload()
    assert said + "2 rows" in gw.log_text()
    check = subprocess.run([BUILD / "posthoused", "-t", "-c", gw.conf],
                           capture_output=True, text=True)
    assert check.returncode == 1
    assert said.replace("\\", "") + "2 rows" in check.stderr
    gw.cli(f"flip defer {ANN} bob@example.com")  # its mail is parked
    gw.wait_event("parked", id=id)
    assert not gw.reload()
    assert said + "1 delivery" in gw.log_text()
    gw.cli(f"queue delete {id} --yes")
    assert gw.reload(), gw.log_text()


def test_a_domain_in_use_does_not_leave_the_configuration(make_gw):
    gw = make_gw()
    gw.settings['domain "example.org"'] = {"route": "legacy"}
    gw.write_conf()
    assert gw.reload(), gw.log_text()
    gw.cli("route set legacy ann@example.org")
    del gw.settings['domain "example.org"']
    gw.write_conf()
    assert not gw.reload()
    assert 'has no domain \\"example.org\\" any more, but 1 row of' in \
        gw.log_text()
    gw.stop()
    done = subprocess.run([BUILD / "posthoused", "-f", "-c", gw.conf],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "example.org" in done.stderr
    gw.cli("route delete ann@example.org")
    gw.start()


def test_a_leg_that_left_the_configuration_says_so(make_gw):
    gw = make_gw()
    gw.cli(f"route set cloud {ANN}")
    gw.cli("leg suspend cloud")
    id = gw.send(to=ANN)
    gw.stop()
    gw.cli(f"route set defer {ANN}")
    leave_cloud(gw)
    gw.start()
    (leg,) = [row for row in gw.cli_json("leg list")
              if row["leg"] == "cloud"]
    assert leg["state"] == "absent" and "no such leg" in leg["reason"]
    assert "1 delivery of cloud is parked" in gw.cli("leg list")
    gw.cli(f"queue delete {id} --yes")
