"""Learning on the device: sequences with targets, what was learnt read back, what a reset or a lost link leaves."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from firmware.board import EMPTY, RESET, Board
from firmware.link import LEARNT, LOADED, RUNNING
from firmware.protocol import LinkError, PortError
from golden.image import read_back
from golden.regmap import MAX_HALVINGS


@dataclass(frozen=True, kw_only=True)
class LearningState:
    """What a device says of its learning; `str` is one line for a person.

    loaded: it has parameters in force; learnt: weights have moved since their image was put in force, and where it is
    not loaded, a reset has come after that; running: errors run in the sequence under way; overflow: numbers of the
    layers whose errors reached an end of their format since `clear_flags`; lost: (layer, what), "message" into it or
    "error" that it sends down, of which a prediction was not sent since then.
    """

    loaded: bool
    learnt: bool
    running: bool
    overflow: tuple[int, ...]
    lost: tuple[tuple[int, str], ...] = ()

    def __str__(self) -> str:
        if not self.loaded:
            return RESET if self.learnt else EMPTY
        said = [f"the weights {'have moved since' if self.learnt else 'are those of'} the image",
                f"{'' if self.running else 'no '}errors run"]
        if self.overflow:
            said.append(f"errors reached the end of their format in layer {', '.join(map(str, self.overflow))}")
        said += [f"predictions of {'messages into' if what == 'message' else 'errors out of'} layer {n} were not sent"
                 for n, what in self.lost]
        return "; ".join(said)


class Learner:
    """Learning on a Board whose network has a teacher.

    Parameters: board.
    """

    def __init__(self, board: Board):
        self.board = board

    def learn(self, x, target, *, first: bool = True, learn=True, teach=True, halvings: int = 0,
              progress=None) -> np.ndarray:
        """Run with errors: x (ticks, streams, inputs), target (ticks, streams, targets) -> (ticks, streams, outputs).

        Words in and out, int64. first: all streams begin anew; otherwise they go on where the last `learn` left them.
        learn, teach: in which ticks the weights move and the teacher speaks, (ticks, streams) or one for all;
        halvings: rates are divided by two to this power. Never has more ticks in the device than its output buffer
        holds; `progress(n)`: n more ticks came back, of all streams.
        LinkError where the link fails says how many ticks came back: the weights stay on the device. What comes next
        equals golden.rate.learn from the next `load` on: an unfinished tick is completed without a step of the weights,
        but the registers that round steps go on.
        """
        net = self._check_teacher()
        units = net.learning_units(x, target, first=first, learn=learn, teach=teach)
        if not isinstance(halvings, int | np.integer) or isinstance(halvings, bool) or \
                not 0 <= halvings <= MAX_HALVINGS:
            raise ValueError(f"halvings must be an integer in 0..{MAX_HALVINGS}, not {halvings!r}")
        found, done = [], 0

        def advance(n):
            nonlocal done
            before, done = done, done + n
            if progress is not None and done // net.streams > before // net.streams:
                progress(done // net.streams - before // net.streams)
        try:
            words = self.board.stream(units, registers={"learning": 1, "halvings": int(halvings)}, first=first,
                                      found=found, progress=advance)
        except LinkError as error:
            if not self.board.is_under_way:
                raise
            raise self._cut_short(error, len(found) // (net.streams * net.outputs), len(x)) from None
        return net.outputs_of(words, np.asarray(x)[None])[0]

    def read_parameters(self, params) -> tuple:
        """`params`, those of the image in force, with what the device has learnt since; also after a reset.

        Changes nothing on the device; a tick under way is waited for.
        """
        net = self._check_teacher()
        self.board.check_design()
        state = self.learning_state()
        if not state.loaded and not state.learnt:
            raise LinkError(EMPTY)
        return read_back(net, params, self._read_words)

    def learning_state(self) -> LearningState:
        """What the device says of its learning; a network without a teacher has nothing to say but `loaded`."""
        status, overflow, lost = map(self.board.get, ("status", "overflow", "lost"))
        return LearningState(loaded=bool(status & LOADED), learnt=bool(status & LEARNT), running=bool(status & RUNNING),
                             overflow=tuple(n for n in range(32) if overflow >> n & 1),
                             lost=tuple((n // 2, ("message", "error")[n % 2]) for n in range(32) if lost >> n & 1))

    def clear_flags(self) -> None:
        """Forget which layers' errors saturated, and which predictions were not sent."""
        self._check_teacher()
        for name in ("overflow", "lost"):
            self.board.set(name, (1 << 32) - 1)

    def _check_teacher(self):
        net = self.board.net
        if net is None:
            raise ValueError("learning needs the network description: Board(transport, net)")
        if net.teacher is None:
            raise ValueError(f"{net.name} has no teacher and no plastic layer: nothing in it learns")
        return net

    def _read_words(self, addresses):
        """Words at ascending addresses, as many a frame as follow one another."""
        runs = np.split(addresses, np.flatnonzero(np.diff(addresses) != 1) + 1)
        return [word for run in runs for word in self.board.read(int(run[0]), len(run))]

    def _cut_short(self, error, done, ticks):
        """The error of a `learn` that came to no end, with what is left."""
        if not isinstance(error, PortError):
            # one response may be lost on a link that works, or the device may have been reset
            with suppress(LinkError):
                state = self.learning_state()
                if not state.loaded:
                    return LinkError(str(state))
        return type(error)(f"learning was cut short when {done} of {ticks} ticks had come back: {error}; the weights "
                           f"stay on the device, read them with read_parameters when the link is back")
