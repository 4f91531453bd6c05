"""A spiking network as a circuit: engines in a row, each handing its spikes to the next as tokens."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spiking.network import SpikingNetwork
from golden.spiking.words import IMAGE_BIT, TICK_BIT
from rtl.host.core import CoreInfo, read_members, settle_cycles
from rtl.pipeline import ParameterBus, hop, later
from rtl.primitives import is_small, shares_neurons
from rtl.spiking.engine import QUEUE, Decision, Serializer, SpikingEngine, Token, token_layout
from rtl.spiking.readback import answer_words
from rtl.spiking.serial import Answer, Spikes, longest_wait
from rtl.spiking.shared import SharedEngine


def input_layout() -> data.StructLayout:
    """An input word (golden.spiking.words); `first` is not used."""
    return data.StructLayout({"x": unsigned(18), "first": unsigned(1)})


def output_layout() -> data.StructLayout:
    """An output word (golden.spiking.words)."""
    return data.StructLayout({"y": signed(18), "last": unsigned(1)})


class SpikingCore(wiring.Component):
    """All layers of a spiking network.

    Input words of an image: for every tick the lines that spike, then a word with TICK_BIT; behind the last tick a word
    with IMAGE_BIT. One output word an image. What still comes of an image that is decided is dropped, unless
    `stop_early` is False. shared: whether lanes share a neuron unit (rtl.spiking.shared); by default as `vendor` wants.
    scrubs: parameters can be read back, at any time; ValueError where neurons are shared.

    Members: i, o; params; half follows want_half (there is but one half of the banks); busy; tick, stall events;
    tokens of each hidden layer as they pass (for benches); with `scrubs` read, read_bank and read_addr until
    read_valid, with read_data.
    """

    def __init__(self, net: SpikingNetwork, *, vendor: str = "generic", stop_early: bool = True,
                 shared: bool | None = None, scrubs: bool = False):
        self.net, self.vendor, self.stop_early, self.scrubs = net, vendor, stop_early, scrubs
        self.shared = shares_neurons(vendor) if shared is None else shared
        if scrubs and self.shared:
            raise ValueError(f"{net.name} shares neuron units here: its parameters cannot be read back")
        super().__init__({
            "i": In(stream.Signature(input_layout())), "o": Out(stream.Signature(output_layout())),
            "params": In(ParameterBus()), "want_half": In(1), "half": Out(1), "busy": Out(1), "tick": Out(1),
            "stall": Out(1), "lost": Out(2 * len(net.layers)),
            "seen": Out(data.StructLayout({"valid": 1, "kind": 2, "source": 16})).array(len(net.layers) - 1)}
            | (read_members() if scrubs else {}))

        # a spiking network has no fixed period: it takes as long as there are spikes
        self.info = CoreInfo(constants={"cycles_per_tick": 0, "output_ticks": self.output_ticks}, halves=1,
                             scrubs=scrubs, settle=settle_cycles(net),
                             patience=(longest_wait if self.shared else self.longest_wait)(net))

    #: answers that wait until they are read
    output_ticks = QUEUE

    @staticmethod
    def longest_wait(net: SpikingNetwork) -> int:
        """Cycles for which an input word may be held while answers are read: until layers above have emptied queues."""
        layers = net.layers
        queued = sum((QUEUE + below.folds + 8) * (below.lanes + 1) * above.folds
                     for below, above in zip(layers, layers[1:], strict=False))
        return queued + sum(layer.folds << layer.delay_bits for layer in layers) + 256

    def _engine(self, layer, bank, is_last):
        options = {"vendor": self.vendor, "bank0": bank,
                   "spiking": not is_last or self.net.decision == "first_spike"}
        if self.shared:
            return SharedEngine(layer, **options)
        return SpikingEngine(layer, rest=Decision.rest(layer) if is_last else 0, scrubs=self.scrubs, **options)

    def _decision(self, layer):
        return (Answer if self.shared else Decision)(layer, stop_early=self.stop_early)

    def elaborate(self, platform):
        m = Module()
        layers = self.net.layers
        first = Signal(token_layout(layers[0].inputs))
        word = self.i.p.x
        m.d.comb += [first.source.eq(word), first.kind.eq(
            Mux(word[IMAGE_BIT], Token.IMAGE, Mux(word[TICK_BIT], Token.TICK, Token.SPIKE)))]
        tokens = stream.Interface(stream.Signature(token_layout(layers[0].inputs)))
        m.d.comb += [tokens.valid.eq(self.i.valid), tokens.payload.eq(first), self.i.ready.eq(tokens.ready)]
        m.d.sync += self.half.eq(self.want_half)
        decided, number = Signal(), Signal(8)
        params, bank, engines, seeds = self.params, 0, [], []
        seed_bank = sum(layer.banks for layer in layers)
        for n, layer in enumerate(layers):
            is_last = n == len(layers) - 1
            m.submodules[f"layer{n}"] = engine = self._engine(layer, bank, is_last)
            engines.append(engine)
            bank += layer.banks
            params = hop(m, params, name=f"params{n}")
            seed = self._seed(m, params, n, seed_bank)
            seeds.append(seed)
            for name in ("en", "bank", "half", "addr", "data"):
                m.d.comb += getattr(engine.params, name).eq(getattr(params, name))
            m.d.comb += [engine.i.valid.eq(tokens.valid), engine.i.payload.eq(tokens.payload),
                         tokens.ready.eq(engine.i.ready), engine.seed.eq(seed), engine.decided.eq(decided),
                         engine.number.eq(number)]
            if is_last:
                m.submodules.decision = unit = self._decision(layer)
                if not self.shared:
                    m.d.comb += [x.eq(y) for x, y in zip(unit.x, engine.x, strict=True)]
            else:
                m.submodules[f"serializer{n}"] = unit = Spikes(layer) if self.shared else Serializer(layer)
                if not self.shared:
                    m.d.comb += [unit.fold.eq(engine.fold), unit.last.eq(engine.last)]
                tokens = unit.o
                m.d.comb += [self.seen[n].valid.eq(tokens.valid & tokens.ready),
                             self.seen[n].kind.eq(tokens.payload.kind), self.seen[n].source.eq(tokens.payload.source)]
            if self.shared:
                names = ("neuron", "last", *(("x",) if is_last else ()))
                m.d.comb += [getattr(unit, name).eq(getattr(engine, name)) for name in names]
            else:
                m.d.comb += unit.issued.eq(engine.issued)
            m.d.comb += [unit.update.eq(engine.update), unit.fired.eq(engine.fired), unit.image.eq(engine.image),
                         engine.room.eq(unit.room)]
        m.d.sync += [decided.eq(unit.decided), number.eq(unit.number)]
        m.d.comb += [self.o.valid.eq(unit.o.valid), unit.o.ready.eq(self.o.ready), self.o.p.last.eq(1),
                     self.o.p.y.eq(Cat(unit.o.payload.label, unit.o.payload.tick, unit.o.payload.fired))]
        if self.scrubs:
            answer_words(m, self, engines, seeds, seed_bank)
        self._under_way(m, word)
        return m

    def _seed(self, m, params, n, bank):
        """The seed of the weights of layer n, which is loaded in two words; on large parts a register further on."""
        ways = 0 if is_small(self.vendor) else 1
        seed = Signal(32, name=f"seed{n}", reset_less=True)
        chosen = later(m, params.en & (params.bank == bank) & (params.addr[1:] == n), ways, name=f"chosen{n}",
                       reset_less=False)
        high = later(m, params.addr[0], ways, name=f"high{n}")
        half = later(m, params.data[:16], ways, name=f"half{n}")
        for bits, mine in ((seed[:16], ~high), (seed[16:], high)):
            with m.If(chosen & mine):
                m.d.sync += bits.eq(half)
        return seed

    def _under_way(self, m, word):
        """An image is under way from its first word to its answer."""
        inside, ends, answers = Signal(), Signal(8), Signal(8)
        taken = self.i.valid & self.i.ready
        with m.If(taken):
            m.d.sync += inside.eq(~word[IMAGE_BIT])
        m.d.sync += [ends.eq(ends + (taken & word[IMAGE_BIT])), answers.eq(answers + (self.o.valid & self.o.ready)),
                     self.busy.eq(inside | (ends != answers) | self.i.valid),
                     self.tick.eq(taken & word[TICK_BIT]), self.stall.eq(self.i.valid & ~self.i.ready)]

