"""Groups of `leadlag bench` on the circuits of a cascaded network: equal to golden, how fast, placed and routed.

Two machines come of one trained file: an engine a block, all at work in the same step, as [CASCADE] imagines it; and
one engine with about as many multipliers, that works on block after block.
"""

from dataclasses import replace

import numpy as np

from golden.cascade import words
from golden.cascade.layout import dealt
from leadlag import flow
from leadlag.bench import records
from leadlag.demo import SEEDS
from leadlag.terminal import bars, status
from rtl.cascade.core import step_cycles

NAME = "cascade-fashion"
#: the small sibling, and a board without multipliers that has room for it
SMALL, SMALL_BOARD = "cascade-digits", "ice40-hx8k"
#: machines, and how their layers are dealt to engines (golden.cascade.layout.dealt)
MACHINES = {"engines": "layer", "one_engine": "blocks"}
STILLS, FRAMES = 1000, 1000
#: a scene is an image that moves by a pixel a frame; with its first frame all that was is forgotten
SCENE = 5
#: rules of the early exit, and how many of ten images take each
RULES = (("never", 0.0, 1), ("margin", 4.0, 4), ("softmax", 0.9, 5))
KEPT = ("fmax_mhz", "clock_mhz", "lanes", "lut4", "comb", "ff", "dsp", "bram", "wall_s", "nextpnr_seed", "timing_met",
        "cycles_per_step", "tap_use")


def case_of(machine: str = "engines", network: str = NAME, board: str = flow.DEFAULT_BOARD) -> flow.Case:
    """The network of the zoo with the engines of a machine, as many lanes as the board has room for."""
    case = flow.prepare(network, board)
    net = flow.board(board).fold(replace(case.net, engines=dealt(case.net, MACHINES[machine])))
    return replace(case, net=net, params=case.real.quantize(net))


def stills(case: flow.Case, count: int, serial: bool) -> np.ndarray:
    """Frames of the first test images, each forgotten before the next, with the rules in turn."""
    found, net = flow.samples(case, "test", count).x, case.net
    rules = [words.Header(net.steps, True, serial, rule, words.threshold_word(rule, value, net.head.fraction)).words
             for rule, value, share in RULES for _ in range(share)]
    found[:, :words.HEADER_WORDS] = np.resize(rules, (count, words.HEADER_WORDS))
    return found


