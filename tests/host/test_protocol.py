"""Frames: known bytes, there and back, and no bytes at all make anything but a response or one line of error."""

from binascii import crc_hqx
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.protocol import (
    HELLO,
    MAX_WORDS,
    READ,
    REFUSALS,
    WRITE,
    LinkError,
    Request,
    Response,
    ResponseParser,
    Status,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from golden.frames import OLD_ANSWER, OLD_REQUEST, REQUEST_SYNC, RESPONSE_SYNC, WINDOW

words = st.integers(0, 2 ** 32 - 1)
counts = st.integers(1, MAX_WORDS)
numbers = st.integers(0, 255)


@st.composite
def requests(draw):
    op, count = draw(st.sampled_from([READ, WRITE, HELLO])), draw(counts)
    count = 1 if op == HELLO else count
    data = () if op == READ else draw(st.lists(words, min_size=count, max_size=count))
    return Request(op=op, addr=draw(words), count=count, data=data, fixed=draw(st.booleans()), seq=draw(numbers),
                   chained=draw(st.booleans()))


@st.composite
def responses(draw):
    status = draw(st.sampled_from(list(Status)))
    if status in REFUSALS:
        return Response(status=status, seq=draw(numbers))
    op, count = draw(st.sampled_from([READ, WRITE, HELLO])), draw(st.integers(0, MAX_WORDS))
    data = () if op == WRITE else draw(st.lists(words, min_size=count, max_size=count))
    return Response(status=status, op=op, count=count, data=data, fixed=draw(st.booleans()), seq=draw(numbers))


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
    """Two frames byte for byte, and the check value of CRC-32."""
    assert (REQUEST_SYNC, RESPONSE_SYNC, WINDOW) == (0xC5, 0x5C, 2)
    assert crc32(b"123456789") == 0xCBF43926
    span = bytes.fromhex("c2 11 01 00010000 05000080")
    assert encode_request(Request(op=WRITE, addr=0x100, count=1, data=(0x8000_0005,), fixed=True, chained=True,
                                  seq=17)) == b"\xc5" + span + crc32(span).to_bytes(4, "little")
    span = bytes.fromhex("31 fe 01 78563412")
    assert encode_response(Response(status=Status.ADDRESS, op=READ, count=1, data=(0x12345678,), seq=254)) == (
        b"\x5c" + span + crc32(span).to_bytes(4, "little"))
    assert encode_request(Request(op=HELLO, addr=0, count=1, data=(1,)))[1:8] == bytes.fromhex("03 00 01 00000000")
    assert encode_response(Response(status=Status.STRANGER, seq=9))[:4] == bytes.fromhex("5c 70 09 00")


def test_what_version_1_sends_and_is_told():
    """A read of the first eight registers, and magic and version 2 with a CRC that it takes."""
    assert OLD_REQUEST == bytes.fromhex("a5 01 08 00000000 9d49")
    assert OLD_ANSWER[:11] == bytes.fromhex("5a 01 08 47414c4c 02000000")
    assert OLD_ANSWER[11:-2] == bytes(24)
    assert crc_hqx(OLD_ANSWER[1:-2], 0xFFFF) == int.from_bytes(OLD_ANSWER[-2:], "little")


@given(requests())
def test_requests_there_and_back(request):
    assert decode_request(encode_request(request)) == request


@given(responses())
def test_responses_there_and_back(response):
    assert decode_response(encode_response(response)) == response


@settings(max_examples=100, deadline=None)
@given(st.lists(responses(), max_size=4), st.binary(max_size=8), st.integers(1, 300))
def test_parser_in_pieces(sent, noise, size):
    noise = noise.replace(b"\x5c", b"")
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
    found = feed(ResponseParser(), (b"\x5c" if sync else b"") + data)
    assert all("\n" not in str(error) for error in found if isinstance(error, LinkError))
    for decode, byte in ((decode_request, b"\xc5"), (decode_response, b"\x5c")):
        with pytest.raises(LinkError) as error:
            decode((byte if sync else b"") + data + b"!")
        assert "\n" not in str(error.value)


def test_parser_goes_on_behind_a_bad_frame():
    good = Response(status=Status.OK, op=WRITE, count=3, seq=1)
    bad = bytearray(encode_response(good))
    bad[-1] ^= 1
    found = feed(ResponseParser(), bytes(bad) + encode_response(good))
    assert isinstance(found[0], LinkError)
    assert "checksum 0x" in str(found[0])
    assert found[1:] == [good]


def test_parser_finds_what_a_bad_frame_swallowed():
    """A sync byte of noise claims words that are good frames: they are found once it turns out to be none."""
    good = [Response(status=Status.OK, op=READ, count=1, data=(0x5C5C_0001,)), Response(status=Status.OK, op=WRITE),
            Response(status=Status.BUSY, op=WRITE, count=7)]
    line = b"".join(map(encode_response, good))
    parser = ResponseParser()
    found = feed(parser, bytes.fromhex("5c 01 00 04") + line)
    assert [one for one in found if isinstance(one, Response)] == good
    assert isinstance(found[0], LinkError)
    assert parser.dropped == 4
    # nothing is left over
    assert parser.feed(encode_response(good[1])) == good[1]
    assert parser.dropped == 4


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Request(op=4, addr=0, count=1), r"op must be 1 \(read\), 2 \(write\) or 3 \(hello\), not 4"),
    (lambda: Request(op=HELLO, addr=0, count=2, data=(1, 2)), "a hello has one word, not 2"),
    (lambda: Request(op=READ, addr=0, count=1, seq=256), r"seq must be in 0\.\.255, not 256"),
    (lambda: Response(status=Status.BUSY, op=WRITE, seq=-1), r"seq must be in 0\.\.255, not -1"),
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
    (lambda: Response(status=8, op=WRITE), "status must be in 0..7"),
    (lambda: Response(status=Status.BAD_FRAME, count=1), "refused frame has no count"),
    (lambda: Response(status=Status.OK, op=READ, count=1, data=(1 << 32,)), "data words must be"),
])
def test_fields(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(("decode", "frame", "message"), [
    (decode_request, b"", "0 bytes from nothing"),
    (decode_request, b"\xc5\x05\0\x01" + bytes(8), "op 0x05 and count 1"),
    (decode_request, b"\xc5\x01\0\x41" + bytes(8), "op 0x01 and count 65"),
    (decode_request, b"\xc5\x03\0\x02" + bytes(8), "op 0x03 and count 2"),
    (decode_request, b"\xc5\x02\0\x01" + bytes(8), "request of 12 bytes, 16 expected"),
    (decode_response, b"\x5c\x04\0\0" + crc32(b"\x04\0\0").to_bytes(4, "little"), "and op 4"),
    (decode_response, b"\x5c\x51\0\0" + crc32(b"\x51\0\0").to_bytes(4, "little"), "status 5 and op 1"),
    (decode_response, b"\x5c\x01\0\x41" + crc32(b"\x01\0\x41").to_bytes(4, "little"), "0 to 64 words, not 65"),
])
def test_refused_frames(decode, frame, message):
    with pytest.raises(LinkError, match=message):
        decode(frame)
