"""What an event-driven network is made of: populations of neurons, and blocks of synapses between them.

Only what shapes the circuit stands here. Weights, delays, thresholds and factors are parameters (golden.event.params),
loaded at run time.
"""

from dataclasses import MISSING, asdict, dataclass, fields
from math import inf

from golden.checks import check, is_int, listed, nearest

#: ends of what a description may say; a word on the parameter bus has 18 bits
MAX_STATE, MAX_FACTOR, MAX_SHIFT, MAX_LINES, MAX_VALUE = 18, 16, 16, 4096, 16
RESETS = ("zero", "value", "subtract", "late")
CURRENTS = ("new", "old")
KINDS = ("dense", "direct")
#: the source of a block whose spikes come from outside
INPUT = -1


@dataclass(frozen=True, kw_only=True)
class Population:
    """Neurons of one model, whose tick golden.event.engine.neuron_step has.

    Parameters
    ----------
      size            neurons
      state           bits of the membrane, a signed word that saturates
      shift           what arrives is multiplied by two to this power
      leak            fraction bits F of the factor by which the membrane decays, a word 0..2**F for each neuron: 0, a
                      flag (0: nothing is left, 1: all is); None: nothing leaks
      bias            whether each neuron has a charge of its own in every tick
      reset           after a spike the membrane is "zero", a "value" for each neuron, less such a value ("subtract"),
                      or that is taken away in the tick behind, not decayed ("late")
      floor           the decayed membrane is raised to this word; None: to the end of its format
      on_arrival      whether a neuron fires only in ticks in which something arrives
      fires           False: it has no threshold and never fires; its membrane leaves in every tick, a signed word
      unit            what a word of a membrane that leaves is, a real number; it is not the circuit's concern
      current         None: what arrives goes into the membrane; else into a current of the membrane's bits, which goes
                      into the membrane as it is after the tick ("new") or was before it ("old")
      current_leak    fraction bits of the factor of the current, as `leak`
      current_shift   bits by which the current is finer than the membrane
    """

    size: int
    state: int = 16
    shift: int = 0
    leak: int | None = None
    bias: bool = False
    reset: str = "zero"
    floor: int | None = None
    on_arrival: bool = False
    fires: bool = True
    unit: float = 1.0
    current: str | None = None
    current_leak: int | None = None
    current_shift: int = 0

    def __post_init__(self):
        me = "population"
        for name, low, high in (("size", 1, MAX_LINES), ("state", 2, MAX_STATE), ("shift", 0, MAX_SHIFT),
                                ("current_shift", 0, MAX_SHIFT)):
            check(is_int(getattr(self, name), low, high),
                  f"{me}: {name} must be an integer in {low}..{high}, not {getattr(self, name)!r}")
        for name in ("leak", "current_leak"):
            value = getattr(self, name)
            check(value is None or is_int(value, 0, MAX_FACTOR),
                  f"{me}: {name} must be None or an integer in 0..{MAX_FACTOR}, not {value!r}")
        for name in ("bias", "on_arrival", "fires"):
            check(isinstance(getattr(self, name), bool), f"{me}: {name} must be true or false")
        check(self.reset in RESETS, f"{me}: reset must be one of {', '.join(RESETS)}, not {self.reset!r}")
        check(self.current is None or self.current in CURRENTS,
              f"{me}: current must be None or one of {', '.join(CURRENTS)}, not {self.current!r}")
        check(self.floor is None or is_int(self.floor, self.low, self.high),
              f"{me}: floor must be None or a word in {self.low}..{self.high}, not {self.floor!r}")
        check(self.current is not None or (self.current_leak is None and self.current_shift == 0),
              f"{me}: there is no current to leak or to shift")
        check(isinstance(self.unit, int | float) and 0 < self.unit < inf and (self.unit == 1 or not self.fires),
              f"{me}: unit must be a number above 0, of what does not fire, not {self.unit!r}")
        check(self.fires or (self.reset == "zero" and not self.on_arrival),
              f"{me}: what does not fire is not reset, and waits for nothing that arrives")

    @property
    def low(self) -> int:
        return -(1 << self.state - 1)

    @property
    def high(self) -> int:
        return (1 << self.state - 1) - 1

    @property
    def words(self) -> dict[str, tuple[int, int]]:
        """What each neuron is loaded with, and between which words: a part of the fields of golden.event.Neurons."""
        found = {"threshold": (self.low, self.high)} if self.fires else {}
        if self.leak is not None:
            found["decay"] = (0, 1 << self.leak)
        if self.bias:
            found["bias"] = (self.low, self.high)
        if self.reset != "zero":
            found["reset"] = (self.low, self.high)
        if self.current_leak is not None:
            found["current_decay"] = (0, 1 << self.current_leak)
        return found


@dataclass(frozen=True, kw_only=True)
class Block:
    """Synapses from lines or neurons to a population.

    Parameters
    ----------
      source, target   numbers of populations; INPUT: input lines
      kind             "dense": every source to every neuron, a weight and a delay each; "direct", of input lines alone:
                       line first + k to neuron into + k with weight 1, in the same tick
      first, count     which lines or neurons of the source; count None: all from `first` on
      into             first target of "direct"
    """

    source: int
    target: int
    kind: str = "dense"
    first: int = 0
    count: int | None = None
    into: int = 0

    def __post_init__(self):
        for name, low in (("source", INPUT), ("target", 0), ("first", 0), ("into", 0)):
            check(is_int(getattr(self, name), low, MAX_LINES),
                  f"block: {name} must be an integer of at least {low}, not {getattr(self, name)!r}")
        check(self.kind in KINDS, f"block: kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        check(self.kind != "direct" or self.source == INPUT, "block: direct ones have input lines as sources")
        check(self.count is None or is_int(self.count, 1, MAX_LINES),
              f"block: count must be None or an integer of at least 1, not {self.count!r}")
        check(self.into == 0 or self.kind == "direct", "block: a dense one reaches all of its target")


def entry(part) -> dict:
    """A part in JSON: what differs from its default."""
    known = {field.name: field.default for field in fields(part)}
    return {name: value for name, value in asdict(part).items() if known[name] is MISSING or value != known[name]}


def parse(kind, value, me: str):
    """A part of `kind` from its JSON; ValueError names the field that is wrong."""
    check(isinstance(value, dict), f"{me}: must be an object, not {type(value).__name__}")
    known = {field.name: field for field in fields(kind)}
    unknown = sorted(set(map(str, value)) - set(known))
    check(not unknown, f"{me}: unknown fields {listed(unknown)}{nearest(unknown[0], known) if unknown else ''}")
    missing = [name for name, field in known.items() if field.default is MISSING and name not in value]
    check(not missing, f"{me}: missing fields {', '.join(missing)}")
    try:
        return kind(**value)
    except ValueError as error:
        raise ValueError(f"{me}: {error}") from None
