"""Exchange: the frames of a run, input words out and output words back, several under way at a time."""

import time

import numpy as np

from firmware.protocol import MAX_WORDS, READ, WRITE, LinkError, Request, Response, Status
from golden.description import Description, Units
from golden.regmap import INPUT, LAST_BIT, OUTPUT, VALID_BIT, WORD_MASK


class Exchange:
    """What is sent next, and what becomes of that which comes back.

    Requests are made as if those under way had been done whole; what was done less of is asked for again. The input
    is never written beyond the room of the output buffer, as long as what is read is there when it is asked for.

    Parameters: net, its units and the room of the device for them; found, to which output words are added; patience,
    seconds without a word after which `take` raises LinkError; progress, called with the units that came back.
    """

    def __init__(self, net: Description, units: Units, room: int, found: list, *, patience: float, progress=None):
        self.net, self.units, self.room, self.found = net, units, room, found
        self.patience, self.progress = patience, progress
        self.sent = 0
        #: words that will have been sent and have come once all under way is done
        self._sending, self._coming = 0, len(found)
        #: whether the last read had all its words, the last write was cut short, and what is under way will be skipped
        self._prompt, self._held_up, self._broken = True, False, False
        self._deadline = time.monotonic() + patience

    @property
    def done(self) -> bool:
        return self.sent == len(self.units.words) and len(self.found) == len(self.units.ends) * self.units.answers

    def next(self, idle: bool) -> Request | None:
        """The next request; None where what is under way has to come first. idle: nothing is."""
        ends, each = self.units.ends, self.units.answers
        if idle:
            self._sending, self._coming, self._broken = self.sent, len(self.found), False
        if self._broken:
            return None
        # what a slow device does not have yet makes no room
        complete = (self._coming if self._prompt else len(self.found)) // each
        window = int(ends[min(len(ends), complete + self.room) - 1])
        begun = int(np.searchsorted(ends, self._sending, "right"))
        # what has no fixed length may be answered before its end, and be held up by that
        begun += self.net.END is not None and self._sending > (ends[begun - 1] if begun else 0)
        wanted = int(begun) * each - self._coming
        # reads wait until a frame is worth it, or until no more may be sent
        if wanted > 0 and (wanted >= MAX_WORDS or self._sending >= window or self._held_up):
            if not idle and not self._prompt:
                return None
            count = min(wanted, MAX_WORDS)
            self._coming += count
            return Request(op=READ, addr=OUTPUT, count=count, fixed=True)
        if self._sending >= window:
            return None
        words = self.units.words[self._sending:min(window, self._sending + MAX_WORDS)].tolist()
        self._sending += len(words)
        return Request(op=WRITE, addr=INPUT, count=len(words), data=words, fixed=True)

    def take(self, request: Request, response: Response) -> None:
        """What a request came to; LinkError where it should have come to something else."""
        before, complete = self.sent + len(self.found), len(self.found) // self.units.answers
        self._broken |= response.status != Status.OK
        if request.op == WRITE:
            self.sent += response.count
            self._held_up = response.status == Status.BUSY
        elif response.status == Status.OK:
            words = self._outputs(response.data)
            self.found += words
            self._coming -= request.count - len(words)
            self._prompt, self._held_up = len(words) == request.count, False
        come = len(self.found) // self.units.answers - complete
        if self.progress is not None and come:
            self.progress(come)
        if before != self.sent + len(self.found):
            self._deadline = time.monotonic() + self.patience

    @property
    def overdue(self) -> bool:
        """Whether nothing has moved for too long."""
        return time.monotonic() > self._deadline

    def late(self) -> str:
        """That in words."""
        what = "output" if self.net.END is None else "answer"
        return (f"no {what} for {self.patience:g} s after {len(self.found) // self.units.answers} of "
                f"{len(self.units.ends)} {noun(self.net)}s")

    def _outputs(self, words):
        """Those of a read that are there."""
        found, each = [], self.units.answers
        for word in words:
            if word >> VALID_BIT & 1:
                at = len(self.found) + len(found)
                last = at % each == each - 1
                if (word >> LAST_BIT & 1) != last:
                    raise LinkError(f"output word {at} is {'not ' * last}marked as the last of {a(noun(self.net))}, "
                                    f"with {each} outputs it should {'' if last else 'not '}be")
                found.append(word & WORD_MASK)
        return found


def noun(net: Description) -> str:
    """What a unit of a network is called."""
    return "tick" if net.END is None else net.SAMPLE[0]


def a(word: str) -> str:
    """With its article."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
