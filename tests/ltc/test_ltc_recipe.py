"""Fields of a recipe with liquid time constants that go together, and those that do not."""

import pytest

from golden.ltc.recipe import LtcRecipe


def test_bits_are_for_formats_that_are_fitted():
    assert LtcRecipe(name="x", layers=(4,), formats="fitted", bits=10).bits == 10
    assert LtcRecipe(name="x", layers=(4,), formats="usual").bits is None
    with pytest.raises(ValueError, match='bits are for formats = "fitted"'):
        LtcRecipe(name="x", layers=(4,), formats="usual", bits=10)


def test_a_scale_has_no_unit():
    assert LtcRecipe(name="x", layers=(4,), unit=2.0).unit == 2
    with pytest.raises(ValueError, match="channels have deviation 1, no unit of 2"):
        LtcRecipe(name="x", layers=(4,), scale=True, unit=2.0)
