"""What comes of neurons that are updated one a cycle: tokens of the layer above, or an answer."""

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.description import Description
from golden.spiking.layer import SpikingLayer
from rtl.spiking.engine import IMAGE_BITS, QUEUE, Token, answer_layout, token_layout
from rtl.spiking.shared import Ways, clears, updates

#: tokens that may wait; how many may still come when a layer is told to stop: it has a shorter pipeline
WAITING, MARGIN = 64, 24


def longest_wait(net: Description) -> int:
    """Cycles for which an input word may be held: a tick whose neurons all spike, while queues are full of ticks."""
    wait = 0
    for layer in reversed(net.layers):
        mine = max(updates(layer), clears(layer))
        # every update may wait for room, which a token of the layer above makes
        wait = mine + (layer.outputs + WAITING) * wait
    return wait + 256


class Spikes(wiring.Component):
    """Spikes of a layer as tokens, in the order in which they come.

    Members: update, neuron, fired, last, image as SharedEngine gives them; room; o, tokens.
    """

    def __init__(self, layer: SpikingLayer):
        self.layer = layer
        super().__init__({
            "update": In(1), "neuron": In(range(max(2, Ways.of(layer).neurons))), "fired": In(1), "last": In(1),
            "image": In(1), "room": Out(1), "o": Out(stream.Signature(token_layout(layer.outputs)))})

    def elaborate(self, platform):
        m = Module()
        o, token = self.o, Signal(token_layout(self.layer.outputs))
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=token.shape().size, depth=WAITING)
        m.d.comb += [token.kind.eq(Mux(self.image, Token.IMAGE, Mux(self.last, Token.TICK, Token.SPIKE))),
                     token.source.eq(self.neuron), queue.w_data.eq(token),
                     queue.w_en.eq((self.update & self.fired) | self.last | self.image),
                     o.valid.eq(queue.r_rdy), o.payload.eq(queue.r_data), queue.r_en.eq(o.ready)]
        m.d.sync += self.room.eq(queue.level < WAITING - MARGIN)
        return m


class Answer(wiring.Component):
    """Label and tick of each image from outputs that come one by one, golden.spiking.engine.decide.

    Members: update, neuron, fired, x, last, image as SharedEngine gives them; room; decided, number: image `number`
    needs nothing more; o, answers.
    """

    def __init__(self, layer: SpikingLayer, *, stop_early: bool):
        self.layer, self.stop_early = layer, stop_early
        super().__init__({
            "update": In(1), "neuron": In(range(max(2, Ways.of(layer).neurons))), "fired": In(1),
            "x": In(signed(layer.state.width)), "last": In(1), "image": In(1), "room": Out(1), "decided": Out(1),
            "number": Out(IMAGE_BITS), "o": Out(stream.Signature(answer_layout()))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=answer_layout().size, depth=2 * QUEUE)
        tick, latest, done = Signal(8), Signal(8), Signal()
        # the best of those that spiked in this tick, or of all while none has
        best, label, any_fired, begins = Signal.like(self.x), Signal(8), Signal(), Signal(init=1)
        better = begins | (self.fired & ~any_fired) | ((self.fired == any_fired) & (self.x > best))
        with m.If(self.update & ~done):
            m.d.sync += [begins.eq(0), any_fired.eq(any_fired | self.fired)]
            with m.If(better):
                m.d.sync += [best.eq(self.x), label.eq(self.neuron)]
        now, answer = Signal(), Signal(answer_layout())
        m.d.comb += [now.eq(~done & ((self.last & any_fired) | self.image)), answer.label.eq(label),
                     answer.fired.eq(~self.image), answer.tick.eq(Mux(self.image, latest, tick))]
        with m.If(self.last):
            m.d.sync += [tick.eq(tick + 1), latest.eq(tick), done.eq(done | any_fired), begins.eq(1),
                         any_fired.eq(0)]
        with m.If(self.image):
            m.d.sync += [tick.eq(0), latest.eq(0), done.eq(0), self.number.eq(self.number + 1)]
        m.d.comb += self.decided.eq(done if self.stop_early else Const(0))
        o = self.o
        m.d.comb += [queue.w_en.eq(now), queue.w_data.eq(answer), o.valid.eq(queue.r_rdy), o.payload.eq(queue.r_data),
                     queue.r_en.eq(o.ready)]
        m.d.sync += self.room.eq(queue.level < 2 * QUEUE - 4)
        return m
