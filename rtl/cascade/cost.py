"""Lanes of cascaded networks: as many as a part has room for, and what they cost."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from golden.cascade.engine import SUM, logit_format
from golden.cascade.layer import (
    ACTIVATION_BITS,
    DEALINGS,
    HEAD_BITS,
    RESIDUAL_BITS,
    SCALE_BITS,
    SIDES,
    WEIGHT_BITS,
    Engine,
)
from golden.cascade.layout import affine_words, columns, dealt, lane_words
from golden.cascade.network import CascadeNetwork
from golden.units.softmax import EXP, difference_format
from rtl.cascade.core import answers, step_cycles
from rtl.cascade.head import head_rows
from rtl.cascade.joint import Outbox, value_layout
from rtl.cascade.sums import Affine, least_gap
from rtl.cascade.walk import Program
from rtl.inventory import Budget, Inventory, Memory
from rtl.units.activation import Activation
from rtl.vendor.logic import DIGIT

#: a new frame's stem takes this share of a step at most, where there is room for more lanes
STEM_SHARE = 8


def engine_memories(net: CascadeNetwork, unit: Engine) -> list[Memory]:
    """Of an engine and of the maps of its layers."""
    found = [Memory(lane_words(net, unit), unit.side * WEIGHT_BITS, unit.lanes, columns=columns(unit)),
             Memory(affine_words(net, unit), 2 * SCALE_BITS, columns=2)]
    for n in unit.layers:
        layer = net.layers[n]
        values = layer.out[0] * layer.out[1] * layer.out[2]
        maps = [layer.height * layer.width * layer.inputs, *([values] if n else [])]
        found += [Memory(-(-size // unit.side), unit.side * ACTIVATION_BITS, columns=unit.side) for size in maps]
        if n:
            found.append(Memory(values, RESIDUAL_BITS))
        if not n or layer.shortcut is not None:
            found.append(Memory(values, ACTIVATION_BITS))
    return found


def head_memories(net: CascadeNetwork) -> list[Memory]:
    """Its row, the table of exp, sums over the pixels, logits; the answers that wait."""
    table = Activation.banks("exp", difference_format(logit_format(net.head.fraction)), EXP)
    return [Memory(net.outputs * (net.head.inputs + 1), HEAD_BITS), *(Memory(*size) for size in table),
            Memory(net.head.inputs, net.head.pool_bits, form="at_once"), Memory(net.outputs, SUM.width, form="at_once"),
            Memory(*answers(net))]


def inventory(net: CascadeNetwork) -> Inventory:
    """Weights, scales, maps, queues, head; multipliers of lanes, of each engine's scales, of the head."""
    memories = [memory for unit in net.engines for memory in engine_memories(net, unit)]
    memories += [Memory(Outbox.size(layer.main[-1].pixels) - 1, value_layout().size, form="soft")
                 for layer in net.layers[:-1]]
    # a serial multiplier takes a digit at a time
    scales = [DIGIT if Affine.may_be_serial(least_gap(Program(unit, tuple(net.program(unit))))) else SUM.width
              for unit in net.engines]
    factors = ((WEIGHT_BITS, ACTIVATION_BITS + 1, net.lanes), *((SCALE_BITS, bits, 1) for bits in scales),
               (HEAD_BITS, head_rows(net.head).operand, 1))
    return Inventory((*memories, *head_memories(net)), sum(count for *_, count in factors),
                     {"layer": len(net.layers), "mac_lane": net.lanes}, factors)


