"""Claims and reference figures of any paper: verdicts by limits, tolerances, and how pages tell."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbrain.experiments.papers.claims import (
    HOLDS,
    IN_PART,
    NOT,
    ByLimit,
    Check,
    Claim,
    verdict,
)
from qbrain.experiments.papers.pages import checks_page, claims_page


def spread_below(values, ours, others):
    return ByLimit(
        "spread below",
        ours,
        others,
        lambda limit: verdict(max(values) < limit, in_part=min(values) < limit),
    )


def claim_by(judged):
    return Claim("a", (9,), "c", "d", ({"n": 1},), judged.verdict, "f", judged.rows)


def test_a_verdict_by_a_limit_brings_those_by_others():
    judged = spread_below([0.095, 0.3], 0.1, (0.05, 0.5, 0.2))
    assert judged.verdict == IN_PART
    assert [tuple(row.values()) for row in judged.rows] == [
        (0.05, NOT, ""),
        (0.1, IN_PART, "yes"),
        (0.2, IN_PART, ""),
        (0.5, HOLDS, ""),
    ]
    page = claims_page("a paper", [claim_by(judged)])
    assert (
        "| a | **holds in part** | spread below, ours 0.1: 0.05: does not hold; 0.5: holds | f |"
        in page
    )
    assert "| 0.05 | does not hold |  |" in page
    assert "| 0.1 | holds in part | yes |" in page
    record = claim_by(judged).record()
    assert record["limits"] == list(judged.rows)


def test_a_verdict_that_no_limit_changes_says_so():
    judged = spread_below([0.01, 0.3], 0.1, (0.05, 0.2))
    page = claims_page("a paper", [claim_by(judged)])
    assert "| spread below, ours 0.1: the same |" in page
    without = dataclasses.replace(claim_by(judged), limits=())
    assert "| a | **holds in part** | – | f |" in claims_page("a paper", [without])
    assert "chosen" not in claims_page("a paper", [without])


@given(
    reference=st.floats(0.1, 10),
    off=st.floats(-0.5, 0.5),
    tolerance=st.floats(1e-3, 0.4),
    at_most=st.booleans(),
)
def test_a_check_agrees_within_the_tolerance_that_its_page_states(
    reference, off, tolerance, at_most
):
    tolerance = float(f"{tolerance:.2g}")
    if math.isclose(abs(off), tolerance, rel_tol=1e-6):
        return
    check = Check(4, "q", reference + off, reference, tolerance, None, at_most)
    stated = check.allowed
    assert stated.startswith("at most +" if at_most else "±")
    assert float(stated.removeprefix("at most +").removeprefix("±")) == tolerance
    wanted = off <= tolerance if at_most else abs(off) <= tolerance
    assert check.agrees == check.record()["agrees"] == wanted
    row = checks_page("a paper", [check], [""]).splitlines()[-1]
    assert row.endswith(f"| {stated} | – | {'yes' if wanted else 'no'} |")


@pytest.mark.parametrize(("found", "agrees"), [(0.0163, False), (0.0124, True), (0.004, True)])
def test_an_error_that_is_larger_than_its_reference_does_not_agree(found, agrees):
    from qbrain.experiments.lmg.paper.noise_checks import HALF_A_DIGIT

    assert Check(None, "q", found, 0.012, HALF_A_DIGIT, None, at_most=True).agrees == agrees
