# SPDX-License-Identifier: ISC
"""A plugin of pytest for the end-to-end tests: what the programs of each test
count is packed into a file of this process in $MUTATE_COUNTERS, and how long
the test took. Some hundred small files a test stay in memory until then."""
import os
import pathlib
import pickle
import shutil
import tempfile
import time

import pytest

from mutation.counters import packed

IN_MEMORY = pathlib.Path(tempfile.mkdtemp(prefix="counted-", dir="/dev/shm"))
IN_MEMORY.chmod(0o755)
OUTPUT = pathlib.Path(os.environ["MUTATE_COUNTERS"]) / str(os.getpid())


def key_of(item):
    """What can be run by itself: the function or, where a daemon serves
    several of them, the file."""
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    if any(d.scope == "module" for found in fixtures for d in found):
        return item.path.name
    return f"{item.path.name}::{item.originalname}"


def write(key, seconds):
    with open(OUTPUT, "ab") as out:
        pickle.dump((key, seconds, packed(IN_MEMORY / key)), out)
    shutil.rmtree(IN_MEMORY / key, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    key, begin = key_of(item), time.monotonic()
    os.environ["GCOV_PREFIX"] = str(IN_MEMORY / key)
    yield
    write(key, time.monotonic() - begin)


def pytest_sessionfinish():
    """The daemons of whole files have ended by now."""
    for left in list(IN_MEMORY.iterdir()):
        write(left.name, 0)
    shutil.rmtree(IN_MEMORY, ignore_errors=True)
