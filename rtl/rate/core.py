"""NetworkCore: all layers of a network as engines that work at once, the circuit of golden.rate.engine.network_step."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.rate.layout import bank_layout
from golden.rate.learn import registers
from golden.rate.network import Network
from golden.regmap import MAX_HALVINGS
from rtl.fixed import shape
from rtl.host.core import CoreInfo, ranges, read_members, settle_cycles
from rtl.pipeline import ADDR_BITS, BANK_BITS, WORD_BITS, ParameterBus, later
from rtl.rate.dense import DenseLayer
from rtl.rate.loss import OutputError, target_format
from rtl.rate.plastic import PlasticLayer
from rtl.rate.readback import ask_layers, check_readable
from rtl.rate.schedule import cycles_per_tick, engine, top_latency, waits
from rtl.rate.ways import ErrorsIn, Far


def input_layout(net: Network) -> data.StructLayout:
    """A word of the input vector; `first` marks the first word of a sequence: membranes and messages count as zero.

    With errors running, target words follow the inputs; `learn` and `teach` of a tick's last word say whether its
    weights move and whether there is an output error.
    """
    if net.teacher is None:
        return data.StructLayout({"x": shape(net.layers[0].operand), "first": 1})
    width = max(net.layers[0].operand.width, target_format(net).width)
    return data.StructLayout({"x": signed(width), "first": 1, "learn": 1, "teach": 1})


def output_layout(net: Network) -> data.StructLayout:
    """A word of the output vector; `last` marks the last of a tick."""
    return data.StructLayout({"y": shape(net.layers[-1].rate), "last": 1})


def learning_members(net: Network) -> dict:
    """Members of the core of a network that learns, none of others."""
    return {} if net.teacher is None else {
        "learning": In(1), "halve": In(range(MAX_HALVINGS + 1)), "moved": Out(1), "running": Out(1),
        "overflow": Out(len(net.layers)), "probe": In(1), "probe_bank": In(BANK_BITS), "probe_addr": In(ADDR_BITS),
        "probe_valid": Out(1), "probe_data": Out(signed(WORD_BITS))}


class NetworkCore(wiring.Component):
    """A network that takes an input vector a tick and gives an output vector a tick.

    A tick starts when its input vector is complete, the output buffer has room and the last tick is `cycles_per_tick`
    old. All layers start together and nothing stalls inside.

    Parameters: net; vendor form; numbers of the layers here, None for all; far, what of them is elsewhere; scrubs.
    Members
      i, o      words of input and output vectors, in order
      params    writes to parameter banks
      half      the half in force; changes between ticks when it differs from `want_half`
      tick      a tick starts; busy: one is under way; stall: one waits for room in the output buffer
      lost      two bits a layer: a prediction of a message into it, or of an error that it sends down, was not sent
    of a network of one half of parameters
      hold      no tick starts
    of a network that learns
      learning  whether errors run, taken over with the first word of a sequence
      halve     how often rates are halved, taken over with a tick
      running   errors run in the sequence under way: its vectors have target words
      moved     a tick starts in which weights move
      overflow  by layer: an error word was at an end of its format
      probe, probe_bank, probe_addr; probe_valid, probe_data    read a word that learns; ticks wait for it
    with `scrubs`: read, read_bank, read_addr; read_valid, read_data    a word in force, wanted until it is there
    output_ticks: how many ticks the output buffer holds.
    """

    def __init__(self, net: Network, *, vendor: str = "generic", numbers: range | None = None,
                 far: dict[int, Far] | None = None, scrubs: bool = False, **members):
        self.net, self.vendor, self.far, self.scrubs = net, vendor, far or {}, scrubs and check_readable(net)
        self.numbers = range(len(net.layers)) if numbers is None else numbers
        noise = registers(net) if net.teacher else []
        self.engines = {n: self._make_layer(n, noise) for n in self.numbers}
        self.readers = [unit for unit in self.engines.values() if isinstance(unit, PlasticLayer)]
        self.period = cycles_per_tick(net)
        # a frame of the host link takes 64 words
        self.output_ticks = max(4, 64 // net.outputs)
        members |= learning_members(net) | (read_members() if scrubs else {})
        self.info = self._info()
        members |= {"hold": In(1)} if self.info.drain else {}
        super().__init__(members | {
            "i": In(stream.Signature(input_layout(net))), "o": Out(stream.Signature(output_layout(net))),
            "params": In(ParameterBus()), "want_half": In(1), "half": Out(1),
            "tick": Out(1), "stall": Out(1), "busy": Out(1), "lost": Out(2 * len(net.layers)),
        })

    def _info(self) -> CoreInfo:
        net, learns = self.net, self.net.teacher is not None
        learning = cycles_per_tick(net, learning=True) if learns else 0
        return CoreInfo(
            constants={"cycles_per_tick": self.period, "output_ticks": self.output_ticks, "learn_cycles": learning},
            settle=settle_cycles(net), patience=3 * max(self.period, learning), learns=learns,
            halves=net.layers[0].halves, drain=0 if net.layers[0].halves == 2 else drain_cycles(net),
            scrubs=self.scrubs, readable=ranges(bank.number for bank in net.layout() if bank.learns))

    def elaborate(self, platform):
        m = Module()
        go, hold = Signal(name="go"), self.hold if self.info.drain else Signal(name="hold")
        learns = self.net.teacher is not None
        periods = [self.period, cycles_per_tick(self.net, learning=True) if learns else 0]
        vector, given = self._input_vector(m, go)
        room, room_soon, output = self._output_buffer(m, go)
        # due: wait is 0; free: and there is room (a tick goes out to all layers: what it waits for has to be near)
        wait, due, free = Signal(range(max(periods))), Signal(init=1), Signal(init=1)
        ready = self._ready(vector, hold)
        m.d.comb += [go.eq(ready & free), self.busy.eq(~due | go), self.stall.eq(due & ready & ~room)]
        period = Mux(vector["errors"], periods[1] - 1, periods[0] - 1) if learns else periods[0] - 1
        soon = (wait <= 1) & ~go
        m.d.sync += [wait.eq(Mux(go, period, Mux(due, 0, wait - 1))), due.eq(soon), self.tick.eq(go),
                     free.eq(soon & room_soon)]
        half = Signal(reset_less=True)      # outlives a reset, as what was learnt does: it stays readable
        m.d.comb += self.half.eq(half)
        with m.If(due):
            m.d.sync += half.eq(self.want_half)
        start = self._start(m, vector, go)
        if learns:
            m.d.sync += start["reseed"].eq(due & (half != self.want_half))
        self._layers(m, start, _told(m, self, due, free, start), output, given)
        if learns:
            self._probe(m, due & ~go, hold)
        ask_layers(m, self, due & ~go, go=go, drain=drain_cycles(self.net))
        return m

    def _ready(self, vector, hold):
        """Whether all is there that a tick takes."""
        return vector["complete"] & ~hold

    def _input_vector(self, m, go):
        """Count words into the first layer's delay line; `complete` until `go` takes the vector.

        Also whether a word is given to the input, or as a target.
        """
        net, i = self.net, self.i
        names = ["first", *(["learn", "teach", "errors"] if net.teacher else [])]
        vector = {name: Signal(name=f"vector_{name}") for name in ("complete", *names)}
        index = Signal(range(max(2, net.inputs + net.targets)))
        taken, end = i.valid & i.ready, Const(net.inputs - 1)
        m.d.comb += i.ready.eq(~vector["complete"])
        given = {"input": taken}
        if net.teacher is not None:
            errors = Mux(i.p.first, self.learning, vector["errors"])
            end = Mux(errors, net.inputs + net.targets - 1, net.inputs - 1)
            given = {"input": taken & (index < net.inputs), "target": taken & (index >= net.inputs)}
            m.d.comb += self.running.eq(vector["errors"])
            with m.If(taken):
                m.d.sync += vector["errors"].eq(errors)
                # those of the last word count: a vector that a host had to complete with zeros moves no weight
                m.d.sync += [vector["learn"].eq(i.p.learn), vector["teach"].eq(i.p.teach)]
        with m.If(go):
            m.d.sync += [vector["complete"].eq(0), vector["first"].eq(0)]
        with m.If(taken):
            m.d.sync += index.eq(Mux(index == end, 0, index + 1))
            with m.If(i.p.first):
                m.d.sync += vector["first"].eq(1)
            with m.If(index == end):
                m.d.sync += vector["complete"].eq(1)
        return vector, given

    def _start(self, m, vector, go):
        """What the layers are told with `tick`, a cycle after the vector was complete."""
        streams = self.net.streams
        names = ("restart", "fresh", *(("errors", "learn", "teach") if self.net.teacher else ()))
        start = {name: Signal(name=name) for name in names}
        with m.If(go):
            m.d.sync += [start[name].eq(vector[name]) for name in names[2:]]
            m.d.sync += [start["restart"].eq(vector["first"]), start["fresh"].eq(vector["first"])]
        if streams > 1:
            # all streams begin anew in their next tick, and stream 0 has this one
            start["stream"], left = Signal(range(streams), name="stream"), Signal(range(streams), name="still_fresh")
            with m.If(go):
                m.d.sync += [start["stream"].eq(Mux(vector["first"], 0, start["stream"] + 1)),
                             start["fresh"].eq(vector["first"] | (left != 0)),
                             left.eq(Mux(vector["first"], streams - 1, Mux(left == 0, 0, left - 1)))]
        if self.net.teacher is not None:
            start["reseed"], start["halve"] = Signal(name="reseed"), Signal.like(self.halve, name="halve_now")
            with m.If(go):
                m.d.sync += start["halve"].eq(self.halve)
            m.d.comb += self.moved.eq(self.tick & start["errors"] & start["learn"])
        return start

    def _output_buffer(self, m, go):
        """A FIFO for `output_ticks` vectors: is there room for one, and will there be if no tick starts; its input."""
        size, layout = self.net.outputs, output_layout(self.net)
        m.submodules.outputs = buffer = fifo.SyncFIFOBuffered(width=layout.size, depth=self.output_ticks * size)
        word, index, taken = Signal(layout), Signal(range(max(2, size))), Signal()
        room = Signal(range(self.output_ticks + 1), init=self.output_ticks)
        m.d.comb += [self.o.valid.eq(buffer.r_rdy), self.o.payload.eq(buffer.r_data),
                     buffer.r_en.eq(self.o.ready & self.o.valid), word.last.eq(index == size - 1),
                     buffer.w_data.eq(word), taken.eq(self.o.valid & self.o.ready & self.o.p.last)]
        m.d.sync += room.eq(room + taken - go)
        with m.If(buffer.w_en):
            m.d.sync += index.eq(Mux(word.last, 0, index + 1))
        return room != 0, taken | (room != 0), (buffer.w_en, word.y)

    def _layers(self, m, start, told, output, given):
        params = wiring.flipped(self.params)
        for n, unit in self.engines.items():
            m.submodules[f"layer{n}"] = unit
            wiring.connect(m, params, unit.params)
            params = unit.params_out
            names = ("start", "half", "fresh", "restart", *(["stream"] if self.net.streams > 1 else []),
                     *(["errors", "learn", "halve", "reseed"] if self.net.layers[n].plastic else []))
            m.d.comb += [getattr(unit, name).eq(told[n][name]) for name in names]
            self._below(m, n, unit, given)
        self._ends(m, start, output, params, given)

    def _make_layer(self, n: int, noise):
        net, layer = self.net, self.net.layers[n]
        options = {"vendor": self.vendor, "first_bank": bank_layout(net)[n].lanes, "ahead": n == 0,
                   "streams": net.streams, "wait": waits(net, n)[0]}
        if layer.plastic is None:
            return DenseLayer(layer, scrubs=self.scrubs, **options)
        below = (net.layers[n - 1].plastic.error, net.back_shift(n)) if n > net.first_plastic else None
        own = noise[n]
        options |= {"seeds": [int(each[0]) for each in (*own.lanes, own.tau)]}
        if "taps" in own.taps:
            options["tap_seed"] = int(own.taps["taps"][0])
        return PlasticLayer(layer, below=below, above=self._errors_in(n, noise), top=top_latency(net, n),
                            far=self.far.get(n), **options)

    def _below(self, m, n: int, unit, given):
        """Messages from below, and errors down there."""
        if n == 0:
            # registers keep the way into the block RAM short, and the first write over the oldest message
            # behind its last read, which may be in the cycle of `start`
            hops = 1 + behind(self.net)
            valid = later(m, given["input"], hops, name="given", reset_less=False)
            m.d.comb += [unit.i.valid.eq(valid),
                         unit.i.payload.eq(later(m, self.i.p.x[:unit.layer.operand.width], hops, name="word"))]
            return
        least = self.net.layers[n].least_delay
        _connect(m, f"message{n}", self.engines[n - 1].o, unit.i, least)
        if n > self.net.first_plastic:
            _connect(m, f"error{n}", unit.o_error, self.engines[n - 1].i_error, least)

    def _ends(self, m, start, output, params, given):
        """What is around the layers: the teacher, the output, flags."""
        message = self.engines[self.numbers[-1]].o
        m.d.comb += [output[0].eq(message.valid), output[1].eq(message.payload)]
        # errors that a layer sends down come by a line of the layer below
        lost = [engine.lost for engine in self.engines.values()]
        m.d.comb += self.lost.eq(Cat(Cat(own[0], below[1]) for own, below in zip(lost, (Const(0, 2), *lost),
                                                                                 strict=False)))
        if self.net.teacher is not None:
            self._teacher(m, start, message, given["target"])
            m.d.comb += self.overflow.eq(Cat(engine.overflow if hasattr(engine, "overflow") else Const(0, 1)
                                             for engine in self.engines.values()))

    def _errors_in(self, n: int, noise) -> ErrorsIn | None:
        """How errors come into layer n."""
        if not self.net.sends_errors(n + 1):
            return None
        above, register = bank_layout(self.net)[n + 1], noise[n + 1].taps.get("error_taps")
        return ErrorsIn(self.net.error_way(n + 1), above.delay, above.taps.get("error_taps", 0),
                        int(register[0]) if register else 1, waits(self.net, n + 1)[1])

    def _teacher(self, m, start, message, given):
        m.submodules.teacher = teacher = OutputError(self.net, vendor=self.vendor)
        fmt = target_format(self.net)
        m.d.comb += [
            teacher.rate.valid.eq(message.valid), teacher.rate.payload.eq(message.payload),
            teacher.target.valid.eq(later(m, given, 1, name="given_target", reset_less=False)),
            teacher.target.payload.eq(later(m, self.i.p.x[:fmt.width], 1, name="target")),
            teacher.tick.eq(self.tick), teacher.restart.eq(start["restart"]),
            teacher.start.eq(self.tick & start["errors"]), teacher.mute.eq(start["fresh"] | ~start["teach"])]
        wiring.connect(m, teacher.o, self.engines[self.numbers[-1]].i_error)

    def _probe(self, m, idle, hold):
        """Wait until the last tick has drained, ask the layers, let ticks go on when the word is there.

        Behind an answer the other lanes' products still hop out: the next word waits for those alone.
        """
        drain = drain_cycles(self.net)
        quiet, asked = Signal(range(drain + 1)), Signal()
        ask = Signal()
        m.d.sync += quiet.eq(Mux(idle & ~ask, Mux(quiet == drain, drain, quiet + 1), 0))
        with m.If(self.probe_valid):
            m.d.sync += quiet.eq(drain - max(layer.lanes for layer in self.net.layers))
        m.d.sync += ask.eq(hold & ~asked & (quiet == drain))
        with m.If(hold & (quiet == drain)):
            m.d.sync += asked.eq(1)
        with m.If(self.probe_valid):
            m.d.sync += hold.eq(0)
        with m.If(self.probe):
            m.d.sync += [hold.eq(1), asked.eq(0)]
        for each in self.readers:
            m.d.comb += [each.probe.eq(ask), each.probe_bank.eq(self.probe_bank), each.probe_addr.eq(self.probe_addr)]
        m.d.sync += [self.probe_valid.eq(Cat(each.probe_valid for each in self.readers).any()),
                     self.probe_data.eq(reduce(or_, (Mux(each.probe_valid, each.probe_data, 0)
                                                     for each in self.readers)))]


def behind(net: Network) -> int:
    """Cycles by which layers begin behind `tick`."""
    return int(net.teacher is None)


def _told(m, core: NetworkCore, due, free, start) -> dict[int, dict]:
    """What each layer is told, `behind` cycles later: a layer may be on the other side of the chip.

    Of the start there are several registers, each for layers that lie together. Where `tick` is 1, `due` and `free` are
    0: to name them changes nothing, but tools would make one register of those whose inputs are the same.
    """
    begins, cycles = [core.tick, core.tick & ~due, core.tick & ~free], behind(core.net)
    if not cycles:
        begins = begins[:1]
    starts = [later(m, begin, cycles, name=f"begin{n}", reset_less=False) for n, begin in enumerate(begins)]
    rest = {name: later(m, value, cycles, name=f"far_{name}") for name, value in ({"half": core.half} | start).items()}
    return {n: {"start": starts[k * len(starts) // len(core.engines)]} | rest for k, n in enumerate(core.engines)}


def drain_cycles(net: Network) -> int:
    """Cycles after which nothing moves any more, from the one on in which the next tick could start."""
    return max(engine(layer).neuron_latency(layer) + layer.lanes + layer.inputs for layer in net.layers) + 32


def _connect(m, name: str, source, target, registers: int):
    """Two streams that never stall, with registers between them."""
    m.d.comb += [target.valid.eq(later(m, source.valid, registers, name=f"{name}_valid", reset_less=False)),
                 target.payload.eq(later(m, source.payload, registers, name=name))]
