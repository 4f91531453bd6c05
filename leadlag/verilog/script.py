"""Scripts of test benches: what pins are given and have to show, cycle by cycle, and what streams carry.

Circuits that never stall are told in cycles: golden says which word, the circuit's LATENCY in which cycle. Where a
partner may wait, a stream says which words in which order, and how long its bench pauses before each.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from amaranth.hdl import Shape, Value
from amaranth.lib import data, wiring

from golden.fixed import QFormat
from leadlag.verilog.settings import Setting
from sim.pysim import stalls
from sim.verilog import pins_of

#: bits of a pause in front of a word
PAUSE_BITS = 8


class Field(NamedTuple):
    """A part of a pin: its name after the pin's (empty: all of it), and where it lies."""

    name: str
    offset: int
    width: int
    signed: bool


class Pin(NamedTuple):
    """A pin of the emitted module."""

    name: str
    is_input: bool
    width: int
    fields: tuple[Field, ...]

    @property
    def range(self) -> str:
        """As Verilog declares it."""
        return f"[{self.width - 1}:0] " if self.width > 1 else ""


class Access(NamedTuple):
    """An access of a bus: a write of `data`, or a read, again and again until the bits of `wait` are those of `data`.

    Then those of `mask` have to be.
    """

    write: bool
    addr: int
    data: int
    wait: int = 0
    mask: int = 0


def pins(component) -> tuple[Pin, ...]:
    """The pins of a component as sim.verilog makes them, without clk and rst."""
    return tuple(Pin(name, member.flow == wiring.In, len(Value.cast(value)), _fields(member.shape))
                 for name, member, value in pins_of(component))


def _fields(shape) -> tuple[Field, ...]:
    if isinstance(shape, data.StructLayout):
        return tuple(Field(name, field.offset, field.width, Shape.cast(field.shape).signed) for name, field in shape)
    plain = Shape.cast(shape)
    return (Field("", 0, plain.width, plain.signed),)


