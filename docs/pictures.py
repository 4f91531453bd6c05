"""What docs/figures.py draws: two ticks of a layer, cycle by cycle, and docs/pipeline.svg."""

from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.units.dense import dense_rows
from rtl.rate.dense import DenseLayer
from rtl.rate.schedule import cycles_per_tick, lane_use, min_period
from rtl.units.activation import Activation
from rtl.units.delay import DelayLine
from rtl.units.leadlag import LeadLag
from rtl.units.mac import MacLanes

SMALL = Dense(inputs=5, outputs=6, lanes=2, activation="linear", operand=QFormat(1, 8), weight=QFormat(1, 8),
              state=QFormat(4, 9), lead=QFormat(1, 8), lag=QFormat(1, 8), rate=QFormat(1, 8))


def tick() -> str:
    """Two ticks of the layer SMALL as its circuit goes through them in Amaranth's simulator."""
    from sim.pysim import run
    layer, period, ticks = SMALL, min_period(SMALL), 2
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
            ctx.set(dut.restart, n == 0)
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


def pipeline_svg(net: Network) -> str:
    """From training to a board; the layers of the network with their lanes; one layer as an engine."""
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
             ("MacLanes", MacLanes.latency(dense_rows(layer)), "s = W r + b", f"{layer.lanes} multipliers"),
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
