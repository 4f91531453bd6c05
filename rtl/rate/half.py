"""A network cut in two boards: HalfCore, one of them, joined to the other by a message and an error stream.

    host: x --> | layers 0 .. cut-1 |   --rates-->  [cable] --> | layers cut ..   | --> y: host
                |                   | <-- [cable] <--W^T eps--  | teacher         | <-- target: host

What predicts a message sits where it is sent (golden.units.extrapolator), what waits for its tick where it is received.
The boards have no common tick. Tick k of a board takes message k - D of those that came (k - D - 1 where none predicts,
as golden.units.delay has it) and starts when that one is there: a link that takes longer than the delay slows the ticks
down, and changes no word.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.rate.layout import bank_layout, learnt_banks
from golden.rate.learn import registers
from golden.rate.network import Network
from golden.units.extrapolator import Way
from rtl.fixed import shape
from rtl.host.core import ranges
from rtl.host.top import NetworkTop
from rtl.pipeline import ADDR_BITS, BANK_BITS, WORD_BITS, ParameterBus, join, later
from rtl.rate.core import NetworkCore
from rtl.rate.ways import Far, loaded_times
from rtl.units.predicted import predictor


class Sender(wiring.Component):
    """The predictor of what leaves a board, with its times, its taps and their reading back.

    Parameters: way; which, 0 for messages, 1 for errors; times and taps, its banks; seed, a state of its noise
    register; learns, whether its taps can be read back; vendor form.
    Members: i, o, words and predictions a tick later; start, fresh, errors, learn, half, reseed, lost as of an
    Extrapolator; params, params_out; probe, probe_bank, probe_addr, probe_valid, probe_data as of a PlasticLayer.
    """

    def __init__(self, way: Way, *, which: int, times: int, taps: int, seed: int, vendor: str = "generic"):
        self.way, self.which, self.times, self.taps, self.seed, self.vendor = way, which, times, taps, seed, vendor
        message = stream.Signature(shape(way.fmt), always_ready=True)
        super().__init__({
            "i": In(message), "o": Out(message), "start": In(1), "fresh": In(1), "errors": In(1), "learn": In(1),
            "half": In(1), "reseed": In(1), "params": In(ParameterBus()), "params_out": Out(ParameterBus()),
            "lost": Out(1), "probe": In(1), "probe_bank": In(BANK_BITS), "probe_addr": In(ADDR_BITS),
            "probe_valid": Out(1), "probe_data": Out(signed(WORD_BITS))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.predictor = unit = predictor(self.way)(self.way, bank=self.taps, seed=self.seed,
                                                            vendor=self.vendor)
        found = loaded_times(m, self.params, self.half, self.times, self.way, self.which)
        join(m, unit.params, self.params)
        join(m, self.params_out, unit.params_out)
        m.d.comb += [unit.i.valid.eq(self.i.valid), unit.i.payload.eq(self.i.payload),
                     self.o.valid.eq(unit.o.valid), self.o.payload.eq(unit.o.payload),
                     unit.delay.eq(found["delay"]), unit.spacing.eq(found["spacing"]), self.lost.eq(unit.lost),
                     *(target.eq(word) for target, word in zip(unit.fixed, found["fixed"], strict=False)),
                     *(getattr(unit, name).eq(getattr(self, name))
                       for name in ("start", "fresh", "errors", "learn", "half", "reseed"))]
        if self.way.predictor.learns:
            wanted = later(m, self.probe & (self.probe_bank == self.taps), 1, name="wanted", reset_less=False)
            answer = later(m, wanted, unit.PROBE_LATENCY, name="answer", reset_less=False)
            m.d.comb += [unit.probe.eq(wanted), unit.probe_addr.eq(later(m, self.probe_addr, 1, name="probed"))]
            m.d.sync += [self.probe_valid.eq(answer), self.probe_data.eq(unit.probe_data)]
        return m


def cut_ways(net: Network, cut: int) -> tuple[Way, Way]:
    """Ways of the messages into layer `cut` and of the errors out of it; ValueError where no network is cut there."""
    if not net.sends_errors(cut):
        raise ValueError(f"{net.name} cannot be cut below layer {cut}: no errors go down there")
    if net.layers[cut].least_delay:
        raise ValueError(f"{net.name} relies on delays that another board does not keep: least_delay of layer {cut} "
                         "must be 0")
    if net.streams != 1:
        raise ValueError(f"{net.name} has {net.streams} streams: two boards take one")
    found = net.layers[cut].way, net.error_way(cut)
    for way, what in zip(found, ("messages", "errors"), strict=True):
        if way.predictor is not None and not way.delay:
            raise ValueError(f"{net.name}: {what} into another board take at least a tick where something predicts "
                             "them: a delay of 0 has nothing to predict")
    return found


def held_messages(net: Network, cut: int) -> int:
    """How many messages of one direction are on a cable at most."""
    # tick n of the sender waits for a message of tick n - D - 1, which has read one of tick n - D - D' - 2
    return sum(way.depth for way in cut_ways(net, cut)) + 2


def learnt_here(net: Network, cut: int, upper: bool) -> frozenset[int]:
    """Numbers of the banks that learn on a board: its layers, and the predictor of what it sends."""
    found = set()
    for n, (layer, banks) in enumerate(zip(net.layers, bank_layout(net), strict=True)):
        if layer.plastic is not None:
            learnt = [*range(banks.lanes, banks.lanes + layer.lanes), *learnt_banks(layer, banks)]
            # taps are numbered with the layer that the messages go to, or that the errors come from
            found |= {number for number in learnt if number != banks.taps.get("taps") or n != cut
                      if (n >= cut) == upper}
            if n == cut and not upper:
                found |= {number for number in learnt if number == banks.taps.get("taps")}
    return frozenset(found)


class HalfCore(NetworkCore):
    """One board of a network cut below layer `cut`: the layers below (upper=False), or the others and the teacher.

    Errors run in every tick. The host gives the lower board inputs and takes target and output words from the upper
    one, a vector each for each tick, with the flags in both: they have to agree. All delays may be loaded at run time,
    while no tick waits. Both boards leave reset together, before the first word.

    Members, beside those of NetworkCore: i_far, o_far, words from and to the other board.
    """

    def __init__(self, net: Network, *, cut: int, upper: bool, vendor: str = "generic"):
        messages, errors = cut_ways(net, cut)
        self.cut, self.upper = cut, upper
        self.received, self.sent = (messages, errors) if upper else (errors, messages)
        self.border = cut if upper else cut - 1
        super().__init__(
            net, vendor=vendor, numbers=range(cut, len(net.layers)) if upper else range(cut),
            far={self.border: Far(0 if upper else 1, self.sent.depth)},
            i_far=In(stream.Signature(shape(self.received.fmt), always_ready=True)),
            o_far=Out(stream.Signature(shape(self.sent.fmt), always_ready=True)))
        self.sender = self._make_sender()
        self.readers += [] if self.sender is None else [self.sender]

    def _info(self):
        return super()._info()._replace(readable=ranges(sorted(learnt_here(self.net, self.cut, self.upper))))

    def _ready(self, vector, hold):
        return super()._ready(vector, hold) & self.engines[self.border].there

    def _input_vector(self, m, go):
        """Count words of inputs, or of targets; `complete` until `go` takes the vector."""
        names, i = ("complete", "first", "learn", "teach"), self.i
        vector = {name: Signal(name=f"vector_{name}") for name in names} | {"errors": Const(1)}
        size = self.net.targets if self.upper else self.net.inputs
        index, taken = Signal(range(max(2, size))), i.valid & i.ready
        m.d.comb += [i.ready.eq(~vector["complete"]), self.running.eq(1)]
        with m.If(go):
            m.d.sync += [vector["complete"].eq(0), vector["first"].eq(0)]
        with m.If(taken):
            m.d.sync += [index.eq(Mux(index == size - 1, 0, index + 1)), vector["complete"].eq(index == size - 1),
                         vector["first"].eq(vector["first"] | i.p.first), vector["learn"].eq(i.p.learn),
                         vector["teach"].eq(i.p.teach)]
        return vector, {"target" if self.upper else "input": taken}

    def _output_buffer(self, m, go):
        return super()._output_buffer(m, go) if self.upper else (Const(1), Const(1), None)

    def _below(self, m, n, unit, given):
        if n == 0 or n != self.numbers[0]:
            super()._below(m, n, unit, given)

    def _ends(self, m, start, output, params, given):
        """The other board, and the teacher and the output, or the input."""
        unit = self.engines[self.border]
        wiring.connect(m, wiring.flipped(self.i_far), unit.i if self.upper else unit.i_error)
        leaving, lost = unit.o_error if self.upper else unit.o, Const(0)
        if self.sender is not None:
            m.submodules.sender = sender = self.sender
            wiring.connect(m, params, sender.params)
            m.d.comb += [sender.start.eq(self.tick), sender.half.eq(self.half), sender.fresh.eq(start["restart"]),
                         *(getattr(sender, flag).eq(start[flag]) for flag in ("errors", "learn", "reseed"))]
            m.d.comb += [sender.i.valid.eq(leaving.valid), sender.i.payload.eq(leaving.payload)]
            leaving, lost = sender.o, sender.lost
        m.d.comb += [self.o_far.valid.eq(leaving.valid), self.o_far.payload.eq(leaving.payload)]
        layers = self.engines
        flags = [Cat(layers[n].lost[0] if n in layers else 0, layers[n - 1].lost[1] if n - 1 in layers else 0)
                 for n in range(len(self.net.layers))]
        flags[self.cut] = Cat(0, lost) if self.upper else Cat(lost, 0)
        m.d.comb += [self.lost.eq(Cat(*flags)), self.overflow.eq(Cat(
            layers[n].overflow if n in layers and self.net.layers[n].plastic else Const(0, 1)
            for n in range(len(self.net.layers))))]
        if self.upper:
            message = layers[self.numbers[-1]].o
            m.d.comb += [output[0].eq(message.valid), output[1].eq(message.payload)]
            self._teacher(m, start, message, given["target"])

    def _make_sender(self) -> Sender | None:
        if self.sent.predictor is None:
            return None
        name, banks = "error_taps" if self.upper else "taps", bank_layout(self.net)[self.cut]
        register = registers(self.net)[self.cut].taps.get(name)
        return Sender(self.sent, which=int(self.upper), times=banks.delay, taps=banks.taps.get(name, 0),
                      seed=int(register[0]) if register else 1, vendor=self.vendor)


class HalfTop(NetworkTop):
    """HalfCore behind a bus, as NetworkTop is: each board is loaded with the image of the whole network.

    Members, beside those of NetworkTop: i_far, o_far.
    """

    def __init__(self, net: Network, *, cut: int, upper: bool, vendor: str = "generic"):
        half = HalfCore(net, cut=cut, upper=upper, vendor=vendor)
        super().__init__(net, core=half, **{name: half.signature.members[name] for name in ("i_far", "o_far")})

    def elaborate(self, platform):
        m = super().elaborate(platform)
        wiring.connect(m, wiring.flipped(self.i_far), self.core.i_far)
        wiring.connect(m, self.core.o_far, wiring.flipped(self.o_far))
        return m
