"""ErrorUnit: the prospective errors of a layer's neurons, the circuit of golden.rate.learn.error_step."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.rate.layer import Dense
from golden.units.leadlag import at_rest, integrator
from rtl.fixed import exact, round_shift, saturate, shape
from rtl.pipeline import later
from rtl.primitives import Bank, Multiplier, bank, multiplier
from rtl.units.leadlag import LeadLag


class ErrorUnit(wiring.Component):
    """eb, a word a neuron in order -> eps, one a cycle, LATENCY cycles later.

        eb --> x slope of tick n - 1 --> e_in --> [LeadLag, time constants swapped, state v] --> eps

    A linear layer has no slope, and one without a filter (plastic.lead None: [LE], or instantaneous errors) sends e_in.
    Source: [GLE] arXiv 2403.16933.

    Parameters: layer; streams, each with v and slopes of its own; vendor form.
    Members
      i, o           error words; never stall
      fresh, stream  of the tick, while words pass
      slope_write    (en, addr, data): phi' of a neuron, for the next tick of its stream; addr: index, stream above
      row            index of the neuron whose constants are wanted Bank.LATENCY cycles later
      constants      lead and lag of the filter; or tau and lag, of which the lead is made
      overflow       a word was at an end of the error format
    """

    def __init__(self, layer: Dense, *, row_bits: int, streams: int = 1, vendor: str = "generic"):
        self.layer, self.row_bits, self.streams, self.vendor = layer, row_bits, streams, vendor
        plastic = layer.plastic
        self.stream_bits = streams.bit_length() - 1
        self.names = [name for name in ("error_lead", "error_lag", "tau") if name in layer.constants]
        error = stream.Signature(shape(plastic.error), always_ready=True)
        super().__init__({
            "i": In(error), "o": Out(error), "fresh": In(1), "stream": In(range(max(2, streams))),
            "slope_en": In(1), "slope_addr": In(row_bits + self.stream_bits), "slope_data": In(shape(plastic.slope)),
            "row": Out(row_bits), "overflow": Out(1),
            **{name: In(shape(layer.format(name))) for name in self.names},
        })
        self.LATENCY = self.latency(layer)

    @staticmethod
    def input_latency(layer: Dense) -> int:
        """Cycles from eb to e_in."""
        slope = Bank.LATENCY + Multiplier.LATENCY + 2 if layer.activation != "linear" else 0
        filtered = Bank.LATENCY if layer.plastic.is_filtered else 0
        if layer.plastic.is_filtered and layer.plastic.tau is not None:
            filtered += Multiplier.LATENCY + 2
        return max(slope, filtered)

    @classmethod
    def latency(cls, layer: Dense) -> int:
        """LATENCY of the errors of `layer`."""
        return cls.input_latency(layer) + (LeadLag.LATENCY if layer.plastic.is_filtered else 0)

    @staticmethod
    def banks(layer: Dense, rows: int) -> list[tuple[int, int]]:
        """Depth and width of every memory; rows: neurons, rounded up, times streams."""
        return [*([(rows, layer.plastic.slope.width)] if layer.activation != "linear" else []),
                *([(rows, integrator(layer.plastic).width)] if layer.plastic.is_filtered else [])]

    def elaborate(self, platform):
        m = Module()
        error = self.layer.plastic.error
        index = Signal(self.row_bits)
        with m.If(self.i.valid):
            m.d.sync += index.eq(Mux(index == self.layer.outputs - 1, 0, index + 1))
        e_in = self._input(m, index)
        eps = self._filter(m, e_in, index) if self.layer.plastic.is_filtered else e_in
        m.d.comb += [self.o.payload.eq(eps),
                     self.o.valid.eq(later(m, self.i.valid, self.LATENCY, name="valid", reset_less=False))]
        ends = [stream.valid & ((stream.payload == error.min) | (stream.payload == error.max))
                for stream in (self.i, self.o)]
        m.d.sync += self.overflow.eq(ends[0] | ends[1])
        return m

    def _at(self, index):
        return Cat(index, self.stream[:self.stream_bits] if self.stream_bits else Const(0, 0))

    def _input(self, m, index):
        plastic, latency = self.layer.plastic, self.input_latency(self.layer)
        if self.layer.activation == "linear":
            return later(m, self.i.payload, latency, name="e_in").as_signed()
        m.submodules.slopes = slopes = bank(self.vendor, depth=self.streams << self.row_bits,
                                            width=plastic.slope.width)
        m.submodules.slope = mul = multiplier(self.vendor, a_width=plastic.error.width, b_width=plastic.slope.width)
        product, e_in = Signal(signed(len(mul.p)), reset_less=True), Signal(shape(plastic.error), reset_less=True)
        m.d.comb += [slopes.read_addr.eq(self._at(index)), slopes.write_en.eq(self.slope_en),
                     slopes.write_addr.eq(self.slope_addr), slopes.write_data.eq(self.slope_data),
                     mul.a.eq(later(m, self.i.payload, Bank.LATENCY, name="eb").as_signed()),
                     mul.b.eq(slopes.read_data.as_signed())]
        # a slope is at most 1, so the upper bits say nothing
        m.d.sync += [product.eq(mul.p), e_in.eq(round_shift(product, plastic.slope.frac_bits))]
        return e_in

    def _filter(self, m, e_in, index):
        plastic, latency = self.layer.plastic, self.input_latency(self.layer)
        m.submodules.v = states = bank(self.vendor, depth=self.streams << self.row_bits,
                                       width=integrator(plastic).width)
        m.submodules.unit = unit = LeadLag(plastic, vendor=self.vendor)
        if plastic.tau is None:
            lead, lag, row_at = self.error_lead, self.error_lag, latency - Bank.LATENCY
        else:
            bits = plastic.tau.frac_bits + plastic.lag.frac_bits - plastic.lead.frac_bits
            lead = ratio(m, "error_lead", self.tau, self.error_lag, bits, plastic.lead, self.vendor)
            lag = later(m, self.error_lag, RATIO_LATENCY, name="error_lag").as_signed()
            row_at = latency - Bank.LATENCY - RATIO_LATENCY
        m.d.comb += [
            self.row.eq(later(m, index, row_at, name="row")),
            states.read_addr.eq(later(m, self._at(index), latency - Bank.LATENCY, name="v_addr")),
            unit.i.valid.eq(later(m, self.i.valid, latency, name="e_valid", reset_less=False)),
            unit.i.p.i.eq(e_in), unit.i.p.x.eq(Mux(self.fresh, at_rest(plastic), states.read_data).as_signed()),
            unit.i.p.lead.eq(lead), unit.i.p.lag.eq(lag),
            states.write_en.eq(unit.o.valid), states.write_data.eq(unit.o.p.x),
            states.write_addr.eq(later(m, self._at(index), latency + unit.LATENCY, name="v_write")),
        ]
        return unit.o.p.y


#: cycles that `ratio` takes
RATIO_LATENCY = Multiplier.LATENCY + 2


def ratio(m, name: str, a, b, bits: int, fmt, vendor: str):
    """sat(round_shift(a * b, bits)) in `fmt`, RATIO_LATENCY cycles later."""
    m.submodules[f"{name}_multiplier"] = mul = multiplier(vendor, a_width=len(a), b_width=len(b))
    product = Signal(signed(len(mul.p)), name=f"{name}_product", reset_less=True)
    result = Signal(shape(fmt), name=name, reset_less=True)
    m.d.comb += [mul.a.eq(a), mul.b.eq(b)]
    m.d.sync += [product.eq(mul.p), exact(result, saturate(round_shift(product, bits), fmt))]
    return result


class Pull(wiring.Component):
    """Sum of a row, pulled by its eps / 2**gamma, golden.rate.learn.layer_tick; LATENCY cycles, one a cycle.

    Members: s, eps; o, the sum in the state's format.
    """

    LATENCY = 2

    def __init__(self, layer: Dense):
        self.layer = layer
        super().__init__({"s": In(shape(layer.state)), "eps": In(shape(layer.plastic.error)),
                          "o": Out(shape(layer.state))})

    def elaborate(self, platform):
        m = Module()
        layer, bits = self.layer, len(self.eps) + 1
        pull, total = Signal(signed(bits), reset_less=True), Signal(shape(layer.state), reset_less=True)
        m.d.sync += [exact(pull, round_shift(self.eps, layer.gamma_shift)[:bits].as_signed()),
                     exact(total, saturate(later(m, self.s, 1, name="s").as_signed() + pull, layer.state))]
        m.d.comb += self.o.eq(total)
        return m
