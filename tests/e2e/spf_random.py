# SPDX-License-Identifier: ISC
"""Random zones of SPF records, as a seed gives them: mostly right, seldom
wrong, always within what all implementations take for a name."""
import random
import socket
import zlib

import spf_process as spf

DOMAINS = ["d%d.example" % i for i in range(6)]
HOSTS = ["h%d.d%d.example" % (i, j) for i in range(3) for j in range(3)]
MISSING = ["n%d.example" % i for i in range(3)]
CLIENTS = ["192.0.2.1", "192.0.2.2", "198.51.100.7", "2001:db8::1",
           "2001:db8::2", "::ffff:192.0.2.1"]
FOUR = ["192.0.2.1", "192.0.2.77", "198.51.100.7", "203.0.113.9"]
SIX = ["2001:db8::1", "2001:db8::ff", "2001:db9::1"]
LOCALS = ["ann", "a-b.c_d", "x+tag", "A.B-C", "o=p"]
WRONG = ["foo", "a:", "ip4:1.2.3", "ip4:1.2.3.4/33", "ip6:::1/129", "all:x.y",
         "include", "a:museum", "exists:%{x}.y.z", "a/08", "-", "ptr/24",
         "exists:%{d0}.a.b", "exists:%{d1x}.a.b", "mx:x.y/", "redirect=",
         "exp=", "a:1.2.3.4", "exists:%{c}.a.b", "ip4:1.2.3.4//24", "=x",
         "exists:%{d", "a:x%y.z", "redirect=a.b redirect=a.b",
         "exp=a.b exp=a.b"]


class HalfZone(spf.Zone):
    """Half of all names below m.example have an address, by what they are: a
    macro that expands to another name is seen."""

    def answer(self, name, kind):
        if name.lower().endswith(b".m.example") and kind == spf.A and \
                zlib.crc32(name.lower()) % 2:
            return spf.OK, [socket.inet_aton("192.0.2.1")]
        return super().answer(name, kind)


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def macro(self):
        r = self.r
        out = r.choice("slodipvh")
        if r.random() < 0.1:
            out = out.upper()
        if r.random() < 0.4:
            out += str(r.randint(1, 4))
        if r.random() < 0.3:
            out += "r" if r.random() < 0.9 else "R"
        if r.random() < 0.25:
            out += "".join(r.choice(".-+/_=,") for _ in range(r.randint(1, 2)))
        return "%%{%s}" % out

    def name(self):
        r = self.r
        if r.random() < 0.3:
            return r.choice(["%s.%s", "%s.x.%s", "y.%s.%s."]) % (
                self.macro(), r.choice(DOMAINS + ["m.example"] * 12))
        return r.choice(DOMAINS * 3 + HOSTS * 3 + MISSING)

    def cidr(self):
        r = self.r
        out = ""
        if r.random() < 0.3:
            out += "/%d" % r.choice([0, 8, 24, 25, 30, 32])
        if r.random() < 0.2:
            out += "//%d" % r.choice([0, 32, 64, 120, 128])
        return out

    def term(self):
        r = self.r
        kind = r.choices(["a", "mx", "ptr", "exists", "include", "ip4", "ip6"],
                         [4, 3, 2, 3, 4, 2, 2])[0]
        out = r.choices(["", "+", "-", "~", "?"], [6, 1, 1, 1, 1])[0]
        out += kind if r.random() < 0.95 else kind.upper()
        if kind == "ip4":
            return out + ":" + r.choice(FOUR) + r.choice(
                ["", "", "/32", "/31", "/24", "/0"])
        if kind == "ip6":
            return out + ":" + r.choice(SIX) + r.choice(
                ["", "", "/128", "/64", "/31", "/0"])
        if kind in ("exists", "include") or r.random() < 0.6:
            out += ":" + self.name()
        return out + (self.cidr() if kind in ("a", "mx") else "")

    def modifier(self, kind):
        r = self.r
        return kind + "=" + (self.name() if r.random() < 0.6 or kind[0] in
                             "rR" else "e%d.example" % r.randint(0, 2))

    def record(self):
        r = self.r
        terms = [self.term() for _ in range(r.choices(
            [0, 1, 2, 3, 4, 6, 11], [1, 4, 6, 5, 4, 2, 1])[0])]
        kinds = r.sample(["redirect", "exp", "x-y"], r.choices(
            [0, 1, 2, 3], [6, 4, 2, 1])[0])
        if r.random() < 0.02:
            kinds += kinds[:1]
        for kind in kinds:
            if r.random() < 0.05:
                kind = kind.upper()
            terms.insert(r.randint(0, len(terms)), self.modifier(kind))
        if r.random() < 0.6:
            terms.append(r.choice("-~?+-") + "all")
        if r.random() < 0.03:
            terms.insert(r.randint(0, len(terms)), r.choice(WRONG))
        return r.choice(["v=spf1", "v=spf1", "V=SPF1"]) + "".join(
            r.choice([" "] * 9 + ["  "]) + t for t in terms) + \
            r.choice([""] * 9 + [" "])

    def explanation(self):
        r = self.r
        return " ".join(r.choice(["see", "%{i}", "%{c}", "%%", "%_", "%-",
                                  self.macro(), "of"])
                        for _ in range(r.randint(1, 5)))

    def addresses(self, zone, name):
        r = self.r
        for _ in range(r.choice([0, 1, 1, 1, 2])):
            zone.add(name, spf.A, socket.inet_aton(r.choice(FOUR)))
        for _ in range(r.choice([0, 1, 1, 2])):
            zone.add(name, spf.AAAA, socket.inet_pton(socket.AF_INET6,
                                                      r.choice(SIX)))

    def zone(self):
        r = self.r
        zone = HalfZone()
        for name in DOMAINS + HOSTS:
            zone.add_name(name)
            self.addresses(zone, name)
        for name in DOMAINS:
            for _ in range(r.choices([0, 1, 2], [2, 30, 1])[0]):
                zone.add(name, spf.TXT, self.record().encode())
            for _ in range(r.choices([0, 1, 3, 11], [3, 5, 3, 1])[0]):
                zone.add(name, spf.MX, r.choice(HOSTS + MISSING).encode())
        for i in range(3):
            zone.add("e%d.example" % i, spf.TXT, self.explanation().encode())
        zone.rows = {key: rows if key[1] == spf.TXT else sorted(set(rows))
                     for key, rows in zone.rows.items()}
        for name in r.sample(DOMAINS + HOSTS, r.choice([0, 0, 0, 1])):
            zone.silent.add(name.encode())
        return zone

    def reverse(self, zone, name):
        """PTR records of a client's reverse name."""
        names = self.r.sample(HOSTS + MISSING + DOMAINS, self.r.choices(
            [0, 1, 2, 5, 12], [4, 6, 4, 2, 1])[0])
        for n in names:
            zone.add(name, spf.PTR, n.encode())

    def case(self):
        """(zone, client, helo, sender)"""
        r = self.r
        zone, client = self.zone(), r.choice(CLIENTS)
        self.reverse(zone, spf.reverse_name(client))
        sender = "" if r.random() < 0.05 else "%s@%s" % (
            r.choice(LOCALS), r.choice(DOMAINS))
        return zone, client, r.choice(DOMAINS + ["mail.host-1.example"]), \
            sender
