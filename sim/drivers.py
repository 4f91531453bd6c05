"""What cocotb benches share: clock and reset, sources, sinks, the hold rule, and the bus.

Everything happens at the falling edge: drive, let the logic settle, sample. What is sampled is what the next rising
edge sees, on every simulator alike.
"""

import json
import os

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly
from cocotb.utils import get_sim_time

from golden import systems
from golden.description import Description
from golden.fixed import wrap
from golden.image import build_image
from golden.regmap import BANK_SHIFT, INPUT, LAST_BIT, OUTPUT, REGISTERS, VALID_BIT
from sim.cocotb_run import VARIABLE
from sim.pysim import stalls

PERIOD = 10  # ns
PATTERNS = ("none", "random", "bursts")


def settings() -> dict:
    """The parameters that run_bench was given."""
    return json.loads(os.environ[VARIABLE])


def layer_setting():
    """The one layer of the network in the parameter `network`."""
    return systems.parse(settings()["network"]).layers[0]


async def start(dut) -> None:
    """Start the clock, clear all inputs, pulse the reset, and return at a falling edge."""
    for pin in dut:
        if pin._name not in ("clk", "rst") and _is_input(pin):
            pin.value = 0
    dut.rst.value = 1
    cocotb.start_soon(Clock(dut.clk, PERIOD, unit="ns").start())
    await cycles(dut, 2)
    dut.rst.value = 0


def _is_input(pin) -> bool:
    return pin._name in settings()["inputs"]


async def cycles(dut, count: int = 1) -> None:
    """Wait for `count` falling edges."""
    for _ in range(count):
        await FallingEdge(dut.clk)


def now() -> int:
    """The number of the clock cycle."""
    return int(get_sim_time("ns")) // PERIOD


def pack(words, widths) -> int:
    """Signed words as one payload, the first in the lowest bits."""
    value, shift = 0, 0
    for word, width in zip(words, widths, strict=True):
        value |= (int(word) & ((1 << width) - 1)) << shift
        shift += width
    return value


def unpack(value: int, widths) -> list[int]:
    """The signed words of a payload."""
    found = []
    for width in widths:
        found.append(wrap(value & ((1 << width) - 1), width))
        value >>= width
    return found


class Stream:
    """The pins of one stream of `dut`; `ready` is None where it never stalls."""

    def __init__(self, dut, name: str):
        self.dut, self.name = dut, name
        self.valid, self.payload = getattr(dut, f"{name}_valid"), getattr(dut, f"{name}_payload")
        self.ready = getattr(dut, f"{name}_ready", None)

    async def send(self, payloads, *, pattern: str = "none", seed: str = "source") -> list[int]:
        """Send `payloads` in order; the cycles in which they were taken."""
        pauses, times = stalls(pattern, seed), []
        for payload in payloads:
            while next(pauses):
                await cycles(self.dut)
            self.valid.value, self.payload.value = 1, payload
            taken = False
            while not taken:
                await ReadOnly()
                taken = self.ready is None or self.ready.value == 1
                times += [now()] * taken
                await cycles(self.dut)
            self.valid.value = 0
        return times

    async def receive(self, count: int, *, pattern: str = "none", seed: str = "sink") -> tuple[list[int], list[int]]:
        """Take `count` payloads; also the cycles in which they were taken."""
        pauses, found, times = stalls(pattern, seed), [], []
        while len(found) < count:
            ready = not next(pauses)
            if self.ready is not None:
                self.ready.value = int(ready)
            await ReadOnly()
            if self.valid.value == 1 and (ready or self.ready is None):
                found.append(int(self.payload.value))
                times.append(now())
            await cycles(self.dut)
        if self.ready is not None:
            self.ready.value = 0
        return found, times

    async def watch_hold(self) -> None:
        """Fail when a stalled payload changes or is withdrawn; runs for ever beside a test."""
        held = None
        while True:
            await ReadOnly()
            seen = int(self.payload.value) if self.valid.value == 1 else None
            assert held in (None, seen), f"{self.name}: {held} was stalled, then came {seen}"
            held = seen if self.ready.value == 0 else None
            await cycles(self.dut)


