# SPDX-License-Identifier: ISC
"""One call of a program fails: tests/fault/fail.so, loaded into it."""
import errno
import mmap
import struct

# As in fail.c.
KINDS = ["none", "open", "read", "write", "sync", "rename", "unlink", "mkdir",
         "allocate", "truncate", "accept", "socket", "connect", "epoll",
         "eventfd", "opendir", "readdir", "mmap", "lock", "thread", "stat",
         "malloc"]
PAGE, PATH_BYTES = 4096, 256
HITS_AT, CALLS_AT = 16, 20
PATH_AT = CALLS_AT + 4 * len(KINDS)
FOR_GOOD = 1 << 30


class Fail:
    """The file that fail.so reads, and what it counted."""

    def __init__(self, folder, build):
        path = folder / "fail"
        path.write_bytes(bytes(PAGE))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), PAGE)
        self.environment = {
            "LD_PRELOAD": str(build / "tests/fault/fail.so"),
            "PH_FAIL": str(path)}

    def arm(self, kind, nth=1, error=errno.EIO, times=1, path=""):
        """Calls nth..nth+times-1 from now on, on names with `path`."""
        self.disarm()
        struct.pack_into(f"{PATH_BYTES}s", self.map, PATH_AT, path.encode())
        struct.pack_into("=IIII", self.map, 0, KINDS.index(kind), nth, times,
                         error)

    def disarm(self):
        """Nothing fails; counts from 0."""
        struct.pack_into("=I", self.map, 0, 0)
        self.map[4:PAGE] = bytes(PAGE - 4)

    @property
    def hits(self):
        return struct.unpack_from("=I", self.map, HITS_AT)[0]

    def count(self, kind):
        """Such calls since the last arm() or disarm()."""
        return struct.unpack_from("=I", self.map,
                                  CALLS_AT + 4 * KINDS.index(kind))[0]
