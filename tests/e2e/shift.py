# SPDX-License-Identifier: ISC
"""A daemon for which days pass, or whose wall clock is set:
tests/bench/shift.so."""
import ctypes
import mmap

from gateway import BUILD

LIBRARY = BUILD / "tests/bench/shift.so"
HOUR_S = 3600


class Shift:
    def __init__(self, folder):
        assert LIBRARY.exists(), f"no clock to shift: make {LIBRARY}"
        path = folder / "shift"
        path.write_bytes(bytes(16))
        with open(path, "r+b") as f:
            memory = mmap.mmap(f.fileno(), 16)
        # Stored in one piece each: a daemon that read half of a new time
        # would see the clock go forward and back.
        self.cells = (ctypes.c_int64 * 2).from_buffer(memory)
        self.seconds = self.wall = 0
        self.environment = {"LD_PRELOAD": str(LIBRARY),
                            "PH_SHIFT": str(path)}

    def write(self):
        self.cells[0] = int(self.seconds * 1e6)
        self.cells[1] = int(self.wall * 1e6)

    def forward(self, gw, seconds):
        """A thread that sleeps learns of it when it is woken; a question
        wakes those that have clocks."""
        self.seconds += seconds
        self.write()
        gw.cli("status")

    def set_clock(self, seconds):
        """The wall clock alone, by so much from where it stands."""
        self.wall += seconds
        self.write()
