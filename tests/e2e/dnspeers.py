# SPDX-License-Identifier: ISC
"""Real name servers: nsd, with authority for some zones, and unbound, which
asks them. Unpacked, each with its own folder and address, run as the test's
own children; port 53 of a loopback address that no other test uses."""
import signal
import socket
import struct
import subprocess

from names import labels
from ports import free_port
from until import until

DOMAIN = "example.com"
NSD = """\
server:
    ip-address: {address}@53
    username: ""
    chroot: ""
    database: ""
    pidfile: ""
    zonesdir: {folder}
    logfile: {folder}/log
    zonelistfile: {folder}/zone.list
    xfrdfile: {folder}/xfrd.state
    xfrdir: {folder}
    server-count: 1
    verbosity: 1
    rrl-ratelimit: 0
remote-control:
    control-enable: no
"""
UNBOUND = """\
server:
    interface: 127.0.0.1@{port}
    username: ""
    chroot: ""
    directory: {folder}
    pidfile: {folder}/pid
    logfile: {folder}/log
    use-syslog: no
    do-daemonize: no
    num-threads: 1
    do-ip6: no
    module-config: "iterator"
    do-not-query-localhost: no
    outgoing-port-avoid: 0-1023
    serve-expired: no
    cache-max-ttl: {ttl}
    infra-host-ttl: 1
remote-control:
    control-enable: no
stub-zone:
    name: "{zone}"
    stub-addr: {address}@53
"""


def question(name):
    """For its SOA."""
    return b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + labels(name) + \
        struct.pack("!HH", 6, 1)


def answers(address, port, name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        try:
            s.sendto(question(name), (address, port))
            return len(s.recv(4096)) > 12
        except OSError:
            return False


class NameServer:
    """A process; its child class says which."""

    process = None

    def run(self, *words, address, port):
        with open(self.folder / "output", "ab") as out:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        until(lambda: answers(address, port, "com") or
              self.process.poll() is not None, f"{words[0]} to answer")
        assert self.process.poll() is None, \
            (self.folder / "output").read_text()

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.process = None


class Nsd(NameServer):
    def __init__(self, unpacked, folder, address, zones):
        """`zones`: name -> the lines of its zone behind the SOA."""
        self.unpacked, self.folder = unpacked, folder
        self.address, self.serial = address, 0
        folder.mkdir()
        self.serve(zones)

    def serve(self, zones):
        """From now on these, which have a new serial."""
        self.stop()
        self.serial += 1
        conf = NSD.format(address=self.address, folder=self.folder)
        for name, lines in zones.items():
            conf += f'zone:\n    name: "{name}"\n    zonefile: {name}.zone\n'
            (self.folder / f"{name}.zone").write_text(
                f"$ORIGIN {name}.\n$TTL 300\n@ SOA ns1 root {self.serial} "
                "60 60 600 60\n" + lines)
        (self.folder / "conf").write_text(conf)
        self.run(self.unpacked / "usr/sbin/nsd", "-d", "-c",
                 self.folder / "conf", address=self.address, port=53)


class Unbound(NameServer):
    def __init__(self, unpacked, folder, zone, address, ttl=0):
        """Asks `address` for `zone`; keeps nothing for longer than `ttl`."""
        self.unpacked, self.folder, self.port = unpacked, folder, free_port()
        folder.mkdir()
        self.conf = folder / "conf"
        self.conf.write_text(UNBOUND.format(
            port=self.port, folder=folder, zone=zone, address=address,
            ttl=ttl))
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.run(self.unpacked / "usr/sbin/unbound", "-d", "-c", self.conf,
                 address="127.0.0.1", port=self.port)


class Delegation:
    """com, which delegates example.com to two servers; a resolver."""

    def __init__(self, unpacked, folder, own_address):
        self.unpacked, self.folder = unpacked, folder
        self.take = own_address
        self.us, self.legacy = own_address(), own_address()
        self.servers = []
        self.com = self.nsd("com", {})
        self.ns1 = self.nsd("ns1", {DOMAIN: self.zone()})
        self.ns2 = self.nsd("ns2", {DOMAIN: self.zone()})
        self.delegate()
        self.resolver = Unbound(unpacked / "unbound", folder / "unbound",
                                "com", self.com.address)

    def nsd(self, name, zones):
        self.servers.append(Nsd(self.unpacked / "nsd", self.folder / name,
                                self.take(), zones))
        return self.servers[-1]

    def zone(self, mx="@ 300 MX 10 mx\n", more=""):
        glue = "".join(
            f"{name} A {getattr(self, name).address}\n"
            for name in ("ns1", "ns2") if hasattr(self, name))
        return "@ NS ns1\n@ NS ns2\n" + glue + mx + \
            f"mx A {self.us}\nold A {self.legacy}\n" + more

    def delegate(self, names=("ns1", "ns2")):
        lines = f"@ NS ns\nns A {self.com.address}\nns1 A 127.0.0.1\n"
        for name in names:
            lines += f"example 3600 NS {name}.example\n" \
                f"{name}.example A {getattr(self, name).address}\n"
        self.com.serve({"com": lines})
        self.serve(self.zone())

    def serve(self, zone):
        for server in (self.ns1, self.ns2):
            server.serve({DOMAIN: zone})

    def stop(self):
        for server in [*self.servers, self.resolver]:
            server.stop()
