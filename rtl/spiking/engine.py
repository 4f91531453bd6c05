"""A layer of spiking neurons as an engine: tokens in, micro-operations to the lanes, tokens or an answer out.

    tokens -> [Issue] -> source hash, addresses -> [LaneGroup] -> [LaneGroup] ... -> spikes of an update
           -> [Serializer] -> tokens of the layer above       or       [Decision] -> label and tick

A token is a spike of a line, the end of a tick, or the end of an image. A spike takes `folds` cycles, an update of all
neurons as many, at least Neuron.SPACING; clearing takes a cycle for every accumulator of a lane, and as long at least.
"""

from enum import IntEnum

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spiking.layer import GROUP, SpikingLayer
from rtl.host.core import read_members
from rtl.pipeline import ParameterBus, Relay, join, later
from rtl.spiking.lanes import Kind, Lane, LaneGroup, Neuron, fetch_cycles, fold_bits, operation
from rtl.spiking.readback import hand_on
from rtl.units.weights import SourceHash

#: vectors of spikes, or answers, that may wait before a layer stops
QUEUE = 8
#: bits of the number that tells the images in flight apart
IMAGE_BITS = 8


class Token(IntEnum):
    """What happens next in a stream of spikes."""

    SPIKE = 0
    TICK = 1
    IMAGE = 2


def token_layout(lines: int) -> data.StructLayout:
    """A token: kind; source, the line of a spike."""
    return data.StructLayout({"kind": unsigned(2), "source": unsigned(max(1, (lines - 1).bit_length()))})


