"""Groups of `leadlag bench` for networks that learn whole on the chip by FPTT."""

import time

import numpy as np

from golden.data.dataset import Samples
from golden.image import build_image
from golden.ltc import vowels
from golden.ltc.compiled import CompiledLearner
from golden.recipe import load
from leadlag import flow
from leadlag.bench import ltc, records
from leadlag.bench.own import vowels as speakers
from leadlag.terminal import status

SEEDS = (0, 1, 2)
#: who is left out, how many of his utterances are heard, how often; halvings, and those of the last third; how much of
#: it the board does, too
NEWCOMER, FIRST_UTTERANCES, MEETINGS, BOARD_MEETINGS = 8, 20, 30, 1
HALVINGS, HALVINGS_AT_LAST = 1, 3
BOARD, CLOCK_MHZ = flow.DEFAULT_BOARD, 100.0
BUILT = f"build.ltc-vowels-learn.{BOARD}"
#: of nextpnr: with what it does by itself its placement of so full a part takes no end
PLACE = ("--placer-heap-alpha", "0.15")
PLACED = ("fmax_mhz", "clock_mhz", "timing_met", "cycles_per_tick", "ticks_per_s", "ticks_per_s_at_fmax",
          "learn_cycles_per_tick", "learn_ticks_per_s", "learn_ticks_per_s_at_fmax", "lanes", "lane_use",
          "learn_lane_use", "lut4", "comb", "ff", "dsp", "bram", "wall_s", "nextpnr_seed")


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
            "rtl_equal_frames": equal, "rtl_equal_weights": weights, "weights_at_an_end": saturated,
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
    """JapaneseVowels learnt whole on the chip from three random starts; the circuit does all ticks of the first.

    Beside it Adam in float, and the same learnt from a part, of which the rest is asked: by that all was chosen.
    """
    runs = [learn(seed, rtl=seed == SEEDS[0], console=console) for seed in SEEDS]
    held = [learn(seed, rtl=False, split="fit", judge="held_out", console=console)["accuracy"] for seed in SEEDS]
    adam = ltc.trained(load(ltc.VOWELS), SEEDS[0], console).training["float_accuracy"]
    found = [run["accuracy"] for run in runs]
    return runs[0] | {"integer_accuracy": float(np.mean(found)), "integer_accuracy_seeds": found,
                      "held_out_accuracy_seeds": held, "float_adam_accuracy": adam, "epochs": vowels.EPOCHS,
                      "rate": vowels.RATE, "streams": vowels.STREAMS, "seed": list(SEEDS)} | _clock()


def _clock() -> dict:
    """The clock of the routed design, where one is on record."""
    record = records.known().get(BUILT, {})
    return {name: record[name] for name in ("clock_mhz", "timing_met") if name in record}


def adapt(console) -> dict:
    """A speaker who was left out is learnt through the host driver, beside others who are heard again."""
    data = speakers()
    heard, judged = data.load("train"), data.load("test")
    known = np.flatnonzero(heard.y != NEWCOMER)
    others = Samples(heard.x[known], heard.y[known], heard.lengths[known])
    net = vowels.network(seed=1)
    scale, learner = vowels.scale_of(others), CompiledLearner(net, vowels.start(net, 0))
    with status(console, "the others in integers"):
        for lesson, halvings in vowels.lessons(net, others, scale, 0):
            label, fresh = vowels.parts(lesson.target)
            learner.run(lesson.x, label, fresh=fresh, learn=lesson.on, teach=lesson.on, halve=halvings)
    params, x = learner.params, vowels.words(heard, scale, net)
    rng, board, weights = np.random.default_rng(0), None, 0
    plan = meetings(heard, rng)
    learner, curve = CompiledLearner(net, params), [_of_each(net, params, scale, judged)]
    with status(console, "the newcomer, on the simulated board") as say:
        for n, order in enumerate(plan):
            lesson = vowels.noisy(vowels.lesson(x, heard.y, heard.lengths, order, net.streams), net, rng)
            label, fresh = vowels.parts(lesson.target)
            flags, halvings = {"learn": lesson.on, "teach": lesson.on}, HALVINGS
            if 3 * n >= 2 * MEETINGS:
                halvings = HALVINGS_AT_LAST
            y = learner.run(lesson.x, label, fresh=fresh, halve=halvings, **flags)
            if n < BOARD_MEETINGS:
                board = board or _board(net, params)
                found = board.learn(lesson.x, lesson.target, first=n == 0, halvings=halvings, **flags)
                if not (found == y).all():
                    raise flow.CheckFailed(f"the board differs from golden in meeting {n}")
                weights = _same_weights(board.read_parameters(params), learner.params)
            curve.append(_of_each(net, learner.params, scale, judged))
            say(f"the newcomer: meeting {n + 1} of {len(plan)}")
    return {"newcomer_curve": [new for new, _ in curve], "others_curve": [old for _, old in curve],
            "newcomer_before": curve[0][0], "newcomer_after": curve[-1][0], "others_before": curve[0][1],
            "others_after": curve[-1][1], "utterances": FIRST_UTTERANCES, "board_equal_weights": weights, "seed": 0}


def meetings(heard: Samples, rng) -> list[np.ndarray]:
    """Orders of utterances: each the newcomer's first ones, and as many of others in turn with them."""
    own = np.flatnonzero(heard.y == NEWCOMER)[:FIRST_UTTERANCES]
    rest = np.flatnonzero(heard.y != NEWCOMER)
    return [np.stack([rng.permutation(own), rng.choice(rest, len(own), replace=False)], 1).ravel()
            for _ in range(MEETINGS)]


def _of_each(net, params, scale, judged: Samples) -> tuple[float, float]:
    """Share of right answers to the newcomer, and to the others."""
    y = CompiledLearner(net, params).infer(vowels.words(judged, scale, net))
    right = y[np.arange(len(y)), judged.lengths - 1].argmax(1) == judged.y
    return float(right[judged.y == NEWCOMER].mean()), float(right[judged.y != NEWCOMER].mean())


def _board(net, params):
    from firmware.board import Board
    from firmware.learning import Learner
    from sim.harness.board import SimulatedBoard
    host = Board(SimulatedBoard(net), net)
    host.load(build_image(net, params))
    return Learner(host)


def build(console) -> dict:
    """Place and route of the network that learns JapaneseVowels, for the ULX3S-85F."""
    from boards.build import build as make
    ticks = speakers().load("test").x.shape[1]
    with status(console, "place and route") as say:
        report = make(vowels.network(), flow.board(BOARD), out_dir=flow.BUILD / "bench", seeds=(1,),
                      clock_mhz=CLOCK_MHZ, place_options=PLACE,
                      progress=lambda text: say(f"place and route: {text}")).report
    return {name: report[name] for name in PLACED if name in report} | {
        "ticks": ticks, "sequences_per_s": report["ticks_per_s"] / ticks,
        "sequences_per_s_at_fmax": report["ticks_per_s_at_fmax"] / ticks,
        "latency_us": ticks * report["cycles_per_tick"] / report["clock_mhz"], "seed": report["nextpnr_seed"]}


GROUPS = {"fptt.learn": learn_vowels, "fptt.adapt": adapt, BUILT: build}
