"""The event engine as it is measured: 256 neurons, each with a synapse to each, and how many cycles a tick takes."""

import numpy as np

from golden.event.network import EventNetwork
from golden.event.params import Dense, Neurons
from golden.event.parts import INPUT, Block, Population
from leadlag import flow
from leadlag.bench.placed import over_seeds
from leadlag.terminal import status
from rtl.systems import circuit

#: neurons; bits of weights and delays, as those of the peers, and of what one of 256 sums may be
SIZE, WEIGHT_BITS, DELAY_BITS, SUM_BITS = 256, 4, 7, 12
#: spikes a tick for which it is measured
SPIKES = (1, 10, 100)
#: where it is routed, with which seeds of nextpnr, and the clock that is asked for
BOARD, SEEDS, CLOCK_MHZ = "ulx3s-25f", (1, 2, 3, 4, 5), 100.0
#: ticks before the ones that count: until spikes are visited for the last time
BEFORE, COUNTED = 1 << DELAY_BITS, 8


def described(lanes: int = 2, axonal: bool = False) -> EventNetwork:
    """The network: leaky neurons, a line for each, all to all with a delay of 1..127 a synapse (axonal: a source)."""
    return EventNetwork(
        name="event-256-axonal" if axonal else "event-256", lines=SIZE, raster=tuple(range(SIZE)), folded=lanes,
        populations=(Population(size=SIZE, leak=8),), weight_bits=WEIGHT_BITS, delay_bits=DELAY_BITS,
        blocks=(Block(source=0, target=0), Block(source=INPUT, target=0, kind="direct")), axonal=axonal,
        sum_bits=SUM_BITS)


def drawn(lanes: int = 2, axonal: bool = False, seed: int = 0) -> tuple[EventNetwork, tuple]:
    """The network with random weights of zero mean, delays from 1 on, and thresholds that some of it reaches."""
    net, rng = described(lanes, axonal), np.random.default_rng(seed)
    delay = rng.integers(1, net.max_delay + 1, (SIZE,) if axonal else (SIZE, SIZE))
    weight = rng.integers(-7, 8, (SIZE, SIZE))
    return net, (Neurons(threshold=rng.integers(20, 60, SIZE), decay=rng.integers(200, 257, SIZE)),
                 Dense(weight, delay))


def cycles_by_spikes(net: EventNetwork, params, spikes=SPIKES, seed: int = 0) -> dict[int, float]:
    """Mean cycles of a tick in which so many neurons fire, everything counted, from the compiled core.

    Which neurons is drawn for each tick; lines make them fire, as weights are 0, which takes as long as any others.
    """
    from sim.event.core import EventSimulation
    simulation, rng, found = EventSimulation(net), np.random.default_rng(seed), {}
    silent = (Neurons(threshold=np.ones(SIZE, int), decay=np.zeros(SIZE, int)),
              params[-1]._replace(weight=np.zeros((SIZE, SIZE), int)))
    for count in spikes:
        x = np.zeros((1, BEFORE + COUNTED + 1, SIZE), np.int64)
        for tick in x[0]:
            tick[rng.choice(SIZE, count, replace=False)] = 1
        simulation.load(silent)
        ran = simulation.run(x)
        if not np.array_equal(ran.outputs, x):
            raise AssertionError(f"{net.name}: other neurons fired than were to fire")
        found[count] = float(ran.cycles[BEFORE:].mean())
    return found


def engine(console) -> dict:
    """256 neurons, 65,536 synapses with delays of 1..127 ticks: cycles of a tick, and the circuit against integers."""
    with status(console, "cycles of ticks"):
        found = {f"{name}cycles_by_spikes": cycles_by_spikes(*drawn(lanes, axonal))
                 for name, lanes, axonal in (("", 2, False), ("axonal_", 4, True))}
    net, params = drawn()
    with status(console, "the circuit against integers"):
        equal, spikes = compared(net, params)
    each = {name: {str(k): round(cycles * (2 if name == "" else 4) / (k * SIZE), 4) for k, cycles in
                   found[f"{name}cycles_by_spikes"].items()} for name in ("", "axonal_")}
    return {name: {str(k): value for k, value in cycles.items()} for name, cycles in found.items()} | {
        f"{name}cycles_per_operation_and_lane": value for name, value in each.items()} | {
        "neurons": SIZE, "synapses": SIZE * SIZE, "rtl_equal_ticks": equal, "spikes": spikes, "seed": 0}


def compared(net: EventNetwork, params, ticks: int = 400) -> tuple[int, int]:
    """Ticks in which the compiled core says what golden says, of random input, and spikes in them; AssertionError."""
    from sim.event.core import EventSimulation
    simulation = EventSimulation(net)
    x = (np.random.default_rng(1).random((1, ticks, net.lines)) < 0.05).astype(np.int64)
    params = (params[0]._replace(threshold=np.minimum(params[0].threshold, 12)), *params[1:])
    simulation.load(params)
    want, got = net.run(params, x), simulation.run(x).outputs
    if not np.array_equal(got, want):
        raise AssertionError(f"{net.name}: the circuit differs in tick {np.argwhere(got != want)[0][1]}")
    return ticks, int(want.sum())


def build_delays(console) -> dict:
    """Place and route of it with a delay a synapse for the ULX3S-25F, two lanes, five seeds."""
    return place(described(2), console)


def build_axonal(console) -> dict:
    """The same with a delay a source, four lanes."""
    return place(described(4, axonal=True), console)


def place(net: EventNetwork, console) -> dict:
    """Every seed; operations a second at the clock of the bitstream, and at Fmax."""
    from boards.build import build
    with status(console, "place and route") as say:
        result = build(net, flow.board(BOARD), out_dir=flow.BUILD, seeds=SEEDS, clock_mhz=CLOCK_MHZ, every=True,
                       progress=lambda text: say(f"place and route: {text}"))
    report = result.report
    names = ("fmax_mhz", "clock_mhz", "lanes", "lut4", "comb", "ff", "dsp", "bram", "wall_s", "nextpnr_seed",
             "timing_met")
    pace = circuit(net).pace(net, report["clock_mhz"], report["fmax_mhz"])
    return {key: report[key] for key in names} | over_seeds(report, SEEDS) | {
        "synapses": net.synapses,
        "operations_per_s": pace["operations_per_s"], "operations_per_s_at_fmax": pace["operations_per_s_at_fmax"],
        "operations_per_s_and_lut4": round(pace["operations_per_s"] / report["lut4"]), "seed": report["nextpnr_seed"]}


GROUPS = {"event.engine": engine, f"build.event-256.{BOARD}": build_delays,
          f"build.event-256-axonal.{BOARD}": build_axonal}
