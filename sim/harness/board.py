"""The simulated board: a compiled SerialTop behind the interface of a serial port, byte by byte through its pins."""

import ctypes
from pathlib import Path

import numpy as np

from firmware.transport import PortError, Transport
from golden.description import Description
from golden.flash import ERASED
from golden.keeper import Slots, processor, slot_bytes
from rtl.host.top import Flash, Rom, SerialTop
from sim.design import Design, Mapped, design_of
from sim.verilated import build_design

#: clock cycles a bit, the fewest that the receiver takes: simulated time is cheap, cycles are not
DIVISOR = 4
#: the flash of a simulated board holds what it plays from its first byte on
FLASH = Flash(address=0, half=2)
#: and from here on what it has learnt
SLOTS = 1 << 19
#: simulated cycles for which `read` waits, per second of its timeout
CYCLES_PER_SECOND = 2_000_000


class SimulatedBoard(Transport):
    """What SerialTransport is to a real board. Time passes only while bytes are written or waited for.

    Parameters: net, the design on the board; vendor form; quick, True to compile sooner what runs few cycles; flash,
    what that holds (golden/flash.py), for a board that plays it at power-up: time passes by reading; keeps, whether it
    keeps what it learns, in slots from SLOTS on; mapped, the netlist that tools make of the design, in its place
    (sim.netlist); scrubs, whether parameters are held against their checksum; rom, frames that lie in the bitstream.
    ToolError where a tool is missing.
    Attributes: cycles, clock cycles so far; slots, where they are; times, CPU seconds that each step of building took.
    """

    slots = None

    def __init__(self, net: Description, *, vendor: str = "generic", quick: bool = False,
                 flash: bytes | None = None, keeps: bool = False, mapped: Mapped | None = None,
                 scrubs: bool = False, rom: bytes | None = None):
        self.slots = Slots(SLOTS, slot_bytes(net)) if keeps else None
        top = SerialTop(net, divisor=DIVISOR, vendor=vendor,
                        scrubs=scrubs,
                        flash=FLASH._replace(slots=self.slots) if flash is not None else rom and Rom(rom))
        self._open(design_of(top, name="board", vendor=vendor, mapped=mapped, verilog=processor() if keeps else ""),
                   quick, flash)

    @classmethod
    def of(cls, design: Design, *, reset: int, quick: bool = False) -> "SimulatedBoard":
        """A whole board: `design` has the pins clk, rx and tx, and its reset takes `reset` cycles from power-up."""
        board = cls.__new__(cls)
        board._open(design, quick)
        board._exchange(b"", 1, reset)
        return board

    def _open(self, design: Design, quick: bool, flash: bytes | None = None):
        harness = _text("board.cpp") if flash is None else f"#define FLASH\n{_text('flash.h')}{_text('board.cpp')}"
        self._library = library = self._compile(design, harness, quick)
        self.times = design.times
        library.board_new.restype = ctypes.c_void_p
        library.board_new.argtypes = [ctypes.c_int]
        library.board_delete.argtypes = [ctypes.c_void_p]
        library.board_cycles.restype = ctypes.c_uint64
        library.board_cycles.argtypes = [ctypes.c_void_p]
        library.board_exchange.restype = ctypes.c_int64
        library.board_exchange.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p,
                                           ctypes.c_int64, ctypes.c_int64, ctypes.c_int64]
        if flash is not None:
            library.board_fill.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64]
            library.board_refused.argtypes = [ctypes.c_void_p]
            library.board_dump.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
        self.plug(flash)

    def _compile(self, design: Design, harness: str, quick: bool) -> ctypes.CDLL:
        return build_design(design, harness=harness, quick=quick)

    def plug(self, flash: bytes | None = None) -> None:
        """Take the power away and give it again, with `flash` in the flash of a board that has one."""
        if getattr(self, "_board", None) is not None:
            self.close()
        self._board, self._buffer = self._library.board_new(DIVISOR), bytearray()
        if flash is not None:
            if self.slots is not None:
                flash = flash.ljust(self.slots.address + 2 * self.slots.size, bytes([ERASED]))
            self._library.board_fill(self._board, flash, len(flash))
            self._held = len(flash)

    def flash(self, cut: int | None = None, *, start: int = 0) -> bytes:
        """What the flash holds now from `start` on. The board goes on.

        cut: what it would hold if the power went now; the number draws the bits of what was being written.
        """
        found = np.zeros(self._held, np.uint8)
        self._library.board_dump(self._require(), found.ctypes.data, cut is not None, cut or 0)
        return found[start:].tobytes()

    @property
    def refused(self) -> bool:
        """Whether the light is on that says so of what the flash holds."""
        return bool(self._library.board_refused(self._require()))

    @property
    def cycles(self) -> int:
        return self._library.board_cycles(self._require())

    def write(self, data: bytes) -> None:
        """Send bytes; what comes back meanwhile is kept for `read`."""
        self._exchange(bytes(data), 0, 1 << 62)

    def read(self, count: int, timeout: float) -> bytes:
        """Up to `count` bytes; fewer after `timeout` seconds of simulated patience."""
        if len(self._buffer) < count:
            self._exchange(b"", count - len(self._buffer), int(timeout * CYCLES_PER_SECOND))
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    def close(self) -> None:
        """Take the board away; later calls raise PortError."""
        if self._board is not None:
            self._library.board_delete(self._board)
            self._board = None

    def __del__(self):
        if getattr(self, "_board", None) is not None:
            self.close()

    def _exchange(self, data, want, limit):
        # what a device can answer while `data` goes out is no longer than that, a frame of 64 words aside
        found = np.zeros(max(want, len(data)) + 1024, np.uint8)
        count = self._library.board_exchange(self._require(), data, len(data), found.ctypes.data, want, len(found),
                                             limit)
        if count < 0:
            raise PortError("the simulated board broke a byte: its stop bit was low")
        self._buffer += found[:count].tobytes()

    def _require(self):
        if self._board is None:
            raise PortError("the simulated board is closed")
        return self._board


def _text(name):
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
