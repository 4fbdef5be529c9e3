"""How many pictures would decide."""

from math import sqrt

import pytest

from trailcam_core.statistics.wilson import Z_95, wilson_interval
from trailcam_export.gate.paired_proportions import PairedProportion, difference_interval
from trailcam_export.gate.power import sample_size_for_difference, sample_size_for_proportion


def test_perfect_agreement_needs_as_many_pictures_as_its_proof_takes() -> None:
    needed = sample_size_for_proportion(1.0, 0.985, Z_95)
    assert needed == 253
    assert wilson_interval(253, 253)[0] >= 0.985 > wilson_interval(252, 252)[0]


def test_no_discordant_pair_needs_as_many_as_its_proof_takes() -> None:
    needed = sample_size_for_difference(PairedProportion(40, 40, 0, 0), -0.01, Z_95)
    assert needed is not None
    assert difference_interval(0, 0, needed)[0] >= -0.01 > difference_interval(0, 0, needed - 1)[0]


def test_the_closer_to_the_bar_the_more() -> None:
    found = [sample_size_for_proportion(share, 0.985, Z_95) for share in (0.999, 0.995, 0.99, 0.987)]
    assert all(number is not None for number in found)
    assert found == sorted(found, key=lambda number: number or 0)
    refuted = [sample_size_for_proportion(share, 0.985, Z_95) for share in (0.5, 0.9, 0.97)]
    assert refuted == sorted(refuted, key=lambda number: number or 0)


@pytest.mark.parametrize("share", [0.985, 0.98501])
def test_on_the_bar_no_number_is_promised(share: float) -> None:
    assert sample_size_for_proportion(share, 0.985, Z_95) is None


def test_the_usual_formula_is_near() -> None:
    """N = (1.96 s0 + 0.84 s1)^2 / gap^2, with the deviations under the bar and under what was observed."""
    needed = sample_size_for_proportion(0.96, 0.95, Z_95)
    assert needed == pytest.approx((1.96 * sqrt(0.95 * 0.05) + 0.8416 * sqrt(0.96 * 0.04)) ** 2 / 0.01**2, rel=0.02)
