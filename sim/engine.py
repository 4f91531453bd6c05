"""Amaranth's own simulator, about twice as fast: the same processes, with less around them.

A process runs with every edge of the clock and mostly changes nothing, so what counts is what that costs. Four things
are done otherwise than in `amaranth.sim.pysim` (0.5): a process is queued when it is woken, so that none is asked in
vain; one that waits for a clock is woken only if something that it reads or drives has changed since it ran, as it
would do the same again; the Python text that Amaranth makes of a process is rewritten before it is compiled
(`rewritten`), without function calls and masks that do nothing; and benches read and drive whole signals without a walk
over an expression.

No rewriting changes a value, and a form that is not known stays as it is. Clocks have rising edges only, and no
waveforms are written.
"""

import builtins
import re
from contextlib import contextmanager
from functools import partial

from amaranth.hdl import Const, ShapeCastable, Signal
from amaranth.sim import _pyrtl, pysim
from amaranth.sim._async import ChangedTrigger, SampleTrigger

#: what tells the wakers of processes from those of benches
_COMB, _EDGE = _pyrtl.comb_waker(None).__code__, _pyrtl.edge_waker(None, 1).__code__


class SignalState(pysim._PySignalState):
    """A signal with the processes that it wakes: combs by any change, rises by a one.

    arms: those that a change of it lets a clock wake; always: those that every one wakes, as they print.
    """

    __slots__ = ("combs", "rises", "arms", "always")

    def __init__(self, signal, pending):
        self.combs, self.rises, self.arms, self.always = [], set(), [], []
        super().__init__(signal, pending)


class State(pysim._PyEngineState):
    """All signals and memories; `queue`, the processes that have been woken; `armed`, those that a clock may wake."""

    def __init__(self):
        super().__init__()
        self.queue, self.armed, self._known, self._readers = [], set(), {}, {}

    def arm(self):
        """Once all processes are there: all are armed, and each again by what its text names."""
        for clock in [slot for slot in self.slots if type(slot) is SignalState and slot.rises]:
            clock.always = [process for process in clock.rises if "print" in process.run.__code__.co_names]
            clock.rises.difference_update(clock.always)
            for process in clock.rises - self.armed:
                self.armed.add(process)
                for slot in process.run.__defaults__[1:]:
                    (slot.arms if type(slot) is SignalState else self._readers.setdefault(slot, [])).append(process)

    def get_signal(self, signal):
        """The number of its slot."""
        index = self._known.get(id(signal))
        if index is None:       # the slot keeps the signal, and so its id
            index = self._known[id(signal)] = len(self.slots)
            self.slots.append(SignalState(signal, self.pending))
        return index

    def add_signal_waker(self, signal, waker):
        """Processes of the circuit are noted as such."""
        slot = self.slots[self.get_signal(signal)]
        if waker.__code__ is _COMB:
            slot.combs.append(_closure(waker)["process"])
        elif waker.__code__ is _EDGE:
            held = _closure(waker)
            if held["polarity"] != 1:
                raise NotImplementedError("clocks have rising edges only")
            slot.rises.add(held["process"])
        else:
            slot.add_waker(waker)

    def add_memory_waker(self, memory, waker):
        """Processes that read without a clock."""
        process = _closure(waker)["process"]

        def wake():
            self._wake((process,))
            return True
        super().add_memory_waker(memory, wake)

    def commit(self, changed=None):
        """Take over what has changed and wake who waits for it; whether nothing has."""
        converged, clocks, armed = True, [], self.armed
        for state in self.pending:
            if type(state) is not SignalState:
                if state.commit():
                    armed.update(self._readers.get(state, ()))
                    converged = False
                continue
            value = state.next
            if state.curr == value:
                continue
            if state.combs:
                self._wake(state.combs)
            if state.arms:
                armed.update(state.arms)
            if value == 1 and (state.rises or state.always):
                clocks.append(state)
            if state.wakers:
                pysim._run_wakers(state.wakers, state.curr, value)
            state.curr, converged = value, False
        self.pending.clear()
        for clock in clocks:        # after all that changes with it
            woken = armed & clock.rises
            armed -= woken
            self._wake(woken)
            self._wake(clock.always)
        return converged

    def _wake(self, processes):
        queue = self.queue
        for process in processes:
            if not process.runnable:
                process.runnable = True
                queue.append(process)


class Results:
    """What a trigger finds, once or again and again: how each value is read is decided once."""

    def __init__(self, trigger):
        self.trigger, self._reads = trigger, None

    def __call__(self):
        """Values at this moment, in the order in which the bench has named them."""
        if self._reads is None:
            self._reads = [self._read(one) for one in self.trigger._combination._triggers]
        self.trigger._result = tuple([read() for read in self._reads])

    def _read(self, one):
        if not isinstance(one, (SampleTrigger, ChangedTrigger)):
            return partial(self.trigger._triggers_hit.__contains__, one)
        read, shape = partial(self.trigger._engine.get_value, one.value), one.shape
        return (lambda: shape.from_bits(read())) if isinstance(shape, ShapeCastable) else read


