# SPDX-License-Identifier: ISC
"""Real mail servers as legs: a Postfix, an Exim and a Dovecot, each unpacked,
with its own folder and port, run by root as the test's own child.

The first two hand what they took to a sink of the test by SMTP, so a test sees
the bytes after a whole foreign server has received, queued and sent them;
Dovecot speaks LMTP and puts it into mailboxes.
"""
import os
import pwd
import signal
import socket
import subprocess

from ports import free_port
from until import until


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as s:
            return s.recv(3) == b"220"
    except OSError:
        return False


class Peer:
    """A server process; `start` of the child class says which."""

    def __init__(self, unpacked, folder, sink):
        self.unpacked, self.folder, self.sink = unpacked, folder, sink
        self.port = free_port()
        folder.mkdir()
        folder.chmod(0o755)
        self.log = folder / "log"
        self.process = None

    def spawn(self, *words, **env):
        with open(self.folder / "output", "ab") as out:
            self.process = subprocess.Popen(
                words, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **env},
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True)
        until(lambda: answers(self.port) or self.process.poll() is not None,
              f"{words[0]} to answer")
        assert self.process.poll() is None, \
            (self.folder / "output").read_text()

    def stop(self):
        """Its whole session: all of it was started here."""
        if self.process is None:
            return
        pid = self.process.pid
        os.killpg(pid, signal.SIGTERM)
        # It is not reaped yet, so its number is still its own: what is left
        # of its session (an open dialog does not hear SIGTERM) goes now.
        until(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT |
                                os.WNOHANG), "a mail server to stop")
        os.killpg(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


POSTFIX_MAIN = """\
compatibility_level = 3.7
queue_directory = {home}/queue
data_directory = {home}/data
daemon_directory = {root}/usr/lib/postfix/sbin
command_directory = {root}/usr/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {home}
mail_owner = uucp
setgid_group = news
default_privs = nobody
maillog_file = {home}/log
maillog_file_prefixes = {home}
import_environment = LD_LIBRARY_PATH MAIL_CONFIG LANG=C
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.test
mydestination =
mynetworks = 127.0.0.0/8
message_drop_headers =
local_header_rewrite_clients =
alias_maps =
alias_database =
local_recipient_maps =
default_transport = smtp:[127.0.0.1]:{sink}
relay_transport = smtp:[127.0.0.1]:{sink}
smtp_tls_security_level = none
smtpd_tls_security_level = none
disable_dns_lookups = yes
smtp_host_lookup = native
smtp_line_length_limit = 0
smtpd_peername_lookup = no
message_size_limit = 0
mailbox_size_limit = 0
smtpd_relay_restrictions = permit_mynetworks, reject
smtputf8_enable = yes
default_database_type = hash
in_flow_delay = 0
"""
POSTFIX_MASTER = """\
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
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(Peer):
    def start(self):
        return self.start_with("")

    def start_with(self, lines):
        """With more lines of main.cf."""
        root = self.unpacked / "postfix"
        words = {"home": self.folder, "root": root, "port": self.port,
                 "sink": self.sink.port}
        (self.folder / "main.cf").write_text(POSTFIX_MAIN.format(**words) + lines)
        (self.folder / "master.cf").write_text(
            POSTFIX_MASTER.format(**words))
        self.make_queue()
        lib = root / "usr/lib/postfix"
        self.spawn(lib / "sbin/master", "-c", self.folder, "-d",
                   LD_LIBRARY_PATH=str(lib), MAIL_CONFIG=str(self.folder))
        return self

    def make_queue(self):
        owner = pwd.getpwnam("uucp").pw_uid
        group = pwd.getpwnam("news").pw_gid
        queue = self.folder / "queue"
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
        (self.folder / "data").mkdir(mode=0o700)
        os.chown(self.folder / "data", owner, 0)


class Postmap:
    """postmap(1) with a configuration of its own; no server."""

    def __init__(self, unpacked, folder):
        self.folder, self.root = folder, unpacked / "postfix"
        folder.mkdir()
        (folder / "main.cf").write_text(POSTFIX_MAIN.format(
            home=folder, root=self.root, port=1, sink=1))
        (folder / "master.cf").write_text("")

    def run(self, *words):
        lib = self.root / "usr/lib/postfix"
        return subprocess.run(
            [self.root / "usr/sbin/postmap", "-c", self.folder, *words],
            env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(lib),
                 "MAIL_CONFIG": str(self.folder)},
            capture_output=True, text=True)

    def compile(self, text):
        path = self.folder / "map"
        path.write_text(text)
        made = self.run(f"hash:{path}")
        assert (made.returncode, made.stderr) == (0, "")
        return f"hash:{path}"

    def ask(self, text, *keys):
        """None: the map has it not."""
        table = self.compile(text)
        said = [self.run("-q", k, table) for k in keys]
        return [s.stdout.strip() if s.returncode == 0 else None for s in said]

    def all(self, text):
        """Key -> value of the whole map."""
        lines = self.run("-s", self.compile(text)).stdout.splitlines()
        return dict(l.split("\t", 1) for l in lines)


EXIM_CONF = """\
primary_hostname = exim.test
exim_path = {root}/usr/sbin/exim4
spool_directory = {home}/spool
log_file_path = {home}/log-%s
pid_file_path = {home}/exim.pid
keep_environment = LD_PRELOAD : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
add_environment = PATH=/usr/bin:/bin
exim_user = Debian-exim
exim_group = Debian-exim
trusted_users = root : Debian-exim
deliver_drop_privilege = true
never_users =
host_lookup =
rfc1413_query_timeout = 0s
dns_ipv4_lookup = *
disable_ipv6 = true
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
tls_advertise_hosts =
chunking_advertise_hosts = *
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
pipelining_advertise_hosts = *
accept_8bitmime = true
message_size_limit = 100M
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
received_headers_max = 200
return_path_remove = false
envelope_to_remove = false
delivery_date_remove = false
delay_warning =
acl_smtp_rcpt = accept
acl_smtp_data = accept
acl_smtp_predata = accept
strip_trailing_dot = false

begin routers

sink:
  driver = manualroute
  route_list = * 127.0.0.1::{sink}
  transport = sink
  self = send

begin transports

sink:
  driver = smtp
  allow_localhost = true
  hosts_avoid_tls = *
  message_linelength_limit = 1000000
  hosts_try_fastopen =
  hosts_pipe_connect =

begin retry

* * F,1h,1s
"""


class Exim(Peer):
    def start(self):
        root = self.unpacked / "exim4-daemon-light"
        conf = self.folder / "exim.conf"
        conf.write_text(EXIM_CONF.format(
            home=self.folder, root=root, port=self.port,
            sink=self.sink.port))
        conf.chmod(0o644)
        # Set-uid, it would not be shown the account when it starts itself.
        (root / "usr/sbin/exim4").chmod(0o755)
        self.spool(pwd.getpwnam("uucp"))
        return self.start_again()

    def start_again(self):
        """With the spool that is there."""
        self.spawn(self.unpacked / "exim4-daemon-light/usr/sbin/exim4",
                   "-bdf", "-q1s", "-C", self.folder / "exim.conf",
                   **self.account(pwd.getpwnam("uucp")))
        return self

    def spool(self, owner):
        os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        (self.folder / "spool").mkdir(mode=0o750)
        os.chown(self.folder / "spool", owner.pw_uid, owner.pw_gid)

    def account(self, owner):
        """Debian's Exim wants its account; nothing is added to the
        machine's, only shown to this process."""
        users, groups = self.folder / "passwd", self.folder / "group"
        with open("/etc/passwd") as old:
            users.write_text(
                f"Debian-exim:x:{owner.pw_uid}:{owner.pw_gid}::/:/bin/false\n"
                + old.read())
        with open("/etc/group") as old:
            groups.write_text(f"Debian-exim:x:{owner.pw_gid}:\n"
                              + old.read())
        return {"LD_PRELOAD": "libnss_wrapper.so",
                "NSS_WRAPPER_PASSWD": str(users),
                "NSS_WRAPPER_GROUP": str(groups)}


DOVECOT_CONF = """\
protocols = lmtp
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
default_internal_user = uucp
default_internal_group = uucp
default_login_user = news
first_valid_uid = 1
ssl = no
mail_location = maildir:~
mail_save_crlf = yes
mail_plugins = quota
postmaster_address = postmaster@example.com
userdb {{
  driver = passwd-file
  args = {home}/users
}}
passdb {{
  driver = passwd-file
  args = {home}/users
}}
plugin {{
  quota = maildir:all
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
"""
# It knows where it is installed, and is shown itself there: in a mount
# namespace of its own, nothing is added to the machine.
DOVECOT_START = """\
mount -t overlay overlay -o "lowerdir=$1/lib:$2/lib:/usr/lib" /usr/lib &&
mount -t overlay overlay -o "lowerdir=$1/bin:/usr/bin" /usr/bin &&
exec "$1/sbin/dovecot" "$@"
"""


class Dovecot(Peer):
    """`users`: each user -> the bytes that the mailbox may have, or
    None."""

    def __init__(self, unpacked, folder, users):
        super().__init__(unpacked, folder, None)
        self.users = users

    def program(self, *words):
        core, lmtpd = (self.unpacked / p / "usr"
                       for p in ("dovecot-core", "dovecot-lmtpd"))
        return ("unshare", "--mount", "sh", "-c", DOVECOT_START.replace(
            '"$@"', " ".join(words)), "sh", core, lmtpd)

    def runs_here(self):
        return subprocess.run(self.program("--version"),
                              capture_output=True).returncode == 0

    def start(self):
        conf = self.folder / "dovecot.conf"
        conf.write_text(DOVECOT_CONF.format(home=self.folder,
                                            port=self.port))
        self.write_users()
        self.spawn(*self.program("-F", "-c", str(conf)))
        return self

    def write_users(self):
        owner = pwd.getpwnam("uucp")
        with open(self.folder / "users", "w") as f:
            for user, quota in self.users.items():
                rule = f"userdb_quota_rule=*:bytes={quota}" if quota else ""
                f.write(f"{user}:{{PLAIN}}x:{owner.pw_uid}:{owner.pw_gid}::"
                        f"{self.box(user)}::{rule}\n")
                self.box(user).mkdir(parents=True, exist_ok=True)
                os.chown(self.box(user), owner.pw_uid, owner.pw_gid)

    def box(self, user):
        return self.folder / "mail" / user

    def mails(self, user):
        """The files of a mailbox, the bytes of each."""
        return [p.read_bytes() for box in ("new", "cur")
                for p in sorted((self.box(user) / box).glob("*"))]
