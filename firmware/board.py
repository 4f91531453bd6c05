"""Board: a device at the other end of a transport, simulated or real: which design it is, its parameters, its runs."""

import time

import numpy as np

from firmware.exchange import Exchange, a, noun
from firmware.link import LEARNT, LOADED, RUNNING, TICKING, refused
from firmware.loader import Identity, Loader
from firmware.protocol import MAX_WORDS, WRITE, LinkError, Request, ResetError, Status
from firmware.transport import Transport
from golden.description import Description, Units
from golden.regmap import INPUT, OUTPUT, VALID_BIT

EMPTY = "the device has no parameters yet: load an image first"
RESET = ("the device was reset after its weights had moved: they are still there, read them with read_parameters, "
         "then load an image")


class Board(Loader):
    """A device that speaks firmware/protocol.py over `transport`.

    What learns on the device: firmware.learning.Learner.

    Parameters: transport; net, the description of the design, which runs need; timeout, seconds for a response to
    begin; patience, seconds for the device to get on with a load or a tick.
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
        try:
            self._exchange_units(units, room, found, progress)
        except ResetError:
            self._require_loaded()
            raise
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
        window = self._window
        exchange = Exchange(self.net, units, room, found, patience=self.patience, progress=progress)
        while not exchange.done or len(window):
            request = None if window.full or exchange.done else exchange.next(idle=not len(window))
            if request is not None:
                window.post(request)
                continue
            request, response = window.collect()
            if response.status not in (Status.OK, Status.BUSY, Status.SKIPPED):
                self._settle()
                raise refused(request, response)
            exchange.take(request, response)
            if exchange.overdue:
                self._settle()
                self._require_loaded()      # a reset loses outputs
                raise LinkError(exchange.late())
        count = len(units.ends)
        if self.net.END is not None and self._require_loaded() & TICKING:
            raise LinkError(f"the device still has {a(noun(self.net))} or an answer after {count} of each: it has lost "
                            f"step")

    @property
    def is_under_way(self) -> bool:
        """Whether words of a run were sent that did not come to its end."""
        return self._under_way

    def _send(self, words):
        """Write input words; how many the device took before it was busy for too long."""
        request = Request(op=WRITE, addr=INPUT, count=len(words), data=words, fixed=True)
        return self._partly(request).count

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
                raise LinkError(f"the device does not come to the end of an earlier {noun(self.net)} in "
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
