# SPDX-License-Identifier: ISC
"""The mail of some users found in the journal, as a replay looks for it."""
import re
import subprocess

from rig import BUILD, Figure, say

BODY = 100      # bytes: what is read is summaries
A_USER = 9      # messages each
USERS = 1_100


def find(folder, args):
    messages = 200_000 if args.quick else 10_000_000
    folder.mkdir(parents=True)
    say(f"{messages:,} messages are stored and delivered")
    done = subprocess.run(
        [BUILD / "tests/bench/openmail", folder / "spool", str(messages),
         str(BODY), str(messages // A_USER), str(USERS)],
        capture_output=True, text=True)
    found = re.search(r"find: (\d+) ms, (\d+) deliveries .* CPU (\d+) ms",
                      done.stdout)
    if done.returncode != 0 or found is None:
        raise RuntimeError(done.stderr[-500:])
    ms, deliveries, cpu = map(int, found.groups())
    if deliveries < USERS * A_USER:
        raise RuntimeError(f"{deliveries} of {USERS * A_USER} were found")
    return [Figure("replay: mail of 1,100 users found", ms / 1000, "<= 10",
                   unit=" s", note=f"{deliveries:,} deliveries among "
                   f"{messages:,} messages, {cpu / 1000:.2f} s of CPU")]
