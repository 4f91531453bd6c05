"""Pictures and generated tables of README.md and docs/: `python docs/figures.py` writes them all.

The same input gives the same bytes; tests/test_docs.py compares.

    docs/pipeline.svg       from training to a board, and the engine, with the numbers of the network of the zoo
    docs/rates.svg          a test sequence on its way through the layers, in integers
    docs/utilisation.svg    what a routed design takes of its part (where docs/bench.json has a build)
    <!-- name --> blocks    BLOCKS, from docs/bench.json, the code, and a simulated layer
"""

import json
import re
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from golden.activation import is_tabulated
from golden.fixed import QFormat
from golden.network import ACTIVATIONS, Dense, Network
from golden.quantize import FloatNetwork, Widths, describe
from golden.regmap import ERRORS, REGISTERS
from rtl.activation import Activation
from rtl.delay import DelayLine
from rtl.dense import DenseLayer
from rtl.leadlag import LeadLag
from rtl.mac import MacLanes
from rtl.schedule import cycles_per_tick, lane_use, min_period

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "docs" / "bench.json"
NETWORK = ROOT / "zoo" / "gle-mnist1d.safetensors"
BOARD, BUILD = "ulx3s-85f", "build.gle-mnist1d.ulx3s-85f"
PAGES = ("README.md", "docs/architecture.md", "docs/numbers.md", "docs/adding.md")
SEQUENCE = 0                            # of the test split, in docs/rates.svg

#: unit, golden step, module of the circuit, bench, test
UNITS = (
    ("LeadLag", "golden.leadlag.leadlag_step", "rtl.leadlag", "leadlag_tb", "test_leadlag"),
    ("Activation", "golden.activation.activation_step", "rtl.activation", "activation_tb", "test_activation"),
    ("DelayLine", "golden.delay.delay_read", "rtl.delay", "delay_tb", "test_delay"),
    ("MacLanes", "golden.dense.dense_sum", "rtl.mac", "mac_tb", "test_mac"),
    ("DenseLayer", "golden.dense.dense_step", "rtl.dense", "dense_tb", "test_cocotb"),
    ("NetworkCore", "golden.engine.network_step", "rtl.network", "network_tb", "test_core"),
    ("NetworkTop", "golden.engine.run", "rtl.top", "top_tb", "test_control"),
    ("HostLink", "firmware.protocol.decode_request", "rtl.link", "", "test_link"),
)

# ---- what the blocks say


def network() -> Network:
    """The network of the zoo as it goes onto the board."""
    from boards import BOARDS
    return BOARDS[BOARD].fold(describe(FloatNetwork.load(NETWORK)))


def units() -> str:
    """The unit table; AttributeError or FileNotFoundError where a name in UNITS is not there any more."""
    net = network()
    wide = max(net.layers, key=lambda layer: layer.lanes)
    plain = [name for name in ACTIVATIONS if not is_tabulated(name)]
    latency = {
        "LeadLag": f"{LeadLag.LATENCY}",
        "Activation": f"{Activation.latency(plain[0])}, table {Activation.latency('tanh')}, "
                      f"softplus {Activation.latency('softplus')}",
        "DelayLine": f"{DelayLine.LATENCY}",
        "MacLanes": f"{MacLanes.latency(wide)} with {wide.lanes} lanes",
        "DenseLayer": f"{DenseLayer.neuron_latency(wide)} with {wide.lanes} lanes",
        "NetworkCore": f"a tick every {cycles_per_tick(net)}",
    }
    rows = []
    for unit, golden, circuit, bench, test in UNITS:
        getattr(import_module(circuit), unit)
        module, _, step = golden.rpartition(".")
        getattr(import_module(module), step)
        for folder, name in (("sim", bench), ("tests", test)):
            if name:
                (ROOT / folder / f"{name}.py").stat()
        rows.append((unit, golden.removeprefix("golden."), circuit, bench or "-", test, latency.get(unit, "-")))
    note = ("Golden steps are in golden/, benches in sim/, tests in tests/. Latency in cycles, from the code;\n"
            f"lanes and ticks are those of `{net.name}` on {BOARD}.")
    return _table(("unit", "golden step", "circuit", "bench", "test", "latency"), rows) + f"\n\n{note}"


