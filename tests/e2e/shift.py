# SPDX-License-Identifier: ISC
"""A daemon whose clock can be set forward by days: tests/bench/shift.so."""
import mmap
import struct

from gateway import BUILD

LIBRARY = BUILD / "tests/bench/shift.so"
HOUR_S = 3600


class Shift:
    def __init__(self, folder):
        path = folder / "shift"
        path.write_bytes(bytes(8))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 8)
        self.seconds = 0
        self.environment = {"LD_PRELOAD": str(LIBRARY),
                            "PH_SHIFT": str(path)}

    def forward(self, gw, seconds):
        """A thread that sleeps learns of it when it is woken; a question
        wakes those that have clocks."""
        self.seconds += seconds
        struct.pack_into("<q", self.map, 0, int(self.seconds * 1e6))
        gw.cli("status")
