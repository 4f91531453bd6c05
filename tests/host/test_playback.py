"""A board that answers from its flash alone: parameters and samples played at power-up, on the simulated board."""

import random

import cascades
import events
import ltcs
import numpy as np
import pytest
from cases import random_input, random_network
from device import learner, learner_params
from spikes import random_images, random_spiking

from firmware.board import Board
from firmware.playback import content, heard, listen, loading, numbered
from firmware.protocol import READ, LinkError, Request, Response, Status, encode_request
from golden import flash
from golden.cascade import engine as cascade_engine
from golden.image import build_image
from golden.rate import engine
from golden.regmap import OUTPUT
from golden.spiking.engine import random_synapses
from sim.harness.board import SimulatedBoard

NET = random_network("playback 0", largest=3)


def rate():
    rng = np.random.default_rng(1)
    return NET, engine.random_params(NET, rng), random_input(NET, rng, 7)[None]


def learning():
    net = learner()
    x = np.stack([random_input(net, np.random.default_rng(n), 6) for n in range(2)])
    return net, learner_params(net), x


def spiking():
    net, rng = random_spiking("playback", largest=6), np.random.default_rng(2)
    return net, random_synapses(net, rng), random_images(net, rng, 9)


def cascaded():
    net = cascades.small()
    return net, cascade_engine.random_params(net), cascades.some_frames(net, 4)


def gated():
    net, rng = ltcs.random_network("playback"), np.random.default_rng(3)
    return net, tuple(ltcs.random_params(layer, rng) for layer in net.layers), ltcs.random_input(net, rng, 2, 5)


DRAWN = {"rate": rate, "learning": learning, "spiking": spiking, "ltc": gated,
         "cascade": cascaded, "event": lambda: events.case("playback", 2, largest=6)}


@pytest.mark.parametrize("kind", ["rate", "spiking", *(pytest.param(kind, marks=pytest.mark.slow)
                                                      for kind in ("learning", "ltc", "cascade", "event"))])
def test_a_board_answers_from_its_flash_alone(kind):
    """Every output word is golden's; then the line is the host's, whose driver finds the image in force."""
    net, params, x = DRAWN[kind]()
    image = build_image(net, params)
    held = content(net, image, net.units(x))
    with SimulatedBoard(net, flash=held, quick=True) as line:
        words = heard(listen(line))
        want = net.run(params, x)
        assert np.array_equal(net.outputs_of(words, x), want)
        assert not line.refused
        board = Board(line, net)
        assert flash.Boot(board.get("boot")) == flash.Boot.DONE
        assert np.array_equal(board.run(x), want)


def test_a_host_of_before_the_power_went():
    """Its numbers are worth nothing, whatever they are: the device says so, and it says hello."""
    net, params, x = rate()
    held = content(net, build_image(net, params))
    with SimulatedBoard(net, flash=held, quick=True) as line:
        board = Board(line, net)
        for asked in range(12):
            heard(listen(line))
            for _ in range(asked):
                board.get("scratch")
            assert flash.Boot(board.get("boot")) == flash.Boot.DONE, asked
            line.plug(held)


def test_parameters_alone():
    net, params, x = rate()
    with SimulatedBoard(net, flash=content(net, build_image(net, params)), quick=True) as line:
        assert not len(heard(listen(line)))
        assert np.array_equal(Board(line, net).run(x), net.run(params, x))


def test_an_erased_flash_is_no_fault():
    net, params, x = rate()
    with SimulatedBoard(net, flash=bytes([flash.ERASED]) * 64, quick=True) as line:
        board = Board(line, net)
        board.load(build_image(net, params))
        assert (board.get("boot"), line.refused) == (flash.Boot.NOTHING, False)
        assert np.array_equal(board.run(x), net.run(params, x))


