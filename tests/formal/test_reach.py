"""What is proved of loads is not empty: images are loaded in simulation, with all claims watched."""

from contextlib import ExitStack

import bus_proofs
import load_proofs
import pytest
from amaranth.hdl import Signal, Value
from amaranth.sim import Simulator
from bus_proofs import Answers
from inside import replaced
from load_proofs import Commits, Halves
from proofs import ONE, PROOFS, planted

from golden.regmap import REGISTERS, parameter_address
from rtl.host import control, image
from rtl.host.top import NetworkTop

BEGIN, COMMIT, SCRATCH = (REGISTERS[name].offset for name in ("load_begin", "load_commit", "scratch"))
WORDS = [(parameter_address(bank.number, word), 5) for bank in ONE.layout() for word in bank.words]
SUM = 77


def loaded(words, check: int = SUM) -> list:
    """The writes of a load."""
    return [(BEGIN, 1), *words, (COMMIT, check)]


def simulate(dut, host) -> None:
    """Run `host` (a coroutine of ctx and a write) against a component for a proof, whose claims hold in every cycle."""
    claims, broken = [], []

    def claim(condition):
        """In the place of Assert and Assume, which a simulator meets in the middle of a cycle, too."""
        claims.append(Signal(name=f"claim{len(claims)}"))
        return claims[-1].eq(Value.cast(condition).bool())

    async def write(ctx, addr: int, data: int, patience: int | None = None) -> bool:
        """Whether a write was acknowledged; patience: cycles after which it is withdrawn."""
        for name, value in (("addr", addr), ("w_data", data), ("write", 1)):
            ctx.set(getattr(dut, f"bus_{name}"), value)
        cycles = acked = 0
        while not acked and cycles != patience:
            *_, acked = await ctx.tick().sample(dut.unit.bus.ack)
            cycles += 1
        ctx.set(dut.bus_write, 0)
        await ctx.tick().repeat(1 if acked else 5)
        return bool(acked)

    async def bench(ctx):
        if hasattr(dut, "any_sum"):
            ctx.set(dut.any_sum, SUM)
        await host(ctx, write)

    async def watch(ctx):
        async for _, _, *held in ctx.tick().sample(*claims):
            broken.append(held.count(0))

    with ExitStack() as stack:
        for module in (bus_proofs, load_proofs):
            stack.enter_context(replaced(module, Assert=claim, Assume=claim))
        simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    assert broken
    assert not any(broken), f"claims do not hold: {sum(broken)} times"


@pytest.mark.parametrize(("writes", "right"), [
    (loaded(WORDS), True), (loaded(WORDS, SUM + 1), False), (loaded(WORDS[1:]), False),
    (loaded([*WORDS, WORDS[0]]), False), (loaded(WORDS)[1:], False), (loaded([*WORDS[1:], WORDS[1]]), True)],
    ids=["right", "another checksum", "a word short", "a word too many", "not begun", "any words with that checksum"])
def test_an_image_comes_into_force(writes, right):
    dut = Commits(ONE, image=image)

    async def host(ctx, write):
        for each in writes:
            assert await write(ctx, *each)
        await ctx.tick().repeat(dut.unit.info.settle + 1)
        assert ctx.get(dut.unit.want_half) == right
        assert ctx.get(dut.told["loader"].loaded) == right

    simulate(dut, host)


def two_loads(image):
    """A load behind a load, of a whole circuit."""
    async def host(ctx, write):
        for each in loaded(WORDS) * 2:
            assert await write(ctx, *each)
        await ctx.tick().repeat(20)
        assert ctx.get(dut.unit.core.half) == 0
        assert ctx.get(dut.told["loader"].loaded)

    dut = Halves(NetworkTop(ONE), image=image)
    simulate(dut, host)


def test_no_write_reaches_the_half_in_force():
    two_loads(image)
    bug = next(each for each in PROOFS if each.claim.startswith("host.top.NetworkTop"))
    with pytest.raises(AssertionError, match="^claims do not hold"):
        two_loads(planted(bug))


def test_a_begin_that_is_withdrawn_is_forgotten():
    dut = Answers(control, ONE)

    async def host(ctx, write):
        # the image stays out of force, as the half does not follow
        await write(ctx, BEGIN, 1)
        for addr, data in WORDS:
            await write(ctx, addr, data)
        await write(ctx, COMMIT, ctx.get(dut.told["loader"].crc.crc))
        assert not await write(ctx, BEGIN, 1, patience=dut.ack_cycles + 1)
        assert await write(ctx, SCRATCH, 3)
        assert await write(ctx, *WORDS[0])

    dut.spies += ("loader",)
    simulate(dut, host)
