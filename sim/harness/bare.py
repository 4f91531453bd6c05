"""A core without its registers, for the scripts of sim.harness.script: words go in and out as fast as it takes them.

Accesses mean what they mean on a bus (golden.regmap), but words wait in a queue, so that ticks follow one another
without a gap and tokens without a pause. Images come into force without a checksum.
"""

from collections import deque

from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from golden.fixed import wrap
from golden.image import parameter_words
from golden.regmap import (
    BANK_SHIFT,
    FIRST_BIT,
    INPUT,
    LAST_BIT,
    LEARN_BIT,
    OUTPUT,
    PARAMETER_BASE,
    REGISTERS,
    TEACH_BIT,
    VALID_BIT,
    WORD_MASK,
)
from sim.engine import Engine
from sim.harness.device import SimulationError
from sim.harness.script import PATIENCE, Access, Answer, Idle
from sim.pysim import PERIOD, stalls

_NAMES = {register.offset: name for name, register in REGISTERS.items()}
#: words that wait in front of the core
_QUEUE = 40
#: cycles between two words of an image while weights learn: rtl.host.control takes as many, and a port relies on them
_APART = 12


class Bare:
    """A core in Amaranth's simulator.

    Parameters: core; pace_in, pace_out, patterns of sim.pysim.stalls, from seed; seen, a list for (layer, kind, line)
    of the tokens of hidden layers, or None. Attributes: cycles, clock cycles so far.
    """

    def __init__(self, core, *, pace_in: str, pace_out: str, seed: str, seen: list | None = None):
        self.core, self.net, self.cycles, self.seen = core, core.net, 0, seen
        self.pauses = stalls(pace_in, f"{seed} in"), stalls(pace_out, f"{seed} out")
        self.waiting, self.came, self.wanted, self.button = deque(), 0, False, Signal(name="button")
        self.learns = self.net.teacher is not None
        fingerprint = int(self.net.fingerprint, 16)
        self.held = dict.fromkeys(REGISTERS, 0) | {
            "fingerprint_low": fingerprint & 0xFFFFFFFF, "shape": self.net.inputs | self.net.outputs << 16,
            "parameter_words": parameter_words(self.net), "output_ticks": core.output_ticks}
        self.loaded = self.learnt = self.offered = self.pressed = False
        self.stalled, self.ready, self.ticks = None, None, None
        self.events = [core.tick, core.lost] + ([core.overflow, core.moved] if self.learns else [])
        if seen is not None:
            self.events += [getattr(tokens, name) for tokens in core.seen for name in ("valid", "kind", "source")]

    def run(self, host) -> int:
        """Run the generator `host`; the clock cycles that it took."""
        async def bench(ctx):
            core, answer = self.core, None
            self.ticks = aiter(ctx.tick().sample(core.i.ready, core.o.valid, core.o.p.y, core.o.p.last, *self.events))
            while True:
                try:
                    request = host.send(answer)
                except StopIteration:
                    return
                answer = None
                if isinstance(request, Access):
                    answer = Answer(await self._access(ctx, request), False)
                elif isinstance(request, Idle):
                    await self._cycles(ctx, request.cycles)
                else:
                    await self._reset(ctx, request.cycles)

        simulator = Simulator(ResetInserter(self.button)(self.core), engine=Engine)
        simulator.add_clock(PERIOD)
        simulator.add_testbench(bench)
        simulator.run()
        return self.cycles

    async def _cycles(self, ctx, count: int = 1):
        for _ in range(count):
            await self._cycle(ctx)

    async def _cycle(self, ctx):
        core, (pause_in, pause_out) = self.core, self.pauses
        if self.waiting and not self.offered and not next(pause_in):
            ctx.set(core.i.payload, self.waiting[0])
            ctx.set(core.i.valid, 1)
            self.offered = True
        ready = self.wanted and not next(pause_out)
        if ready != self.ready:
            ctx.set(core.o.ready, ready)
            self.ready = ready
        _, _, taken, valid, y, last, tick, lost, *rest = await anext(self.ticks)
        self.cycles += 1
        if self.offered and taken:
            self.waiting.popleft()
            ctx.set(core.i.valid, 0)
            self.offered = False
        if self.stalled not in (None, (valid, y, last)):
            raise SimulationError(f"the output was {self.stalled} and stalled, then came {(valid, y, last)}")
        self.stalled = (valid, y, last) if valid and not ready and not self.pressed else None
        if valid and ready:
            self.came = y & WORD_MASK | last << LAST_BIT | 1 << VALID_BIT
        self.held["ticks"] += tick
        self.held["lost"] |= lost
        if self.learns:
            self.held["overflow"] |= rest[0]
            self.learnt |= bool(rest[1])
        elif self.seen is not None:
            self.seen += [(n // 3, rest[n + 1], rest[n + 2]) for n in range(0, len(rest), 3) if rest[n]]

    async def _until(self, ctx, what: str, condition):
        for _ in range(PATIENCE):
            if condition():
                return
            await self._cycle(ctx)
        raise SimulationError(f"{what}: not in {PATIENCE} cycles")

    async def _access(self, ctx, request) -> int:
        write, addr, data = request.write, request.addr, request.data
        if addr == OUTPUT:
            self.came, self.wanted = 0, True
            await self._cycle(ctx)
            self.wanted = False
            return self.came
        if addr == INPUT:
            payload = {"x": data & WORD_MASK, "first": data >> FIRST_BIT & 1}
            if self.net.END is None:    # words are signed
                payload["x"] = wrap(payload["x"], 18)
            if self.learns:
                payload |= {"learn": data >> LEARN_BIT & 1, "teach": data >> TEACH_BIT & 1}
            self.waiting.append(payload)
            await self._until(ctx, "room for a word", lambda: len(self.waiting) < _QUEUE)
            return 0
        # whatever was sent before is in
        await self._until(ctx, "a word taken", lambda: not self.waiting)
        if addr >= PARAMETER_BASE:
            return await (self._parameter(ctx, addr, data) if write else self._probe(ctx, addr))
        return await self._register(ctx, _NAMES[addr], write, data)

    async def _parameter(self, ctx, addr, data):
        bus = self.core.params
        for name, value in (("bank", addr >> BANK_SHIFT & 0xFFF), ("addr", addr & 0x3FFF), ("data", data),
                            ("half", 1 - ctx.get(self.core.half)), ("en", 1)):
            ctx.set(getattr(bus, name), value)
        await self._cycle(ctx)
        ctx.set(bus.en, 0)
        if self.learns and ctx.get(self.core.busy):
            await self._cycles(ctx, _APART)
        return 0

    async def _probe(self, ctx, addr):
        core = self.core
        ctx.set(core.probe_bank, addr >> BANK_SHIFT & 0xFFF)
        ctx.set(core.probe_addr, addr & 0x3FFF)
        ctx.set(core.probe, 1)
        await self._cycle(ctx)
        ctx.set(core.probe, 0)
        await self._until(ctx, "a word that learns", lambda: ctx.get(core.probe_valid))
        return ctx.get(core.probe_data) & WORD_MASK

    async def _register(self, ctx, name, write, data):
        core = self.core
        await self._cycle(ctx)
        if name == "status":
            running = self.learns and ctx.get(core.running)
            return self.loaded | ctx.get(core.busy) << 3 | self.learnt << 4 | running << 5
        if not write:
            return self.held[name]
        if name == "load_commit":
            await self._cycles(ctx, self.net.lanes + 2 * len(self.net.layers) + 10)
            wanted = 1 - ctx.get(core.half)
            ctx.set(core.want_half, wanted)
            await self._until(ctx, "an image in force", lambda: ctx.get(core.half) == wanted)
            self.loaded, self.learnt = True, False
        elif name == "learning":
            ctx.set(core.learning, data)
        elif name == "halvings":
            ctx.set(core.halve, data)
        elif name in ("overflow", "lost", "errors"):
            self.held[name] &= ~data
        return 0

    async def _reset(self, ctx, cycles):
        self.waiting.clear()
        ctx.set(self.core.i.valid, 0)
        if self.learns:
            ctx.set(self.core.learning, 0)
            ctx.set(self.core.halve, 0)
        ctx.set(self.button, 1)
        self.offered, self.stalled, self.pressed = False, None, True
        await self._cycles(ctx, cycles)
        ctx.set(self.button, 0)
        self.pressed = self.loaded = False
        self.held |= {"ticks": 0, "lost": 0, "overflow": 0}
