"""Window: requests under way on a line that loses, doubles and damages bytes, sent again until they are answered."""

import secrets
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import replace

from firmware.protocol import (
    HELLO,
    READ,
    REASONS,
    REFUSALS,
    WRITE,
    LinkError,
    PortError,
    Request,
    ResetError,
    Response,
    ResponseParser,
    Status,
    encode_request,
)
from firmware.transport import Transport
from golden.frames import OLD_ANSWER, OLD_REQUEST, WINDOW
from golden.regmap import MAGIC, VERSION

#: times that a request is sent where nothing at all comes back, and where what comes is damaged
ATTEMPTS, DAMAGED = 3, 40
#: seconds after which a response that has begun is given up
PAUSE = 0.05


class Window:
    """Requests in order, at most WINDOW under way, each done once however often it is sent.

    A line keeps the order of its bytes. So once the word of a hello has come back, all that answers earlier requests
    has come before it, and a response that is late by any time is told by its number.

    Parameters: transport; timeout, seconds for a response to begin; patience, seconds for a line to say something that
    makes sense.
    """

    def __init__(self, transport: Transport, *, timeout: float, patience: float):
        self.transport, self.timeout, self.patience = transport, timeout, patience
        self._parser, self._waiting, self._answers = ResponseParser(), deque(), {}
        self._met, self._seq = False, secrets.randbelow(256)
        self._sent = 0      # frames since nothing was under way

    def __len__(self):
        return len(self._waiting)

    @property
    def full(self) -> bool:
        return len(self._waiting) == WINDOW

    def post(self, request: Request) -> None:
        """Send a request; where others are under way, it is done only if they are done whole."""
        with self._given_up():
            if not self._met:
                self._hello()
            if not self._waiting:
                self._sent = 0
            self._send(replace(request, seq=self._seq, chained=bool(self._waiting)))

    def collect(self) -> tuple[Request, Response]:
        """The oldest request under way and its response.

        LinkError (one line) where none comes: what became of the request is not known then, and later ones are lost.
        ResetError where the device was reset between a request and its repetition, or while several were under way.
        """
        with self._given_up():
            try:
                return self._collect()
            except ResetError:
                # one that was sent once was not done
                if self._sent != 1:
                    raise
                request = self._waiting[0]
            self.forget()
            self.post(request)
            return self._collect()

    @contextmanager
    def _given_up(self):
        """What ends in an error, or is interrupted, leaves requests under way: a hello has to come after them."""
        try:
            yield
        except BaseException:
            self.forget()
            raise

    def forget(self) -> None:
        """Give up all that is under way; the next request begins anew."""
        self._met = False
        self._waiting.clear()
        self._answers.clear()
        self._parser.clear()

    def _send(self, request):
        self._seq = (request.seq + 1) % 256
        self._waiting.append(request)
        self._write(request)

    def _write(self, request):
        self._sent += 1
        self.transport.write(encode_request(request))

    def _hello(self):
        """Begin the numbers anew; LinkError with both versions where the device has another one."""
        word = secrets.randbits(32)
        self._send(Request(op=HELLO, addr=0, count=1, data=(word,), seq=self._seq))
        try:
            self._collect()
        except PortError:
            raise
        except LinkError:
            self._look_for_version()
            raise
        self._met = True

    def _look_for_version(self):
        """Ask as version 1 does, which reads registers and changes nothing."""
        self.transport.write(OLD_REQUEST)
        found = b""
        while len(found) < len(OLD_ANSWER):
            data = self.transport.read(len(OLD_ANSWER) - len(found), self.timeout)
            found += data
            if not data:
                return
        magic, version = (int.from_bytes(found[n:n + 4], "little") for n in (3, 7))
        if found[:3] == OLD_ANSWER[:3] and magic == MAGIC and version != VERSION:
            raise LinkError(f"the device has version {version} of link and address map, this program speaks {VERSION}: "
                            f"build its bitstream anew")

    def _collect(self):
        oldest, silent, damaged = self._waiting[0], 0, 0
        self._deadline = time.monotonic() + self.patience
        while oldest.seq not in self._answers:
            try:
                response = self._receive()
            except TimeoutError:
                silent += 1
                if silent == ATTEMPTS:
                    raise LinkError(f"{words_of(oldest)}: no response within {self.timeout:g} s, {ATTEMPTS} times") \
                        from None
                self._repeat(oldest.seq)
                continue
            except _Damaged as error:
                again, reason = oldest.seq, str(error)
            else:
                again, reason = self._take(response), REASONS[response.status]
            if again is not None:
                damaged += 1
                if damaged == DAMAGED:
                    raise LinkError(f"{words_of(oldest)}: {reason}, {DAMAGED} times")
                self._repeat(again)
        self._waiting.popleft()
        return oldest, self._answers.pop(oldest.seq)

    def _receive(self):
        """The next response; TimeoutError where nothing comes, _Damaged where something else does."""
        data, wait = b"", self.timeout
        while True:
            try:
                response = self._parser.feed(data)
            except LinkError as error:
                raise _Damaged(str(error)) from None
            if response is not None:
                return response
            if time.monotonic() > self._deadline:
                raise LinkError(f"the port sends without end for {self.patience:g} s, no board of ours does")
            begun = self._parser.begun
            wait = min(self.timeout, PAUSE) if begun else self.timeout
            data = self.transport.read(self._parser.needed, wait)
            if not data and begun:
                self._parser.skip()
                raise _Damaged("a response ended early")
            if not data:
                raise TimeoutError

    def _repeat(self, first):
        """Send again what is not answered, from number `first` on."""
        found = [request for request in self._waiting if request.seq not in self._answers]
        numbers = [request.seq for request in found]
        for request in found[numbers.index(first) if first in numbers else 0:]:
            self._write(request)

    def _take(self, response):
        """File a response; the number from which on requests are to be sent again, or None."""
        oldest = self._waiting[0]
        if response.status in REFUSALS:
            if response.status == Status.STRANGER and oldest.op != HELLO:
                raise ResetError(f"{words_of(oldest)}: {REASONS[response.status]}")
            known = oldest.op == HELLO or response.seq in [request.seq for request in self._waiting]
            return response.seq if known else None      # what it waits for was not sent yet: nothing is missing
        for request in self._waiting:
            if request.seq == response.seq and (request.op != HELLO or request.data == response.data):
                complete = response.count == request.count or response.status != Status.OK
                if (response.op, response.fixed) != (request.op, request.fixed) or not complete:
                    raise LinkError(f"{words_of(request)}: the response is for an op {response.op} of "
                                    f"{response.count} words")
                self._answers[request.seq] = response
                # they come in order: those before it are lost
                return oldest.seq if request is not oldest and oldest.seq not in self._answers else None
        return None     # late, from before


class _Damaged(Exception):
    """What came is no response."""


def words_of(request: Request) -> str:
    """A request in words, for messages."""
    verb = {READ: "read", WRITE: "write", HELLO: "hello"}[request.op]
    return f"{verb} of {request.count} words at 0x{request.addr:08x}"
