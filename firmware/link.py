"""Link: words and registers of a device at the other end of a transport, frame by frame."""

from firmware.protocol import MAX_WORDS, READ, REASONS, WRITE, LinkError, Request, Response, Status
from firmware.transport import Transport
from firmware.window import Window, words_of
from golden.regmap import REGISTERS

#: bits of the `status` register
LOADED, LOADING, TICKING, LEARNT, RUNNING, IN_PLACE = (1 << bit for bit in (0, 1, 3, 4, 5, 6))


class Link:
    """What speaks firmware/protocol.py over `transport`. A context manager that closes it.

    Parameters: transport; timeout, seconds for a response to begin; patience, seconds for the device to get on with
    what takes several frames.
    All methods raise LinkError (one line) when the link or the device fails.
    """

    def __init__(self, transport: Transport, *, timeout: float, patience: float):
        self.transport, self.timeout, self.patience = transport, timeout, patience
        self._window = Window(transport, timeout=timeout, patience=patience)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Close the transport."""
        self.transport.close()

    def read(self, addr: int, count: int = 1, *, fixed: bool = False) -> list[int]:
        """`count` words from `addr` on, or all from `addr` where `fixed`."""
        requests = (Request(op=READ, addr=addr if fixed else addr + n, count=min(MAX_WORDS, count - n), fixed=fixed)
                    for n in range(0, count, MAX_WORDS))
        return [word for response in self._all(requests) for word in response.data]

    def write(self, addr: int, words, *, fixed: bool = False) -> None:
        """Write `words` from `addr` on, or all to `addr` where `fixed`."""
        words = [int(word) for word in words]
        parts = ((addr if fixed else addr + n, words[n:n + MAX_WORDS]) for n in range(0, len(words), MAX_WORDS))
        self._all(writes(parts, fixed=fixed))

    def get(self, name: str) -> int:
        """Read a register."""
        return self.read(_register(name, "r").offset)[0]

    def set(self, name: str, value: int) -> None:
        """Write a register."""
        self.write(_register(name, "w").offset, [value])

    # ---- frames

    def _all(self, requests, each=None) -> list[Response]:
        """Do requests in order, some of them under way at a time; `each(request)` when one is done.

        LinkError at the first that is not done whole; none after it are done.
        """
        window, todo, found = self._window, iter(requests), []
        if len(window):     # of what was interrupted
            window.forget()
        request = next(todo, None)
        while request is not None or len(window):
            if request is not None and not window.full:
                window.post(request)
                request = next(todo, None)
            else:
                done, response = window.collect()
                if response.status != Status.OK:
                    self._settle()
                    raise refused(done, response)
                found.append(response)
                if each is not None:
                    each(done)
        return found

    def _settle(self):
        """Let what is under way come to its end."""
        while len(self._window):
            self._window.collect()

    def _partly(self, request: Request) -> Response:
        """One request, which may end in a device that was busy after some of its words."""
        if len(self._window):
            self._window.forget()
        self._window.post(request)
        _, response = self._window.collect()
        if response.status not in (Status.OK, Status.BUSY):
            raise refused(request, response)
        return response


def writes(parts, *, fixed: bool = False):
    """Requests that write (address, words) each."""
    return (Request(op=WRITE, addr=addr, count=len(words), data=words, fixed=fixed) for addr, words in parts)


def refused(request: Request, response: Response) -> LinkError:
    """What a request that was not done whole ends in."""
    return LinkError(f"{words_of(request)}: {REASONS[response.status]} (after {response.count} words)")


def _register(name, access):
    if name not in REGISTERS:
        raise ValueError(f"no register {name!r}; there are {', '.join(REGISTERS)}")
    if access not in REGISTERS[name].access:
        raise ValueError(f"register {name} cannot be {'read' if access == 'r' else 'written'}")
    return REGISTERS[name]