def bench() -> str:
    """The figures table from docs/bench.json; a figure that was not measured is not in it."""
    data, rows = _bench(), []

    def row(label, group, text, *needs):
        if all(name in data.get(group, {}) for name in needs):
            rows.append((label, text(data[group]), f"`leadlag bench {group}`"))
    for group, size in (("gle_15k", "15k"), ("gle_42k", "42k")):
        row(f"MNIST-1D, {size} network, float", group, _float_accuracy, "float_accuracy")
        row(f"MNIST-1D, {size} network, integers", group, lambda g: f"{g['integer_accuracy']:.1%}", "integer_accuracy")
        row(f"circuit equals integers, {size}", group,
            lambda g: f"{g['rtl_equal_sequences']:,} of {g['test_sequences']:,} sequences", "rtl_equal_sequences",
            "test_sequences")
    for errors in ("prospective", "instantaneous"):
        row(f"LagLine (w 1, 2; tau 1, 2), {errors} errors", "lagline", lambda g, e=errors: _chain(g[e]), errors)
    row(f"{BOARD}: Fmax, clock", BUILD, lambda g: f"{g['fmax_mhz']:.1f} MHz, {g['clock_mhz']:g} MHz", "fmax_mhz",
        "clock_mhz")
    row(f"{BOARD}: ticks a second", BUILD, lambda g: f"{g['ticks_per_s']:,.0f} ({g['cycles_per_tick']} cycles each)",
        "ticks_per_s", "cycles_per_tick")
    row(f"{BOARD}: lane-cycles that multiply", BUILD, lambda g: f"{g['lane_use']:.1%} of {g['lanes']} lanes",
        "lane_use", "lanes")
    row(f"{BOARD}: LUT4, FF, DSP, block RAM", BUILD,
        lambda g: f"{g['lut4']:,}, {g['ff']:,}, {g['dsp']}, {g['bram']}", "lut4", "ff", "dsp", "bram")
    row("cycles a second, compiled", "simulation", lambda g: f"{g['cycles_per_s']:,}", "cycles_per_s")
    row("random networks compared", "simulation", lambda g: f"{g['property_networks']}", "property_networks")
    if not rows:
        return "Nothing measured yet: `leadlag bench` measures, `python docs/figures.py` makes the table."
    return _table(("figure", "value", "command"), rows) + "\n\n" + _provenance(data)


def _float_accuracy(group):
    seeds = group.get("float_accuracy_seeds")
    return f"{group['float_accuracy']:.1%}" + (
        f" (seeds: {', '.join(f'{value:.1%}' for value in seeds)})" if seeds else "")


def _chain(found):
    w, tau = (", ".join(f"{value:.3f}" for value in found[name]) for name in ("w", "tau"))
    return f"w {w}; tau {tau}; loss {found['loss']:.1e}"


def _provenance(data) -> str:
    groups = [group for group in data.values() if isinstance(group, dict)]
    said = [sorted({str(group[name]) for group in groups if name in group}) for name in ("commit", "date", "cpu")]
    return "Measured at commit {}, {}, on {}.".format(*(", ".join(values) or "unknown" for values in said))


def utilisation() -> str:
    """The picture of a routed design, or how to get it."""
    if utilisation_svg() is None:
        return f"No build measured yet: `leadlag bench {BUILD}`, then `python docs/figures.py`."
    return f"![What gle-mnist1d takes of {BOARD}](utilisation.svg)"


def registers() -> str:
    """The registers and error flags of golden.regmap."""
    rows = [(f"`0x{r.offset:02x}`", f"`{name}`", r.access, r.doc) for name, r in REGISTERS.items()]
    flags = ", ".join(f"{bit} `{name}`" for name, bit in ERRORS.items())
    return _table(("address", "register", "access", "holds"), rows) + f"\n\nBits of `errors`: {flags}."


def formats() -> str:
    """Formats that golden.quantize chose for the network of the zoo."""
    rows = [(str(n), f"{x.inputs} x {x.outputs}", x.activation, *map(str, (
        x.operand, x.weight, x.acc_bits, x.shift, x.state, x.lead, x.lag, x.rate)))
        for n, x in enumerate(network().layers)]
    return _table(("layer", "size", "activation", "operand", "weight", "acc bits", "shift", "state", "lead", "lag",
                   "rate"), rows)


