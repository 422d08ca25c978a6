#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Every #include "..." against layers.txt: who may know whom."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
may = {}
for line in (root / "tests/lint/layers.txt").read_text().splitlines():
    words = line.split("#")[0].split()
    if words:
        may[words[0]] = words[1:]

bad = 0
for layer, allowed in may.items():
    for file in sorted((root / layer).glob("*.[ch]")):
        for n, line in enumerate(file.read_text().splitlines(), 1):
            m = re.match(r'#include "(.*)"', line)
            if not m or m.group(1) == "config.h":
                continue
            to = str(pathlib.PurePosixPath(m.group(1)).parent)
            if to == layer or to in allowed or "*" in allowed:
                continue
            print(f"{file}:{n}: {layer} may not include {m.group(1)}")
            bad += 1
sys.exit(bad != 0)
