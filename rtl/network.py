"""NetworkCore: all layers of a network as engines that work at once, the circuit of golden.engine.network_step."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.image import first_banks
from golden.network import Network
from rtl.dense import DenseLayer
from rtl.fixed import shape
from rtl.pipeline import ParameterBus, later
from rtl.schedule import cycles_per_tick


def input_layout(net: Network) -> data.StructLayout:
    """A word of the input vector; `first` marks the first word of a sequence: membranes and messages count as zero."""
    return data.StructLayout({"x": shape(net.layers[0].operand), "first": 1})


def output_layout(net: Network) -> data.StructLayout:
    """A word of the output vector; `last` marks the last of a tick."""
    return data.StructLayout({"y": shape(net.layers[-1].rate), "last": 1})


class NetworkCore(wiring.Component):
    """A network that takes an input vector a tick and gives an output vector a tick.

    A tick starts when its input vector is complete, the output buffer has room and the last tick is `cycles_per_tick`
    old. All layers start together and nothing stalls inside.

    Parameters: net; vendor form of memories and multipliers.
    Members
      i, o      words of input and output vectors, in order
      params    writes to parameter banks
      half      the half in force; changes between ticks when it differs from `want_half`
      tick      a tick starts; busy: one is under way; stall: one waits for room in the output buffer
    output_ticks: how many ticks the output buffer holds.
    """

    def __init__(self, net: Network, *, vendor: str = "generic"):
        self.net, self.vendor = net, vendor
        self.period = cycles_per_tick(net)
        # a frame of the host link takes 64 words
        self.output_ticks = max(4, 64 // net.outputs)
        super().__init__({
            "i": In(stream.Signature(input_layout(net))), "o": Out(stream.Signature(output_layout(net))),
            "params": In(ParameterBus()), "want_half": In(1), "half": Out(1),
            "tick": Out(1), "stall": Out(1), "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        complete, fresh = self._input_vector(m)
        room, output = self._output_buffer(m)
        wait, due = Signal(range(self.period)), Signal(init=1)      # due: wait is 0
        go, fresh_start = Signal(), Signal()
        m.d.comb += [go.eq(complete & room & due), self.busy.eq(~due | go), self.stall.eq(due & complete & ~room)]
        m.d.sync += [wait.eq(Mux(go, self.period - 1, Mux(due, 0, wait - 1))), due.eq((wait <= 1) & ~go),
                     self.tick.eq(go), fresh_start.eq(fresh)]
        with m.If(due):
            m.d.sync += self.half.eq(self.want_half)
        m.d.comb += [self._go.eq(go)]
        self._layers(m, fresh_start, output)
        return m

    def _input_vector(self, m):
        """Count words into the first layer's delay line; `complete` until the tick takes the vector."""
        size = self.net.inputs
        self._go, complete, fresh = Signal(name="go"), Signal(), Signal()
        index = Signal(range(max(2, size)))
        m.d.comb += self.i.ready.eq(~complete)
        with m.If(self._go):
            m.d.sync += [complete.eq(0), fresh.eq(0)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += index.eq(Mux(index == size - 1, 0, index + 1))
            with m.If(self.i.p.first):
                m.d.sync += fresh.eq(1)
            with m.If(index == size - 1):
                m.d.sync += complete.eq(1)
        return complete, fresh

    def _output_buffer(self, m):
        """A FIFO for `output_ticks` vectors; a tick starts only where its vector will find room."""
        size = self.net.outputs
        layout = output_layout(self.net)
        m.submodules.outputs = buffer = fifo.SyncFIFOBuffered(width=layout.size, depth=self.output_ticks * size)
        word = Signal(layout)
        index = Signal(range(max(2, size)))
        room = Signal(range(self.output_ticks + 1), init=self.output_ticks)
        m.d.comb += [self.o.valid.eq(buffer.r_rdy), self.o.payload.eq(buffer.r_data),
                     buffer.r_en.eq(self.o.ready & self.o.valid), word.last.eq(index == size - 1),
                     buffer.w_data.eq(word)]
        taken = Signal()
        m.d.comb += taken.eq(self.o.valid & self.o.ready & self.o.p.last)
        m.d.sync += room.eq(room + taken - self._go)
        with m.If(buffer.w_en):
            m.d.sync += index.eq(Mux(word.last, 0, index + 1))
        return room != 0, (buffer.w_en, word.y)

    def _layers(self, m, fresh, output):
        params, message = self.params, None
        for n, (layer, first) in enumerate(zip(self.net.layers, first_banks(self.net), strict=True)):
            engine = DenseLayer(layer, vendor=self.vendor, first_bank=first, ahead=n == 0)
            m.submodules[f"layer{n}"] = engine
            wiring.connect(m, wiring.flipped(params) if n == 0 else params, engine.params)
            params = engine.params_out
            m.d.comb += [engine.start.eq(self.tick), engine.fresh.eq(fresh), engine.half.eq(self.half)]
            if message is None:
                # a register keeps the way into the block RAM short, and the first write over the oldest message
                # behind its last read, which may be in the cycle of `tick`
                given = later(m, self.i.valid & self.i.ready, 1, name="given", reset_less=False)
                m.d.comb += [engine.i.valid.eq(given), engine.i.payload.eq(later(m, self.i.p.x, 1, name="word"))]
            else:
                wiring.connect(m, message, engine.i)
            message = engine.o
        m.d.comb += [output[0].eq(message.valid), output[1].eq(message.payload)]


