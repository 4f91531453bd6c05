"""Groups fptt.*: what a training is kept by, memory of a process."""

from dataclasses import replace

import pytest

from golden.ltc.recipe import LtcRecipe
from golden.recipe import load

pytest.importorskip("torch")
ltc = pytest.importorskip("leadlag.bench.ltc")
ltc_add = pytest.importorskip("leadlag.bench.ltc_add")
ltc_study = pytest.importorskip("leadlag.bench.ltc_study")

RECIPE = LtcRecipe(name="small", layers=(4,))


def test_trainings_are_kept_by_what_they_learn():
    def kept(recipe, seed=0):
        return ltc.place("x", ltc.learnt_by(recipe), seed)
    assert kept(RECIPE) == kept(replace(RECIPE, data="x.npz", formats="usual", points=2.0))
    others = [kept(replace(RECIPE, alpha=0.1)), kept(replace(RECIPE, parts=1)), kept(RECIPE, 1)]
    assert len({kept(RECIPE), *others}) == 4


def test_through_time_is_one_part_without_regulariser():
    assert ltc.bptt(RECIPE) == replace(RECIPE, parts=1, alpha=0.0)


@pytest.mark.parametrize("row", ltc_study.ROWS, ids=lambda row: row[0])
def test_rows_of_the_ablation_change_something(row):
    _, fields, neuron = row
    changed = replace(load(ltc.VOWELS), **fields)
    assert row is ltc_study.ROWS[0] or changed != load(ltc.VOWELS) or neuron


def test_memory_is_that_of_the_batch():
    """600 ticks through time keep some MiB more than an update every ten ticks."""
    through, parts = (ltc_add.peak_mib(600, parts, "autograd") for parts in (1, 60))
    assert through > parts + 10
    assert parts < 15


def test_memory_of_a_process_that_fails():
    with pytest.raises(RuntimeError, match="memory of 600 ticks"):
        ltc_add.peak_mib(600, 0, "autograd")
