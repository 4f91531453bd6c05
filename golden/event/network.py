"""The description of an event-driven network: what golden, circuits, image and import all read."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from golden.checks import check, is_int
from golden.description import Answers, Bank, Description, Units
from golden.event import checks, engine, layout, pages, params, to_foreign, words
from golden.event.parts import INPUT, MAX_LINES, MAX_VALUE, Block, Population, entry, parse

#: raised when the same description begins to mean other bits
NUMERICS = 1
MAX_POPULATIONS, MAX_BLOCKS, MAX_ENTRIES = 64, 256, 1 << 16
LANES = (1, 2, 4)
_FIELDS = ("name", "inputs", "input_bits", "populations", "blocks", "entries", "weight_bits", "delay_bits", "axonal",
           "sum_bits", "outputs", "lanes")


@dataclass(frozen=True, kw_only=True)
class EventNetwork(Description):
    """Populations of neurons, input lines, and synapses of any graph, each with a delay.

    Parameters
    ----------
      lines         input lines
      populations   Population each; within a tick they are computed in this order
      blocks        Block each, dense or direct
      entries       sparse synapses that there is room for, between any two neurons or from any line
      weight_bits   of every weight, a signed word
      delay_bits    of every delay: 0..2**delay_bits - 1 ticks; 0 only from lines, or to a population further behind
      axonal        whether the delay of a dense block is one a source
      input_bits    1: a line spikes or not; more: it carries a signed word of so many bits, 0 where nothing comes
      sum_bits      of what may arrive at a neuron in a tick; None: as many as any weights need
      raster        neurons that are looked at, by flat number (golden.event.params), in the order of outputs
      folded        lanes: neurons that work side by side, one of LANES
    """

    kind = "event"
    MARK = "leadlag_event_network"
    TENSORS = np.int32
    SAMPLE = ("sequence", "tick", "output")
    END = 1 << words.DROP_BIT
    SIGNALS = "spikes of every population, or membranes where it does not fire"
    graph, risp = to_foreign.to_graph, to_foreign.to_risp

    name: str
    lines: int
    populations: tuple[Population, ...]
    raster: tuple[int, ...]
    blocks: tuple[Block, ...] = ()
    entries: int = 0
    weight_bits: int = 8
    delay_bits: int = 1
    axonal: bool = False
    input_bits: int = 1
    sum_bits: int | None = None
    folded: int = 1

    def __post_init__(self):
        self.check_name()
        for name, kind, most in (("populations", Population, MAX_POPULATIONS), ("blocks", Block, MAX_BLOCKS)):
            found = tuple(getattr(self, name))
            object.__setattr__(self, name, found)
            check(all(isinstance(each, kind) for each in found) and len(found) <= most,
                  f"network: {name} must be up to {most} of {kind.__name__}")
        check(len(self.populations) > 0, "network: there are no populations")
        for name, low, high in (("lines", 1, MAX_LINES), ("entries", 0, MAX_ENTRIES), ("weight_bits", 2, 16),
                                ("delay_bits", 1, 10), ("input_bits", 1, MAX_VALUE)):
            check(is_int(getattr(self, name), low, high),
                  f"network: {name} must be an integer in {low}..{high}, not {getattr(self, name)!r}")
        check(isinstance(self.axonal, bool), f"network: axonal must be true or false, not {self.axonal!r}")
        check(self.sum_bits is None or is_int(self.sum_bits, 2, 24),
              f"network: sum_bits must be None or an integer in 2..24, not {self.sum_bits!r}")
        check(self.folded in LANES, f"network: lanes must be one of {LANES}, not {self.folded!r}")
        check(self.neurons <= MAX_LINES, f"network: {self.neurons} neurons are more than {MAX_LINES}")
        for n, block in enumerate(self.blocks):
            checks.check_block(self, f"block {n}", block)
        check(self.sum_width <= 24, f"network: sums of {self.sum_width} bits are too long: say sum_bits")
        raster = tuple(self.raster)
        object.__setattr__(self, "raster", raster)
        checks.check_raster(self)

    # ---- sizes

    @property
    def layers(self) -> tuple[Population, ...]:
        return self.populations

    @property
    def inputs(self) -> int:
        return self.lines

    @property
    def outputs(self) -> int:
        return len(self.raster)

    @cached_property
    def spikes_alone(self) -> bool:
        """Whether nothing but spikes leaves."""
        return all(population.fires for population in self.populations)

    @property
    def answer_type(self) -> type:
        """Of outputs in numpy."""
        return np.int8 if self.spikes_alone else np.int32

    @cached_property
    def units_of_outputs(self) -> np.ndarray:
        """What an output of 1 is (outputs,): a spike, or some part of a membrane."""
        return np.array([each.unit for each in self.populations])[self.population_of(self.raster)]

    @property
    def lanes(self) -> int:
        return self.folded

    @property
    def lanes_by_layer(self) -> list[int]:
        return [self.folded]

    def with_lanes(self, lanes) -> "EventNetwork":
        """The same network with other lanes, one number."""
        lanes = tuple(lanes)
        check(len(lanes) == 1, f"network: one number of lanes, not {len(lanes)}")
        return replace(self, folded=lanes[0])

    @cached_property
    def neurons(self) -> int:
        return sum(population.size for population in self.populations)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First flat number of each population, and the number of neurons."""
        return tuple(np.cumsum([0, *(population.size for population in self.populations)]).tolist())

    def slice(self, population: int) -> slice:
        """Flat numbers of a population."""
        return slice(*self.starts[population:population + 2])

    def population_of(self, flat) -> np.ndarray:
        """Populations of flat numbers; that of a line is the number of populations."""
        return np.searchsorted(self.starts, np.asarray(flat), "right") - 1

    def size_of(self, source: int) -> int:
        """Lines, or neurons of a population."""
        return self.lines if source == INPUT else self.populations[source].size

    def count(self, block: Block) -> int:
        """Sources of a block."""
        return self.size_of(block.source) - block.first if block.count is None else block.count

    @cached_property
    def dense(self) -> tuple[Block, ...]:
        return tuple(block for block in self.blocks if block.kind == "dense")

    @cached_property
    def direct(self) -> tuple[Block, ...]:
        return tuple(block for block in self.blocks if block.kind == "direct")

    @property
    def max_delay(self) -> int:
        return (1 << self.delay_bits) - 1

    def least_delay(self, source: int, target: int) -> int:
        """The shortest delay from a population (INPUT: from lines) to another."""
        return int(source >= target)

    @property
    def weights(self) -> tuple[int, int]:
        """Ends of a weight."""
        return -(1 << self.weight_bits - 1), (1 << self.weight_bits - 1) - 1

    def largest(self, source: int) -> int:
        """The largest amount of what a source sends."""
        return 1 if source != INPUT or self.input_bits == 1 else 1 << self.input_bits - 1

    @cached_property
    def sum_width(self) -> int:
        """Bits of a sum of what arrives in a tick."""
        if self.sum_bits is not None:
            return self.sum_bits
        weight = max(map(abs, self.weights))
        most = [self.entries * weight * self.largest(INPUT)] * len(self.populations)
        for block in self.dense:
            most[block.target] += self.count(block) * weight * self.largest(block.source)
        for block in self.direct:
            most[block.target] += self.largest(INPUT)
        return max(2, max(most).bit_length() + 1)

    @property
    def synapses(self) -> int:
        return sum(self.count(block) * self.populations[block.target].size for block in self.dense) + self.entries

    @property
    def size(self) -> str:
        return f"{self.neurons:,} neurons, {self.synapses:,} synapses"

    # ---- what it is

    def shape(self) -> dict:
        populations = [entry(replace(each, unit=1.0)) for each in self.populations]
        return {"event": NUMERICS, **{name: value for name, value in self.entry().items() if name != "name"},
                "populations": populations}

    def entry(self) -> dict:
        return {"name": self.name, "inputs": self.lines, "input_bits": self.input_bits,
                "populations": [entry(each) for each in self.populations],
                "blocks": [entry(each) for each in self.blocks], "entries": self.entries,
                "weight_bits": self.weight_bits, "delay_bits": self.delay_bits, "axonal": self.axonal,
                "sum_bits": self.sum_bits, "outputs": list(self.raster), "lanes": self.folded}

    @classmethod
    def parse(cls, top: dict) -> "EventNetwork":
        check(set(top) == {cls.MARK, *_FIELDS},
              f"network description has the fields {sorted(map(str, top))}, expected {sorted((cls.MARK, *_FIELDS))}")
        for name in ("populations", "blocks", "outputs"):
            check(isinstance(top[name], list), f"network description: {name} must be a list")
        plain = {name: top[name] for name in ("name", "input_bits", "entries", "weight_bits", "delay_bits", "axonal",
                                              "sum_bits")}
        return cls(lines=top["inputs"], raster=tuple(top["outputs"]), folded=top["lanes"], **plain,
                   populations=tuple(parse(Population, each, f"population {n}")
                                     for n, each in enumerate(top["populations"])),
                   blocks=tuple(parse(Block, each, f"block {n}") for n, each in enumerate(top["blocks"])))

    # ---- parameters

    def check(self, values) -> None:
        params.check_params(self, values)

    def layout(self) -> tuple[Bank, ...]:
        return layout.banks(self)

    def pack(self, values) -> list[np.ndarray]:
        return layout.pack(self, values)

    def unpack(self, found) -> tuple:
        return layout.unpack(self, found)

    # ---- runs

    def run(self, values, x, progress=None) -> np.ndarray:
        """X (n, ticks, lines) integers -> spikes, 0 or 1, or membranes (n, ticks, outputs); each sequence from rest."""
        return engine.run(self, values, x, progress)

    def units(self, x) -> Units:
        """X (n, ticks, lines) integers; a unit is a tick."""
        return words.units(self, x)

    def drawn(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Sequences of random values; about one line in four has one."""
        return words.drawn(self, rng, count)

    def outputs_of(self, found, x) -> np.ndarray:
        """Spikes, 0 or 1, or membranes (n, ticks, outputs)."""
        return words.outputs(self, found, np.shape(x)[:2])

    def output_words(self, values, x) -> np.ndarray:
        return words.answered(self, engine.advance(self, values, x)[0])

    def answers(self, outputs, since: int = 0, lengths=None) -> Answers:
        return words.answers(self, outputs, since, lengths)

    # ---- pages

    def table(self):
        return pages.table(self)

    def signals(self, values, x) -> list[tuple[str, np.ndarray]]:
        """Values of the lines, spikes or membranes of every population."""
        return pages.signals(self, values, np.asarray(x))
