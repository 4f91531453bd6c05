"""Group `cascade` of `leadlag bench`: accuracy against time of a cascaded network, and of those it is compared with."""

import time
from dataclasses import replace

import numpy as np

from golden.cascade import words
from golden.cascade.trained import CascadeTrained
from golden.data import sets
from golden.recipe import load
from leadlag import flow
from leadlag.bench import sources
from leadlag.bench.cascade_circuit import known_equal
from leadlag.terminal import bars, status
from leadlag.training import reported

NAME = "cascade-fashion"
#: trainings of the study: what they change in the recipe, and their seeds
TRAININGS = {"td": ({}, (0, 1, 2)), "label_every_step": ({"lambda_": 1.0}, (0, 1, 2)),
             "label_last_step": ({"loss": "last"}, (0,)), "serial_td": ({"scheme": "serial"}, (0,))}
#: curves: a training, and the scheme in which its network answers
CURVES = {"td": ("td", "parallel"), "label_every_step": ("label_every_step", "parallel"),
          "label_last_step": ("label_last_step", "parallel"), "serial_td": ("serial_td", "serial"),
          "serial_label": ("label_last_step", "serial")}
THRESHOLDS = 100        # of the largest softmax
HELD_OUT_EPOCHS, HELD_OUT_SEEDS = 2, (0,)   # of the trainings by whose held-out images lambda was chosen
BATCH, RUNS = 128, 7    # images of a training step that is timed, and how often


def cascade(console) -> dict:
    """Accuracy of a cascaded network by step, area under accuracy against exit time, training time; the comparisons."""
    recipe, logits = load(NAME), {}
    asked = recipe.found().load("test")
    nets = {name: [trained(name, seed, console) for seed in seeds] for name, (_, seeds) in TRAININGS.items()}
    with status(console, "cascade: answers of the test set"):
        for name, (training, scheme) in CURVES.items():
            logits[name] = [_steps(net, asked.x, scheme) for net in nets[training]]
    curves = {name: [exits(each, asked.y) for each in found] for name, found in logits.items()}
    figures = {"test_images": len(asked.y),
               "float_accuracy_seeds": [net.training["float_accuracy"] for net in nets["td"]],
               "accuracy_steps": {name: [by_step(each, asked.y) for each in found] for name, found in logits.items()},
               "area": {name: round(float(np.mean([area(curve) for curve in found])), 2)
                        for name, found in curves.items()},
               "area_seeds": {name: [round(area(curve), 2) for curve in found] for name, found in curves.items()},
               "curves": {name: [[round(value, 4) for value in row] for row in found[0].T]
                          for name, found in curves.items()},
               "train_cpu_s": nets["td"][0].training["train_cpu_s"],
               "train_cpu_s_by_training": {name: found[0].training["train_cpu_s"] for name, found in nets.items()},
               "epochs": recipe.epochs, "seeds": {name: list(seeds) for name, (_, seeds) in TRAININGS.items()}}
    return figures | of_the_zoo(NAME, console) | known_equal() | choice(console) | literal_ratio(console)


def of_the_zoo(network: str, console) -> dict:
    """Accuracy by step of a network of the zoo on the whole test set, in float and in integers."""
    real = flow.find(network)
    net, asked = real.describe(), sets.learnt(real.training)[0].load("test")
    with bars(console) as bar:
        task = bar.add_task(f"{network}: integers", total=len(asked.y))
        found = net.run(real.quantize(net), real.inputs_of(asked.x, net), lambda n: bar.advance(task, n))
    floats = by_step(_steps(real, asked.x, real.scheme), asked.y)
    integers = by_step(words.split(found).logits, asked.y)
    return {"parameters": real.parameters, "float_accuracy_steps": floats, "integer_accuracy_steps": integers,
            "integer_points_off": round(100 * max(abs(a - b) for a, b in zip(floats, integers, strict=True)), 2)}


def choice(console) -> dict:
    """Accuracy by step on held-out images, a row a seed, by which lambda was chosen; short trainings."""
    return {"held_out_epochs": HELD_OUT_EPOCHS, "held_out_seeds": list(HELD_OUT_SEEDS), "held_out_accuracy_steps": {
        name: [trained(name, seed, console, hold_out=True, epochs=HELD_OUT_EPOCHS).training["held_out_accuracy_steps"]
               for seed in HELD_OUT_SEEDS] for name in ("td", "label_every_step")}}


