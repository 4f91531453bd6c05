"""What a device plays to itself from its flash: the requests that a driver would send, and its answers on the line.

The order is that of firmware.board.Board: parameters, commit, then samples. A driver looks at each response; here an
output word is waited for (golden.regmap.AWAITED), and samples wait for the image, so that nothing has to be asked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from firmware.loader import frames
from firmware.protocol import (
    HELLO,
    MAX_WORDS,
    READ,
    WRITE,
    LinkError,
    Request,
    Response,
    ResponseParser,
    Status,
    encode_request,
)
from firmware.transport import Transport
from golden import flash
from golden.description import Description, Units
from golden.image import Image
from golden.regmap import AWAITED, INPUT, REGISTERS, VALID_BIT, WORD_MASK


def loading(image: Image) -> list[Request]:
    """Requests that put an image in force."""
    return [_set("errors", (1 << 32) - 1), _set("load_begin", 1),
            *(Request(op=WRITE, addr=addr, count=len(words), data=words) for addr, words in frames(image)),
            _set("load_commit", image.crc)]


def sampling(net: Description, units: Units) -> Iterator[Request]:
    """Requests that send samples, unit by unit (a tick, an image), and read what each gives."""
    if net.teacher is not None:
        yield _set("learning", 0)
    if net.END is not None:
        # what a reset has cut short comes to its end, and its answers are thrown away
        yield from (_fixed(INPUT, net.END), _fixed(AWAITED, 0))
    start = 0
    for stop in units.ends.tolist():
        for n in range(start, stop, MAX_WORDS):
            yield _fixed(INPUT, *units.words[n:min(stop, n + MAX_WORDS)].tolist())
        for n in range(0, units.answers, MAX_WORDS):
            yield Request(op=READ, addr=AWAITED, count=min(MAX_WORDS, units.answers - n), fixed=True)
        start = stop


def content(net: Description, image: Image, units: Units | None = None) -> bytes:
    """What belongs into the flash of a device: an image, and samples that it answers at power-up.

    ValueError for an image of another design.
    """
    if image.fingerprint != net.fingerprint:
        raise ValueError(f"the image is for design {image.fingerprint}, {net.name} is design {net.fingerprint}")
    requests = loading(image)
    if units is not None:
        requests += sampling(net, units)
    return flash.content(net.fingerprint, numbered(requests))


def numbered(requests: Iterable[Request]) -> Iterator[bytes]:
    """Frames of requests in turn, behind the hello that begins their numbers."""
    hello = Request(op=HELLO, addr=0, count=1, data=(0,))
    for number, request in enumerate((hello, *requests)):
        yield encode_request(replace(request, seq=number & 0xFF))


def heard(responses: Iterable[Response]) -> np.ndarray:
    """Output words (uint32) in what a device answered; LinkError for a response that says that it did not work."""
    found = []
    for number, response in enumerate(responses):
        if response.status != Status.OK:
            raise LinkError(f"frame {number} in the flash: {response.status.name.lower()} after {response.count} words")
        found += [word & WORD_MASK for word in response.data if response.fixed and word >> VALID_BIT & 1]
    return np.array(found, np.uint32)


def listen(transport: Transport, *, silence: float = 0.2, wait: float = 0.2) -> Iterator[Response]:
    """Responses that come by themselves, until the line is silent; LinkError for a damaged one.

    silence, wait: seconds, after a byte and before the first one.
    """
    parser = ResponseParser()
    patience = wait
    while data := transport.read(parser.needed, patience):
        patience = silence
        response = parser.feed(data)
        if response is not None:
            yield response


def _set(name: str, value: int) -> Request:
    return Request(op=WRITE, addr=REGISTERS[name].offset, count=1, data=(value,))


def _fixed(addr: int, *words: int) -> Request:
    return Request(op=WRITE, addr=addr, count=len(words), data=words, fixed=True)
