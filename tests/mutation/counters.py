# SPDX-License-Identifier: ISC
"""Which lines each end-to-end test runs. One run of all of them leaves the
counters of each apart (count_apart.py); they are kept in a file, and an
object's lines are worked out when a mutant of it asks."""
import os
import pathlib
import pickle
import sqlite3
import struct
import tempfile
import zlib

from mutation import reach

SCHEMA = """
CREATE TABLE counters (object TEXT, test TEXT, data BLOB);
CREATE TABLE test (name TEXT PRIMARY KEY, seconds REAL);
CREATE TABLE never (object TEXT, test TEXT, lines TEXT);
CREATE TABLE seen (object TEXT PRIMARY KEY);
"""
# The format of GCC 12: a file begins with magic, version, stamp and checksum;
# a record is a tag, its length in bytes, and so much.
HEADER, ARCS = 16, 0x01a10000
AT_ONCE = 100


def counted(data):
    """Whether a counters file has any count: a record of counts that are all
    0 has a length below 0 and nothing behind it."""
    at = HEADER
    while at + 8 <= len(data):
        tag, length = struct.unpack_from("<Ii", data, at)
        if tag == ARCS and length > 0:
            return True
        at += 8 + max(length, 0)
    return False


def packed(folder):
    """{path of an object from the root: its counters, compressed} of what
    programs left in a folder; only of those that ran."""
    found = {}
    for file in folder.rglob("*.gcda"):
        data = file.read_bytes()
        if counted(data):
            name = "/" + str(file.relative_to(folder))[:-5] + ".o"
            found[name] = zlib.compress(data, 1)
    return found


def read_all(folder):
    """What count_apart.py wrote: (test, seconds, packed()) of each run."""
    for file in sorted(folder.iterdir()):
        with open(file, "rb") as f:
            while True:
                try:
                    yield pickle.load(f)
                except EOFError:
                    break


class Counters:
    """The counters of a run of all tests, in a file."""

    def __init__(self, path, build, source):
        self.path, self.build, self.source = path, build, source
        self.db = sqlite3.connect(path, check_same_thread=False)

    @classmethod
    def take(cls, path, build, source, folder):
        """Makes the file out of what count_apart.py wrote."""
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        db = sqlite3.connect(new)
        db.executescript(SCHEMA)
        for name, seconds, objects in read_all(folder):
            db.execute("INSERT INTO test VALUES (?1, ?2) ON CONFLICT DO "
                       "UPDATE SET seconds = seconds + ?2", (name, seconds))
            db.executemany(
                "INSERT INTO counters VALUES (?, ?, ?)",
                [(os.path.relpath(unit_object, build), name, data)
                 for unit_object, data in objects.items()])
        db.executescript("CREATE INDEX counted ON counters (object);"
                         "CREATE INDEX nevers ON never (object);")
        db.commit()
        db.close()
        new.replace(path)
        return cls(path, build, source)

    def tests(self):
        """{test: seconds}"""
        return dict(self.db.execute("SELECT name, seconds FROM test"))

    def reaching(self, unit_object, line):
        """The tests that run a line, or None if none of them has counters of
        the object: a program that is shut in leaves none."""
        if not self.db.execute("SELECT 1 FROM seen WHERE object = ?",
                               (unit_object,)).fetchone():
            self.look(unit_object)
        rows = self.db.execute("SELECT test, lines FROM never "
                               "WHERE object = ?", (unit_object,)).fetchall()
        if not rows:
            return None
        return {test for test, lines in rows
                if reach.runs(int(lines, 16), line)}

    def look(self, unit_object):
        """Asks gcov for the lines of an object that each test did not run."""
        rows = self.db.execute("SELECT test, data FROM counters "
                               "WHERE object = ?", (unit_object,)).fetchall()
        text = unit_object[:-2] + ".c"
        labelled = reach.labels((self.source / text).read_text())
        notes = self.build / (unit_object[:-2] + ".gcno")
        for at in range(0, len(rows), AT_ONCE):
            some = rows[at:at + AT_ONCE]
            with tempfile.TemporaryDirectory(prefix="counting-",
                                             dir=self.path.parent) as folder:
                self.look_at(unit_object, some, notes, labelled,
                             pathlib.Path(folder))
        self.db.execute("INSERT INTO seen VALUES (?)", (unit_object,))
        self.db.commit()

    def look_at(self, unit_object, rows, notes, labelled, folder):
        for number, (_, data) in enumerate(rows):
            (folder / f"{number}.gcda").write_bytes(zlib.decompress(data))
            (folder / f"{number}.gcno").symlink_to(notes)
        for said in reach.gcov([f"{folder}/{n}.gcda"
                                for n in range(len(rows))], self.build):
            number = int(pathlib.Path(said["data_file"]).stem)
            for told in said["files"]:
                if told["file"].endswith(unit_object[:-2] + ".c"):
                    self.db.execute(
                        "INSERT INTO never VALUES (?, ?, ?)",
                        (unit_object, rows[number][0],
                         f"{reach.never_in(told, labelled):x}"))
