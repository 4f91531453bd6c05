"""Groups `fptt.*` of `leadlag bench`: LTC networks trained by FPTT, and what they are compared with."""

import hashlib
from dataclasses import replace

from golden.data.dataset import DataSet
from golden.data.sets import find
from golden.ltc.recipe import LtcRecipe
from golden.ltc.trained import LtcTrained
from leadlag import flow
from leadlag.bench import sources
from leadlag.bench.own import vowels
from leadlag.training import reported

VOWELS = LtcRecipe(name="ltc-vowels", layers=(64,), scale=True, noise=0.8, epochs=60, batch=16, rate=3e-3)
FASHION = LtcRecipe(name="ltc-fashion", data="fashion-mnist", read_as="sequence", layers=(128, 128), unit=256, parts=7,
                    every=True, epochs=18, batch=128, rate=3e-3)


def data_of(recipe: LtcRecipe) -> DataSet:
    """The data set of a recipe of these groups."""
    return find(recipe.data, form="sequence") if recipe.data else vowels()


def trained(recipe: LtcRecipe, seed: int, console=None, *, hold_out: bool = False) -> LtcTrained:
    """A training, made once for each state of the recipe and of what learns."""
    from golden.train import ltc as trainer
    state = f"{sources.code(trainer.learn)} {recipe.settings()} {seed} {hold_out}"
    out = flow.BUILD / "bench" / f"{recipe.name}-{hashlib.sha256(state.encode()).hexdigest()[:10]}.safetensors"
    if not out.exists():
        with reported(console, f"{recipe.name}, seed {seed}", recipe.epochs, trainer.SHOWN) as report:
            trainer.fit(recipe, data_of(recipe), seed=seed, hold_out=hold_out, report=report).save(out)
    return LtcTrained.load(out)


def bptt(recipe: LtcRecipe) -> LtcRecipe:
    """The same, learnt through time: one update a sequence, without a regulariser."""
    return replace(recipe, parts=1, alpha=0.0)
