"""Hard blocks of a cascaded network in the order in which they should lie: engine after engine, lanes with weights.

row of block RAMs     link | answers | image | maps of a joint, w0 .  .  w1 .  .  | maps of the next joint, w0 w0 ...
row of multipliers                             x0 x0 x0 x0 x1 x1 | scale | x2 ..  | x0 x0 ...
"""

from collections.abc import Iterator

from golden.cascade.layer import ACTIVATION_BITS, HEAD_BITS, RESIDUAL_BITS, SCALE_BITS, WEIGHT_BITS, Engine
from golden.cascade.layout import affine_words, columns, lane_words
from golden.cascade.network import CascadeNetwork
from rtl.cascade.core import answers
from rtl.systems import Cell
from rtl.vendor.ecp5 import Bank

#: block RAMs of the link, which come first (boards.floorplan)
LINK = 2


def chain(net: CascadeNetwork) -> Iterator[Cell]:
    """Engine after engine, as the identity meets their blocks, with room left so that weights lie at their lanes."""
    rams, multipliers = LINK, 0
    for cell in _cells(net):
        if cell.block == "multiplier":
            multipliers += 1
            yield cell
            continue
        for _ in range(multipliers - rams):
            yield Cell("room", "")
        rams = max(rams, multipliers) + 1
        yield cell


def _cells(net: CascadeNetwork) -> Iterator[Cell]:
    yield from _rams("outputs.store", *answers(net))
    for number, unit in enumerate(net.engines):
        for n in unit.layers:
            yield from _maps(net, n, unit.side)
        yield from _engine(net, number, unit)
    head = net.head
    yield from _rams("head.lane.bank0", net.outputs * (head.inputs + 1), HEAD_BITS)
    yield Cell("multiplier", "head.lane.multiplier0.dsp")


def _engine(net: CascadeNetwork, number: int, unit: Engine) -> Iterator[Cell]:
    """Lanes with their weights; what scales their sums, in their middle."""
    name = f"engine{number}"
    for lane in range(unit.lanes):
        if lane == (unit.lanes + 1) // 2:
            yield from _scales(net, name, unit)
        yield from _rams(f"{name}.lanes.bank{lane}", lane_words(net, unit), unit.side * WEIGHT_BITS, columns(unit))
        for n in range(unit.side):
            at = f"{lane}_{n}" if unit.side > 1 else lane
            yield Cell("multiplier", f"{name}.lanes.multiplier{at}.dsp")
    if unit.lanes == 1:
        yield from _scales(net, name, unit)


def _scales(net: CascadeNetwork, name: str, unit: Engine) -> Iterator[Cell]:
    yield from _rams(f"{name}.affine.store", affine_words(net, unit), 2 * SCALE_BITS, 2)
    yield Cell("multiplier", f"{name}.affine.multiplier.dsp")


def _maps(net: CascadeNetwork, n: int, side: int) -> Iterator[Cell]:
    """Of a layer: what it reads, what lies between its convolutions, what it gives."""
    layer = net.layers[n]
    high, wide, channels = layer.out
    read, values = layer.height * layer.width * layer.inputs, high * wide * channels
    if not n:
        yield from _map("source.image.store", read, side)
        yield from _rams("source.map", values, ACTIVATION_BITS)
        return
    yield from _map(f"joint{n}.map.store", read, side)
    yield from _rams(f"joint{n}.residual", values, RESIDUAL_BITS)
    if layer.shortcut is not None:
        yield from _rams(f"joint{n}.sums", values, ACTIVATION_BITS)
    yield from _map(f"joint{n}.inner_map.store", values, side)


def _map(name: str, values: int, side: int) -> Iterator[Cell]:
    yield from _rams(name, -(-values // side), side * ACTIVATION_BITS, side)


def _rams(name: str, depth: int, width: int, columns: int = 1) -> Iterator[Cell]:
    for n in range(Bank.blocks(depth, width, columns)):
        yield Cell("ram", f"{name}.block{n}")