def widths() -> str:
    """The word lengths in force; what they were chosen from is in the text around the block."""
    w = Widths()
    rows = [("input", str(w.input)), ("weights and biases", str(w.weight)),
            ("membrane, sum, prospective membrane", str(w.state)),
            ("lead", str(w.lead)), ("lag", str(w.lag)),
            ("rate of tanh, sigmoid, hard sigmoid", str(w.bounded_rate)), ("rate of the others", str(w.unbounded_rate))]
    return _table(("quantity", "format"), rows)


def _table(head, rows) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _bench() -> dict:
    return json.loads(BENCH.read_text(encoding="utf-8")) if BENCH.exists() else {}

# ---- a tick, cycle by cycle


SMALL = Dense(inputs=5, outputs=6, lanes=2, activation="linear", operand=QFormat(1, 8), weight=QFormat(1, 8),
              state=QFormat(4, 9), lead=QFormat(1, 8), lag=QFormat(1, 8), rate=QFormat(1, 8))


def tick() -> str:
    """Two ticks of the layer SMALL as its circuit goes through them in Amaranth's simulator."""
    from sim.pysim import run
    layer, period, ticks = SMALL, min_period(SMALL, feeds_layer=False), 2
    dut, walk = DenseLayer(layer, ahead=True), SMALL.inputs + 1
    length = (ticks - 1) * period + walk * layer.folds + DenseLayer.neuron_latency(layer) + layer.lanes
    seen = {name: [] for name in ("walk", "sum", "unit", "phi", "o")}

    async def vector(ctx):
        for word in range(layer.inputs):
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, word)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)

    async def drive(ctx):
        await vector(ctx)
        for n in range(ticks):
            ctx.set(dut.start, 1)
            ctx.set(dut.fresh, n == 0)
            await ctx.tick()
            ctx.set(dut.start, 0)
            await vector(ctx)
            await ctx.tick().repeat(period - 1 - layer.inputs)

    async def watch(ctx):
        await ctx.tick().until(dut.start)
        for _ in range(length):
            place = ctx.get(dut.lanes.addr) % (1 << (len(dut.lanes.addr) - 1))
            position = place % walk
            seen["walk"].append(None if place >= walk * layer.folds else "b" if not position else str(position - 1))
            for name, valid in (("sum", dut.lanes.valid), ("unit", dut.unit.i.valid), ("phi", dut.activation.i.valid),
                                ("o", dut.o.valid)):
                count = sum(c is not None for c in seen[name])
                seen[name].append(str(count % layer.outputs) if ctx.get(valid) else None)
            await ctx.tick()
    run(dut, drive, watch, cycles=4 * length)
    marks = {n * period: f"tick {n}" for n in range(ticks)}
    rows = [("cycle", _ruler(length)), ("", _marks(marks, length)), ("address, lane 0", _cells(seen["walk"])),
            ("address, lane 1", " " + _cells(seen["walk"])[:-1]), ("sum of neuron", _cells(seen["sum"])),
            ("LeadLag takes", _cells(seen["unit"])), ("LeadLag gives", _cells(seen["phi"])),
            ("rate of neuron", _cells(seen["o"]))]
    text = "\n".join(f"{name:<17}{cells}".rstrip() for name, cells in rows)
    return f"```text\n{text}\n```"


def _cells(values) -> str:
    return "".join(" " if value is None else value for value in values)


def _ruler(length) -> str:
    return "".join(f"{n:<10}" for n in range(0, length, 10))[:length]


def _marks(marks, length) -> str:
    text = [" "] * (length + 8)
    for at, word in marks.items():
        text[at:at + len(word) + 1] = "|" + word
    return "".join(text)

# ---- pictures


INK, MUTED, LINE, CARD, PAPER = "#1f2933", "#5b6673", "#c9d1d9", "#ffffff", "#f6f8fa"
TEAL, TINT, ORANGE, WARM = "#0b7285", "#e3f2f4", "#c2690a", "#fdf1e1"
WIDTH, HEIGHT = 960, 552


