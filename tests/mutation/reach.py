# SPDX-License-Identifier: ISC
"""Which functions a test enters, from the counters that gcc's --coverage
leaves: a mutant in a function that a test never enters cannot fail it.

Reads the files of GCC 12 and later (the header gcov-io of GCC describes them). For what
cannot be read the answer is None; the caller then runs every test that links
the file."""
import struct

FUNCTION, COUNTERS = 0x01000000, 0x01a10000


def records(data, at):
    """(tag, payload) of each record. Counters that are all zero take no room:
    their length is negative."""
    while at + 8 <= len(data):
        tag, length = struct.unpack_from("<Ii", data, at)
        at += 8
        yield tag, data[at:at + max(length, 0)]
        at += max(length, 0)


def string(data, at):
    """The string at a place, and the place after it."""
    n, = struct.unpack_from("<I", data, at)
    return data[at + 4:at + 4 + n].rstrip(b"\0").decode(), at + 4 + n


def functions(path):
    """[(first line, last line, ident)] of an object's .gcno file."""
    try:
        data = path.read_bytes()
        found = []
        for tag, body in records(data, string(data, 16)[1] + 4):
            if tag == FUNCTION:
                ident, = struct.unpack_from("<I", body)
                at = string(body, string(body, 12)[1] + 4)[1]
                first, _, last = struct.unpack_from("<III", body, at)
                found.append((first, last, ident))
        return found
    except (OSError, struct.error, ValueError):
        return None


def entered(path):
    """The idents of the functions that ran, of a .gcda file."""
    try:
        ident, found = None, set()
        for tag, body in records(path.read_bytes(), 16):
            if tag == FUNCTION:
                ident = struct.unpack_from("<I", body)[0] if body else None
            elif tag == COUNTERS and any(body):
                found.add(ident)
        return found
    except (OSError, struct.error):
        return set()


def ident_at(found, line):
    """The ident of the function around a line, None outside of them all."""
    for first, last, ident in found:
        if first <= line <= last:
            return ident
    return None
