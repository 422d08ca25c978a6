# SPDX-License-Identifier: ISC
"""The n-th call fails, in the daemon itself: tests/fault/nth.py."""
import pytest

from fault import fail_for
from nth import Campaign

PARTS = 4
SAMPLE = 72     # of some thousand; all of them by --long


def part_of(folder, legacy, cloud, part, sample):
    fail_for(folder)    # or skips
    campaign = Campaign(folder, legacy, cloud)
    campaign.count()
    cases = campaign.sample(sample, seed=1) if sample else campaign.cases()
    wrong, hits = [], 0
    for case in cases[part::PARTS]:
        try:
            hits += campaign.run(case)
        except Exception as e:
            wrong.append(str(e))
            if sample:
                break
    print(f"{hits} calls failed, {len(wrong)} cases went wrong")
    assert not wrong, "\n\n".join(wrong[:20])
    assert hits > len(cases) // PARTS // 2


@pytest.mark.parametrize("part", range(PARTS))
def test_a_call_that_fails_costs_no_mail(folder, legacy, cloud, part):
    part_of(folder, legacy, cloud, part, SAMPLE)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_call_that_fails_costs_mail(folder, legacy, cloud, part):
    part_of(folder, legacy, cloud, part, 0)
