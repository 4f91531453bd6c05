"""Which request a run sends next: never more input than the device has room for, no read of what is not there yet."""

import numpy as np
import pytest
from test_loader import NET, board, inputs

from firmware.exchange import Exchange
from firmware.protocol import READ, WRITE, LinkError, PortError, Response, Status
from golden.regmap import INPUT, LAST_BIT, OUTPUT, VALID_BIT


def exchange(ticks=2, room=1):
    units = NET.units(inputs(NET, ticks)[None])
    return Exchange(NET, units, room, [], patience=5), units


def answer(*words):
    """Of a read: output words, None where there is none yet."""
    return tuple(0 if word is None else 1 << VALID_BIT | word for word in words)


def test_a_read_that_was_not_answered_whole_is_not_asked_again_at_once():
    given, units = exchange()
    write = given.next(idle=True)
    assert (write.op, write.addr, list(write.data)) == (WRITE, INPUT, units.words[:3].tolist())
    read = given.next(idle=False)                   # there is room for one tick: its output comes first
    assert (read.op, read.addr, read.count) == (READ, OUTPUT, 2)
    given.take(write, Response(status=Status.OK, op=WRITE, count=3))
    given.take(read, Response(status=Status.OK, op=READ, count=2, data=answer(5, None), fixed=True))
    assert given.found == [5]
    assert given.next(idle=False) is None           # a slow device is asked when nothing else is under way
    again = given.next(idle=True)
    assert (again.op, again.count) == (READ, 1)
    given.take(again, Response(status=Status.OK, op=READ, count=1, data=answer(1 << LAST_BIT | 6), fixed=True))
    assert given.found == [5, 6]
    assert list(given.next(idle=False).data) == units.words[3:].tolist()


def test_a_run_that_never_began_is_not_under_way():
    """What fails before the first sample has cut nothing short."""
    host, _ = board()
    assert np.array_equal(host.run(inputs(NET, 2)[None])[0], host.run(inputs(NET, 2)[None])[0])

    def gone(where, number, frame):
        raise PortError("gone")
    host.transport.faults = gone
    with pytest.raises(LinkError, match="gone"):
        host.run(inputs(NET, 2)[None])
    assert not host.is_under_way