class Issue(wiring.Component):
    """Turns tokens into micro-operations, one a cycle.

    Parameters: layer; rest, cycles that clearing takes at least.
    Members
      i                     tokens
      room                  whether the spikes of one more update, or the end of an image, can be taken
      decided, number       image `number` is decided: drop the rest of it
      op, addr, source      LATENCY cycles later: micro-operation, word of the synapses, line
      update, last, image   with `op`: it updates neurons; the last of the tick; the image has ended
    """

    LATENCY = 2

    def __init__(self, layer: SpikingLayer, *, rest: int = 0):
        self.layer, self.rest = layer, rest
        super().__init__({
            "i": In(stream.Signature(token_layout(layer.inputs))), "room": In(1), "decided": In(1),
            "number": In(IMAGE_BITS), "op": Out(operation(layer)), "addr": Out(addr_bits(layer)),
            "source": Out(token_layout(layer.inputs)["source"].shape),
            "update": Out(1), "last": Out(1), "image": Out(1)})

    def elaborate(self, platform):
        m = Module()
        layer = self.layer
        updates = max(layer.folds, Neuron.SPACING[layer.order])
        # the first update behind reads what the first clear has written
        clears = max(layer.folds << layer.delay_bits, Neuron.SPACING[layer.order], self.rest)
        cycles = {Token.SPIKE: layer.folds, Token.TICK: updates, Token.IMAGE: clears}
        step, fold = Signal(range(max(updates, clears)), name="step"), Signal(fold_bits(layer), name="fold")
        now, slot = Signal(layer.delay_bits), Signal(layer.delay_bits)
        offset, number = Signal(addr_bits(layer)), Signal(IMAGE_BITS)
        # a reset does not touch memories: the first thing to do is to clear them
        begin = Signal(init=1, name="begin")
        relay = self._relay(m, begin)
        token = relay.o.payload
        is_spike, is_tick, ends = token.spike, token.tick, token.image
        is_image = begin | ends
        # where in a token this cycle is: registers, as comparisons of `step` would be in the longest path
        starts = Signal(init=1, name="starts")
        lasts = [Signal(init=count == 1, name=f"lasts_{kind.name.lower()}") for kind, count in cycles.items()]
        dropped, go, final, over = Signal(), Signal(), Signal(), Signal()
        # a cycle late, for the same reason: what is done in between changes no answer
        m.d.sync += over.eq(self.decided & (self.number == number))
        m.d.comb += [dropped.eq(over & (is_spike | is_tick) & starts),
                     go.eq(is_spike | ((is_tick | is_image) & (~starts | self.room | begin))),
                     final.eq(Mux(is_spike, lasts[Token.SPIKE], Mux(is_tick, lasts[Token.TICK], lasts[Token.IMAGE]))),
                     # go and final, without `begin`, in which there is no token
                     relay.o.ready.eq(dropped | (is_spike & lasts[Token.SPIKE]) | ((~starts | self.room) & (
                         (is_tick & lasts[Token.TICK]) | (ends & lasts[Token.IMAGE]))))]
        # steps behind the last neuron only pass time
        is_real = is_image | (step < layer.folds)
        kind = Mux(is_spike, Kind.SPIKE, Mux(is_tick, Kind.UPDATE, Kind.CLEAR))
        m.d.sync += [self.op.kind.eq(Mux(go & ~dropped & is_real, kind, Kind.NONE)), self.op.fold.eq(fold),
                     self.op.slot.eq(Mux(is_image, slot, now)), self.addr.eq(token.source + offset),
                     self.source.eq(token.source), self.update.eq(go & ~dropped & is_tick & is_real),
                     self.last.eq(step == layer.folds - 1), self.image.eq(ends & go & starts)]
        with m.If(go & ~dropped):
            m.d.sync += [step.eq(step + 1), offset.eq(offset + layer.inputs), fold.eq(fold + 1), starts.eq(0)]
            m.d.sync += [lasts[kind].eq(step == count - 2) for kind, count in cycles.items() if count > 1]
            with m.If(fold == layer.folds - 1):
                m.d.sync += [fold.eq(0), slot.eq(slot + is_image)]
            with m.If(final):
                m.d.sync += [step.eq(0), offset.eq(0), fold.eq(0), slot.eq(0), now.eq(now + is_tick),
                             number.eq(number + ends), begin.eq(0)]
                m.d.sync += [starts.eq(1), *(lasts[kind].eq(count == 1) for kind, count in cycles.items())]
                with m.If(ends):
                    m.d.sync += over.eq(0)
        return m

    def _relay(self, m, begin):
        """The token at hand, with a bit for each kind, which is 0 where there is none; none comes before `begin`."""
        i = self.i
        m.submodules.relay = relay = Relay(data.StructLayout(
            {kind.name.lower(): 1 for kind in Token} | {"source": len(i.payload.source)}))
        m.d.comb += [relay.i.valid.eq(i.valid & ~begin), i.ready.eq(relay.i.ready & ~begin),
                     relay.i.payload.source.eq(i.payload.source)]
        m.d.comb += [relay.i.payload[kind.name.lower()].eq(relay.i.valid & (i.payload.kind == kind)) for kind in Token]
        return relay


