"""LtcCore against golden.ltc.engine through its streams, with stalls on both sides and the hold rule watched."""

import cocotb
import numpy as np

from golden.ltc.engine import random_params
from golden.ltc.network import LtcNetwork
from sim.drivers import PATTERNS, Stream, cycles, image_writes, load_parameters, pack, settings, start, unpack

SEQUENCES, TICKS = 2, 3


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(pattern_in=PATTERNS, pattern_out=PATTERNS)
async def equals_golden(dut, pattern_in, pattern_out):
    """Every word and every mark of the last word, sequence after sequence."""
    net, rng = LtcNetwork.from_json(settings()["network"]), np.random.default_rng(4)
    operand, state, params = net.layers[0].operand, net.readout.state, random_params(net, rng)
    x = rng.integers(operand.min, operand.max + 1, (SEQUENCES, TICKS, net.inputs))
    await start(dut)
    cocotb.start_soon(Stream(dut, "o").watch_hold())
    await load_parameters(dut, image_writes(net, params), half=1, settle=settings()["settle"])
    dut.want_half.value = 1
    await cycles(dut, 2)
    words = [pack((word,), (operand.width,)) | (n % (TICKS * net.inputs) == 0) << operand.width
             for n, word in enumerate(x.ravel())]
    source = cocotb.start_soon(Stream(dut, "i").send(words, pattern=pattern_in))
    found, _ = await Stream(dut, "o").receive(SEQUENCES * TICKS * net.outputs, pattern=pattern_out)
    await source
    for n, (word, want) in enumerate(zip(found, net.run(params, x).ravel(), strict=True)):
        where = f"word {n % net.outputs} of tick {n // net.outputs}"
        assert unpack(word, (state.width,)) == [want], f"{where}: {unpack(word, (state.width,))}, expected {want}"
        assert word >> state.width == (n % net.outputs == net.outputs - 1), f"{where}: wrong mark of the last word"
