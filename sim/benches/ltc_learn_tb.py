"""TaughtCore against golden.ltc.learn through its streams: outputs of ticks that learn, and weights read back."""

import cocotb
import numpy as np

from golden.ltc import learn, taught
from golden.ltc.engine import random_params
from golden.ltc.network import LtcNetwork
from golden.ltc.teacher import FRESH_BIT
from golden.regmap import WORD_BITS
from sim.drivers import PATTERNS, Stream, cycles, image_writes, load_parameters, pack, settings, start, unpack

TICKS, HALVE = 3, 1


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(pattern_in=PATTERNS, pattern_out=PATTERNS)
async def equals_golden(dut, pattern_in, pattern_out):
    """Every word of ticks of all streams, and behind them the last word of every bank."""
    net, rng = LtcNetwork.from_json(settings()["network"]), np.random.default_rng(7)
    operand, params, width = net.layers[0].operand, random_params(net, rng), settings()["word"]
    state, noise, words, wanted = learn.start(net, params), learn.registers(net), [], []
    for n in range(TICKS * net.streams):
        x, label = rng.integers(operand.min, operand.max + 1, net.inputs), int(rng.integers(net.outputs))
        fresh, moves, teach = n < net.streams or rng.random() < 0.2, *(bool(flag) for flag in rng.random(2) < 0.8)
        state, out = learn.learn_tick(state, n % net.streams, x, label, net, fresh=fresh, learn=moves, teach=teach,
                                      halve=HALVE, noise=noise)
        wanted += np.ravel(out.y).tolist()
        words += [pack((int(word), not words and not k, moves, teach), (width, 1, 1, 1))
                  for k, word in enumerate([*x, label | fresh << FRESH_BIT])]
    await start(dut)
    cocotb.start_soon(Stream(dut, "o").watch_hold())
    # what an image leaves out may be anything, but known to a simulator
    held = max(taught.depth(net.layers[0]), taught.readout_depth(net.readout))
    anything = [(bank.number, at, int(rng.integers(1 << WORD_BITS))) for bank in net.layout() for at in range(held)]
    await load_parameters(dut, anything + image_writes(net, params), half=0, settle=settings()["settle"])
    for port, value in ((dut.want_half, 1), (dut.learning, 1), (dut.halve, HALVE)):
        port.value = value
    await cycles(dut, 2)
    source = cocotb.start_soon(Stream(dut, "i").send(words, pattern=pattern_in))
    found, _ = await Stream(dut, "o").receive(len(wanted), pattern=pattern_out)
    await source
    fmt = net.readout.state.width
    for n, (word, want) in enumerate(zip(found, wanted, strict=True)):
        assert unpack(word, (fmt,)) == [want], f"word {n % net.outputs} of tick {n // net.outputs}"
        assert word >> fmt == (n % net.outputs == net.outputs - 1)
    for bank, own in zip(net.layout(), net.pack(state.params), strict=True):
        at = bank.words[-1]
        assert await _probed(dut, bank.number, at) == int(own[at]), f"word {at} of bank {bank.number}"


async def _probed(dut, bank: int, word: int) -> int:
    """A weight that is read back."""
    for port, value in ((dut.probe_bank, bank), (dut.probe_addr, word), (dut.probe, 1)):
        port.value = value
    await cycles(dut)
    dut.probe.value = 0
    while not int(dut.probe_valid.value):
        await cycles(dut)
    return unpack(int(dut.probe_data.value), (WORD_BITS,))[0]
