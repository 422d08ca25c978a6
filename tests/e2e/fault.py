# SPDX-License-Identifier: ISC
"""Daemons of which one call fails: tests/fault."""
import subprocess
import sys

import pytest

from gateway import BUILD, ROOT

sys.path.insert(0, str(ROOT / "tests/fault"))

from calls import FOR_GOOD, KINDS, Fail                  # noqa: E402,F401


def sanitized():
    """A sanitizer has to be loaded before anything else."""
    symbols = subprocess.run(["nm", "-D", BUILD / "posthoused"],
                             capture_output=True, text=True).stdout
    return "__asan_init" in symbols or "__tsan_init" in symbols


def fail_for(folder):
    if not (BUILD / "tests/fault/fail.so").exists():
        pytest.skip("tests/fault/fail.so is not built")
    if sanitized():
        pytest.skip("not under a sanitizer: fail.so is loaded first")
    return Fail(folder, BUILD)
