# SPDX-License-Identifier: ISC
"""A plugin of pytest for the end-to-end tests: what the programs of a test
count goes to a folder of that test, below $MUTATE_COUNTERS, and how long it
took to a line of `seconds` there."""
import os
import pathlib
import time

import pytest

FOLDER = pathlib.Path(os.environ["MUTATE_COUNTERS"])


def key_of(item):
    """What can be run by itself: the function or, where a daemon serves
    several of them, the file."""
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    if any(d.scope == "module" for found in fixtures for d in found):
        return item.path.name
    return f"{item.path.name}::{item.originalname}"


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    key, begin = key_of(item), time.monotonic()
    os.environ["GCOV_PREFIX"] = str(FOLDER / key)
    yield
    with open(FOLDER / "seconds", "a") as out:
        out.write(f"{key}\t{time.monotonic() - begin:.3f}\n")