def image_writes(net: Description, params) -> list[tuple[int, int, int]]:
    """(bank, word, data) of every write of an image."""
    return [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(data))
            for addr, data in build_image(net, params).pairs]


async def load_parameters(dut, writes, *, half: int, settle: int) -> None:
    """Write (bank, word, data) triples to the parameter bus of `dut`; the last takes `settle` cycles to arrive."""
    for bank, word, data in writes:
        dut.params_en.value, dut.params_bank.value, dut.params_half.value = 1, bank, half
        dut.params_addr.value, dut.params_data.value = word, data & 0x3FFFF
        await cycles(dut)
    dut.params_en.value = 0
    await cycles(dut, settle)


class Bus:
    """Master of rtl.host.bus.BusSignature on the pins `bus_*`."""

    def __init__(self, dut):
        self.dut = dut

    async def access(self, *, write: bool, addr: int, data: int = 0) -> tuple[int, bool]:
        """One access: the word read, and whether there is no such address."""
        dut = self.dut
        dut.bus_addr.value, dut.bus_w_data.value = addr, data
        dut.bus_write.value, dut.bus_read.value = int(write), int(not write)
        acknowledged = False
        while not acknowledged:
            await ReadOnly()
            acknowledged = dut.bus_ack.value == 1
            answer = int(dut.bus_r_data.value), dut.bus_error.value == 1
            await cycles(dut)
        dut.bus_write.value = dut.bus_read.value = 0
        await cycles(dut)
        return answer

    async def read(self, addr: int) -> int:
        """Read a word; fails where there is none."""
        word, error = await self.access(write=False, addr=addr)
        assert not error, f"read of 0x{addr:08x} answered with an error"
        return word

    async def write(self, addr: int, data: int) -> None:
        """Write a word; fails where there is none."""
        _, error = await self.access(write=True, addr=addr, data=data)
        assert not error, f"write of 0x{addr:08x} answered with an error"


async def load_image(bus, pairs, crc) -> None:
    """Write an image and wait until it is in force, or refused."""
    await bus.write(REGISTERS["load_begin"].offset, 1)
    for addr, data in pairs:
        await bus.write(int(addr), int(data))
    await bus.write(REGISTERS["load_commit"].offset, crc)
    while await bus.read(REGISTERS["status"].offset) & 2:
        pass


async def _pause(dut, pauses):
    while next(pauses):
        await cycles(dut)


async def exchange(bus, units, pattern="none") -> list[int]:
    """Send the words of golden.description.Units, take every word that comes; never overfills."""
    in_place = await bus.read(REGISTERS["status"].offset) >> 6 & 1
    # beside those whose answers wait, one may wait for room, unless it has no fixed length
    buffered = await bus.read(REGISTERS["output_ticks"].offset) - in_place
    pause_in, pause_out = stalls(pattern, "in"), stalls(pattern, "out")
    words, ends, each, sent, unit, found = units.words, units.ends, units.answers, 0, 0, []
    while len(found) < len(ends) * each or sent < len(words):
        if sent < len(words) and unit - len(found) // each <= buffered:
            await _pause(bus.dut, pause_in)
            await bus.write(INPUT, int(words[sent]))
            sent += 1
            unit += sent == ends[unit]
            continue
        await _pause(bus.dut, pause_out)
        word = await bus.read(OUTPUT)
        if word >> VALID_BIT:
            is_last = len(found) % each == each - 1
            assert (word >> LAST_BIT & 1) == is_last, f"word {len(found)}: wrong mark of the last word of a unit"
            found.append(word & 0x3FFFF)
    return found


async def stream(bus, net, x, expected, pattern="none") -> None:
    """Send x, a batch of samples, and compare every word that comes with `expected`, golden's outputs."""
    found = net.outputs_of(await exchange(bus, net.units(x), pattern), x)
    wrong = np.argwhere(found != expected)
    for at in map(tuple, wrong[:1]):
        raise AssertionError(f"{net.SAMPLE} {at}: {found[at]}, expected {expected[at]}")
