# SPDX-License-Identifier: ISC
"""Ports for servers that are told theirs before they listen, and addresses of
the loopback whose ports are all free."""
import os
import pathlib
import random
import socket

# The system gives ports of this range to everything that asks for any, so
# between the choice and the listener another process would get one of them.
LOWEST = 10000
ANY = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
          .read_text().split()[0])
given = set()


def free_port(host="127.0.0.1"):
    for _ in range(1000):
        port = random.randrange(LOWEST, max(ANY, LOWEST + 10000))
        with socket.socket() as s:
            try:
                s.bind((host, port))
            except OSError:
                continue
        if port not in given:
            given.add(port)
            return port
    raise RuntimeError(f"no port of {host} is free from {LOWEST} on")


def loopback(number):
    """An address that no other test uses; each number of a process has its
    own."""
    a = (os.getpid() * 7 + number * 251) % (253 * 254 * 254)
    return f"127.{1 + a // 64516}.{a // 254 % 254}.{1 + a % 254}"