def options(net: CascadeNetwork, layers: tuple[int, ...]) -> Iterator[tuple[int, int, Engine]]:
    """Every engine that the layers may have: cycles of a step, multipliers, engine."""
    convs = [conv for n in layers for conv in (*net.layers[n].main, *filter(None, (net.layers[n].shortcut,)))]
    most = min(conv.outputs for conv in convs)
    longest = max(conv.taps * conv.inputs for conv in convs)
    for side in SIDES:
        if any(conv.inputs % side for conv in convs):
            continue
        for lanes in range(1, min(most, longest // side) + 1):
            unit = Engine(layers=layers, lanes=lanes, side=side)
            try:
                replace(net, engines=tuple(other if not set(other.layers) & set(layers) else unit
                                           for other in net.engines))
            except ValueError:
                continue        # a lane would be too deep
            yield sum(unit.cycles(conv) for conv in convs), unit.multipliers, unit


def fold_within(net: CascadeNetwork, budget: Budget) -> CascadeNetwork:
    """The engines with which a step is shortest within multipliers and block RAMs.

    Layers stay as they are dealt where a part has the room; else one engine works on all blocks, or on all layers.
    ValueError where none fit.
    """
    dealings = [net.engines]
    for name in DEALINGS[1:]:
        with contextlib.suppress(ValueError):       # more weights than the lanes of one engine hold
            dealings.append(dealt(net, name))
    fewer = (engines for engines in dealings if len(engines) <= len(net.engines))
    for engines in fewer:
        found = _dealt_within(replace(net, engines=engines), budget)
        if found is not None:
            return found
    there = f"{budget.bram} block RAMs and {budget.lut4} LUTs, of which {max(budget.routable_lut4, 0):.0f} route well"
    there = there if budget.multipliers is None else f"{budget.multipliers} multipliers, {there}"
    raise ValueError(f"{net.name} needs at least {_least(net, dealings, budget)}; there are {there}")


def _least(net: CascadeNetwork, dealings, budget: Budget) -> str:
    """Of each resource what the network can do with, whatever that costs of the others."""
    needs = []
    for engines in dealings:
        dealt_net = replace(net, engines=engines)
        for least in (lambda o: o[1], lambda o: budget.blocks(Inventory(tuple(engine_memories(net, o[2])), 0, {}))):
            picked = [min(options(dealt_net, unit.layers), key=least, default=None) for unit in engines]
            if None not in picked:
                needs.append(inventory(replace(net, engines=tuple(unit for _, _, unit in picked))))
    found = f"{min(map(budget.blocks, needs))} block RAMs and {min(map(budget.luts, needs))} LUTs"
    return found if budget.multipliers is None else f"{min(need.multipliers for need in needs)} multipliers, {found}"


def _dealt_within(net: CascadeNetwork, budget: Budget) -> CascadeNetwork | None:
    """Lanes for the engines as they are; None where none fit."""
    # beside its lanes an engine has a multiplier for scales, the head has one
    room = None if budget.multipliers is None else budget.multipliers - len(net.engines) - 1
    choices = [[(cycles * (1 if any(unit.layers) else STEM_SHARE), products,
                 budget.blocks(Inventory(tuple(engine_memories(net, unit)), 0, {})), unit)
                for cycles, products, unit in options(net, unit.layers)] for unit in net.engines]
    for target in sorted({cycles for choice in choices for cycles, *_ in choice}):
        picked = [min((each for each in choice if each[0] <= target), key=lambda each: each[1:3], default=None)
                  for choice in choices]
        if None in picked or room is not None and sum(each[1] for each in picked) > room:
            continue
        found = replace(net, engines=tuple(each[-1] for each in picked))
        need = inventory(found)
        if budget.blocks(need) <= budget.bram and budget.luts(need) <= budget.routable_lut4:
            return found
    return None


def pace(net: CascadeNetwork, clock_mhz: float, fmax_mhz: float) -> dict:
    """Cycles of a step, and frames a second where each has one step; what each engine does in a step of a new frame."""
    cycles, engines = step_cycles(net), []
    for unit in net.engines:
        convs = [task.conv for task in net.program(unit)]
        engines.append({"name": _name(unit), "multipliers": unit.multipliers,
                        "cycles": sum(unit.cycles(conv) for conv in convs),
                        "products": sum(conv.products for conv in convs)})
    products = sum(task.conv.products for unit in net.engines for task in net.program(unit) if task.layer)
    lanes = sum(unit.multipliers for unit in net.engines if any(unit.layers))
    return {"cycles_per_step": cycles, "tap_use": products / (lanes * cycles), "frames_per_s": clock_mhz * 1e6 / cycles,
            "frames_per_s_at_fmax": fmax_mhz * 1e6 / cycles, "engines": engines}


def _name(unit: Engine) -> str:
    """What an engine works on: "stem", "block 3", "stem, blocks 1 to 3"."""
    blocks = [n for n in unit.layers if n]
    runs = blocks == list(range(blocks[0], blocks[-1] + 1)) if blocks else True
    said = [] if not blocks else [f"block {blocks[0]}"] if len(blocks) == 1 else [
        f"blocks {blocks[0]} to {blocks[-1]}" if runs else f"blocks {', '.join(map(str, blocks))}"]
    return ", ".join(["stem"] * (0 in unit.layers) + said)