def scenes(case: flow.Case, count: int, serial: bool) -> np.ndarray:
    """Frames of a step each, of images that move; cuts between them are told with every second one only."""
    shape = case.real.shape
    images = flow.samples(case, "test", -(-count // SCENE)).x[:, words.HEADER_WORDS:].reshape(-1, *shape)
    moved = np.stack([np.roll(images, n, axis=2) for n in range(SCENE)], axis=1).reshape(-1, int(np.prod(shape)))
    cut, goes_on = (case.net.frames(moved, words.Header(1, told, serial)) for told in (True, False))
    forgets = np.arange(len(moved)) % (2 * SCENE) == 0
    return np.where(forgets[:, None], cut, goes_on)[:count]


def equal(console) -> dict:
    """Images and frames of a stream on which every word of the compiled circuit is golden's, in both modes."""
    case = case_of()
    with status(console, f"{case.net.name}: compile the circuit"):
        device = flow.compiled(case)
    found = {}
    for key, make, count in (("rtl_equal_images", stills, STILLS), ("rtl_equal_frames", scenes, FRAMES)):
        for mode in ("parallel", "serial"):
            frames = make(case, count, mode == "serial")
            with bars(console) as bar:
                task = bar.add_task(f"{case.net.name}: circuit, {mode}, {make.__name__}", total=count)
                got = device.run(frames, progress=lambda n, task=task, bar=bar: bar.advance(task, n))
            want = case.net.run(case.params, frames)
            found[f"{key}_{mode}"] = int((got == want).all((1, 2)).sum())
            found[f"{key}_{mode}_words"] = int(got.size)
            flow.compare(case, got, want, f"circuit, {mode}")
        found[key] = min(found[f"{key}_parallel"], found[f"{key}_serial"])
    return found


def known_equal() -> dict:
    """What its group found last, and at which commit: it takes an hour."""
    found = records.known().get("cascade.circuit", {})
    figures = {name: value for name, value in found.items() if name.startswith("rtl_equal")}
    return figures | ({"rtl_equal_commit": found["commit"]} if figures else {})


def cycles(case: flow.Case, console) -> dict:
    """Cycles of the compiled circuit, from the first word of a frame, or in a stream; of test image 0.

    parallel, serial    to the last word of the answer of each step, of an image that stands still
    streamed            of a step, where every frame has one
    """
    with status(console, f"{case.net.name}: compile the circuit"):
        device = flow.compiled(case)
    image = flow.samples(case, "test", 1).x[:, words.HEADER_WORDS:]
    found = {}

    def run(images, header):
        # blocks work on when the last answer of a frame is there
        device.idle(2 * step_cycles(case.net))
        frames = case.net.frames(images, header)
        flow.compare(case, device.run(frames), case.net.run(case.params, frames), "circuit")
        return device.run_cycles
    with status(console, f"{case.net.name}: cycles of a step"):
        for mode in ("parallel", "serial"):
            found[mode] = [run(image, words.Header(steps, True, mode == "serial"))
                           for steps in range(1, case.net.steps + 1)]
        many, few = 24, 4
        found["streamed"] = (run(np.repeat(image, many, 0), words.Header(1, False))
                             - run(np.repeat(image, few, 0), words.Header(1, False))) / (many - few)
    return found


def comparison(console) -> dict:
    """Cascade, serial mode on the same engines, and one engine: cycles to each answer, measured in the circuits."""
    rows = []
    for machine in MACHINES:
        case = case_of(machine)
        found = cycles(case, console)
        work = [sum(unit.cycles(task.conv) for task in case.net.program(unit) if task.layer == n)
                for n in range(len(case.net.layers) - 1) for unit in case.net.engines if n in unit.layers]
        for mode in ("parallel", "serial"):
            rows.append({"machine": machine, "mode": mode, "multipliers": case.net.lanes,
                         "cycles_to_step": found[mode], "cycles_per_step_streamed": found["streamed"],
                         "cycles_per_layer_walked": work,
                         "cycles_per_layer_and_step": _differences(found[mode])})
    return {"rows": rows}


def _differences(values) -> list[int]:
    return [later - earlier for earlier, later in zip(values, values[1:], strict=False)]


def _placed(machine: str, console, network: str = NAME, board: str = flow.DEFAULT_BOARD, clock_mhz=None) -> dict:
    """Place and route of a machine for a board, its cycles measured in the compiled circuit."""
    from boards.build import build
    case = case_of(machine, network, board)
    with status(console, "place and route") as say:
        report = build(case.net, flow.board(board), out_dir=flow.BUILD / "bench" / machine, seeds=SEEDS,
                       clock_mhz=clock_mhz, progress=lambda text: say(f"place and route: {text}")).report
    found = cycles(case, console)
    per_ms = report["clock_mhz"] * 1e3
    return {name: report[name] for name in KEPT} | {
        "engines": [[list(unit.layers), unit.lanes, unit.side] for unit in case.net.engines],
        "cycles_per_step_measured": found["streamed"], "frames_per_s": 1e3 * per_ms / found["streamed"],
        "frames_per_s_at_fmax": 1e6 * report["fmax_mhz"] / found["streamed"],
        "step1_ms": found["parallel"][1] / per_ms, "final_ms": found["parallel"][-1] / per_ms,
        "serial_final_ms": found["serial"][-1] / per_ms, "seed": report["nextpnr_seed"]}


def build_engines(console) -> dict:
    """Place and route of cascade-fashion, an engine a block, for the ULX3S-85F; its cycles."""
    return _placed("engines", console)


def build_one_engine(console) -> dict:
    """The same with one engine for all blocks, at 120 MHz."""
    # lanes of eight block RAMs lie far apart: 121 and 124 MHz at a constraint of 130
    return _placed("one_engine", console, clock_mhz=120)


def build_small(console) -> dict:
    """Place and route of cascade-digits, one engine, multipliers of LUTs, for the iCE40-HX8K; its cycles."""
    return _placed("one_engine", console, SMALL, SMALL_BOARD)


GROUPS = {"cascade.circuit": equal, "cascade.comparison": comparison,
          f"build.{NAME}.{flow.DEFAULT_BOARD}": build_engines,
          f"build.{NAME}-blocks.{flow.DEFAULT_BOARD}": build_one_engine, f"build.{SMALL}.{SMALL_BOARD}": build_small}
