"""Byte transports between host and device: the interface, and the serial port. Simulated ones: sim/harness/board.py."""

from abc import ABC, abstractmethod
from contextlib import contextmanager
from pathlib import Path

from firmware.protocol import PortError

BAUD = 1_000_000
#: seconds that the operating system may take to accept the bytes of a frame
WRITE_TIMEOUT = 5.0


class Transport(ABC):
    """A line to a device, bytes in both directions; PortError once it is gone. A context manager that closes it."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send all of `data`."""

    @abstractmethod
    def read(self, n: int, timeout: float) -> bytes:
        """Up to `n` bytes, fewer when `timeout` seconds have passed (0: what is there now).

        A simulated line may give up as soon as it can tell that nothing more comes.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the line; harmless when repeated."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class SerialTransport(Transport):
    """A serial port, 8N1 without flow control: a device name, or a URL that pyserial knows (`socket://host:port`)."""

    def __init__(self, port: str, baud: int = BAUD):
        try:
            import serial  # only here: models and simulated boards need no pyserial
        except ImportError:
            raise PortError("serial ports need pyserial: pip install pyserial") from None
        self.port = port
        with self._reported("cannot be opened"):
            self._serial = serial.serial_for_url(port, baudrate=baud, timeout=0, write_timeout=WRITE_TIMEOUT,
                                                 do_not_open=True)
            # two programs on one port would each get half of the responses
            if hasattr(self._serial, "exclusive"):
                self._serial.exclusive = True
            self._serial.open()
            self._quicken()

    def _quicken(self):
        """Ask adapters that collect bytes for 16 ms (FTDI) not to: every frame waits for its response."""
        try:
            self._serial.set_low_latency_mode(True)
        except (AttributeError, OSError, ValueError, NotImplementedError):
            pass      # not an adapter that does so, or not Linux: slower, not wrong

    @contextmanager
    def _reported(self, what):
        # pyserial lets OSError, termios.error, TypeError and AttributeError through when a port disappears
        try:
            yield
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise PortError(f"port {self.port} {what}: {reason}") from None

    def write(self, data: bytes) -> None:
        with self._reported("does not take bytes any more"):
            self._serial.write(data)

    def read(self, n: int, timeout: float) -> bytes:
        with self._reported("gives no bytes any more"):
            self._serial.timeout = timeout
            return bytes(self._serial.read(n))

    def close(self) -> None:
        try:
            self._serial.close()
        except Exception:
            pass      # a port that is gone is closed


def connect(port: str, *, baud: int = BAUD) -> SerialTransport:
    """Open a serial port; PortError names the ports that there are if it does not exist."""
    if not isinstance(baud, int) or baud < 1:
        raise ValueError(f"baud must be a positive integer, not {baud!r}")
    check_port(port)
    return SerialTransport(port, baud)


def check_port(port: str) -> None:
    """PortError where there is no such port, without opening it; what has no path is found out by opening."""
    if not isinstance(port, str) or not port:
        raise ValueError(f"a port is a name like /dev/ttyUSB0, not {port!r}")
    if port.startswith("/") and not Path(port).exists():
        raise PortError(f"no port {port}; there {_listed()}")


def _listed():
    try:
        from serial.tools.list_ports import comports
        names = sorted(port.device for port in comports())
    except ImportError:
        names = []
    return f"are {', '.join(names)}" if names else "is no serial port at all"
