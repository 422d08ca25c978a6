# SPDX-License-Identifier: ISC
"""The test suite of RFC 7208 (openspf.org), read from where it lies: it is not
part of this tree. Its zones become those of spf_process.py."""
import pathlib
import socket

import yaml

import spf_process as spf

SUITE = pathlib.Path("data/spf/rfc7208-tests.yml")


def octets(value):
    value = str(value)
    return value.encode("ascii" if value.isascii() else "latin-1")


def record_of(kind, value):
    if kind == "A":
        return spf.A, socket.inet_aton(value)
    if kind == "AAAA":
        return spf.AAAA, socket.inet_pton(socket.AF_INET6, value)
    if kind == "MX":
        return spf.MX, (value[0], octets(value[1]))
    if kind == "PTR":
        return spf.PTR, octets(value)
    assert kind in ("TXT", "SPF"), kind
    parts = value if isinstance(value, list) else [value]
    return spf.TXT, b"".join(octets(p) for p in parts)


def add_row(zone, name, kind, value):
    if kind == "CNAME":
        zone.alias[name] = octets(value).lower()
    elif value == "TIMEOUT":
        zone.silent.add((name, spf.NUMBERS[kind]))
    elif value != "NONE":
        zone.add(name, *record_of(kind, value))


def zone_of(data):
    """A record of type SPF stands for one of TXT where its name has none of
    those (the suite's own rule); TXT "NONE" keeps it from that. A bare TIMEOUT
    is for the types that the name has no record of."""
    zone = spf.Zone()
    for name, rows in data.items():
        name = octets(name).rstrip(b".").lower()
        zone.add_name(name)
        if "TIMEOUT" in rows:
            zone.silent.add(name)
        rows = [r for r in rows if r != "TIMEOUT"]
        has_txt = any("TXT" in r for r in rows)
        for row in rows:
            (kind, value), = row.items()
            if kind != "SPF" or not has_txt:
                add_row(zone, name, "TXT" if kind == "SPF" else kind, value)
    for (name, kind), rows in zone.rows.items():
        if kind == spf.MX:
            zone.rows[name, kind] = [h for _, h in sorted(rows)]
    return zone


def names_of(zone):
    """The arguments of Names, for a zone of spf_process.py."""
    kinds = {number: kind for kind, number in spf.NUMBERS.items()}

    def text(kind, record):
        if kind == spf.A:
            return socket.inet_ntoa(record)
        if kind == spf.AAAA:
            return socket.inet_ntop(socket.AF_INET6, record)
        return ("10 " if kind == spf.MX else "") + record.decode("latin-1")

    rows = {(name.decode("latin-1"), kinds[kind]):
            [text(kind, r) for r in records]
            for (name, kind), records in zone.rows.items()}
    for name in zone.names:
        rows.setdefault((name.decode("latin-1"), ""), [])
    for name, alias in zone.alias.items():
        rows[name.decode("latin-1"), "CNAME"] = [alias.decode("latin-1")]
    silent = {s.decode("latin-1") if isinstance(s, bytes) else
              (s[0].decode("latin-1"), kinds[s[1]]) for s in zone.silent}
    return {"zone": rows, "silent": silent}


def cases(shared):
    """(name, zone, host, helo, sender, results, explanation)"""
    with open(shared / SUITE, encoding="utf-8") as f:
        for part in yaml.safe_load_all(f):
            zone = zone_of(part["zonedata"])
            for name, t in part["tests"].items():
                wanted = t["result"]
                yield (name, zone, str(t["host"]), str(t["helo"]),
                       str(t["mailfrom"]),
                       wanted if isinstance(wanted, list) else [wanted],
                       t.get("explanation"))
