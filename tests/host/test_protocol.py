"""Frames: known bytes, there and back, and no bytes at all make anything but a response or one line of error."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.protocol import (
    MAX_WORDS,
    READ,
    WRITE,
    LinkError,
    Request,
    Response,
    ResponseParser,
    Status,
    crc16,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)

words = st.integers(0, 2 ** 32 - 1)
counts = st.integers(1, MAX_WORDS)


@st.composite
def requests(draw):
    op, count = draw(st.sampled_from([READ, WRITE])), draw(counts)
    data = draw(st.lists(words, min_size=count, max_size=count)) if op == WRITE else ()
    return Request(op=op, addr=draw(words), count=count, data=data, fixed=draw(st.booleans()))


@st.composite
def responses(draw):
    status = draw(st.sampled_from(list(Status)))
    if status in (Status.BAD_CRC, Status.BAD_FRAME):
        return Response(status=status)
    op, count = draw(st.sampled_from([READ, WRITE])), draw(st.integers(0, MAX_WORDS))
    data = draw(st.lists(words, min_size=count, max_size=count)) if op == READ else ()
    return Response(status=status, op=op, count=count, data=data, fixed=draw(st.booleans()))


def feed(parser, data):
    """All responses and errors that `data` make."""
    found = []
    while True:
        try:
            found.append(parser.feed(data))
        except LinkError as error:
            found.append(error)
        if found[-1] is None:
            return found[:-1]
        data = b""


def test_known_bytes():
    assert crc16(b"123456789") == 0x29B1
    span = bytes.fromhex("82 01 00010000 05000080")
    assert encode_request(Request(op=WRITE, addr=0x100, count=1, data=(0x8000_0005,), fixed=True)) == (
        b"\xa5" + span + crc16(span).to_bytes(2, "little"))
    span = bytes.fromhex("31 01 78563412")
    assert encode_response(Response(status=Status.ADDRESS, op=READ, count=1, data=(0x12345678,))) == (
        b"\x5a" + span + crc16(span).to_bytes(2, "little"))


@given(requests())
def test_requests_there_and_back(request):
    assert decode_request(encode_request(request)) == request


@given(responses())
def test_responses_there_and_back(response):
    assert decode_response(encode_response(response)) == response


@settings(max_examples=100, deadline=None)
@given(st.lists(responses(), max_size=4), st.binary(max_size=8), st.integers(1, 300))
def test_parser_in_pieces(sent, noise, size):
    noise = noise.replace(b"\x5a", b"")
    line = noise + b"".join(encode_response(response) + noise for response in sent)
    parser, found = ResponseParser(), []
    for n in range(0, len(line), size):
        found += feed(parser, line[n:n + size])
    assert found == sent
    assert parser.dropped == len(noise) * (len(sent) + 1)


@given(responses())
def test_needed_never_overshoots(response):
    frame, parser = encode_response(response), ResponseParser()
    while True:
        n = parser.needed
        assert 1 <= n <= len(frame)
        piece, frame = frame[:n], frame[n:]
        found = parser.feed(piece)
        if found:
            break
    assert found == response
    assert not frame


@settings(max_examples=200, deadline=None)
@given(responses(), st.data())
def test_damaged_response(response, data):
    """A flipped bit never yields a response; a good frame behind the damaged one is found."""
    frame = bytearray(encode_response(response))
    bit = data.draw(st.integers(0, 8 * len(frame) - 1))
    frame[bit // 8] ^= 1 << bit % 8
    parser = ResponseParser()
    assert not [r for r in feed(parser, bytes(frame)) if isinstance(r, Response)]
    parser.clear()
    assert parser.feed(encode_response(response)) == response


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600), st.booleans())
def test_any_bytes(data, sync):
    found = feed(ResponseParser(), (b"\x5a" if sync else b"") + data)
    assert all("\n" not in str(error) for error in found if isinstance(error, LinkError))
    for decode, byte in ((decode_request, b"\xa5"), (decode_response, b"\x5a")):
        with pytest.raises(LinkError) as error:
            decode((byte if sync else b"") + data + b"!")
        assert "\n" not in str(error.value)


def test_parser_goes_on_behind_a_bad_frame():
    good = Response(status=Status.OK, op=WRITE, count=3)
    bad = bytearray(encode_response(good))
    bad[-1] ^= 1
    found = feed(ResponseParser(), bytes(bad) + encode_response(good))
    assert isinstance(found[0], LinkError)
    assert "checksum 0x" in str(found[0])
    assert found[1:] == [good]


def test_parser_finds_what_a_bad_frame_swallowed():
    """A sync byte of noise claims words that are good frames: they are found once it turns out to be none."""
    good = [Response(status=Status.OK, op=READ, count=1, data=(0x5A5A_0001,)), Response(status=Status.OK, op=WRITE),
            Response(status=Status.BUSY, op=WRITE, count=7)]
    line = b"".join(map(encode_response, good))
    parser = ResponseParser()
    found = feed(parser, bytes.fromhex("5a 01 04") + line)
    assert [one for one in found if isinstance(one, Response)] == good
    assert isinstance(found[0], LinkError)
    assert parser.dropped == 3
    # nothing is left over
    assert parser.feed(encode_response(good[1])) == good[1]
    assert parser.dropped == 3


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Request(op=3, addr=0, count=1), r"op must be 1 \(read\) or 2 \(write\), not 3"),
    (lambda: Request(op=READ, addr=0, count=0), "1 to 64 words, not 0"),
    (lambda: Request(op=READ, addr=0, count=65), "1 to 64 words, not 65"),
    (lambda: Request(op=READ, addr=0, count=True), "1 to 64 words, not True"),
    (lambda: Request(op=READ, addr=1 << 32, count=1), "addr must be"),
    (lambda: Request(op=READ, addr=0, count=1, data=(1,)), "read of 1 words has 1 words of data"),
    (lambda: Request(op=WRITE, addr=0, count=2, data=(1,)), "write of 2 words has 1 words of data"),
    (lambda: Request(op=WRITE, addr=0, count=1, data=(-1,)), "data words must be"),
    (lambda: Response(status=Status.BAD_CRC, op=READ), "no response has status"),
    (lambda: Response(status=Status.OK, op=READ, count=1), "response of 1 words has 0 words"),
    (lambda: Response(status=Status.OK, op=WRITE, count=65), "counts 0 to 64"),
    (lambda: Response(status=5, op=WRITE), "status must be in 0..4"),
    (lambda: Response(status=Status.BAD_FRAME, count=1), "refused frame has no count"),
    (lambda: Response(status=Status.OK, op=READ, count=1, data=(1 << 32,)), "data words must be"),
])
def test_fields(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(("decode", "frame", "message"), [
    (decode_request, b"", "0 bytes from nothing"),
    (decode_request, b"\xa5\x05\x01\0\0\0\0\0\0", "op 0x05 and count 1"),
    (decode_request, b"\xa5\x01\x41\0\0\0\0\0\0", "op 0x01 and count 65"),
    (decode_request, b"\xa5\x02\x01\0\0\0\0\0\0", "request of 9 bytes, 13 expected"),
    (decode_response, b"\x5a\x51\0" + crc16(b"\x51\0").to_bytes(2, "little"), "5 is not a valid Status"),
    (decode_response, b"\x5a\x03\0" + crc16(b"\x03\0").to_bytes(2, "little"), "and op 3"),
    (decode_response, b"\x5a\x01\x41" + crc16(b"\x01\x41").to_bytes(2, "little"), "counts 0 to 64 words, not 65"),
])
def test_refused_frames(decode, frame, message):
    with pytest.raises(LinkError, match=message):
        decode(frame)
