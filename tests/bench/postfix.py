# SPDX-License-Identifier: ISC
"""A tuned Postfix to compare with: Debian's package, unpacked and run by
root from a folder and on a port of its own. The tuning is read from
PH_SHARED, so that both sides may argue about it."""
import os
import pathlib
import pwd
import grp
import signal
import subprocess
import tempfile

from rig import BUILD, SHARED, USERS, say
from peers import answers
from ports import free_port
from until import DEADLINE_S, until

UNPACKED = pathlib.Path(os.environ.get("PH_PEERS", BUILD / "peers")) / \
    "postfix"
TUNING = SHARED / "data/bench/postfix-main.cf"

# Behind the tuning, so that these count: where the unpacked package and its
# borrowed users are.
OWN = """
daemon_directory = {root}/usr/lib/postfix/sbin
command_directory = {root}/usr/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {home}/etc
mail_owner = {owner}
setgid_group = {group}
default_privs = nobody
import_environment = LD_LIBRARY_PATH MAIL_CONFIG LANG=C
"""
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
OWNER, GROUP = "uucp", "news"   # of Debian's base system, else unused


def fetch():
    """The three packages, unpacked and not installed."""
    if (UNPACKED / "usr/lib/postfix/postfix-lmdb.so").exists():
        return
    say("fetching postfix (unpacked, not installed)")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        subprocess.run(["apt-get", "-q", "download", "postfix",
                        "postfix-lmdb", "liblmdb0"], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL)
        UNPACKED.mkdir(parents=True, exist_ok=True)
        for deb in sorted(pathlib.Path(folder).glob("*.deb")):
            subprocess.run(["dpkg", "-x", deb, UNPACKED], check=True)


def reachable():
    """Why it cannot be compared here, or None."""
    if os.geteuid() != 0:
        return "Postfix is started as root only"
    if not TUNING.exists():
        return f"{TUNING} is not there (PH_SHARED)"
    return None


# TLS in and out, with connections to the leg kept.
TLS = """
smtpd_tls_security_level = may
smtpd_tls_chain_files = {certificate}
smtpd_tls_loglevel = 0
smtp_tls_security_level = encrypt
smtp_tls_connection_reuse = yes
smtp_tls_loglevel = 0
"""
TLS_MASTER = """\
tlsmgr unix - - n 1000? 1 tlsmgr
tlsproxy unix - - n - 0 tlsproxy
"""


class Postfix:
    """`certificate`: a file of certificate and key; TLS both ways."""

    def __init__(self, folder, leg_port, certificate=None):
        self.certificate = certificate
        self.home = folder / "postfix"
        self.port = free_port()
        self.process = None
        for name in ("etc", "log"):
            (self.home / name).mkdir(parents=True)
        for at in (folder, self.home):
            at.chmod(0o755)
        self.write_conf(folder, leg_port)
        self.make_queue()
        self.make_maps(leg_port)

    @property
    def environment(self):
        lib = UNPACKED / "usr/lib"
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "LD_LIBRARY_PATH": f"{lib}/postfix:{lib}/x86_64-linux-gnu",
                "MAIL_CONFIG": str(self.home / "etc")}

    def write_conf(self, folder, leg_port):
        etc = self.home / "etc"
        own = OWN.format(root=UNPACKED, home=self.home, owner=OWNER,
                         group=GROUP)
        master = MASTER.format(port=self.port)
        if self.certificate is not None:
            own += TLS.format(certificate=self.certificate)
            master += TLS_MASTER
        # A name that is said twice would be warned about.
        named = {line.split(" =")[0] for line in own.split("\n") if line}
        tuning = TUNING.read_text().replace("@DIR@", str(folder))
        kept = [line for line in tuning.splitlines()
                if line.split(" =")[0] not in named]
        (etc / "main.cf").write_text("\n".join(kept) + own)
        (etc / "master.cf").write_text(master)
        (etc / "dynamicmaps.cf").write_text(
            f"lmdb {UNPACKED}/usr/lib/postfix/postfix-lmdb.so "
            "dict_lmdb_open mkmap_lmdb_open\n")
        (etc / "virtual").write_text("".join(
            f"user{i}@example.com user{i}@example.com\n"
            for i in range(USERS)))
        (etc / "transport").write_text(
            f"example.com smtp:[127.0.0.1]:{leg_port}\n")

    def make_maps(self, leg_port):
        for name in ("virtual", "transport"):
            subprocess.run([UNPACKED / "usr/sbin/postmap",
                            f"lmdb:{self.home}/etc/{name}"],
                           env=self.environment, check=True)

    def make_queue(self):
        owner = pwd.getpwnam(OWNER).pw_uid
        group = grp.getgrnam(GROUP).gr_gid
        queue = self.home / "spool"
        queue.mkdir()
        for name in ("active bounce corrupt defer deferred flush hold "
                     "incoming private saved trace").split():
            (queue / name).mkdir(mode=0o700)
            os.chown(queue / name, owner, 0)
        (queue / "pid").mkdir()
        for name, mode in (("maildrop", 0o1730), ("public", 0o2710)):
            (queue / name).mkdir()
            os.chown(queue / name, owner, group)
            (queue / name).chmod(mode)
        (self.home / "data").mkdir(mode=0o700)
        os.chown(self.home / "data", owner, 0)

    def start(self):
        with open(self.home / "output", "ab") as out:
            self.process = subprocess.Popen(
                [UNPACKED / "usr/lib/postfix/sbin/master", "-c",
                 self.home / "etc", "-d"], env=self.environment,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True)
        until(lambda: answers(self.port) or self.process.poll() is not None,
              "Postfix to answer")
        if self.process.poll() is not None:
            raise RuntimeError((self.home / "output").read_text())
        return self

    def stop(self):
        """Its session: all of it was started here."""
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        self.process.wait(DEADLINE_S)