def refused(line, held) -> bool:
    """Whether the board lights its light, and says so to the host."""
    line.plug(bytes(held))
    try:
        words = heard(listen(line, silence=0.05))
    except LinkError:
        words = None
    said = flash.Boot(Board(line).get("boot"))
    assert line.refused == (said == flash.Boot.REFUSED)
    assert words is not None or line.refused
    return line.refused


@pytest.fixture(scope="module")
def line():
    """The simulated board of NET."""
    with SimulatedBoard(NET, flash=b"", quick=True) as board:
        yield board


def damaged(held, rng) -> list[bytes]:
    """One bit flipped, in every byte in turn."""
    return [held[:n] + bytes([byte ^ 1 << rng.randrange(8)]) + held[n + 1:] for n, byte in enumerate(held)]


def small():
    net, params, x = rate()
    return content(net, build_image(net, params), net.units(x[:, :3]))


def test_a_flipped_bit_is_refused(line):
    held = small()
    rng = random.Random("flipped")
    assert not refused(line, held)
    head = range(flash.HEADER + 18)
    found = damaged(held, rng)
    for n in [*head, *rng.sample(range(len(head), len(held)), 30), len(held) - 1]:
        assert refused(line, found[n]), n


@pytest.mark.slow
def test_a_flipped_bit_anywhere_is_refused(line):
    for n, each in enumerate(damaged(small(), random.Random("anywhere"))):
        assert refused(line, each), n


def test_what_ends_early_or_is_for_another_design(line):
    held, other = small(), random_network("playback 1", largest=3)
    for cut in (0, 3, flash.HEADER, flash.HEADER + 5, len(held) - 9, len(held) - 1):
        # a zero between two frames is the end, and the erased flash is none
        assert refused(line, held[:cut] + bytes(400)) or cut in (flash.HEADER, len(held) - 1), cut
        assert refused(line, held[:cut] + bytes([flash.ERASED]) * 400) or cut == 0, cut
    assert refused(line, content(other, build_image(other, engine.random_params(other, np.random.default_rng(0)))))


def test_a_load_that_is_not_put_in_force(line):
    """Whole frames whose image has another checksum: the device flags it, and the player looks at the flags."""
    _, params, _ = rate()
    requests = loading(build_image(NET, params))
    requests[-1] = Request(op=requests[-1].op, addr=requests[-1].addr, count=1, data=(requests[-1].data[0] ^ 1,))
    assert refused(line, flash.content(NET.fingerprint, numbered(requests)))


def test_a_frame_for_an_address_that_is_not_there(line):
    assert refused(line, flash.content(NET.fingerprint, numbered([Request(op=READ, addr=0xFF, count=1)])))


def test_a_host_waits_until_the_flash_has_been_played():
    """What the host sends meanwhile is dropped: it comes back to a device that is as the flash has made it."""
    net, params, x = rate()
    with SimulatedBoard(net, flash=content(net, build_image(net, params)), quick=True) as line:
        line.write(encode_request(Request(op=READ, addr=OUTPUT, count=1, fixed=True)))
        heard(listen(line))
        assert np.array_equal(Board(line, net).run(x), net.run(params, x))


def test_what_cannot_be_content():
    net, params, _ = rate()
    other = random_network("playback 1", largest=3)
    with pytest.raises(ValueError, match=f"is for design {net.fingerprint}"):
        content(other, build_image(net, params))
    with pytest.raises(ValueError, match="a frame begins with c5"):
        flash.content(net.fingerprint, [b"\x5a"])
    assert list(heard([Response(status=Status.OK, op=READ, count=1, data=(1 << 31 | 7,), fixed=True)])) == [7]
    # of reads of the output the words that are there; of others none, whatever their bit 31 is
    assert list(heard([Response(status=Status.OK, op=READ, count=2, data=(7, 1 << 31 | 8), fixed=True)])) == [8]
    assert not len(heard([Response(status=Status.OK, op=READ, count=1, data=(1 << 31 | 7,))]))
    with pytest.raises(LinkError, match="frame 0 in the flash: busy after 0 words"):
        heard([Response(status=Status.BUSY, op=READ)])
