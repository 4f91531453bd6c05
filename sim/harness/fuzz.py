"""Bytes of all kinds for a compiled HostLink: every response equal to that of the model, in sim/harness/line.py."""

import ctypes
import random
from pathlib import Path
from typing import NamedTuple

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from firmware.protocol import HELLO, READ, REQUEST_SYNC, WRITE, Request, encode_request
from golden.frames import MAX_WORDS
from rtl.host.link import HostLink
from sim.harness.line import Responder
from sim.verilated import build_library

WORDS = 64
#: cycles of the link: a byte, the silence that ends a frame, an access that nobody acknowledges
BYTE, IDLE, ACK = 12, 200, 30


class Words:
    """The bus behind the link: words below WORDS, no address above, and one that never answers."""

    DEAF = WORDS - 1

    def __init__(self):
        self.words = [0] * WORDS

    def read(self, addr):
        """See Responder."""
        return None if addr >= WORDS else False if addr == self.DEAF else self.words[addr]

    def write(self, addr, word):
        """See Responder."""
        if addr < self.DEAF:
            self.words[addr] = word
        return None if addr >= WORDS else addr != self.DEAF


class LinkTop(wiring.Component):
    """HostLink with the circuit of Words on its bus."""

    def __init__(self):
        super().__init__({"i": In(stream.Signature(8, always_ready=True)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = HostLink(idle_cycles=IDLE, ack_cycles=ACK)
        m.submodules.words = words = memory.Memory(shape=32, depth=WORDS, init=[])
        read, write, bus = words.read_port(domain="comb"), words.write_port(), link.bus
        wiring.connect(m, wiring.flipped(self.i), link.i)
        wiring.connect(m, link.o, wiring.flipped(self.o))
        here = bus.addr < WORDS
        m.d.comb += [read.addr.eq(bus.addr), bus.r_data.eq(read.data), write.addr.eq(bus.addr),
                     write.data.eq(bus.w_data), bus.error.eq(~here),
                     bus.ack.eq((bus.read | bus.write) & (bus.addr != Words.DEAF)),
                     write.en.eq(bus.write & here & bus.ack)]
        return m


class CompiledLink:
    """LinkTop as machine code: what it answers to a chunk of bytes with silence behind it."""

    def __init__(self):
        harness = Path(__file__).with_name("fuzz.cpp").read_text(encoding="utf-8")
        self._library = build_library(LinkTop(), name="link", harness=harness, quick=True)
        self._library.link_new.restype = ctypes.c_void_p
        self._library.link_chunk.restype = ctypes.c_int64
        self._library.link_chunk.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64,
                                             ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64]
        self._link, self._found = ctypes.c_void_p(self._library.link_new()), np.zeros(1 << 16, np.uint8)

    def respond(self, chunk: bytes) -> bytes:
        """As Responder's; RuntimeError where it never falls silent."""
        count = self._library.link_chunk(self._link, chunk, len(chunk), BYTE, 2 * IDLE, self._found.ctypes.data,
                                         len(self._found))
        if count < 0:
            raise RuntimeError(f"the link does not fall silent after {chunk.hex()}")
        return self._found[:count].tobytes()


class Counts(NamedTuple):
    """What was sent, frames whose CRC was looked at, and those that were taken though nobody sent them like that."""

    raw_bytes: int
    mutated_frames: int
    frames_at_crc: int
    accepted_different: int


def raw_chunk(rng: random.Random) -> bytes:
    """Random bytes, half of them behind a sync byte, of which a quarter with an op and a count that frames have."""
    data = rng.randbytes(rng.randint(1, 220))
    kind = rng.random()
    if kind < 0.5:
        data = bytes([REQUEST_SYNC]) + data
    if kind < 0.125:
        data = data[:1] + bytes([rng.choice((1, 2, 3, 0x81, 0x42)), rng.getrandbits(8), rng.randint(1, 12)]) + data[4:]
    return data


def request(rng: random.Random, turn: int) -> bytes:
    """A frame of any kind, mostly the next in turn."""
    op = rng.choice((READ, READ, WRITE, WRITE, HELLO))
    count = 1 if op == HELLO else rng.choice((1, 2, rng.randint(1, 20), MAX_WORDS))
    return encode_request(Request(
        op=op, addr=rng.choice((rng.randrange(WORDS), WORDS, rng.getrandbits(32))), count=count,
        data=() if op == READ else [rng.getrandbits(32) for _ in range(count)], fixed=rng.random() < 0.3,
        seq=(turn + rng.choice((0, 0, 0, 0, -1, -2, 1))) % 256, chained=rng.random() < 0.3))


def mutated(rng: random.Random, frame: bytes) -> bytes:
    """One to three bytes flipped, dropped, doubled, inserted or swapped, or the end cut off."""
    data = bytearray(frame)
    for _ in range(rng.randint(1, 3)):
        at, kind = rng.randrange(max(1, len(data))), rng.choice(("flip", "drop", "double", "insert", "cut", "swap"))
        if kind == "flip":
            data[at:at + 1] = bytes(byte ^ 1 << rng.randrange(8) for byte in data[at:at + 1])
        elif kind == "drop":
            del data[at:at + 1]
        elif kind == "double":
            data[at:at] = data[at:at + 1]
        elif kind == "insert":
            data[at:at] = rng.randbytes(1)
        elif kind == "cut":
            del data[at:]
        else:
            other = rng.randrange(max(1, len(data)))
            if data:
                data[at], data[other] = data[other], data[at]
    return bytes(data)


def fuzz(link, *, raw_bytes: int, mutated_frames: int, seed: int = 0, progress=None) -> Counts:
    """Raw bytes and mutated frames in turn with good ones between them; AssertionError at the first difference."""
    rng, model, sent, frames, different = random.Random(f"link {seed}"), Responder(Words()), 0, 0, 0

    def say(chunk, meant=()):
        nonlocal different
        model.accepted.clear()
        want = model.respond(chunk)
        found = link.respond(chunk)
        assert found == want, f"{chunk.hex()}: {found.hex()}, the model says {want.hex()}"
        different += sum(frame not in meant for frame in model.accepted)

    while sent < raw_bytes or frames < mutated_frames:
        good = request(rng, model.turn)
        say(good, [good])
        if sent < raw_bytes:
            chunk = raw_chunk(rng)
            sent += len(chunk)
            say(chunk)
        if frames < mutated_frames:
            frame = request(rng, model.turn)
            frames += 1
            say(mutated(rng, frame), [frame])
        if progress is not None:
            progress(sent, frames)
    return Counts(sent, frames, model.at_crc, different)
