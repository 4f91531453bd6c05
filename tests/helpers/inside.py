"""Components for proofs that speak of registers inside of a unit, too: their claims go by induction."""

from contextlib import contextmanager, nullcontext

from amaranth.hdl import Cat, Fragment, Module
from monitors import Around


def driven(fragment) -> dict:
    """Signals that a fragment drives, by name; where two have a name it is nobody's."""
    found, twice = {}, set()
    for statements in fragment.statements.values():
        for statement in statements:
            for signal in statement._lhs_signals():
                if found.setdefault(signal.name, signal) is not signal:
                    twice.add(signal.name)
    return {name: signal for name, signal in found.items() if name not in twice}


def inner(fragment, *path: str):
    """The fragment of a submodule of a submodule ..."""
    for name in path:
        fragment, = (each for each, known, _ in fragment.subfragments if known == name)
    return fragment


class States:
    """The states of a state machine, by name."""

    def __init__(self, signal):
        self.signal, self.numbers = signal, {}
        for n in range(1 << len(signal)):
            try:
                self.numbers[signal.decoder(n).partition("/")[0]] = n
            except KeyError:        # no state has that number
                break

    def are(self, *names: str):
        """Whether the state is one of these; those that the machine does not have are none of them."""
        return Cat(self.signal == self.numbers[name] for name in names if name in self.numbers).any()

    def exist(self):
        """Whether the state is one at all."""
        return self.signal < len(self.numbers)


@contextmanager
def replaced(module, **values):
    """Other values of names of a module, while it elaborates."""
    known = {name: getattr(module, name) for name in values}
    vars(module).update(values)
    try:
        yield
    finally:
        vars(module).update(known)


class Inside(Around):
    """A unit whose registers `claims` may name.

    own: signals of the unit, by name; states, of its state machine; told: what functions of its module have returned
    last, by their names, which are `spies`.
    """

    def __init__(self, unit, *, module=None, spies: tuple[str, ...] = (), **free):
        self.module, self.spies, self.told = module, spies, {}
        super().__init__(unit, **free)

    def elaborate(self, platform):
        m = Module()
        with self.opening():
            m.submodules.unit = self.fragment = Fragment.get(self.unit, None)
        self.own = driven(self.fragment)
        self.states = States(self.own["fsm_state"]) if "fsm_state" in self.own else None
        self.join(m)
        self.claims(m)
        return m

    def opening(self):
        """What is replaced while the unit elaborates."""
        if not self.spies:
            return nullcontext()
        return replaced(self.module, **{name: self._spy(name, getattr(self.module, name)) for name in self.spies})

    def _spy(self, name, function):
        def called(*args, **kwargs):
            self.told[name] = function(*args, **kwargs)
            return self.told[name]
        return called


def read_by(fragment, target) -> list:
    """Signals that what drives `target` reads."""
    found = [signal for statements in fragment.statements.values() for each in statements
             if any(signal is target for signal in each._lhs_signals()) for signal in each._rhs_signals()
             if signal is not target]
    return list({id(each): each for each in found}.values())
