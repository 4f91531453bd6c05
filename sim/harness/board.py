"""The simulated board: a compiled SerialTop behind the interface of a serial port, byte by byte through its pins."""

import ctypes
from pathlib import Path

import numpy as np

from firmware.transport import PortError, Transport
from golden.description import Description
from rtl.host.top import SerialTop
from sim.verilated import build_library

#: clock cycles a bit, the fewest that the receiver takes: simulated time is cheap, cycles are not
DIVISOR = 4
#: simulated cycles for which `read` waits, per second of its timeout
CYCLES_PER_SECOND = 2_000_000


class SimulatedBoard(Transport):
    """What SerialTransport is to a real board. Time passes only while bytes are written or waited for.

    Parameters: net, the design on the board; vendor form; quick, True to compile sooner what runs few cycles.
    ToolError where a tool is missing.
    Attributes: cycles, clock cycles so far.
    """

    def __init__(self, net: Description, *, vendor: str = "generic", quick: bool = False):
        harness = Path(__file__).with_name("board.cpp").read_text(encoding="utf-8")
        top = SerialTop(net, divisor=DIVISOR, vendor=vendor)
        self._library = library = build_library(top, name="board", harness=harness, vendor=vendor, quick=quick)
        library.board_new.restype = ctypes.c_void_p
        library.board_new.argtypes = [ctypes.c_int]
        library.board_delete.argtypes = [ctypes.c_void_p]
        library.board_cycles.restype = ctypes.c_uint64
        library.board_cycles.argtypes = [ctypes.c_void_p]
        library.board_exchange.restype = ctypes.c_int64
        library.board_exchange.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p,
                                           ctypes.c_int64, ctypes.c_int64, ctypes.c_int64]
        self._board, self._buffer = library.board_new(DIVISOR), bytearray()

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
