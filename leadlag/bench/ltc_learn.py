"""Groups of `leadlag bench` for networks that learn whole on the chip by FPTT."""

import time

import numpy as np

from golden.image import build_image
from golden.ltc import vowels
from golden.ltc.compiled import CompiledLearner
from leadlag import flow
from leadlag.bench.own import vowels as speakers
from leadlag.terminal import status

SEEDS = (0, 1, 2)
BOARD, CLOCK_MHZ = flow.DEFAULT_BOARD, 100.0
PLACED = ("fmax_mhz", "clock_mhz", "timing_met", "cycles_per_tick", "learn_cycles_per_tick", "learn_ticks_per_s",
          "lanes", "lane_use", "learn_lane_use", "lut4", "comb", "ff", "dsp", "bram", "wall_s", "nextpnr_seed")


def learn(seed: int, *, rtl: bool, split: str = "train", judge: str = "test", epochs: int = vowels.EPOCHS,
          console=None) -> dict:
    """12-64-9 from random weights; with `rtl` the circuit does all ticks, too, and its weights are read back.

    CheckFailed at the first word that differs.
    """
    data = speakers()
    samples, judged = data.load(split), data.load(judge)
    net = vowels.network(seed=seed + 1)
    params, scale = vowels.start(net, seed), vowels.scale_of(samples)
    learner, frames, saturated = CompiledLearner(net, params), 0, 0
    device = _device(net, params) if rtl else None
    started, equal, cycles = time.process_time(), 0, 0
    with status(console, "FPTT in integers") as say:
        for epoch, (lesson, halvings) in enumerate(vowels.lessons(net, samples, scale, seed, epochs)):
            given = {"learn": lesson.on, "teach": lesson.on}
            label, fresh = vowels.parts(lesson.target)
            y = learner.run(lesson.x, label, fresh=fresh, halve=halvings, **given)
            frames += int(lesson.on.sum())
            if device is not None:
                found = device.learn(lesson.x, lesson.target, first=epoch == 0, halvings=halvings, **given)
                wrong = np.argwhere((found != y).any(-1))
                if wrong.size:
                    raise flow.CheckFailed(f"epoch {epoch}: tick {wrong[0][0]} of stream {wrong[0][1]} differs")
                equal, cycles = equal + lesson.on.size, cycles + device.run_cycles
            say(f"FPTT in integers: epoch {epoch + 1} of {epochs}")
    weights = 0
    if device is not None:
        weights = _same_weights(device.read_params(params), learner.params)
    for p in learner.params:
        saturated += sum(int(((a == net.layers[0].weight.min) | (a == net.layers[0].weight.max)).sum()) for a in p)
    return {"accuracy": vowels.accuracy(learner.infer(vowels.words(judged, scale, net)), judged), "frames": frames,
            "rtl_equal_ticks": equal, "rtl_equal_weights": weights, "weights_at_an_end": saturated,
            "cycles_per_frame": cycles / equal if equal else 0,
            "overflow": any(learner.state.overflow), "cpu_s": round(time.process_time() - started, 1)}


def _device(net, params):
    from sim.harness.device import Device
    device = Device(net)
    device.load(build_image(net, params).pairs)
    return device


def _same_weights(found, want) -> int:
    """How many weights are the same; CheckFailed unless all are."""
    same = [np.asarray(a) == b for own, other in zip(found, want, strict=True) for a, b in zip(own, other, strict=True)]
    if not all(each.all() for each in same):
        raise flow.CheckFailed(f"{sum(int((~each).sum()) for each in same)} weights that were read back differ")
    return sum(each.size for each in same)


def learn_vowels(console) -> dict:
    """JapaneseVowels learnt whole on the chip from three random starts; the circuit does all ticks of the first."""
    runs = [learn(seed, rtl=seed == SEEDS[0], console=console) for seed in SEEDS]
    found = [run["accuracy"] for run in runs]
    return runs[0] | {"accuracy": float(np.mean(found)), "accuracy_seeds": found, "epochs": vowels.EPOCHS,
                      "rate": vowels.RATE, "streams": vowels.STREAMS, "seed": list(SEEDS)}


def build(console) -> dict:
    """Place and route of the network that learns JapaneseVowels, for the ULX3S-85F."""
    from boards.build import build as make
    with status(console, "place and route") as say:
        report = make(vowels.network(), flow.board(BOARD), out_dir=flow.BUILD, seeds=(1,), clock_mhz=CLOCK_MHZ,
                      progress=lambda text: say(f"place and route: {text}")).report
    return {name: report[name] for name in PLACED if name in report} | {"seed": report["nextpnr_seed"]}


GROUPS = {"ltc_learn": learn_vowels, f"build.taught-vowels-64.{BOARD}": build}