def trained(name: str, seed: int, console=None, *, hold_out: bool = False, network: str = NAME,
            **changes) -> CascadeTrained:
    """A training of TRAININGS, with other fields where they are given, made once for each state of what learns."""
    from golden.train import cascade as trainer
    recipe, kind = load(network), "held-out" if hold_out else "test"
    for field, value in (TRAININGS[name][0] | changes).items():
        recipe = replace(recipe, **{field: value})
    shown = "".join(f"-{field}-{value}" for field, value in changes.items())
    out = flow.BUILD / "bench" / (f"{network}-{name}{shown}-{kind}-seed{seed}-"
                                  f"{sources.code(trainer.learn)[:8]}.safetensors")
    if not out.exists():
        with reported(console, f"{network}, {name}, seed {seed}", recipe.epochs, trainer.SHOWN) as report:
            trainer.fit(recipe, recipe.found(), seed=seed, hold_out=hold_out, report=report).save(out)
    return CascadeTrained.load(out)


def _steps(net: CascadeTrained, x, scheme: str) -> np.ndarray:
    from golden.train import cascade as trainer
    return trainer.float_steps(net, x, scheme)


def by_step(logits: np.ndarray, label) -> list[float]:
    """Accuracy of logits (n, steps, classes) at each step."""
    return [round(float(value), 4) for value in (logits.argmax(2) == np.asarray(label)[:, None]).mean(0)]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits, along the last axis."""
    p = np.exp((logits - logits.max(-1, keepdims=True)).astype(np.float64))
    return p / p.sum(-1, keepdims=True)


def exits(logits: np.ndarray, label, thresholds: int = THRESHOLDS) -> np.ndarray:
    """Accuracy against time (thresholds + 1, 2): mean exit step, and accuracy, a row a threshold.

    An image is answered in the first step whose largest softmax reaches the threshold, else in the last one; the last
    row waits for every last step. As [CASCADE]'s figure 3 has it: thresholds from 0 to 1.
    """
    steps = logits.shape[1]
    sure = softmax(logits).max(2)
    right = logits.argmax(2) == np.asarray(label)[:, None]
    rows = []
    for threshold in (*np.linspace(0, 1, thresholds), np.inf):
        there = sure >= threshold
        step = np.where(there.any(1), there.argmax(1), steps - 1)
        rows.append((step.mean(), right[np.arange(len(step)), step].mean()))
    return np.array(rows)


def area(curve: np.ndarray) -> float:
    """Mean accuracy in points over mean exit steps from the first to the last, by trapezoids."""
    time_, accuracy = curve[np.argsort(curve[:, 0], kind="stable")].T
    return float(100 * np.sum(np.diff(time_) * (accuracy[1:] + accuracy[:-1]) / 2) / (time_[-1] - time_[0]))


def literal_ratio(console) -> dict:
    """CPU milliseconds of a training step, block by block and as a literal loop over time, and how many times as long.

    The least of RUNS, taken in turn. The loop is timed with maps in the order of memory that suits it better, and in
    that of the network's own.
    """
    import torch

    from golden.train import cascade as trainer
    recipe, found = load(NAME), {"blocks": [], "literal": [], "literal_rows": []}
    data = recipe.found()
    samples = data.load("fit")
    with status(console, "cascade: a training step, block by block and literal"):
        torch.set_num_threads(1)
        x, y = trainer.pixels(samples.x[:BATCH], data.shape), torch.from_numpy(samples.y[:BATCH])
        for _ in range(RUNS):
            for name, times in found.items():
                times.append(_step_ms(trainer, recipe, data, x, y, name))
    least = {name: min(times) for name, times in found.items()}
    return {"train_step_ms": least["blocks"], "literal_step_ms": min(least["literal"], least["literal_rows"]),
            "literal_loop_ratio": round(min(least["literal"], least["literal_rows"]) / least["blocks"], 2)}


def _step_ms(trainer, recipe, data, x, y, name: str) -> float:
    import torch
    net = trainer.drawn(recipe, data, torch.Generator().manual_seed(0))
    if name == "literal_rows":
        net, x = net.to(memory_format=torch.contiguous_format), x.contiguous()
    run = net if name == "blocks" else net.literal
    began = time.process_time()
    trainer.td_loss(run(x), y, recipe.lambda_).backward()
    return round(1000 * (time.process_time() - began), 1)


GROUPS = {"cascade": cascade}