class Svg:
    """A few shapes with one look; text is text, so that it can be searched."""

    def __init__(self, width, height, title):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"',
            'font-family="DejaVu Sans, Verdana, Helvetica, sans-serif" role="img">', f"<title>{title}</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"',
            f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{MUTED}"/></marker></defs>']
        # its own paper, so that it reads on any page
        self.box(0.5, 0.5, width - 1, height - 1, PAPER, LINE, 12)

    def box(self, x, y, w, h, fill=CARD, stroke=LINE, radius=7):
        self.parts.append(f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{radius}" fill="{fill}" '
                          f'stroke="{stroke}"/>')

    def text(self, x, y, text, size=12, color=INK, anchor="middle", weight="normal", mono=False):
        family = ' font-family="DejaVu Sans Mono, Menlo, Consolas, monospace"' if mono else ""
        text = str(text).replace("&", "&amp;").replace("<", "&lt;")
        self.parts.append(f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{color}" text-anchor="{anchor}" '
                          f'font-weight="{weight}"{family}>{text}</text>')

    def path(self, d, color=MUTED, width=1.5, tip=True):
        end = ' marker-end="url(#tip)"' if tip else ""
        self.parts.append(f'<path d="{d}" fill="none" stroke="{color}" stroke-width="{width:g}"{end}/>')

    def done(self) -> str:
        return "\n".join([*self.parts, "</svg>"]) + "\n"


def pipeline_svg() -> str:
    """From training to a board; the layers of the network with their lanes; one layer as an engine."""
    net = network()
    svg = Svg(WIDTH, HEIGHT, "leadlag: from training to a board, and one layer as an engine")
    _rungs(svg)
    _layers(svg, net)
    _engine(svg, max(net.layers, key=lambda layer: layer.lanes))
    return svg.done()


def _rungs(svg):
    boxes = (("float", "golden/train", "torch"), ("words", "golden/quantize", "formats, image"),
             ("integers", "golden/engine", "the specification"), ("circuit", "rtl, sim", "Amaranth, Verilator"),
             ("board", "boards, firmware", "bitstream, serial line"))
    _heading(svg, 34, "From training to a board")
    for n, (name, where, what) in enumerate(boxes):
        x, equal = 24 + n * 188, n > 2
        svg.box(x, 50, 152, 74, TINT if n >= 2 else CARD, TEAL if n >= 2 else LINE)
        svg.text(x + 76, 73, name, 15, weight="bold")
        svg.text(x + 76, 93, where, 11, MUTED, mono=True)
        svg.text(x + 76, 111, what, 11, MUTED)
        if n and not equal:
            svg.path(f"M{x - 34} 87H{x - 3}")
        elif n:
            svg.text(x - 18, 94, "=", 22, TEAL, weight="bold")
    svg.text(936, 142, "=  every word of every tick; the board simulated", 11, TEAL, "end")


def _layers(svg, net):
    _heading(svg, 176, f"{net.name}: {len(net.layers)} layers, {net.lanes} lanes, all at work at once")
    svg.text(936, 176, f"a tick every {cycles_per_tick(net)} cycles, {lane_use(net):.0%} of lane-cycles multiply", 11,
             MUTED, "end")
    middle, step, x = 250, 4, 84
    svg.text(24, middle + 4, "input", 12, anchor="start")
    tallest = max(layer.lanes for layer in net.layers)
    gap = (WIDTH - 24 - 60 - x) / len(net.layers)
    for n, layer in enumerate(net.layers):
        left, wide, high = x + n * gap + 18, gap - 36, layer.lanes * step + 8
        svg.path(f"M{left - 34} {middle}H{left - 3}")
        svg.box(left, middle - high / 2, wide, high, CARD, TEAL, 5)
        # a bar a lane, cut into its folds while they can be told apart
        for lane in range(layer.lanes):
            y, folds = middle - high / 2 + 4 + lane * step, min(layer.folds, 12)
            piece = (wide - 12) / folds
            for k in range(folds):
                last = k == folds - 1 and lane >= layer.outputs - (layer.folds - 1) * layer.lanes
                svg.parts.append(f'<rect x="{left + 6 + k * piece:.1f}" y="{y:g}" width="{piece - 1:.1f}" '
                                 f'height="{step - 1.4:g}" fill="{LINE if last else TEAL}"/>')
        foot = middle + tallest * step / 2 + 22
        svg.text(left + wide / 2, foot, f"{layer.outputs} {layer.activation}", 11)
        lanes = f"{layer.lanes} lane{'s' * (layer.lanes > 1)} x {layer.folds}"
        svg.text(left + wide / 2, foot + 15, lanes, 10.5, MUTED)
    svg.path(f"M{x + len(net.layers) * gap - 16} {middle}h31")
    svg.text(WIDTH - 24, middle + 4, "sum", 12, anchor="end")


