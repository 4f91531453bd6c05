"""Groups `fptt.*` of `leadlag bench`: LTC networks trained by FPTT, and what they are compared with."""

import hashlib
from dataclasses import replace
from pathlib import Path

from golden.data.dataset import DataSet
from golden.data.sets import find
from golden.ltc.recipe import LtcRecipe
from golden.ltc.trained import LtcTrained
from leadlag import flow
from leadlag.bench import sources
from leadlag.bench.own import vowels
from leadlag.training import reported

#: of golden/train, what a training is made by
LEARNS = ("ltc.py", "ltc_net.py", "fptt.py", "ltc_closed.py", "ltc_compiled.py", "ltc_compiled.cpp")
VOWELS = LtcRecipe(name="ltc-vowels", layers=(64,), scale=True, noise=0.8, epochs=60, batch=16, rate=3e-3)
FASHION = LtcRecipe(name="ltc-fashion", data="fashion-mnist", read_as="sequence", layers=(128, 128), unit=256, parts=7,
                    every=True, epochs=18, batch=128, rate=3e-3)


def data_of(recipe: LtcRecipe) -> DataSet:
    """The data set of a recipe of these groups."""
    return find(recipe.data, form="sequence") if recipe.data else vowels()


def trained(recipe: LtcRecipe, seed: int, console=None, *, hold_out: bool = False) -> LtcTrained:
    """A training, made once for each state of the recipe and of what learns."""
    from golden.train import ltc as trainer
    out = place(recipe.name, recipe.settings(), seed, hold_out)
    if not out.exists():
        with reported(console, f"{recipe.name}, seed {seed}", recipe.epochs, trainer.SHOWN) as report:
            trainer.fit(recipe, data_of(recipe), seed=seed, hold_out=hold_out, report=report).save(out)
    return LtcTrained.load(out)


def place(name: str, *settings) -> Path:
    """Where a training is kept: by its settings, and by the files that learn."""
    learns = [(sources.ROOT / "golden" / "train" / file).read_bytes() for file in LEARNS]
    state = hashlib.sha256(b"".join(learns) + repr(settings).encode()).hexdigest()[:10]
    return flow.BUILD / "bench" / f"{name}-{state}.safetensors"


def bptt(recipe: LtcRecipe) -> LtcRecipe:
    """The same, learnt through time: one update a sequence, without a regulariser."""
    return replace(recipe, parts=1, alpha=0.0)


def of_vowels(console) -> dict:
    """JapaneseVowels by 12-64-9 on five seeds, FPTT with an update a tick and Adam; and through time beside it."""
    seeds = (0, 1, 2, 3, 4)
    nets = [trained(VOWELS, seed, console) for seed in seeds]
    through = [trained(bptt(VOWELS), seed, console) for seed in seeds]
    figures = {f"{name}_accuracy_seeds": [round(net.training["float_accuracy"], 4) for net in found]
               for name, found in (("fptt", nets), ("bptt", through))}
    held = [trained(VOWELS, seed, console, hold_out=True).training["held_out_accuracy"] for seed in seeds]
    return figures | {"fptt_accuracy": round(sum(figures["fptt_accuracy_seeds"]) / len(seeds), 4),
                      "held_out_accuracy_seeds": [round(each, 4) for each in held], "seeds": list(seeds),
                      "test_sequences": len(data_of(VOWELS).load("test").y), "epochs": VOWELS.epochs,
                      "train_cpu_s_seeds": [net.training["train_cpu_s"] for net in nets]}


GROUPS = {"fptt.vowels": of_vowels}