class SpikingEngine(wiring.Component):
    """Issue and lanes of one layer.

    Parameters: layer; vendor; bank0, number of the first bank; rest as for Issue; spiking as for Lane; scrubs as for a
    LaneGroup, with its members.
    Members
      i, room, decided, number   as for Issue
      params, seed               loads of synapses; seed of the weights
      issued                     a cycle for each `update` or `image` that will come
      update                     `fired` and `x` hold spikes and membranes of the lanes in `fold`; `last` of this tick
      image                      an image has ended
    x is there where one group holds all lanes.
    """

    def __init__(self, layer: SpikingLayer, *, vendor: str, bank0: int, rest: int = 0, spiking: bool,
                 scrubs: bool = False):
        self.layer, self.vendor, self.bank0, self.rest, self.spiking = layer, vendor, bank0, rest, spiking
        self.scrubs = scrubs
        self.groups = -(-layer.lanes // GROUP)
        hashed = SourceHash.LATENCY if layer.regenerates else 0
        self._hashed = hashed
        #: cycles from `issued` to what was asked for
        self.latency = hashed + self.groups + fetch_cycles(layer) + Lane.LATENCY
        super().__init__({
            "i": In(stream.Signature(token_layout(layer.inputs))), "room": In(1), "decided": In(1),
            "number": In(IMAGE_BITS), "params": In(ParameterBus()), "seed": In(32), "issued": Out(1),
            "update": Out(1), "fired": Out(layer.lanes), "fold": Out(fold_bits(layer)), "last": Out(1), "image": Out(1),
            "x": Out(signed(layer.state.width)).array(layer.lanes if self.groups == 1 else 0)}
            | (read_members() if scrubs else {}))

    def elaborate(self, platform):
        m = Module()
        layer, word = self.layer, Const(0, 32)
        m.submodules.issue = issue = Issue(layer, rest=self.rest)
        wiring.connect(m, wiring.flipped(self.i), issue.i)
        m.d.comb += [issue.room.eq(self.room), issue.decided.eq(self.decided), issue.number.eq(self.number),
                     self.issued.eq(issue.update | issue.image)]
        if layer.regenerates:
            m.submodules.hash = source = SourceHash()
            m.d.comb += [source.seed.eq(self.seed), source.source.eq(issue.source)]
            word = source.word
        op = later(m, issue.op.as_value(), self._hashed, name="op", reset_less=False)
        addr = later(m, issue.addr, self._hashed, name="addr")
        params, fired, groups = self.params, [], []
        for n in range(self.groups):
            m.submodules[f"group{n}"] = group = LaneGroup(
                layer, first=n * GROUP, count=min(GROUP, layer.lanes - n * GROUP),
                bank0=self.bank0 + layer.bank_first.index(n * GROUP), vendor=self.vendor, spiking=self.spiking,
                scrubs=self.scrubs)
            groups.append(group)
            m.d.comb += [group.i_op.eq(op), group.i_addr.eq(addr), group.i_word.eq(word)]
            join(m, group.i_params, params)
            op, addr, word, params = group.o_op.as_value(), group.o_addr, group.o_word, group.o_params
            fired.append(later(m, group.fired, self.groups - 1 - n, name=f"fired{n}"))
        if self.scrubs:
            hand_on(m, self, groups)
        if self.groups == 1:
            m.d.comb += [x.eq(y) for x, y in zip(self.x, group.x, strict=True)]
        for name in ("update", "last", "image"):
            m.d.comb += getattr(self, name).eq(later(m, getattr(issue, name), self.latency, name=name,
                                                     reset_less=False))
        m.d.comb += self.fold.eq(later(m, issue.op.fold, self.latency, name="fold"))
        # in the last fold lanes may have no neuron: what they do is nobody's business
        neurons = layer.outputs - (layer.folds - 1) * layer.lanes
        there = Mux(self.fold == layer.folds - 1, (1 << neurons) - 1, (1 << layer.lanes) - 1)
        m.d.comb += self.fired.eq(Cat(fired) & there)
        return m


def addr_bits(layer: SpikingLayer) -> int:
    """Bits of the address of a word of synapses."""
    return max(1, (layer.bank_depth - 1).bit_length())


class Serializer(wiring.Component):
    """Vectors of spikes to tokens, one a cycle: the lines of a tick, then its end.

    Members: issued, update, fired, fold, last, image as SpikingEngine gives them; room; o, tokens.
    """

    #: lines that are looked at together
    CHUNK = 16
    #: cycles from an update to its first token where nothing waits
    LATENCY = 8

    def __init__(self, layer: SpikingLayer):
        self.layer, self.chunks = layer, -(-layer.lanes // self.CHUNK)
        super().__init__({
            "issued": In(1), "update": In(1), "fired": In(layer.lanes), "fold": In(fold_bits(layer)), "last": In(1),
            "image": In(1), "room": Out(1), "o": Out(stream.Signature(token_layout(layer.outputs)))})

    def elaborate(self, platform):
        m = Module()
        layer, size = self.layer, self.CHUNK
        vector = data.StructLayout({"fired": self.chunks * size, "some": self.chunks, "fold": fold_bits(layer),
                                    "last": 1, "image": 1})
        # room comes three cycles after it was asked for
        depth = QUEUE + layer.folds + 3
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=vector.size, depth=depth)
        came, comes, coming, asked = Signal(vector), Signal(), Signal(vector), Signal(range(depth + 1))
        m.d.sync += [came.fired.eq(Mux(self.image, 0, self.fired)), came.fold.eq(self.fold),
                     came.last.eq(self.last | self.image), came.image.eq(self.image),
                     comes.eq(self.update | self.image)]
        m.d.comb += [coming.eq(came), coming.some.eq(Cat(came.fired.word_select(n, size).any()
                                                         for n in range(self.chunks))),
                     queue.w_en.eq(comes), queue.w_data.eq(coming)]
        m.d.sync += [asked.eq(asked + self.issued - (queue.r_en & queue.r_rdy)), self.room.eq(asked < QUEUE)]
        # a queue between the two steps keeps their handshakes apart
        chunk = data.StructLayout({"lines": size, "base": len(self.o.payload.source), "end": 1, "image": 1})
        m.submodules.chunks = between = fifo.SyncFIFOBuffered(width=chunk.size, depth=4)
        self._chunks(m, queue, vector, between, chunk)
        self._lines(m, between, chunk)
        return m

    def _chunks(self, m, queue, vector, between, chunk):
        """The chunks of a vector that hold spikes, one a cycle; the last one brings the end of the tick."""
        layer, chunks = self.layer, self.chunks
        held, valid, left = Signal(vector), Signal(), Signal(chunks)
        # registers: the choice of a chunk and what it chooses are not in one path
        place, final, some = Signal(range(max(2, chunks))), Signal(), Signal()
        sending, sent, spent = Signal(chunk), Signal(), Signal()
        first = Array(fold * layer.lanes for fold in range(layer.folds))[held.fold]
        m.d.comb += [spent.eq(~some & ~held.last), sent.eq(valid & ~spent & between.w_rdy), queue.r_en.eq(~valid),
                     sending.lines.eq(held.fired.word_select(place, self.CHUNK)),
                     sending.end.eq(held.last & final), sending.image.eq(held.image),
                     sending.base.eq(first + (place << self.CHUNK.bit_length() - 1)),
                     between.w_data.eq(sending), between.w_en.eq(sent)]
        # a cycle between two vectors: taking the next with the last chunk would be the longest path, into all its bits
        new = vector(queue.r_data)
        among, after = Signal(chunks), Signal(chunks)
        m.d.comb += [among.eq(Mux(valid, left, new.some)), after.eq(among & (among - 1))]
        with m.If(~valid | sent | spent):
            m.d.sync += [left.eq(after), final.eq(after == 0), some.eq(among.any())]
            for n in reversed(range(chunks)):
                with m.If(among[n]):
                    m.d.sync += place.eq(n)
        with m.If(~valid):
            m.d.sync += [valid.eq(queue.r_rdy), held.eq(new)]
        with m.Elif(sent | spent):
            m.d.sync += valid.eq(~final)

    def _lines(self, m, between, chunk):
        """The lines of a chunk, one a cycle."""
        layer, size = self.layer, self.CHUNK
        now, now_valid, rest = Signal(chunk), Signal(), Signal(size)
        line, taken, done = Signal(range(size)), Signal(), Signal()
        for n in reversed(range(size)):
            with m.If(now.lines[n]):
                m.d.comb += line.eq(n)
        is_end = ~now.lines.any()
        # whole chunks begin at multiples of their size: there is no sum then
        whole = layer.folds == 1 or layer.lanes % size == 0
        m.submodules.tokens = out = Relay(self.o.payload.shape())
        token = Signal(self.o.payload.shape())
        m.d.comb += [rest.eq(now.lines & (now.lines - 1)), done.eq(is_end | (~rest.any() & ~now.end)),
                     taken.eq(~now_valid | (out.i.ready & done)), between.r_en.eq(taken),
                     token.source.eq(now.base | line if whole else now.base + line),
                     token.kind.eq(Mux(is_end, Mux(now.image, Token.IMAGE, Token.TICK), Token.SPIKE)),
                     out.i.payload.eq(token), out.i.valid.eq(now_valid)]
        wiring.connect(m, out.o, wiring.flipped(self.o))
        with m.If(taken):
            m.d.sync += [now_valid.eq(between.r_rdy), now.eq(between.r_data)]
        with m.Elif(out.i.ready):
            m.d.sync += now.lines.eq(rest)


def answer_layout() -> data.StructLayout:
    """An answer: label; tick in which it was decided; fired, whether an output spiked."""
    return data.StructLayout({"label": unsigned(8), "tick": unsigned(8), "fired": unsigned(1)})


class Decision(wiring.Component):
    """Label and tick of each image from spikes and membranes of the outputs, golden.spiking.engine.decide.

    Members: issued, update, fired, x, image as SpikingEngine gives them; room; decided, number: image `number` needs
    nothing more; o, answers.
    """

    def __init__(self, layer: SpikingLayer, *, stop_early: bool):
        self.layer, self.stop_early = layer, stop_early
        super().__init__({
            "issued": In(1), "update": In(1), "fired": In(layer.outputs), "image": In(1),
            "x": In(signed(layer.state.width)).array(layer.outputs), "room": Out(1), "decided": Out(1),
            "number": Out(IMAGE_BITS), "o": Out(stream.Signature(answer_layout()))})

    @staticmethod
    def rest(layer: SpikingLayer) -> int:
        """Cycles that two decisions are apart at least."""
        return layer.outputs + 4

    @staticmethod
    def latency(layer: SpikingLayer) -> int:
        """Cycles from what decides an image to its answer where none waits."""
        return layer.outputs + 3

    def elaborate(self, platform):
        m = Module()
        layer, outputs = self.layer, self.layer.outputs
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=answer_layout().size, depth=2 * QUEUE)
        tick, latest, done = Signal(8), Signal(8), Signal()
        held = [Signal(signed(layer.state.width), name=f"x{n}", reset_less=True) for n in range(outputs)]
        # one output a cycle: the largest membrane among those that count
        scan = [Signal.like(x, name=f"scan{n}") for n, x in enumerate(held)]
        among, step, busy = Signal(outputs), Signal(range(outputs)), Signal()
        best, found, answer = Signal(signed(layer.state.width)), Signal(), Signal(answer_layout())
        begin, fired = Signal(), Signal()
        m.d.comb += [fired.eq(self.update & self.fired.any() & ~done), begin.eq(fired | (self.image & ~done))]
        with m.If(self.update):
            m.d.sync += [tick.eq(tick + 1), latest.eq(tick), done.eq(done | fired)]
            m.d.sync += [x.eq(new) for x, new in zip(held, self.x, strict=True)]
        with m.If(self.image):
            m.d.sync += [tick.eq(0), latest.eq(0), done.eq(0), self.number.eq(self.number + 1)]
        if self.stop_early:
            m.d.comb += self.decided.eq(done)
        with m.If(begin):
            m.d.sync += [busy.eq(1), step.eq(0), found.eq(0), answer.fired.eq(fired),
                         answer.tick.eq(Mux(fired, tick, latest)), among.eq(Mux(fired, self.fired, -1))]
            m.d.sync += [s.eq(Mux(fired, new, old)) for s, new, old in zip(scan, self.x, held, strict=True)]
        with m.If(busy):
            m.d.sync += [s.eq(after) for s, after in zip(scan, scan[1:], strict=False)]
            m.d.sync += [among.eq(among >> 1), step.eq(step + 1)]
            with m.If(among[0] & (~found | (scan[0] > best))):
                m.d.sync += [found.eq(1), best.eq(scan[0]), answer.label.eq(step)]
            with m.If(step == outputs - 1):
                m.d.sync += busy.eq(0)
        ready = later(m, busy & (step == outputs - 1), 1, name="ready", reset_less=False)
        o = self.o
        m.d.comb += [queue.w_en.eq(ready), queue.w_data.eq(answer), o.valid.eq(queue.r_rdy),
                     o.payload.eq(queue.r_data), queue.r_en.eq(o.ready)]
        # answers may come early: QUEUE of them never hold up the end of an image
        m.d.sync += self.room.eq(queue.level < 2 * QUEUE - 4)
        return m
