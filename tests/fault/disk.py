# SPDX-License-Identifier: ISC
"""A record of record.so, played: what the disk holds at any point of it, and
what a power cut at that point may leave.

Of a file the disk has for sure what was there when it was last synced; of what
came after it any part, in pieces of 512 bytes. Of a folder it has for sure the
names that it had when it was last synced; what became of them after it came in
this order, and may end anywhere.
"""
import os
import struct

HEAD = struct.Struct("<IIQqQ")
CREATE, WRITE, SIZE, SYNC, SYNC_DIR, RENAME, UNLINK, MKDIR, MODE, LINK, \
    SAID, MARK = range(1, 13)
DISK = {CREATE, WRITE, SIZE, SYNC, SYNC_DIR, RENAME, UNLINK, MKDIR, MODE,
        LINK}
SECTOR = 512
# kill: all that was written is there, as after kill -9; drop: nothing that was
# not synced, but the names; names: neither; some: any of the writes; torn: any
# sectors of them.
VARIANTS = ("kill", "drop", "names", "some", "torn")


def read_record(path):
    """[(kind, file, at, name, data)]"""
    with open(path, "rb") as f:
        raw = f.read()
    entries, at = [], 0
    while at < len(raw):
        kind, name_n, file, offset, data_n = HEAD.unpack_from(raw, at)
        at += HEAD.size
        name = raw[at:at + name_n].decode()
        at += name_n
        entries.append((kind, file, offset, name, raw[at:at + data_n]))
        at += data_n
    return entries


def mark(kind, text):
    return HEAD.pack(kind, 0, 0, 0, len(text)) + text


class File:
    def __init__(self, mode):
        self.mode = mode
        self.safe = bytearray()
        self.later = []     # (kind, at, data) since the last sync

    @staticmethod
    def apply(to, kind, at, data):
        if kind == SIZE:
            if at < len(to):
                del to[at:]
            else:
                to.extend(bytes(at - len(to)))
            return
        if len(to) < at:
            to.extend(bytes(at - len(to)))
        to[at:at + len(data)] = data

    def sync(self):
        for op in self.later:
            self.apply(self.safe, *op)
        self.later = []

    def bytes(self, variant, rng):
        if not self.later or variant in ("drop", "names"):
            return self.safe
        out = bytearray(self.safe)
        for kind, at, data in self.later:
            if variant == "kill" or \
                    (variant == "some" or kind == SIZE) and rng.random() < .5:
                self.apply(out, kind, at, data)
            elif variant == "torn" and kind == WRITE:
                self.tear(out, at, data, rng)
        return out

    def tear(self, out, at, data, rng):
        """Sectors are of the disk, not of the write."""
        pos = 0
        while pos < len(data):
            n = min(SECTOR - (at + pos) % SECTOR, len(data) - pos)
            if rng.random() < .5:
                self.apply(out, WRITE, at + pos, data[pos:pos + n])
            pos += n


class Disk:
    def __init__(self):
        self.inode = {}             # number -> File
        self.folders = {"": 0o755}  # name -> mode
        self.names = {}             # what is there now: name -> File
        self.safe = {}
        self.later = {}             # folder -> [(name, File or None)]

    @staticmethod
    def folder(name):
        return name.rpartition("/")[0]

    def name(self, name, file):
        if file is None:
            self.names.pop(name, None)
        else:
            self.names[name] = file
        self.later.setdefault(self.folder(name), []).append((name, file))

    def file(self, number):
        return self.inode.get(number)

    def play(self, entry):
        kind, number, at, name, data = entry
        file = self.inode.get(number)
        if kind == CREATE:
            self.inode[number] = File(at)
            self.name(name, self.inode[number])
        elif kind in (WRITE, SIZE):
            file.later.append((kind, at, data))
        elif kind == SYNC:
            file.sync()
        elif kind == SYNC_DIR:
            for one, what in self.later.pop(name, []):
                self.settle(self.safe, one, what)
        elif kind == RENAME:
            moved = self.names.get(name)
            # One step: both names, or neither.
            self.names.pop(name, None)
            self.names[data.decode()] = moved
            self.later.setdefault(self.folder(name), []).append(
                (name, (data.decode(), moved)))
        elif kind == UNLINK:
            if name in self.names:
                self.name(name, None)
        elif kind == MKDIR:
            self.folders[name] = at
        elif kind == MODE:
            if file is not None:    # no socket, no folder
                file.mode = at
        elif kind == LINK:
            self.name(name, file)

    @staticmethod
    def settle(names, name, what):
        if isinstance(what, tuple):
            names.pop(name, None)
            names[what[0]] = what[1]
        elif what is None:
            names.pop(name, None)
        else:
            names[name] = what

    def image(self, variant, rng):
        """{name: (mode, bytes)}"""
        names = dict(self.safe)
        for folder, steps in self.later.items():
            n = len(steps)
            if variant == "names":
                n = 0
            elif variant in ("some", "torn"):
                n = rng.randint(0, n)
            for name, what in steps[:n]:
                self.settle(names, name, what)
        return {name: (f.mode, bytes(f.bytes(variant, rng)))
                for name, f in names.items()}

    def write(self, image, folder):
        for name, mode in self.folders.items():
            os.makedirs(os.path.join(folder, name), exist_ok=True)
        for name, (mode, data) in image.items():
            path = os.path.join(folder, name)
            with open(path, "wb") as f:
                f.write(data)
            os.chmod(path, mode or 0o600)
