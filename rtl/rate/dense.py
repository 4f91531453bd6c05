"""DenseLayer: one layer of neurons as an engine, the circuit of golden.units.dense.dense_step.

    i --> [DelayLine] --> [MacLanes] --> saturate --> [LeadLag] --> [Activation] --> o
                              ^                        ^      |
                        weights, biases       lead, lag, u <--+

A tick reads every operand once a fold and finishes one neuron a cycle when a row ends. While the last neurons drain,
the next tick may already accumulate (rtl.rate.schedule says from when on).
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.rate.layer import Dense
from golden.units.dense import dense_rows
from golden.units.leadlag import at_rest, integrator
from rtl.fixed import exact, saturate, shape
from rtl.pipeline import ParameterBus, hop, join, later
from rtl.primitives import Bank, bank
from rtl.units.activation import Activation
from rtl.units.delay import DelayLine
from rtl.units.leadlag import LeadLag
from rtl.units.mac import MacLanes, bank_bits, lane_bank
from rtl.units.predicted import PredictedLine


class DenseLayer(wiring.Component):
    """One dense layer; see the module for its datapath.

    Parameters: layer; vendor form; first_bank, its first number on the parameter bus (golden.image.bank_layout); ahead,
    for the layer that reads the network's input; streams that take turns, each with membranes of its own; wait, cycles
    that the predictor of its messages waits for its words.
    Members
      start           open a tick, with
      fresh           the membranes count as zero
      restart         all streams begin anew: messages from before count as zero
      stream          whose tick it is
      half            which half of every bank is in force (writes say their own half)
      i, o            message words in neuron order; never stall
      params, params_out  parameter bus
      lost            a prediction of a message (bit 0), or of an error (bit 1), was not sent
    ROW_LATENCY: from a finished sum to the read of its neuron's membrane and constants.
    """

    ROW_LATENCY = 1

    def __init__(self, layer: Dense, *, vendor: str = "generic", first_bank: int = 0, ahead: bool,
                 streams: int = 1, wait: int = 0, **members):
        self.layer, self.vendor, self.first_bank, self.ahead = layer, vendor, first_bank, ahead
        self.wait = wait
        self.streams, self.stream_bits = streams, streams.bit_length() - 1
        super().__init__(members | {
            "start": In(1), "fresh": In(1), "restart": In(1), "stream": In(range(max(2, streams))), "half": In(1),
            "i": In(stream.Signature(shape(layer.operand), always_ready=True)),
            "o": Out(stream.Signature(shape(layer.rate), always_ready=True)),
            "params": In(ParameterBus()), "params_out": Out(ParameterBus()), "lost": Out(2),
        })

    @classmethod
    def neuron_latency(cls, layer: Dense) -> int:
        """Cycles from the address of a row's last weight in lane 0 to the neuron's word on `o`."""
        return (MacLanes.latency(dense_rows(layer)) + cls.ROW_LATENCY + Bank.LATENCY + LeadLag.LATENCY
                + Activation.latency(layer.activation))

    @classmethod
    def membrane_latency(cls, layer: Dense) -> int:
        """Cycles from the read of a membrane to the cycle in which its next value can be read."""
        return Bank.LATENCY + LeadLag.LATENCY + 1

    @staticmethod
    def banks(layer: Dense, *, streams: int, ahead: bool) -> list[tuple[int, int]]:
        """Depth and width of every memory of the layer."""
        rows = 1 << row_bits(layer)
        return [*[lane_bank(dense_rows(layer))] * layer.lanes,
                *((2 * rows, layer.format(name).width) for name in layer.constants),
                (rows * streams, integrator(layer).width),
                *line_banks(layer.way, streams, ahead),
                *Activation.banks(layer.activation, layer.state, layer.rate)]

    def elaborate(self, platform):
        m = Module()
        layer, vendor = self.layer, self.vendor
        self.lanes = self._make_lanes(m)
        m.submodules.unit = self.unit = LeadLag(layer, vendor=vendor)
        m.submodules.activation = self.activation = Activation(layer.activation, layer.state, layer.rate,
                                                               vendor=vendor)
        params = self._parameters(m)
        self._sums(m, params)
        join(m, self.params_out, self._bus)
        row = self._rows(m)
        self._neurons(m, row, params)
        return m

    def _make_lanes(self, m):
        m.submodules.lanes = lanes = MacLanes(dense_rows(self.layer), vendor=self.vendor,
                                                first_bank=self.first_bank)
        return lanes

    def _walk_start(self, m):
        """When the walk of a tick begins."""
        return self.start

    def _parameters(self, m):
        """Banks of the constants behind the lanes on the bus, and the delay, two of each for the two halves."""
        layer, lanes = self.layer, self.lanes
        wiring.connect(m, wiring.flipped(self.params), lanes.params)
        bus = hop(m, lanes.params_out, name="params_q")
        self._bus, first = bus, self.first_bank + layer.lanes
        found = {}
        for n, name in enumerate(layer.constants):
            fmt = layer.format(name)
            m.submodules[f"{name}_bank"] = found[name] = store = bank(
                self.vendor, depth=2 << row_bits(self.layer), width=fmt.width)
            self._write_constant(m, name, store, (
                bus.en & (bus.bank == first + n), Cat(bus.addr[:row_bits(self.layer)], bus.half), bus.data[:fmt.width]))
        self._lag_bank = found["lag"]
        return found

    def _make_line(self, m, name: str, bus, way, *, number: int, taps: int = 0, which: int = 0, ahead: bool = False):
        """The line that messages of a way come by; `number` of the bank with its times, `taps` of that with its taps.

        Returns the line and the bus behind it.
        """
        times = loaded_times(m, bus, self.half, number, way, which)
        if way.predictor is None:
            m.submodules[name] = line = DelayLine(size=way.size, fmt=way.fmt, ahead=ahead, vendor=self.vendor,
                                                  depth=longest(way.depth, self.streams, ahead))
            # a tick of a stream is as many ticks as there are streams, a power of two: those in between are ones
            turns = Const(0 if ahead else self.streams - 1, self.stream_bits)
            m.d.comb += line.delay.eq(Cat(turns, times["delay"]))
            return line, bus
        options = {"streams": self.streams, "bank": taps, "vendor": self.vendor} | self._of_line(which)
        m.submodules[name] = line = PredictedLine(way, **options)
        m.d.comb += [line.delay.eq(times["delay"]), line.spacing.eq(times["spacing"]), line.half.eq(self.half),
                     *(target.eq(word) for target, word in zip(line.fixed, times["fixed"], strict=False)),
                     self.lost[which].eq(line.lost)]
        join(m, line.params, bus)
        return line, line.params_out

    def _of_line(self, which: int) -> dict:
        return {"wait": self.wait}

    def _write_constant(self, m, name, store, loaded):
        write = later(m, Cat(*loaded), 1, name=f"{name}_write")
        m.d.comb += Cat(store.write_en, store.write_addr, store.write_data).eq(write)

    def _sums(self, m, params):
        """The walk of a tick: bias, then every operand, for each fold."""
        layer, lanes = self.layer, self.lanes
        times = self.first_bank + layer.lanes + len(layer.constants)
        line, bus = self._make_line(m, "line", self._bus, layer.way, number=times, taps=times + 1, ahead=self.ahead)
        self._line, self._bus = line, bus
        wiring.connect(m, wiring.flipped(self.i), line.i)
        self.walking = active = Signal(name="walking")
        position = Signal(range(layer.inputs + 1), reset_less=True)
        index = Signal(line.index_bits, reset_less=True)          # position - 1, where there is an operand
        address = Signal(bank_bits(dense_rows(layer)), reset_less=True)
        half = Signal(reset_less=True)
        last_position, last_address = position == layer.inputs, address == layer.folds * (layer.inputs + 1) - 1
        with m.If(self._walk_start(m)):
            m.d.sync += [active.eq(1), position.eq(0), address.eq(0), half.eq(self.half)]
        with m.Elif(active):
            m.d.sync += [active.eq(~last_address), address.eq(address + 1),
                         position.eq(Mux(last_position, 0, position + 1)), index.eq(position)]
        # what the operand line is asked for; a layer that learns walks a second time
        self._read_index, self._read_bias = Signal.like(index, name="read_index"), Signal(name="read_bias")
        is_bias = position == 0
        m.d.comb += [line.start.eq(self.start), line.fresh.eq(self.restart),
                     self._read_index.eq(index), self._read_bias.eq(is_bias),
                     line.read_index.eq(self._read_index),
                     lanes.addr.eq(Cat(address, half)), lanes.first.eq(is_bias),
                     lanes.last.eq(active & last_position)]
        one = Const(1 << layer.operand.frac_bits, shape(layer.multiplicand))
        bias_now = later(m, self._read_bias, line.LATENCY, name="is_bias")
        self._operand = Signal(shape(layer.multiplicand), name="operand")
        m.d.comb += [self._operand.eq(Mux(bias_now, one, line.read_data)), lanes.operand.eq(self._operand)]

    def _rows(self, m):
        """Number of the row that leaves the lanes, whether it exists, and what its tick started with; a cycle later."""
        layer, lanes = self.layer, self.lanes
        rows = layer.folds * layer.lanes
        row, exists = Signal(range(max(2, rows))), Signal()
        self._sum_valid = Signal(name="sum_valid")
        m.d.comb += self._sum_valid.eq(lanes.valid)
        # what a tick starts with is taken over by its first row: rows of two ticks never cross (rtl.rate.schedule)
        flags = {name: getattr(self, name) for name in self._row_flags()}
        started, held = (Signal(len(Cat(*flags.values())), name=name, reset_less=True) for name in ("started", "held"))
        with m.If(self.start):
            m.d.sync += started.eq(Cat(*flags.values()))
        with m.If(self._sum_valid):
            m.d.sync += row.eq(Mux(row == rows - 1, 0, row + 1))
            with m.If(row == 0):
                m.d.sync += held.eq(started)
        m.d.sync += exists.eq(self._sum_valid & (row < layer.outputs))
        found, offset = {}, 0
        for name, flag in flags.items():
            found[name] = held[offset:offset + len(flag)]
            offset += len(flag)
        return found | {"index": later(m, row[:row_bits(self.layer)], 1, name="row"), "valid": exists}

    def _row_flags(self):
        return ("fresh", "half", *(["stream"] if self.stream_bits else []))

    def _at(self, row):
        """Address of a row's state: its index, and its stream's number above."""
        return Cat(row["index"], row["stream"][:self.stream_bits] if self.stream_bits else Const(0, 0))

    def _neurons(self, m, row, params):
        layer, unit, activation = self.layer, self.unit, self.activation
        m.submodules.membranes = membranes = bank(self.vendor, depth=self.streams << row_bits(layer),
                                                  width=integrator(layer).width)
        s = Signal(shape(layer.state), reset_less=True)
        m.d.sync += exact(s, saturate(self.lanes.sum.shift_right(layer.shift), layer.state))
        s = later(m, s, Bank.LATENCY + self.ROW_LATENCY - 1, name="s").as_signed()
        m.d.comb += membranes.read_addr.eq(self._at(row))
        for name in layer.constants:
            if name in ("lead", "lag", "tau_r"):
                m.d.comb += params[name].read_addr.eq(Cat(row["index"], row["half"]))
        fresh = later(m, row["fresh"], Bank.LATENCY, name="fresh")
        u = Mux(fresh, at_rest(layer), membranes.read_data).as_signed()
        wait = self._unit_input(m, row, params, s, u)
        m.d.comb += [
            unit.i.valid.eq(later(m, row["valid"], Bank.LATENCY + wait, name="row_valid", reset_less=False)),
            activation.i.valid.eq(unit.o.valid), activation.i.payload.eq(unit.o.p.y),
            membranes.write_en.eq(unit.o.valid), membranes.write_data.eq(unit.o.p.x),
            membranes.write_addr.eq(later(m, self._at(row), Bank.LATENCY + wait + unit.LATENCY, name="index")),
        ]
        wiring.connect(m, activation.o, wiring.flipped(self.o))

    def _unit_input(self, m, row, params, s, u):
        """What the lead-lag unit takes, and how many cycles after the words of the row were read."""
        p = self.unit.i.p
        m.d.comb += [p.i.eq(s), p.x.eq(u), p.lead.eq(params["lead"].read_data), p.lag.eq(params["lag"].read_data)]
        return 0


def loaded_times(m, bus, half, number: int, way, which: int) -> dict:
    """Words of golden.image.timing in force for a way: which is 0 for messages, 1 for errors; `number` of the bank."""
    def word(address, bits):
        halves = [Signal(bits, name=f"time{address}_{n}") for n in range(2)]
        for n, signal in enumerate(halves):
            with m.If(bus.en & (bus.bank == number) & (bus.half == n) & (bus.addr == address)):
                m.d.sync += signal.eq(bus.data)
        return Mux(half, halves[1], halves[0])
    found, p = {"delay": word(which, way.depth.bit_length()) if way.depth else Const(0, 1)}, way.predictor
    if p is not None:
        found["spacing"] = word(2 + which, p.history.bit_length())
        fixed = p.words if not p.has_taps and p.spacing else 0
        found["fixed"] = [word(4 + 4 * which + j, p.gain.width).as_signed() for j in range(fixed)]
    return found


def row_bits(layer: Dense) -> int:
    """Address bits of a word a neuron."""
    return max(1, (layer.outputs - 1).bit_length())


def longest(delay: int, streams: int, ahead: bool) -> int:
    """Ticks of the network that a message of `delay` ticks of its stream is old when it is read, beyond the newest."""
    return delay * streams if ahead else (delay + 1) * streams - 1


def line_banks(way, streams: int, ahead: bool) -> list[tuple[int, int]]:
    """Depth and width of the memories of a line."""
    if way.predictor is not None:
        return PredictedLine.banks(way, streams)
    return DelayLine.banks(way.size, way.fmt, longest(way.depth, streams, ahead))


def row_read(layer: Dense, row: int) -> int:
    """Cycle in which membrane and constants of a row are read, when its layer's walk begins in cycle 0."""
    fold, lane = divmod(row, layer.lanes)
    return (fold + 1) * (layer.inputs + 1) - 1 + lane + MacLanes.latency(dense_rows(layer)) + DenseLayer.ROW_LATENCY
