# SPDX-License-Identifier: ISC
"""Waiting: for a thing to be so, never for time to pass. The only place."""
import os
import threading
import time

# Generous: a sanitized build on a busy machine is slow, and a test that
# passes never waits for it.
DEADLINE_S = float(os.environ.get("PH_DEADLINE", "60"))
LOOK_AGAIN_S = 0.02


def until(fn, what, within=None):
    """The result of `fn` when it was first true."""
    within = within or DEADLINE_S
    end = time.monotonic() + within
    pause = threading.Event()
    while True:
        value = fn()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(
                f"waited {within:.0f} s for {what() if callable(what) else what}")
        pause.wait(LOOK_AGAIN_S)
