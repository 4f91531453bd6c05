"""Groups of `leadlag bench` on the circuits of LTC networks: equal to golden, how fast, placed and routed."""

from golden.recipe import load
from leadlag import flow
from leadlag.bench.ltc import FASHION, VOWELS, data_of
from leadlag.demo import SEEDS
from leadlag.terminal import bars, status
from rtl.ltc.schedule import lane_use, latency

KEPT = ("fmax_mhz", "clock_mhz", "lanes", "lanes_by_layer", "lut4", "comb", "ff", "dsp", "bram", "wall_s",
        "nextpnr_seed", "timing_met", "cycles_per_tick", "lane_use", "ticks_per_s", "ticks_per_s_at_fmax",
        "latency_cycles")


def case_of(network: str, board: str = flow.DEFAULT_BOARD) -> flow.Case:
    """A network of the zoo with its data, and the lanes that a board has room for."""
    return flow.case_of(flow.find(network), board, data_of(load(network)))


def equal(network: str, console, count: int | None = None) -> dict:
    """Test sequences on which every word of the compiled circuit is golden's, and its cycles."""
    case = case_of(network)
    batch = flow.samples(case, "test", count)
    with status(console, f"{network}: compile the circuit"):
        device = flow.compiled(case)
    with bars(console) as bar:
        task = bar.add_task(f"{network}: circuit", total=len(batch.x))
        got = device.run(batch.x, progress=lambda n: bar.advance(task, n))
        want = flow.integer_outputs(case, batch.x)
    return {"rtl_equal_sequences": flow.compare(case, got, want, "circuit"), "words": int(got.size),
            "cycles_per_sequence_measured": round(device.run_cycles / len(got), 1),
            "lane_use": lane_use(case.net), "latency_cycles": latency(case.net)} | flow.judge(case, got, batch)


def of_vowels(console) -> dict:
    """Circuit of ltc-vowels against golden on all test utterances."""
    return equal(VOWELS, console)


def of_fashion(console) -> dict:
    """Circuit of ltc-fashion against golden on all test images."""
    return equal(FASHION, console)


def _placed(network: str, console) -> dict:
    """Place and route of a network of the zoo for the ULX3S-85F; sequences of its data a second."""
    from boards.build import build
    case = case_of(network)
    ticks = flow.samples(case, "test", 1).x.shape[1]
    with status(console, "place and route") as say:
        report = build(case.net, flow.board(flow.DEFAULT_BOARD), out_dir=flow.BUILD / "bench", seeds=SEEDS,
                       progress=lambda text: say(f"place and route: {text}")).report
    whole = (ticks - 1) * report["cycles_per_tick"] + report["latency_cycles"]
    return {name: report[name] for name in KEPT} | {
        "halves": case.net.halves, "ticks": ticks, "sequences_per_s": report["ticks_per_s"] / ticks,
        "sequences_per_s_at_fmax": report["ticks_per_s_at_fmax"] / ticks,
        "latency_us": whole / report["clock_mhz"], "seed": report["nextpnr_seed"]}


def build_fashion(console) -> dict:
    """Place and route of ltc-fashion, 28-128-128-10, for the ULX3S-85F."""
    return _placed(FASHION, console)


def build_vowels(console) -> dict:
    """Place and route of ltc-vowels, 12-64-9, for the ULX3S-85F."""
    return _placed(VOWELS, console)


GROUPS = {"ltc.vowels": of_vowels, "ltc.fashion": of_fashion, f"build.{FASHION}.{flow.DEFAULT_BOARD}": build_fashion,
          f"build.{VOWELS}.{flow.DEFAULT_BOARD}": build_vowels}
