"""Link: words and registers of a device at the other end of a transport, frame by frame."""

import time

from firmware.protocol import (
    MAX_WORDS,
    READ,
    REASONS,
    WRITE,
    LinkError,
    PortError,
    Request,
    Response,
    ResponseParser,
    Status,
    encode_request,
)
from firmware.transport import Transport
from golden.regmap import REGISTERS

ATTEMPTS = 3
#: bits of the `status` register
LOADED, LOADING, TICKING, LEARNT, RUNNING, IN_PLACE = (1 << bit for bit in (0, 1, 3, 4, 5, 6))
#: seconds of silence after which nothing of a lost response is on its way any more
QUIET = 0.05


class Link:
    """What speaks firmware/protocol.py over `transport`. A context manager that closes it.

    Parameters: transport; timeout, seconds for a response to begin and between its parts; patience, seconds for the
    device to get on with what takes several frames.
    All methods raise LinkError (one line) when the link or the device fails.
    """

    def __init__(self, transport: Transport, *, timeout: float, patience: float):
        self.transport, self.timeout, self.patience = transport, timeout, patience
        self._parser = ResponseParser()
        self._stale = True      # bytes of an earlier talk may be on the line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Close the transport."""
        self.transport.close()

    def read(self, addr: int, count: int = 1, *, fixed: bool = False) -> list[int]:
        """`count` words from `addr` on, or all from `addr` where `fixed`."""
        words = []
        while len(words) < count:
            at = addr if fixed else addr + len(words)
            part = min(MAX_WORDS, count - len(words))
            words += self._access(Request(op=READ, addr=at, count=part, fixed=fixed)).data
        return words

    def write(self, addr: int, words, *, fixed: bool = False) -> None:
        """Write `words` from `addr` on, or all to `addr` where `fixed`."""
        words = [int(word) for word in words]
        for n in range(0, len(words), MAX_WORDS):
            part = words[n:n + MAX_WORDS]
            self._access(Request(op=WRITE, addr=addr if fixed else addr + n, count=len(part), data=part, fixed=fixed))

    def get(self, name: str) -> int:
        """Read a register."""
        return self.read(_register(name, "r").offset)[0]

    def set(self, name: str, value: int) -> None:
        """Write a register."""
        self.write(_register(name, "w").offset, [value])

    # ---- frames

    def _access(self, request: Request, *, partial: bool = False) -> Response:
        """One frame, sent again while that can do no harm: it was refused unseen, or reads without side effect.

        LinkError unless all words were done; with `partial` a device that was busy after some of them is right, too.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = self._exchange(request)
            except LinkError as error:
                if attempt == ATTEMPTS or request.op == WRITE or request.fixed or isinstance(error, PortError):
                    raise
                continue
            if response.status == Status.OK or partial and response.status == Status.BUSY:
                return response
            if attempt == ATTEMPTS or response.status not in (Status.BAD_CRC, Status.BAD_FRAME):
                raise LinkError(f"{_words(request)}: {REASONS[response.status]} (after {response.count} words)")
        raise AssertionError("unreachable")

    def _exchange(self, request: Request) -> Response:
        if self._stale:
            self._drain()
        self._stale = True      # until the response is complete, whatever interrupts
        self.transport.write(encode_request(request))
        while True:
            data = self.transport.read(self._parser.needed, self.timeout)
            if not data:
                raise LinkError(f"{_words(request)}: no response within {self.timeout:g} s")
            response = self._parser.feed(data)
            if response is None:
                continue
            refused = response.status in (Status.BAD_CRC, Status.BAD_FRAME)
            complete = response.count == request.count or response.status != Status.OK
            if refused or (response.op, response.fixed) == (request.op, request.fixed) and complete:
                self._stale = False
                return response
            raise LinkError(f"{_words(request)}: the response is for an op {response.op} of {response.count} words")

    def _drain(self):
        """Wait until the line is quiet, so that no late response is taken for the next one."""
        deadline = time.monotonic() + self.patience
        while self.transport.read(4096, QUIET):
            if time.monotonic() > deadline:
                raise LinkError(f"the port sends without end for {self.patience:g} s, no board of ours does")
        self._parser.clear()


def _register(name, access):
    if name not in REGISTERS:
        raise ValueError(f"no register {name!r}; there are {', '.join(REGISTERS)}")
    if access not in REGISTERS[name].access:
        raise ValueError(f"register {name} cannot be {'read' if access == 'r' else 'written'}")
    return REGISTERS[name]


def _words(request):
    verb = "read" if request.op == READ else "write"
    return f"{verb} of {request.count} words at 0x{request.addr:08x}"
