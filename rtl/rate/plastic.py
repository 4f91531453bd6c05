"""PlasticLayer: a layer that learns, the circuit of golden.rate.learn.layer_tick and golden.rate.learn.move.

    tick   |<-- pass 1: W r, all folds -->|<---- pass 2: W^T eps and W += eps r, all folds ---->|
    errors |eb -> [ErrorUnit] -> eps -> [eps bank] -> lanes (fold 0) ..   (fold 1) ..
    rows             sums -> membrane -> rate, slope                      columns -> eb of the layer below

A tick without errors is pass 1 alone, the tick of a DenseLayer.
"""

from typing import NamedTuple

from amaranth.hdl import Cat, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.rate.plastic import increment_format
from golden.regmap import MAX_HALVINGS
from golden.units.dense import dense_rows
from golden.units.extrapolator import Way
from rtl.fixed import exact, round_shift, saturate, shape
from rtl.pipeline import ADDR_BITS, BANK_BITS, WORD_BITS, later
from rtl.primitives import Bank, bank
from rtl.rate.columns import Columns
from rtl.rate.dense import DenseLayer, line_banks, row_bits, row_read
from rtl.rate.error import RATIO_LATENCY, ErrorUnit, ratio
from rtl.rate.lanes import PlasticLanes, merge_writes
from rtl.rate.tau import TimeConstant
from rtl.units.activation import Activation
from rtl.units.delay import DelayLine
from rtl.units.leadlag import LeadLag
from rtl.units.mac import bank_bits

#: cycles from the first eps of a tick to the first `back`, beyond the lanes that it has to reach
LOAD_LATENCY = Bank.LATENCY


class ErrorsIn(NamedTuple):
    """How errors come from the layer above: their way, its banks of times and of taps, the seed of taps that learn.

    wait: what their predictor waits for its words (rtl.rate.schedule.wait).
    """

    way: Way
    times: int
    taps: int
    seed: int
    wait: int = 0