class Engine(pysim.PySimEngine):
    """What `amaranth.sim.Simulator` takes as its engine."""

    def __init__(self, design):
        self._design, self._state = design, State()
        with rewritten(self._state):
            self._circuit = pysim._FragmentCompiler(self._state)(design.fragment)
        self._state.arm()
        self._clocked = frozenset(self._state.armed)
        # those of clocks and of `add_process` are few
        self._processes, self._testbenches, self._vcd_writers = set(), [], []
        self._active_triggers, self._delta_cycles = set(), 0
        self._state.queue = [process for process in self._circuit if process.runnable]

    def reset(self):
        """To the beginning."""
        super().reset()
        for process in self._circuit:
            process.reset()
        self._state.armed.update(self._clocked)
        self._state.queue = [process for process in self._circuit if process.runnable]

    def write_vcd(self, **options):
        """See the module."""
        raise NotImplementedError("this engine writes no waveforms")

    def step_design(self):
        """Delta cycles until nothing changes."""
        state, converged = self._state, False
        while not converged:
            for trigger in self._active_triggers:
                trigger.run()
            self._active_triggers.clear()
            woken, state.queue = state.queue, []
            for process in woken:
                process.runnable = False
                process.run()
            for process in self._processes:
                if process.runnable:
                    process.runnable = False
                    process.run()
            converged = state.commit()
            self._delta_cycles += 1

    def add_trigger_combination(self, combination, *, oneshot):
        """What a bench waits for."""
        trigger = super().add_trigger_combination(combination, oneshot=oneshot)
        trigger.compute_result = Results(trigger)
        return trigger

    def get_value(self, expr):
        """The value of an expression."""
        if type(expr) is Signal:
            return self._state.slots[self._state.get_signal(expr)].curr
        if type(expr) is Const:
            return expr.value
        return super().get_value(expr)

    def set_value(self, expr, value):
        """Drive a signal, or parts of some."""
        if type(expr) is Signal:
            slot, shape = self._state.slots[self._state.get_signal(expr)], expr.shape()
            if not slot.is_comb:        # else Amaranth says why not
                value &= (1 << shape.width) - 1
                slot.update(value - (1 << shape.width) if shape.signed and value >> shape.width - 1 else value)
                return
        super().set_value(expr, value)


def _closure(function) -> dict:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: cell.cell_contents for name, cell in cells}


# ---- the text of a process, `def run(): ...`, as amaranth.sim._pyrtl writes it

@contextmanager
def rewritten(state):
    """While it lasts, processes of `state` are compiled from shorter texts."""
    def compiled(text, name, mode):
        return builtins.compile(_run(_memories(_signs(text, state), state), state), name, mode)
    _pyrtl.compile = compiled       # the module's own name comes before the built-in one
    try:
        yield
    finally:
        del _pyrtl.compile


def _is_whole(state, slot: int, mask: int, *, signed: bool) -> bool:
    """Whether `mask` has all bits of a signal of that sign."""
    shape = state.slots[slot].signal.shape()
    return shape.signed == signed and mask == (1 << shape.width) - 1


def _signs(text: str, state) -> str:
    """Sign extensions of masked words, in arithmetic; neither where a signal has that sign and width."""
    masked = re.compile(r"\((0x[0-9a-f]+) & (slots\[(\d+)\]\.curr)\)")

    def plain(match, *, signed=False):
        return match[2] if _is_whole(state, int(match[3]), int(match[1], 16), signed=signed) else match[0]
    parts, done = [], 0
    for match in re.finditer(r"\bsign\(", text):
        if match.start() < done:        # inside of one that was rewritten
            continue
        comma, end = _arguments(text, match.end())
        inner, half = _signs(text[match.end():comma], state), -int(text[comma + 1:end], 0)
        whole = masked.fullmatch(inner)
        found = plain(whole, signed=True) if whole else inner
        parts += [text[done:match.start()], found if found != inner else f"((({inner}) ^ {half:#x}) - {half:#x})"]
        done = end + 1
    return masked.sub(plain, "".join((*parts, text[done:])))


def _arguments(text: str, at: int) -> tuple[int, int]:
    """Where the last comma and the closing bracket are of a call whose arguments begin at `at`."""
    depth, comma = 0, at
    for n, letter in enumerate(text[at:], at):
        if letter == "(":
            depth += 1
        elif letter == ")":
            if not depth:
                return comma, n
            depth -= 1
        elif letter == "," and not depth:
            comma = n
    raise ValueError("a bracket is missing")


def _memories(text: str, state) -> str:
    """Nothing is called to write nothing, or to read."""
    text = re.sub(r"^( *)(slots\[\d+\]\.write\(\w+, \w+, (\w+)\))$", r"\1if \3: \2", text, flags=re.MULTILINE)
    return re.sub(r"slots\[(\d+)\]\.read\((\w+)\)", lambda match: (
        f"(slots[{match[1]}].data[{match[2]}] if {match[2]} < {state.slots[int(match[1])].memory.depth} else 0)"), text)


def _run(text: str, state) -> str:
    """Signals are local names; those that a process drives alone are compared on the spot."""
    def update(match):
        indent, slot, value, mask = match[1], match[2], match[3], int(match[4])
        if mask != -1 and not _is_whole(state, int(slot), mask, signed=False):
            return match[0]
        return f"{indent}if s{slot}.next != {value}:\n{indent}    s{slot}.next = {value}\n{indent}    pend(s{slot})\n"
    text = re.sub(r"^( *)slots\[(\d+)\]\.update\((next_\d+), (-?\d+)\)\n", update, text, flags=re.MULTILINE)
    used = sorted({*re.findall(r"slots\[(\d+)\]", text), *re.findall(r"\bs(\d+)\.next = ", text)}, key=int)
    names = "".join(f", s{slot}=slots[{slot}]" for slot in used)
    text = re.sub(r"slots\[(\d+)\]", r"s\1", text)
    return text.replace("def run():", f"def run(pend=slots[0].pending.add{names}):", 1)
