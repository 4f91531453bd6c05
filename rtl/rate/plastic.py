"""PlasticLayer: a layer that learns, the circuit of golden.rate.learn.layer_tick and golden.rate.learn.move.

    tick   |<-- pass 1: W r, all folds -->|<---- pass 2: W^T eps and W += eps r, all folds ---->|
    errors |eb -> [ErrorUnit] -> eps -> [EpsLoad] -> lanes (fold 0) ..   (fold 1) ..   [SecondPass]
    rows             sums -> membrane -> rate, slope                      columns -> eb of the layer below

A tick without errors is pass 1 alone, the tick of a DenseLayer. rtl.rate.timing says when what happens.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.rate.plastic import increment_format
from golden.regmap import MAX_HALVINGS
from golden.units.extrapolator import Way
from rtl.fixed import saturate, shape
from rtl.pipeline import ADDR_BITS, BANK_BITS, WORD_BITS, hop, join, later
from rtl.primitives import Bank
from rtl.rate import timing
from rtl.rate.columns import Columns
from rtl.rate.dense import DenseLayer, layer_members
from rtl.rate.error import RATIO_LATENCY, ErrorUnit, Pull, ratio
from rtl.rate.probe import Asked, LaneProbe, answer
from rtl.rate.rows import (
    ask,
    constant_banks,
    held,
    nearer,
    operand,
    plastic_rows,
    row_bits,
    row_end,
    row_numbers,
    row_state,
    state_address,
    walk,
)
from rtl.rate.second import EpsBank, EpsLoad, SecondPass, scaled
from rtl.rate.tau import TimeConstant
from rtl.rate.ways import ErrorsIn, Far, arrive, line_banks
from rtl.units.activation import Activation
from rtl.units.leadlag import LeadLag
from rtl.units.plastic_lanes import PlasticLanes
from rtl.units.predicted import PredictedLine

#: what a tick starts with; the stream, where there are several
TOLD = ("stream", "fresh", "half", "errors", "learn")


class PlasticLayer(wiring.Component):
    """A dense layer with errors and plasticity.

    Parameters: those of DenseLayer; seeds, a state of the noise register for each lane and one for tau_m; tap_seed,
    that of its predictor; below, the format of the errors that are sent down and the bits that W^T eps is shifted by,
    None for the lowest layer that learns; above, an ErrorsIn; None for the last layer: the teacher's errors come `top`
    cycles after `start` by `i_error`, where those of a layer above are a tick old, or older; far, what comes from
    another board.
    Members, beside those of DenseLayer
      errors, learn   with `start`: the tick has errors; the weights move
      halve           how often their rate is halved, during the tick
      i_error         error words from above
      o_error         error words for the layer below
      reseed          all registers start again
      overflow        an error word was at an end of its format
      probe, probe_bank, probe_addr   read a word of a bank that learns, in force, while no tick runs;
      probe_valid, probe_data         the word, some cycles later
      there           what comes from another board has come (where something does)
    """

    def __init__(self, layer: Dense, *, seeds, vendor: str = "generic", first_bank: int = 0, ahead: bool,
                 streams: int = 1, wait: int = 0, tap_seed: int = 1, below: tuple[QFormat, int] | None = None,
                 above: ErrorsIn | None = None, top: int = 0, far: Far | None = None):
        self.layer, self.vendor, self.first_bank, self.ahead, self.streams = layer, vendor, first_bank, ahead, streams
        self.wait, self.seeds, self.tap_seed, self.below, self.above = wait, list(seeds), tap_seed, below, above
        self.top, self.far, self.walking = top, far, Signal(name="walking")
        self.lanes = PlasticLanes(plastic_rows(layer), seeds=self.seeds[:layer.lanes], vendor=vendor,
                                  first_bank=first_bank)
        self.unit = LeadLag(layer, vendor=vendor)
        self.activation = Activation(layer.activation, layer.state, layer.rate, vendor=vendor)
        self.error = ErrorUnit(layer, row_bits=row_bits(layer), streams=streams, vendor=vendor)
        self.learnt = () if layer.plastic.tau is None else tuple(n for n in layer.constants if n in ("lag", "tau"))
        error = layer.plastic.error
        super().__init__(layer_members(layer, streams) | {
            "errors": In(1), "learn": In(1), "halve": In(range(MAX_HALVINGS + 1)), "reseed": In(1), "overflow": Out(1),
            "probe": In(1), "probe_bank": In(BANK_BITS), "probe_addr": In(ADDR_BITS),
            "probe_valid": Out(1), "probe_data": Out(signed(WORD_BITS)),
            "i_error": In(stream.Signature(shape(error), always_ready=True)),
            "o_error": Out(stream.Signature(shape(below[0] if below else error), always_ready=True)),
        } | ({} if far is None else {"there": Out(1)}))

    @staticmethod
    def neuron_latency(layer: Dense) -> int:
        """As that of a DenseLayer."""
        return DenseLayer.neuron_latency(layer) + timing.unit_wait(layer)

    @staticmethod
    def membrane_latency(layer: Dense) -> int:
        """As that of a DenseLayer."""
        return DenseLayer.membrane_latency(layer) + timing.unit_wait(layer)

    @staticmethod
    def banks(layer: Dense, *, streams: int, ahead: bool, above: Way | None, below: bool):
        """Depth and width of every memory of the layer; above: the way of errors into it, below: it sends some down."""
        rows, plastic = streams << row_bits(layer), layer.plastic
        return [*DenseLayer.banks(layer, streams=streams, ahead=ahead), *ErrorUnit.banks(layer, rows),
                *[(1 << row_bits(layer), plastic.error.width)] * (1 + timing.rows_take_eps(layer)),
                # tau_m is read by rows, too
                *([(2 << row_bits(layer), plastic.tau.width)] if plastic.tau is not None else []),
                *([] if above is None else line_banks(above, streams, False)),
                *(Activation.banks(f"{layer.activation}_derivative", layer.state, plastic.slope)
                  if layer.activation != "linear" else []),
                *(Columns.banks(layer) if below else [])]

    def elaborate(self, platform):
        m = Module()
        layer, lanes, unit = self.layer, self.lanes, self.unit
        m.submodules.lanes, m.submodules.unit, m.submodules.activation = lanes, unit, self.activation
        m.submodules.error = self.error
        wiring.connect(m, wiring.flipped(self.params), lanes.params)
        bus = hop(m, lanes.params_out, name="params_q")
        constants, moved = constant_banks(m, layer, bus, first=self.first_bank + layer.lanes, learnt=self.learnt,
                                           vendor=self.vendor)
        lines = self._lines(m, bus)
        start, told = nearer(m, self.start, {name: getattr(self, name) for name in TOLD[self.streams == 1:]})
        tick = held(m, start, told)
        # what is asked comes from far away
        asked = Asked(*(later(m, value, 1, name=name, reset_less=False) for name, value in (
            ("probe_en", self.probe), ("probe_bank_q", self.probe_bank), ("probe_addr_q", self.probe_addr))))
        m.submodules.second = second = SecondPass(layer, timing.second_pass(layer, self.top),
                                                  index_bits=lines[0].index_bits)
        m.submodules.probe = probe = LaneProbe(layer, first_bank=self.first_bank)
        m.d.comb += [second.start.eq(self.start & self.errors), second.half.eq(self.half),
                     second.learn.eq(tick["learn"])]
        self._walk(m, lines[0], second, probe)
        self._errors(m, lines, tick, constants, second)
        self._send_down(m, second)
        row = row_numbers(m, layer, lanes.valid & ~probe.busy, start=start, flags=told)
        reads = self._answers(m, lines, constants, asked, probe)
        self._rows(m, row, constants, moved, {name: (wanted, asked.addr) for name, wanted in reads.items()})
        return m

    def _lines(self, m, bus) -> tuple:
        """Lines of messages and of errors from above (None for the last layer)."""
        layer, number = self.layer, self.first_bank + self.layer.lanes + len(self.layer.constants)
        options = {"streams": self.streams, "far": self.far, "vendor": self.vendor}
        messages, behind = arrive(m, "line", layer.way, bus, self.half, times=number, taps=number + 1,
                                  seed=self.tap_seed, wait=self.wait, ahead=self.ahead, lost=self.lost[0], **options)
        wiring.connect(m, wiring.flipped(self.i), messages.i)
        errors = None
        if self.above:
            way, times, taps, seed, wait = self.above
            errors, behind = arrive(m, "error_line", way, behind, self.half, times=times, taps=taps, which=1, seed=seed,
                                    wait=wait, lost=self.lost[1], **options)
            wiring.connect(m, wiring.flipped(self.i_error), errors.i)
        join(m, self.params_out, behind)
        for which, line in enumerate((messages, errors)):
            if isinstance(line, PredictedLine):     # taps move where weights may
                m.d.comb += [line.errors.eq(self.errors), line.learn.eq(self.learn), line.reseed.eq(self.reseed)]
            if self.far is not None and self.far.which == which:
                m.d.comb += self.there.eq(line.there)
        return messages, errors

    def _walk(self, m, line, second, probe):
        """What the lanes read and multiply by: pass 1, pass 2, or what a probe asks for."""
        layer, lanes = self.layer, self.lanes
        start = later(m, self.start, timing.lead_in(layer, self.top), name="walk_start", reset_less=False)
        now = walk(m, layer, self.walking, start=start, half=self.half, index_bits=line.index_bits)
        bias = ask(m, line, index=Mux(second.active, second.index, now.index),
                   bias=Mux(second.active, second.bias, now.first))
        word = operand(m, layer, line, bias)
        if layer.plastic.halvings:
            word = scaled(m, word, second, halve=self.halve, most=layer.plastic.halvings)
        m.d.comb += [
            line.start.eq(self.start), line.fresh.eq(self.restart), probe.half.eq(self.half),
            lanes.addr.eq(Mux(probe.ask, probe.at, Mux(second.active, second.addr, now.address))),
            lanes.first.eq(now.first | probe.ask), lanes.last.eq(now.last | probe.ask),
            lanes.operand.eq(Mux(probe.one, 1, word)),
            *(getattr(lanes, name).eq(getattr(second, name)) for name in ("back", "update", "write", "swap")),
            lanes.reseed.eq(self.reseed)]

    def _errors(self, m, lines, tick, constants, second):
        """Eps of the tick: from the teacher, or from the line of errors, which is read out from `start` on."""
        unit, lanes, line = self.error, self.lanes, lines[1]
        if line is None:
            wiring.connect(m, wiring.flipped(self.i_error), unit.i)
        else:
            active, index = Signal(name="eb_active"), Signal(line.index_bits, name="eb_index")
            last = index == self.layer.outputs - 1
            with m.If(second.start):
                m.d.sync += [active.eq(1), index.eq(0)]
            with m.Elif(active):
                m.d.sync += [active.eq(~last), index.eq(index + 1)]
            m.d.comb += [line.start.eq(second.start), line.fresh.eq(self.restart), line.read_index.eq(index),
                         unit.i.payload.eq(line.read_data),
                         unit.i.valid.eq(later(m, active, line.LATENCY, name="eb_valid", reset_less=False))]
        m.d.comb += [unit.fresh.eq(tick["fresh"]), unit.stream.eq(tick.get("stream", 0)),
                     self.overflow.eq(unit.overflow)]
        for name in unit.names:
            m.d.comb += [constants[name].read_addr.eq(Cat(unit.row, self.half)),
                         getattr(unit, name).eq(constants[name].read_data)]
        m.submodules.load = load = EpsLoad(self.layer, vendor=self.vendor)
        m.d.comb += [load.i.valid.eq(unit.o.valid), load.i.payload.eq(unit.o.payload), load.start.eq(second.start),
                     load.swap.eq(later(m, second.swap, 1, name="swapped", reset_less=False)),      # it is far away
                     lanes.load_valid.eq(load.valid), lanes.load_lane.eq(load.lane), lanes.load_eps.eq(load.eps)]

    def _send_down(self, m, second):
        if self.below is None:
            return
        m.submodules.columns = columns = Columns(self.layer, *self.below, vendor=self.vendor)
        early = later(m, second.back, self.lanes.COLUMN_LATENCY - columns.LEAD, name="column_early", reset_less=False)
        m.d.comb += [columns.early.eq(early), columns.value.eq(self.lanes.column)]
        wiring.connect(m, columns.o, wiring.flipped(self.o_error))

    def _answers(self, m, lines, constants, asked: Asked, probe) -> dict:
        """What is read back: a weight, tau_m and its lag, taps. Gives by constant when its bank reads what is asked."""
        m.d.comb += [probe.en.eq(asked.en), probe.bank.eq(asked.bank), probe.addr.eq(asked.addr),
                     probe.valid.eq(self.lanes.valid), probe.sum.eq(self.lanes.sum)]
        found, wanted, first = [(probe.o_valid, probe.o_data)], {}, self.first_bank + self.layer.lanes
        for name in self.learnt:
            wanted[name] = asked.hit(m, first + self.layer.constants.index(name), f"wants_{name}")
            store = constants["tau_rows" if name == "tau" else name]
            found.append((later(m, wanted[name], Bank.LATENCY, name=f"read_{name}"), store.read_data.as_signed()))
        taps = first + len(self.layer.constants) + 1
        for name, line, number in (("message", lines[0], taps), ("error", lines[1], self.above and self.above.taps)):
            if isinstance(line, PredictedLine) and line.way.predictor.learns:
                hit = asked.hit(m, number, f"wants_{name}_taps")
                m.d.comb += [line.probe.eq(hit), line.probe_addr.eq(asked.addr)]
                there = later(m, hit, line.predictor.PROBE_LATENCY, name=f"read_{name}_taps", reset_less=False)
                found.append((there, line.probe_data))
        answer(m, self.probe_valid, self.probe_data, found)
        return wanted

    def _rows(self, m, row, constants, moved, asked):
        """The unit of every row: its sum, pulled by eps, its membrane, lead and lag."""
        layer, unit, plastic, wait = self.layer, self.unit, self.layer.plastic, timing.unit_wait(self.layer)
        s, u, membranes = row_state(m, layer, self.lanes.sum, row, streams=self.streams, vendor=self.vendor)
        at = Cat(row["index"], row["half"])
        for name, store in constants.items():
            if name in ("lead", "lag", "tau_r", "tau_rows"):
                wanted, addr = asked.get(name.removesuffix("_rows"), (Const(0), at))
                m.d.comb += store.read_addr.eq(Mux(wanted, Cat(addr[:row_bits(layer)], self.half), at))
        eps, used = self._row_eps(m, row), 0
        if plastic.gamma is not None:
            m.submodules.pull = pull = Pull(layer)
            m.d.comb += [pull.s.eq(s), pull.eps.eq(eps)]
            s, used = pull.o, pull.LATENCY
        lag = later(m, constants["lag"].read_data, wait, name="row_lag").as_signed()
        if plastic.tau is None:
            lead = later(m, constants["lead"].read_data, wait, name="row_lead")
        else:
            bits = plastic.tau_r.frac_bits + layer.lag.frac_bits - layer.lead.frac_bits
            lead = ratio(m, "lead", *(constants[name].read_data.as_signed() for name in ("tau_r", "lag")), bits,
                         layer.lead, self.vendor)
            lead = later(m, lead, wait - RATIO_LATENCY, name="row_lead")
        m.d.comb += [unit.i.p.i.eq(later(m, s, wait - used, name="row_s").as_signed()),
                     unit.i.p.x.eq(later(m, u, wait, name="row_u").as_signed()),
                     unit.i.p.lead.eq(lead.as_signed()), unit.i.p.lag.eq(lag)]
        row_end(m, row, unit, self.activation, membranes, self.o, wait=wait)
        self._slopes(m, row, wait)
        if plastic.tau is not None:
            self._time_constant(m, row, eps, lag, constants["tau_rows"], moved)

    def _row_eps(self, m, row):
        """Eps of a row, Bank.LATENCY after its number; 0 in a tick without errors."""
        if not timing.rows_take_eps(self.layer):
            return None
        m.submodules.row_eps = store = EpsBank(self.layer, vendor=self.vendor)
        on = later(m, row["errors"], Bank.LATENCY, name="row_errors")
        m.d.comb += [store.i.valid.eq(self.error.o.valid), store.i.payload.eq(self.error.o.payload),
                     store.read_addr.eq(row["index"])]
        return Mux(on, store.read_data, 0).as_signed()

    def _slopes(self, m, row, wait):
        """Phi' of every row, for the errors of the next tick."""
        layer, unit, error = self.layer, self.unit, self.error
        if layer.activation == "linear":
            return
        m.submodules.slope = slope = Activation(f"{layer.activation}_derivative", layer.state, layer.plastic.slope,
                                                vendor=self.vendor)
        latency = Bank.LATENCY + wait + unit.LATENCY + slope.LATENCY
        m.d.comb += [slope.i.valid.eq(unit.o.valid), slope.i.payload.eq(unit.o.p.y), error.slope_en.eq(slope.o.valid),
                     error.slope_data.eq(slope.o.payload),
                     error.slope_addr.eq(later(m, state_address(row), latency, name="slope_addr"))]

    def _time_constant(self, m, row, eps, lag, rows, moved):
        """New tau_m and dt/tau_m of every row; lag as it comes to the unit."""
        m.submodules.time_constant = unit = TimeConstant(self.layer, seed=self.seeds[-1], vendor=self.vendor)
        after = timing.unit_wait(self.layer) + LeadLag.LATENCY      # from the words of a row to what its unit does
        errors, learn = (later(m, row[name], Bank.LATENCY + after, name=f"tau_{name}") for name in ("errors", "learn"))
        m.d.comb += [
            unit.reseed.eq(self.reseed), unit.i.valid.eq(self.unit.o.valid & errors),
            unit.i.p.eps.eq(later(m, eps, after, name="tau_eps").as_signed()),
            unit.i.p.step.eq(saturate(self.unit.o.p.step, increment_format(self.layer))),
            unit.i.p.tau.eq(later(m, rows.read_data, after, name="tau_old").as_signed()),
            unit.i.p.lag.eq(later(m, lag, LeadLag.LATENCY, name="tau_lag").as_signed())]
        keep = later(m, learn, unit.LATENCY, name="tau_keep")
        address = later(m, Cat(row["index"], row["half"]), Bank.LATENCY + after + unit.LATENCY, name="tau_addr")
        for name, port in moved.items():
            m.d.comb += Cat(*port).eq(Cat(unit.o.valid & keep, address, unit.o.p[name]))