def _engine(svg, layer):
    _heading(svg, 384, "One layer: an engine that finishes up to a neuron a cycle")
    unit, y, high = LeadLag.LATENCY, 400, 86
    boxes = (("DelayLine", DelayLine.LATENCY, "r(t - 1 - D)", "ring in block RAM"),
             ("MacLanes", MacLanes.latency(layer), "s = W r + b", f"{layer.lanes} multipliers"),
             ("LeadLag", unit, "d = s - u", "y = u + g d"),
             ("Activation", Activation.latency(layer.activation), "r = phi(y)", "table, interpolated"))
    for n, (name, latency, first, second) in enumerate(boxes):
        x, own = 72 + n * 212, name == "LeadLag"
        svg.path(f"M{x - 45} {y + high / 2:g}H{x - 3}")
        svg.box(x, y, 164, high, WARM if own else CARD, ORANGE if own else LINE)
        svg.text(x + 82, y + 22, name, 14, ORANGE if own else INK, weight="bold")
        svg.text(x + 82, y + 42, first, 12, mono=True)
        svg.text(x + 82, y + 59, second, 12 if own else 11, INK if own else MUTED, mono=own)
        svg.text(x + 82, y + 78, f"{latency} cycles", 10.5, MUTED)
    x = 72 + 2 * 212
    svg.path(f"M{x + 120} {y + high}v30H{x + 44}v-27", ORANGE)
    svg.text(x + 82, y + high + 48, "u <- u + a d", 12, ORANGE, mono=True)
    svg.text(72, y + high + 28, "weights, biases, g = tau_r / tau_m and a = dt / tau_m load at run time,", 11, MUTED,
             "start")
    svg.text(72, y + high + 44, "into the half of every bank that is not in force", 11, MUTED, "start")
    svg.path(f"M{72 + 3 * 212 + 164} {y + high / 2:g}h42")
    svg.text(936, y + high + 36, "to the next layer, one tick later", 11, MUTED, "end")


def _heading(svg, y, text):
    svg.text(24, y, text, 14, anchor="start", weight="bold")


def rates_svg() -> str | None:
    """A test sequence through the layers, by golden; None where the network is not in the zoo."""
    if not NETWORK.exists():
        return None
    from leadlag import flow
    from leadlag.report import rates_svg as draw
    case = flow.prepare("gle-mnist1d", BOARD)
    _, words, _ = flow.samples(case, "test", SEQUENCE + 1)
    x, net = words[SEQUENCE], case.net
    layers = [{"name": "input", "values": x * net.layers[0].operand.lsb}]
    layers += [{"name": f"layer {n} ({layer.activation})", "values": values}
               for n, (layer, values) in enumerate(zip(net.layers, flow.rates_of(case, x), strict=True))]
    return draw({"layers": layers})


def utilisation_svg() -> str | None:
    """What the routed design takes; None without a build in docs/bench.json."""
    from boards import BOARDS
    from leadlag.report import utilisation_svg as draw
    build, part = _bench().get(BUILD, {}), BOARDS[BOARD].part
    available = {"dsp": part.dsp, "bram": part.bram, "comb": part.lut4, "ff": part.lut4}
    return draw(build | {"available": available}) if set(available) <= set(build) else None

# ---- writing


BLOCKS = {"bench": bench, "units": units, "registers": registers, "formats": formats, "widths": widths, "tick": tick,
          "utilisation": utilisation}
PICTURES = {"pipeline.svg": pipeline_svg, "rates.svg": rates_svg, "utilisation.svg": utilisation_svg}


def fill(text: str) -> str:
    """`text` with the contents of every block of BLOCKS made anew."""
    def block(match):
        return f"<!-- {match[1]} -->\n{BLOCKS[match[1]]()}\n<!-- /{match[1]} -->"
    return re.sub(rf"<!-- ({'|'.join(BLOCKS)}) -->\n.*?<!-- /\1 -->", block, text, flags=re.DOTALL)


def main() -> None:
    """Write everything and say what has changed."""
    made = {page: fill((ROOT / page).read_text(encoding="utf-8")) for page in PAGES}
    made |= {f"docs/{name}": text for name, draw in PICTURES.items() if (text := draw()) is not None}
    for name, text in made.items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {name}")


if __name__ == "__main__":
    main()