class Script:
    """The bench of `component`.

    A cycle begins with what is driven, then all settles, is looked at, and the clock rises.
    Parameters: quiet, {pin: value} that pins show in every cycle of which nothing else is said.
    """

    def __init__(self, component, *, quiet=None):
        self.component, self.pins = component, {pin.name: pin for pin in pins(component)}
        self.sources, self.sinks, self.accesses = {}, {}, []
        #: cycles after which a bench of streams gives up waiting
        self.patience = 1000
        self._quiet, self._held, self._rows = quiet or {}, {}, []
        self._due, self._notes = defaultdict(dict), {}

    # ---- what is driven, and what is expected

    @property
    def now(self) -> int:
        """The number of the cycle that is being described."""
        return len(self._rows)

    def drive(self, **values: int) -> None:
        """Set input pins, by name; they hold until they are set again."""
        for name, value in values.items():
            if not self.pins[name].is_input:
                raise ValueError(f"{name} is an output")
            self._held[name] = int(value) & (1 << self.pins[name].width) - 1

    def tick(self, count: int = 1) -> None:
        """Let clock cycles pass."""
        self._rows += [dict(self._held)] * count

    def expect(self, cycle: int, **values: int) -> None:
        """What output pins have to show in a cycle: {pin: value}, or {pin__field: value} for a part."""
        self._due[cycle] |= {name: int(value) for name, value in values.items()}

    def note(self, text: str) -> None:
        """A comment in front of this cycle."""
        self._notes[self.now] = text

    def pulse(self, **values: int) -> None:
        """Set pins for one cycle, then to zero."""
        self.drive(**values)
        self.tick()
        self.drive(**dict.fromkeys(values, 0))

    def word(self, stream: str, value: int) -> None:
        """A word on a stream that never stalls, in this cycle."""
        self.drive(**{f"{stream}_payload": value})
        self.pulse(**{f"{stream}_valid": 1})

    def load(self, writes, *, half: int) -> None:
        """Writes (bank, word, data) on the parameter bus `params`, one a cycle."""
        self.note("parameters")
        for bank, word, value in writes:
            self.drive(params_en=1, params_bank=bank, params_half=half, params_addr=word, params_data=value)
            self.tick()
        self.drive(params_en=0, params_bank=0, params_half=0, params_addr=0, params_data=0)

    def packed(self, pin: str, **fields: int) -> int:
        """The word of a pin that has these fields."""
        parts = {field.name: field for field in self.pins[pin].fields}
        return sum((int(value) & (1 << parts[name].width) - 1) << parts[name].offset for name, value in fields.items())

    def source(self, stream: str, words, *, pattern: str = "mixed") -> None:
        """Words that go into a stream when the script is over."""
        self.sources[stream] = _paused(words, pattern, stream)

    def sink(self, stream: str, words, *, pattern: str = "mixed") -> None:
        """Words that have to come out of a stream when the script is over."""
        self.sinks[stream] = _paused(words, pattern, stream)

    # ---- rows of the files

    @property
    def driven(self) -> list[Pin]:
        """The pins of a row of `inputs`, the first in its lowest bits."""
        ours = [f"{name}_{part}" for name in self.sources for part in ("valid", "payload")]
        ours += [f"{name}_ready" for name in self.sinks]
        ours += [name for name in self.pins if self.accesses and name.startswith("bus_")]
        return [pin for pin in self.pins.values() if pin.is_input and pin.name not in ours]

    @property
    def watched(self) -> list[Pin]:
        """The pins of a row of `expected`."""
        names = {name.partition("__")[0] for name in set().union(self._quiet, *self._due.values())}
        return [pin for pin in self.pins.values() if pin.name in names]

    def inputs(self) -> list[str]:
        """A line of hexadecimal digits a cycle."""
        driven = self.driven
        return [self._noted(n, _line(driven, row)) for n, row in enumerate(self._rows)]

    def expected(self) -> tuple[list[str], list[str]]:
        """A line a cycle: what is expected, and a one for every bit of it that is."""
        late = [cycle for cycle in self._due if not 0 <= cycle < self.now]
        if late:
            raise ValueError(f"something is expected in cycle {late[0]}, the script has {self.now}")
        found, watched = ([], []), self.watched
        for cycle in range(self.now):
            word, mask = {}, {}
            for name, value in (self._quiet | self._due.get(cycle, {})).items():
                pin, _, part = name.partition("__")
                for field in self.pins[pin].fields:
                    if part in ("", field.name):
                        ones = (1 << field.width) - 1
                        bits = value if part else value >> field.offset
                        word[pin] = word.get(pin, 0) & ~(ones << field.offset) | (bits & ones) << field.offset
                        mask[pin] = mask.get(pin, 0) | ones << field.offset
            for lines, row in zip(found, (word, mask), strict=True):
                lines.append(self._noted(cycle, _line(watched, row)))
        return found

    def _noted(self, cycle: int, line: str) -> str:
        return f"// {self._notes[cycle]}\n{line}" if cycle in self._notes else line


def _line(pins_, values: dict) -> str:
    """Values of pins side by side, the first in the lowest bits."""
    word, offset = 0, 0
    for pin in pins_:
        word |= values.get(pin.name, 0) << offset
        offset += pin.width
    return f"{word:0{-(-offset // 4) or 1}x}"


def _paused(words, pattern: str, seed: str) -> list[tuple[int, int]]:
    """(pause, word): `mixed` is a third each without a pause, with random ones, and with bursts."""
    words, found, rng = [int(word) for word in words], [], random.Random(seed)
    kinds = ("none", "random", "bursts") if pattern == "mixed" else (pattern,)
    for n, kind in enumerate(kinds):
        part = words[len(words) * n // len(kinds):len(words) * (n + 1) // len(kinds)]
        pauses = stalls(kind, f"{seed} {rng.random()}")
        for word in part:
            pause = 0
            while next(pauses) and pause < (1 << PAUSE_BITS) - 1:
                pause += 1
            found.append((pause, word))
    return found


class Bench(NamedTuple):
    """A script, and what a header says: formats by pin or pin.field, what about time, and more, by heading."""

    script: Script
    formats: dict[str, QFormat]
    latency: str
    about: Mapping[str, str] = MappingProxyType({})


class Unit(NamedTuple):
    """A row; `bench(values, seed)` takes the values of the settings, by name, and the name of what is drawn.

    golden: the steps that it equals; none where its bench says which.
    """

    circuit: type
    golden: tuple[Callable, ...]
    settings: dict[str, Setting]
    bench: Callable
