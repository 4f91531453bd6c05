"""Board: a device at the other end of a transport, simulated or real: which design it is, its parameters, its runs."""

import time

import numpy as np

from firmware.link import LEARNT, LOADED, RUNNING, TICKING
from firmware.loader import Identity, Loader
from firmware.protocol import MAX_WORDS, WRITE, LinkError, Request
from firmware.transport import Transport
from golden.description import Description, Units
from golden.regmap import INPUT, LAST_BIT, OUTPUT, VALID_BIT, WORD_MASK

EMPTY = "the device has no parameters yet: load an image first"
RESET = ("the device was reset after its weights had moved: they are still there, read them with read_parameters, "
         "then load an image")


class Board(Loader):
    """A device that speaks firmware/protocol.py over `transport`.

    What learns on the device: firmware.learning.Learner.

    Parameters: transport; net, the description of the design, which runs need; timeout, seconds for a response to
    begin and between its parts; patience, seconds for the device to get on with a load or a tick.
    All methods raise LinkError (one line) when the link or the device fails, ValueError for what does not fit the
    design.
    """

    def __init__(self, transport: Transport, net: Description | None = None, *, timeout: float = 1.0,
                 patience: float = 10.0):
        super().__init__(transport, timeout=timeout, patience=patience)
        self.net = net
        self._identity = None
        self._aligned = False   # the device may hold part of an input vector
        self._ended = False     # the last sequence came to its end, and can go on
        self._under_way = False

    def _settle_run(self) -> None:
        if not self._aligned and self.get("status") & RUNNING:
            self._empty()
            self._align()

    # ---- runs

    def run(self, x, progress=None) -> np.ndarray:
        """Outputs of a batch of samples, each from rest, as golden's `net.run` has them: x as that takes it.

        `progress(n)`: n more units (ticks, images) came back. LinkError where the link or the device fails: nothing is
        returned then, and the next call begins anew.
        """
        net, x = self._require_net(), np.asarray(x)
        words = self.stream(net.units(x), progress=progress)
        try:
            return net.outputs_of(words, x)
        except ValueError as error:
            raise LinkError(str(error)) from None

    def stream(self, units: Units, *, registers: dict | None = None, first: bool = True, found: list | None = None,
               progress=None) -> np.ndarray:
        """Send words and read what comes back: raw output words (uint32), `units.answers` a unit.

        Never has more units in the device than its output buffer holds. registers: set before; first: False to go on
        where the last call has ended; found: takes the words as they come, for who wants them after a LinkError.
        """
        if registers is None:
            registers = {"learning": 0} if self._require_net().teacher is not None else {}
        self._under_way = False
        room, found = self._begin(registers, first), [] if found is None else found
        self._under_way = True
        self._exchange_units(units, room, found, progress)
        self._require_loaded()          # unless a reset has passed unnoticed
        self._aligned, self._ended, self._under_way = True, True, False
        return np.array(found, np.uint32)

    def _begin(self, registers, first=True):
        """Make the device ready for samples, or for more of one; how many units it holds."""
        identity = self.check_design()
        status = self._require_loaded()
        if not first and not (self._ended and status & RUNNING):
            raise LinkError("the device has no sequence with errors to go on with, or holds one that was cut short: "
                            "begin another (first=True)")
        if self.net.END is not None:
            self._end_unit()
        else:
            self._empty()
            if not self._aligned:
                self._align()
        for name, value in registers.items():
            self.set(name, value)
        self._aligned = self._ended = False
        return identity.output_ticks

    def _require_net(self) -> Description:
        if self.net is None:
            raise ValueError("this needs the network description: Board(transport, net)")
        return self.net

    def _require_loaded(self):
        """The status; LinkError where the device has no parameters, or only what it had learnt before a reset."""
        status = self.get("status")
        if not status & LOADED:
            raise LinkError(RESET if status & LEARNT else EMPTY)
        return status

    def _exchange_units(self, units, room, found, progress):
        """Frames of input and output words in turn; what comes back is added to `found`."""
        net, words, ends, each = self.net, units.words, units.ends, units.answers
        sent, count, deadline = 0, len(units.ends), time.monotonic() + self.patience
        while len(found) < count * each or sent < len(words):
            before, complete = sent + len(found), len(found) // each
            window = int(ends[min(count, complete + room) - 1])
            if sent < window:
                sent += self._send(words[sent:min(window, sent + MAX_WORDS)].tolist())
            # reads wait until a frame is worth it, or until no more may be sent
            begun = int(np.searchsorted(ends, sent, "right"))
            # what has no fixed length may be answered before its end, and be held up by that
            begun += net.END is not None and sent > (ends[begun - 1] if begun else 0)
            wanted = int(begun) * each - len(found)
            if wanted > 0 and (sent == window or wanted >= MAX_WORDS or before == sent + len(found)):
                found += self._outputs(min(wanted, MAX_WORDS), len(found), each)
            if progress is not None and len(found) // each > complete:
                progress(len(found) // each - complete)
            if before != sent + len(found):
                deadline = time.monotonic() + self.patience
            elif time.monotonic() > deadline:
                self._require_loaded()      # a reset loses outputs
                what = "output" if net.END is None else "answer"
                raise LinkError(f"no {what} for {self.patience:g} s after {complete} of {count} {self._noun}s")
        if self.net.END is not None and self._require_loaded() & TICKING:
            raise LinkError(f"the device still has {self._a_unit} or an answer after {count} of each: it has lost "
                            f"step")

    @property
    def is_under_way(self) -> bool:
        """Whether words of a run were sent that did not come to its end."""
        return self._under_way

    @property
    def _a_unit(self) -> str:
        return f"{'an' if self._noun[0] in 'aeiou' else 'a'} {self._noun}"

    @property
    def _noun(self) -> str:
        return "tick" if self.net.END is None else self.net.SAMPLE[0]

    def _send(self, words):
        """Write input words; how many the device took before it was busy for too long."""
        request = Request(op=WRITE, addr=INPUT, count=len(words), data=words, fixed=True)
        return self._access(request, partial=True).count

    def _end_unit(self):
        """End what was cut short and throw away what is left of earlier ones.

        Also where the device says that it has nothing: the end clears what a reset has left.
        """
        ended, deadline = 0, time.monotonic() + self.patience
        while True:
            # no word is taken while answers fill the queue
            ended = ended or self._send([self.net.END])
            busy = self.get("status") & TICKING
            if ended and not busy:
                return
            self.read(OUTPUT, MAX_WORDS, fixed=True)
            if time.monotonic() > deadline:
                raise LinkError(f"the device does not come to the end of an earlier {self._noun} in "
                                f"{self.patience:g} s")

    def _align(self):
        """Complete an input vector that was cut short, which the device does not show: halve what it may hold.

        Zeros are pushed, and whether that started a tick halves the range; FIRST_BIT then makes a run forget them.
        Where errors run a vector has target words, too. No weight moves, as the zeros come without LEARN_BIT; but the
        registers that round steps of the weights go on by these ticks.
        """
        size = self._identity.inputs
        if self.get("status") & RUNNING:
            size += self.get("teacher") & 0xFFFF
        low, high = 0, size - 1
        while high:
            middle = (low + high + 1) // 2
            ticks = self.get("ticks")
            self.write(INPUT, [0] * (size - middle), fixed=True)
            if self.get("ticks") != ticks:
                low, high = 0, high - middle
            elif low == high:
                self._require_loaded()      # a reset forgets the vector
                raise LinkError(f"the device took {size} input words and more without a tick")
            else:
                low, high = low + size - middle, size - 1
            self._empty()
        self._aligned = True

    def check_design(self) -> Identity:
        """What the device is; ValueError where that is another design than `net`."""
        identity, net = self._identity or self.identify(), self._require_net()
        if identity.fingerprint != net.fingerprint:
            raise ValueError(f"{net.name} is design {net.fingerprint}, the device is design {identity.fingerprint}")
        if (identity.inputs, identity.outputs) != (net.inputs, net.outputs) or identity.output_ticks < 1:
            raise LinkError(f"the device has {identity.inputs} inputs, {identity.outputs} outputs and room for "
                            f"{identity.output_ticks} ticks, {net.name} has {net.inputs} and {net.outputs}")
        return identity

    def _empty(self):
        """Throw away what a run that ended early has left in the output buffer."""
        count, deadline = 1, time.monotonic() + self.patience
        while True:
            ticking = self.get("status") & TICKING
            words = self.read(OUTPUT, count, fixed=True)
            count = MAX_WORDS
            if not ticking and not any(word >> VALID_BIT & 1 for word in words):
                return
            if time.monotonic() > deadline:
                raise LinkError(f"the device goes on giving outputs of an earlier run for {self.patience:g} s")

    def _outputs(self, count, before, each):
        """Up to `count` words that the output has now; `before`: words of this run that came earlier."""
        found = []
        for word in self.read(OUTPUT, count, fixed=True):
            if word >> VALID_BIT & 1:
                last = (before + len(found)) % each == each - 1
                if (word >> LAST_BIT & 1) != last:
                    raise LinkError(f"output word {before + len(found)} is {'not ' * last}marked as the last of "
                                    f"{self._a_unit}, with {each} outputs it should {'' if last else 'not '}be")
                found.append(word & WORD_MASK)
        return found