class PlasticLayer(DenseLayer):
    """A DenseLayer with errors and plasticity.

    Parameters: those of DenseLayer; seeds, a state of the noise register for each lane and one for tau_m; tap_seed,
    that of its predictor; below, the format of the errors that are sent down and the bits that W^T eps is shifted by,
    None for the lowest layer that learns; above, an ErrorsIn; None for the last layer: the teacher's errors come `top`
    cycles after `start` by `i_error`, where those of a layer above are a tick old, or older.
    Members, beside those of DenseLayer
      errors, learn   with `start`: the tick has errors; the weights move
      halve           how often their rate is halved, during the tick
      i_error         error words from above
      o_error         error words for the layer below
      reseed          all registers start again
      overflow        an error word was at an end of its format
      probe, probe_bank, probe_addr   read a word of a bank that learns, in force, while no tick runs;
      probe_valid, probe_data         the word, some cycles later
    """

    def __init__(self, layer: Dense, *, seeds, tap_seed: int = 1, below: tuple[QFormat, int] | None = None,
                 above: ErrorsIn | None = None, top: int = 0, **options):
        self.seeds, self.tap_seed, self.below, self.above, self.top = list(seeds), tap_seed, below, above, top
        error = layer.plastic.error
        super().__init__(layer, **options, **{
            "errors": In(1), "learn": In(1), "halve": In(range(MAX_HALVINGS + 1)), "reseed": In(1), "overflow": Out(1),
            "probe": In(1), "probe_bank": In(BANK_BITS), "probe_addr": In(ADDR_BITS),
            "probe_valid": Out(1), "probe_data": Out(signed(WORD_BITS)),
            "i_error": In(stream.Signature(shape(error), always_ready=True)),
            "o_error": Out(stream.Signature(shape(below[0] if below else error), always_ready=True)),
        })

    # ---- the schedule of a tick; cycle 0 is the first address after `start`

    @staticmethod
    def unit_wait(layer: Dense) -> int:
        """Cycles that a row waits for its pull or its lead before the lead-lag unit."""
        return max(2 if layer.plastic.gamma is not None else 0, RATIO_LATENCY if layer.plastic.tau else 0)

    @classmethod
    def neuron_latency(cls, layer: Dense) -> int:
        return super().neuron_latency(layer) + cls.unit_wait(layer)

    @classmethod
    def membrane_latency(cls, layer: Dense) -> int:
        return super().membrane_latency(layer) + cls.unit_wait(layer)

    @staticmethod
    def source(top: int) -> int:
        """Cycle of the first eb at the ErrorUnit."""
        return top - 1 if top else DelayLine.LATENCY

    @classmethod
    def first_error(cls, layer: Dense, top: int) -> int:
        """Cycle of the first eps."""
        return cls.source(top) + ErrorUnit.latency(layer)

    @classmethod
    def lead_in(cls, layer: Dense, top: int) -> int:
        """First cycle of pass 1: rows that are pulled by eps, or move tau_m by it, come after it."""
        if layer.plastic.gamma is None and layer.plastic.tau is None:
            return 0
        return max(0, cls.first_error(layer, top) + 1 - row_read(layer, 0))

    @classmethod
    def second_pass(cls, layer: Dense, top: int) -> int:
        """First cycle of pass 2."""
        return max(cls.lead_in(layer, top) + layer.folds * (layer.inputs + 1),
                   cls.first_error(layer, top) + layer.lanes + LOAD_LATENCY)

    @classmethod
    def banks(cls, layer: Dense, *, streams: int, ahead: bool, above: Way | None, below: bool):
        """Depth and width of every memory of the layer; above: the way of errors into it, below: it sends some down."""
        rows = streams << row_bits(layer)
        plastic = layer.plastic
        copies = 1 + (plastic.gamma is not None or plastic.tau is not None)
        return [*DenseLayer.banks(layer, streams=streams, ahead=ahead), *ErrorUnit.banks(layer, rows),
                *[(1 << row_bits(layer), plastic.error.width)] * copies,
                # tau_m is read by rows, too
                *([(2 << row_bits(layer), plastic.tau.width)] if plastic.tau is not None else []),
                *([] if above is None else line_banks(above, streams, False)),
                *(Activation.banks(f"{layer.activation}_derivative", layer.state, plastic.slope)
                  if layer.activation != "linear" else []),
                *(Columns.banks(layer) if below else [])]

    # ---- the circuit

    def elaborate(self, platform):
        self._learnt = {}
        m = super().elaborate(platform)
        self._probe(m)
        return m

    def _walk_start(self, m):
        return later(m, self.start, self.lead_in(self.layer, self.top), name="walk_start", reset_less=False)

    def _make_lanes(self, m):
        layer = self.layer
        m.submodules.lanes = lanes = PlasticLanes(layer, seeds=self.seeds[:layer.lanes], vendor=self.vendor,
                                                  first_bank=self.first_bank)
        m.d.comb += lanes.reseed.eq(self.reseed)
        return lanes

    def _flags(self, m):
        """What the tick was started with, held until the next one."""
        found = {}
        for name in ("errors", "learn", "fresh", "stream"):
            found[name] = Signal.like(getattr(self, name), name=f"tick_{name}", reset_less=name != "errors")
            with m.If(self.start):
                m.d.sync += found[name].eq(getattr(self, name))
        return found

    def _sums(self, m, params):
        super()._sums(m, params)
        self._learns_with(m, self._line, self.layer.predictor)
        self._tick = self._flags(m)
        self._errors(m, params)
        self._second_pass(m)

    def _errors(self, m, params):
        layer, tick = self.layer, self._tick
        m.submodules.error = self._unit = unit = ErrorUnit(layer, row_bits=row_bits(layer), streams=self.streams,
                                                           vendor=self.vendor)
        if self.top:
            wiring.connect(m, wiring.flipped(self.i_error), unit.i)
        else:
            self._error_line(m, unit)
        m.d.comb += [unit.fresh.eq(tick["fresh"]), unit.stream.eq(tick["stream"]), self.overflow.eq(unit.overflow)]
        for name in unit.names:
            m.d.comb += [params[name].read_addr.eq(Cat(unit.row, self.half)),
                         getattr(unit, name).eq(params[name].read_data)]
        m.submodules.eps_bank = self._eps_bank = self._keep_eps(m, "eps_write")

    def _keep_eps(self, m, name):
        """A bank with the eps of this tick by neuron."""
        store = bank(self.vendor, depth=1 << row_bits(self.layer), width=self.layer.plastic.error.width)
        write = Signal(row_bits(self.layer), name=name)
        with m.If(self._unit.o.valid):
            m.d.sync += write.eq(Mux(write == self.layer.outputs - 1, 0, write + 1))
        m.d.comb += [store.write_en.eq(self._unit.o.valid), store.write_addr.eq(write),
                     store.write_data.eq(self._unit.o.payload)]
        return store

    def _of_line(self, which: int) -> dict:
        return {"seed": self.above.seed, "wait": self.above.wait} if which else \
            super()._of_line(which) | {"seed": self.tap_seed}

    def _learns_with(self, m, line, p):
        """Taps of a line move where weights may."""
        if p is not None:
            m.d.comb += [line.errors.eq(self.errors), line.learn.eq(self.learn), line.reseed.eq(self.reseed)]

    def _error_line(self, m, unit):
        """Errors of the layer above as they were a tick ago, or more, read out from `start` on."""
        layer = self.layer
        way, times, taps = self.above[:3]
        line, self._bus = self._make_line(m, "error_line", self._bus, way, number=times, taps=taps, which=1)
        self._error_taps = line
        self._learns_with(m, line, way.predictor)
        wiring.connect(m, wiring.flipped(self.i_error), line.i)
        go = self.start & self.errors
        active, index = Signal(name="eb_active"), Signal(line.index_bits, name="eb_index")
        last = index == layer.outputs - 1
        with m.If(go):
            m.d.sync += [active.eq(1), index.eq(0)]
        with m.Elif(active):
            m.d.sync += [active.eq(~last), index.eq(index + 1)]
        m.d.comb += [line.start.eq(go), line.fresh.eq(self.restart),
                     line.read_index.eq(index), unit.i.payload.eq(line.read_data),
                     unit.i.valid.eq(later(m, active, line.LATENCY, name="eb_valid", reset_less=False))]

    def _second_pass(self, m):
        """The walk of pass 2: two cycles a weight, the address again when the weight's step is ready."""
        layer, lanes, tick = self.layer, self.lanes, self._tick
        words = layer.folds * (layer.inputs + 1)
        begin = self.second_pass(layer, self.top)
        wait, active, odd = Signal(range(begin + 2)), Signal(name="pass2"), Signal(name="odd")
        position = Signal(range(layer.inputs + 1), name="position2", reset_less=True)
        address = Signal(bank_bits(dense_rows(layer)), name="address2", reset_less=True)
        with m.If(self.start & self.errors):
            m.d.sync += [wait.eq(begin), position.eq(0), address.eq(0), odd.eq(0)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
            with m.If(wait == 1):
                m.d.sync += active.eq(1)
        with m.Elif(active):
            m.d.sync += odd.eq(~odd)
            with m.If(odd):
                m.d.sync += [active.eq(address != words - 1), address.eq(address + 1),
                             position.eq(Mux(position == layer.inputs, 0, position + 1))]
        back, bias = active & ~odd, position == 0
        full = Cat(address, self.half)
        again = later(m, back, lanes.UPDATE_READ, name="again", reset_less=False)
        again_addr = later(m, full, lanes.UPDATE_READ, name="again_addr")
        with m.If(again):
            m.d.comb += lanes.addr.eq(again_addr)
        with m.Elif(active):
            m.d.comb += lanes.addr.eq(full)
        m.d.comb += [lanes.back.eq(back), lanes.update.eq(active & odd), lanes.swap.eq(back & bias),
                     lanes.write.eq(active & odd & tick["learn"] & (layer.plastic.bias | ~bias))]
        with m.If(active):
            m.d.comb += [self._read_index.eq(position - 1), self._read_bias.eq(bias)]
        self._scale(m, later(m, active & odd, lanes.OPERAND_OFFSET, name="scale"))
        self._load(m, back & bias & (address < words - layer.inputs - 1))
        if self.below:
            m.submodules.columns = columns = Columns(layer, *self.below, vendor=self.vendor)
            early = later(m, back, lanes.COLUMN_LATENCY - columns.LEAD, name="column_early", reset_less=False)
            m.d.comb += [columns.early.eq(early), columns.value.eq(lanes.column)]
            wiring.connect(m, columns.o, wiring.flipped(self.o_error))

    def _scale(self, m, now):
        """Presynaptic words are as many bits longer for B as the rate is not halved."""
        most = self.layer.plastic.halvings
        if not most:
            return
        up, scaled = Signal(range(most + 1)), Signal(len(self.lanes.operand), reset_less=True)
        # the word is there for A already, a cycle before B takes it
        m.d.sync += [up.eq(Mux(self.halve > most, 0, most - self.halve)), scaled.eq(self._operand << up)]
        with m.If(now):
            m.d.comb += self.lanes.operand.eq(scaled.as_signed())

    def _load(self, m, next_fold):
        """Send the eps of a fold to the lanes: the first as soon as they come, others while the fold before works."""
        layer, lanes, store = self.layer, self.lanes, self._eps_bank
        active, waiting = Signal(name="loading"), Signal(name="load_waits")
        lane, row = Signal(range(max(2, layer.lanes)), name="load_lane"), Signal(range(
            layer.folds * layer.lanes + 1), name="load_row")
        last = lane == layer.lanes - 1
        with m.If(self.start & self.errors):
            m.d.sync += [waiting.eq(1), row.eq(0)]
        with m.If(waiting & self._unit.o.valid):
            m.d.sync += waiting.eq(0)
        with m.If(waiting & self._unit.o.valid | next_fold):
            m.d.sync += [active.eq(1), lane.eq(0)]
        with m.Elif(active):
            m.d.sync += [active.eq(~last), lane.eq(lane + 1), row.eq(row + 1)]
        m.d.comb += store.read_addr.eq(row)
        # rows that the last fold does not have send nothing down
        there, number, exists = (later(m, value, Bank.LATENCY, name=name) for value, name in (
            (active, "load_there"), (lane, "load_number"), (row < layer.outputs, "load_exists")))
        m.d.sync += [lanes.load_valid.eq(there), lanes.load_lane.eq(number),
                     lanes.load_eps.eq(Mux(exists, store.read_data, 0))]

    def _row_flags(self):
        return (*super()._row_flags(), "errors", "learn")

    def _unit_input(self, m, row, params, s, u):
        """The sum pulled by eps, and the lead made of tau_r and dt/tau_m where tau_m is learnt."""
        layer, p, wait = self.layer, self.unit.i.p, self.unit_wait(self.layer)
        plastic = layer.plastic
        if plastic.gamma is not None or plastic.tau is not None:
            m.submodules.row_eps_bank = store = self._keep_eps(m, "row_eps_write")
            on = later(m, row["errors"], Bank.LATENCY, name="row_errors")
            m.d.comb += store.read_addr.eq(row["index"])
            self._row_eps = eps = Signal(shape(plastic.error), name="row_eps")
            m.d.comb += eps.eq(Mux(on, store.read_data, 0))
        pulled, used = s, 0
        if plastic.gamma is not None:
            pull, sum_ = Signal(signed(len(eps) + 1), reset_less=True), Signal(shape(layer.state), reset_less=True)
            m.d.sync += [exact(pull, round_shift(eps, layer.gamma_shift)[:len(eps) + 1].as_signed()),
                         exact(sum_, saturate(later(m, s, 1, name="pull_s").as_signed() + pull, layer.state))]
            pulled, used = sum_, 2
        lag = params["lag"].read_data
        if plastic.tau is None:
            lead = later(m, params["lead"].read_data, wait, name="row_lead")
        else:
            bits = plastic.tau_r.frac_bits + layer.lag.frac_bits - layer.lead.frac_bits
            lead = ratio(m, "lead", params["tau_r"].read_data.as_signed(), lag.as_signed(), bits, layer.lead,
                         self.vendor)
            lead = later(m, lead, wait - RATIO_LATENCY, name="row_lead")
        lag = later(m, lag, wait, name="row_lag")
        m.d.comb += [p.i.eq(later(m, pulled, wait - used, name="row_s").as_signed()),
                     p.x.eq(later(m, u, wait, name="row_u").as_signed()), p.lead.eq(lead.as_signed()),
                     p.lag.eq(lag.as_signed())]
        self._slopes(m, row, wait)
        if plastic.tau is not None:
            self._time_constant(m, row, wait, lag)
        return wait

    def _slopes(self, m, row, wait):
        """Phi' of every row, for the errors of the next tick."""
        layer = self.layer
        if layer.activation == "linear":
            return
        m.submodules.slope = slope = Activation(f"{layer.activation}_derivative", layer.state, layer.plastic.slope,
                                                vendor=self.vendor)
        latency = Bank.LATENCY + wait + LeadLag.LATENCY + slope.LATENCY
        m.d.comb += [slope.i.valid.eq(self.unit.o.valid), slope.i.payload.eq(self.unit.o.p.y),
                     self._unit.slope_en.eq(slope.o.valid), self._unit.slope_data.eq(slope.o.payload),
                     self._unit.slope_addr.eq(later(m, self._at(row), latency, name="slope_addr"))]

    def _time_constant(self, m, row, wait, lag):
        """New tau_m and dt/tau_m of every row."""
        m.submodules.time_constant = unit = TimeConstant(self.layer, seed=self.seeds[-1], vendor=self.vendor)
        after = wait + LeadLag.LATENCY      # cycles from what the bank gives for a row to what its unit does
        errors, learn = (later(m, row[name], Bank.LATENCY + after, name=f"tau_{name}") for name in ("errors", "learn"))
        m.d.comb += [
            self._tau_rows.read_addr.eq(Cat(row["index"], row["half"])), unit.reseed.eq(self.reseed),
            unit.i.valid.eq(self.unit.o.valid & errors),
            unit.i.p.eps.eq(later(m, self._row_eps, after, name="tau_eps").as_signed()),
            unit.i.p.step.eq(saturate(self.unit.o.p.step, increment_format(self.layer))),
            unit.i.p.tau.eq(later(m, self._tau_rows.read_data, after, name="tau_old").as_signed()),
            unit.i.p.lag.eq(later(m, lag, LeadLag.LATENCY, name="tau_lag").as_signed())]
        keep = later(m, learn, unit.LATENCY, name="tau_keep")
        address = later(m, Cat(row["index"], row["half"]), Bank.LATENCY + after + unit.LATENCY, name="tau_addr")
        for name, learnt in self._learnt.items():
            m.d.comb += [learnt[0].eq(unit.o.valid & keep), learnt[1].eq(address), learnt[2].eq(unit.o.p[name])]

    def _write_constant(self, m, name, store, loaded):
        """Banks of what learns take words from the bus and from the circuit."""
        if self.layer.plastic.tau is None or name not in ("lag", "tau"):
            super()._write_constant(m, name, store, loaded)
            return
        sizes = (1, store.addr_bits, store.width)
        self._learnt[name] = learnt = [Signal(size, name=f"{name}_learnt{n}") for n, size in enumerate(sizes)]
        port = [Signal(size, name=f"{name}_port{n}", reset_less=n > 0) for n, size in enumerate(sizes)]
        merge_writes(m, name, loaded, learnt, port)
        stores = [store]
        if name == "tau":       # rows and errors read it at times of their own
            m.submodules.tau_rows = self._tau_rows = rows = bank(self.vendor, depth=store.depth, width=store.width)
            stores.append(rows)
        for each in stores:
            m.d.comb += Cat(each.write_en, each.write_addr, each.write_data).eq(Cat(*port))

    # ---- reading back

    def _probe(self, m):
        """Read a word while no tick runs: a weight as its product with one by the lanes, tau_m and its lag directly."""
        layer, lanes = self.layer, self.lanes
        # what is asked comes from far away: a register, and one more behind the comparison
        probe, bank_q, addr_q = (later(m, value, 1, name=name, reset_less=False) for name, value in (
            ("probe", self.probe), ("probe_bank", self.probe_bank), ("probe_addr", self.probe_addr)))
        number, asked = Signal(signed(BANK_BITS + 1)), Signal(name="probe_lanes")
        m.d.comb += number.eq(bank_q - self.first_bank)
        m.d.sync += asked.eq(probe & (number >= 0) & (number < layer.lanes))
        probing, seen, lane = Signal(), Signal(range(layer.lanes + 1)), Signal(range(max(2, layer.lanes)))
        with m.If(asked):
            m.d.sync += [probing.eq(1), seen.eq(0), lane.eq(number)]
            m.d.comb += [lanes.addr.eq(Cat(addr_q[:bank_bits(dense_rows(layer))], self.half)), lanes.first.eq(1),
                         lanes.last.eq(1)]
        with m.If(later(m, asked, lanes.OPERAND_OFFSET, name="probe_operand")):
            m.d.comb += lanes.operand.eq(1)
        half = 1 << (layer.shift - 1) if layer.shift else 0
        m.d.sync += [self.probe_valid.eq(0), self.probe_data.eq(lanes.sum - half)]
        with m.If(probing):
            m.d.comb += self._sum_valid.eq(0)
            with m.If(lanes.valid):
                m.d.sync += [seen.eq(seen + 1), probing.eq(seen != layer.lanes - 1), self.probe_valid.eq(seen == lane)]
        for name in self._learnt:
            bank_number = self.first_bank + layer.lanes + layer.constants.index(name)
            store = self._tau_rows if name == "tau" else self._lag_bank
            wanted = later(m, probe & (bank_q == bank_number), 1, name=f"wants_{name}", reset_less=False)
            with m.If(wanted):
                m.d.comb += store.read_addr.eq(Cat(addr_q[:row_bits(layer)], self.half))
            with m.If(later(m, wanted, Bank.LATENCY, name=f"probe_{name}")):
                m.d.sync += [self.probe_valid.eq(1), self.probe_data.eq(store.read_data.as_signed())]
        taps = self.first_bank + layer.lanes + len(layer.constants) + 1
        self._probe_taps(m, "message", layer.predictor, self._line, taps, probe, bank_q, addr_q)
        if self.above:
            self._probe_taps(m, "error", self.above.way.predictor, self._error_taps, self.above.taps, probe, bank_q,
                             addr_q)

    def _probe_taps(self, m, name, p, line, number, probe, bank_q, addr_q):
        if p is None or not p.learns:
            return
        wanted = Signal(name=f"wants_{name}_taps")
        m.d.sync += wanted.eq(probe & (bank_q == number))
        m.d.comb += [line.probe.eq(wanted), line.probe_addr.eq(addr_q)]
        with m.If(later(m, wanted, line.predictor.PROBE_LATENCY, name=f"probe_{name}_taps", reset_less=False)):
            m.d.sync += [self.probe_valid.eq(1), self.probe_data.eq(line.probe_data)]
