# SPDX-License-Identifier: ISC
"""Changes of every kind while mail flows and the daemon is killed."""
import threading

ROUTES = ["legacy", "cloud", "legacy+cloud", "cloud+legacy"]


def changes(whom):
    """The acts on those recipients and on waiting mail."""
    return [["flip", r, *whom, "--yes"] for r in ROUTES] + [
        ["hold", *whom, "--yes"], ["release", *whom, "--yes"],
        ["queue", "park", "--leg", "legacy", "--limit", "20", "--yes"],
        ["queue", "park", "--leg", "cloud", "--limit", "20", "--yes"],
        ["queue", "retry", "--state", "parked", "--yes"],
        ["queue", "retry", "--state", "deferred", "--yes"]]


class Meddler(threading.Thread):
    """Changes routes, holds, parks and retries until it is told to stop. What
    meets a kill fails, and that is fine."""

    def __init__(self, gw, rng, *whom):
        super().__init__(daemon=True)
        self.gw, self.rng = gw, rng
        self.changes, self.made = changes(whom), 0
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            done = self.gw.run(*self.rng.choice(self.changes))
            self.made += done.returncode == 0

    def stop(self):
        self.over.set()
        self.join()
