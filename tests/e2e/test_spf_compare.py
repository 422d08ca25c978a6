# SPDX-License-Identifier: ISC
"""Random records, judged as Debian's python3-spf judges them, or for a reason
(spf_compare.py: 10,000 by itself, some hundred here)."""
import pytest

from gateway import BUILD

pytest.importorskip("spf", reason="python3-spf is not installed")
import spf_compare      # noqa: E402


def test_random_records_are_judged_as_python3_spf_judges_them():
    unexplained, needed, results = spf_compare.compare(
        BUILD / "posthouse-spf", range(1, 601))
    assert unexplained == []
    # That much is compared, and that little differs.
    assert len(results) == 7
    assert needed["differences"] < 60
