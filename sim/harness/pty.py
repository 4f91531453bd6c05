"""A pseudo-terminal before a simulated board: a serial port for programs that know nothing of simulations."""

import os
import select
import time
import tty
from contextlib import suppress
from pathlib import Path

from golden.checks import check

#: seconds of the board's time between two looks at the port, and of ours while nothing moves
STEP, REST = 0.002, 0.02
#: seconds of silence after which it rests, and for which it waits for a reader whose buffer is full
QUIET, PATIENCE = 0.5, 1.0


class Port:
    """A pseudo-terminal that a transport (sim.harness.board.SimulatedBoard) is behind; a context manager.

    Parameters: transport; link, a path that leads to it while it is open, replaced where it is a link already.
    Attributes: name, the port to open. The clock of the board runs while a program has it open: what it says at
    power-up is not lost on whoever comes first.
    """

    def __init__(self, transport, link: Path | None = None):
        self._transport, self._link = transport, link
        self._ours, theirs = os.openpty()
        self.name = os.ttyname(theirs)
        tty.setraw(theirs)
        os.close(theirs)
        os.set_blocking(self._ours, False)
        if link is not None:
            check(link.is_symlink() or not link.exists(), f"{link} is there and is no link")
            link.unlink(missing_ok=True)
            link.symlink_to(self.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._link is not None:
            self._link.unlink(missing_ok=True)
        os.close(self._ours)

    def serve(self, until=lambda: False) -> None:
        """Carry bytes both ways until `until()`."""
        moved, line = time.monotonic(), select.poll()
        line.register(self._ours, select.POLLIN)
        while not until():
            events = line.poll(0 if time.monotonic() - moved < QUIET else 1000 * REST)
            found = events[0][1] if events else 0
            if found & select.POLLIN:
                with suppress(OSError):
                    self._transport.write(os.read(self._ours, 4096))
                    moved = time.monotonic()
            elif found & select.POLLHUP:        # nobody has it open
                time.sleep(REST)
                continue
            came = self._transport.read(4096, STEP)
            if came:
                self._give(came)
                moved = time.monotonic()

    def _give(self, data: bytes) -> None:
        """To whoever reads; bytes that nobody takes for a while are lost, as on a line."""
        deadline = time.monotonic() + PATIENCE
        while data and time.monotonic() < deadline:
            if select.select([], [self._ours], [], PATIENCE)[1]:
                try:
                    data = data[os.write(self._ours, data):]
                except BlockingIOError:
                    continue
                except OSError:                 # closed meanwhile
                    return
