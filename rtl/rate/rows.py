"""Rows of a layer, from the walk of its lanes to its neurons: what layers that learn and others are made of.

walk --> addresses, operands --> lanes --> sums --> row numbers --> membranes, constants --> LeadLag --> Activation
"""

from typing import NamedTuple

from amaranth.hdl import Cat, Const, Mux, Signal
from amaranth.lib import wiring

from golden.rate.layer import Dense
from golden.rate.plastic import weight_shift
from golden.units.dense import dense_rows
from golden.units.leadlag import at_rest, integrator
from rtl.fixed import exact, saturate, shape
from rtl.pipeline import later, merge_writes
from rtl.primitives import Bank, bank
from rtl.units.mac import MacLanes, bank_bits
from rtl.units.plastic_lanes import PlasticRows

#: from a finished sum to the read of its neuron's membrane and constants
ROW_LATENCY = 1
#: lanes that an eps on its way reaches at once, so that the eps of far lanes is there when their walk is
STRIDE = 8


class Walk(NamedTuple):
    """Address of a weight in its lane's bank; whether it begins and ends a row; the operand that it meets."""

    address: object
    first: object
    last: object
    index: object


def plastic_rows(layer: Dense) -> PlasticRows:
    """The rows of a layer that learns as its lanes hold them."""
    plastic = layer.plastic
    return PlasticRows(dense_rows(layer), layer.weight, plastic.error, layer.multiplicand.width + plastic.halvings,
                       layer.back_bits, None if plastic.rate is None else weight_shift(layer),
                       None if plastic.rule == "plain" else plastic.sign_word, stride=STRIDE,
                       holds=True)


def row_bits(layer: Dense) -> int:
    """Address bits of a word a neuron."""
    return max(1, (layer.outputs - 1).bit_length())


def row_read(layer: Dense, row: int) -> int:
    """Cycle in which membrane and constants of a row are read, when its layer's walk begins in cycle 0."""
    fold, lane = divmod(row, layer.lanes)
    return (fold + 1) * (layer.inputs + 1) - 1 + lane + MacLanes.latency(dense_rows(layer)) + ROW_LATENCY


def walk(m, layer: Dense, active, *, start, half, index_bits: int) -> Walk:
    """The walk of a tick, a cycle after `start`: bias, then every operand, for each fold; `active` is high in it."""
    position = Signal(range(layer.inputs + 1), reset_less=True)
    index = Signal(index_bits, reset_less=True)          # position - 1, where there is an operand
    address = Signal(bank_bits(dense_rows(layer)), reset_less=True)
    in_force = Signal(reset_less=True, name="half")
    last_position, last_address = position == layer.inputs, address == layer.folds * (layer.inputs + 1) - 1
    with m.If(start):
        m.d.sync += [active.eq(1), position.eq(0), address.eq(0), in_force.eq(half)]
    with m.Elif(active):
        m.d.sync += [active.eq(~last_address), address.eq(address + 1),
                     position.eq(Mux(last_position, 0, position + 1)), index.eq(position)]
    return Walk(Cat(address, *([in_force] if layer.halves == 2 else [])), position == 0, active & last_position, index)


def ask(m, line, *, index, bias):
    """Read the line at `index`, or nothing for a bias; what `operand` takes."""
    read_index, read_bias = Signal(line.index_bits, name="read_index"), Signal(name="read_bias")
    m.d.comb += [read_index.eq(index), read_bias.eq(bias), line.read_index.eq(read_index)]
    return read_bias


def operand(m, layer: Dense, line, bias):
    """What the lanes multiply by, the latency of the line after it was asked: a message's word, or one for a bias."""
    one = Const(1 << layer.operand.frac_bits, shape(layer.multiplicand))
    bias_now = later(m, bias, line.LATENCY, name="is_bias")
    word = Signal(shape(layer.multiplicand), name="operand")
    m.d.comb += word.eq(Mux(bias_now, one, line.read_data))
    return word


def nearer(m, start, flags: dict) -> tuple:
    """`start` and what a tick starts with, a cycle later.

    All layers are told the same, for which tools keep one register: this one may lie between the core and them. It is
    there for the distance alone, as what is told holds still for a tick.
    """
    return later(m, start, 1, name="start_near", reset_less=False), {
        name: later(m, flag, 1, name=f"near_{name}") for name, flag in flags.items()}


def held(m, start, flags: dict) -> dict:
    """What a tick was started with, from the cycle after `start` until the next one."""
    found = {name: Signal.like(flag, name=f"tick_{name}", reset_less=True) for name, flag in flags.items()}
    with m.If(start):
        m.d.sync += [found[name].eq(flag) for name, flag in flags.items()]
    return found


def row_numbers(m, layer: Dense, valid, *, start, flags: dict) -> dict:
    """Number of the row whose sum is `valid`, whether it exists, and what its tick started with; a cycle later."""
    rows = layer.folds * layer.lanes
    row, exists = Signal(range(max(2, rows))), Signal()
    # what a tick starts with is taken over by its first row: rows of two ticks never cross (rtl.rate.schedule)
    started, held = (Signal(len(Cat(*flags.values())), name=name, reset_less=True) for name in ("started", "held"))
    with m.If(start):
        m.d.sync += started.eq(Cat(*flags.values()))
    with m.If(valid):
        m.d.sync += row.eq(Mux(row == rows - 1, 0, row + 1))
        with m.If(row == 0):
            m.d.sync += held.eq(started)
    m.d.sync += exists.eq(valid & (row < layer.outputs))
    found, offset = {}, 0
    for name, flag in flags.items():
        found[name] = held[offset:offset + len(flag)]
        offset += len(flag)
    return found | {"index": later(m, row[:row_bits(layer)], 1, name="row"), "valid": exists}


def state_address(row: dict):
    """Address of a row's state: its index, and its stream's number above where streams take turns."""
    return Cat(row["index"], row.get("stream", Const(0, 0)))


def row_state(m, layer: Dense, total, row: dict, *, streams: int, vendor: str):
    """(s, u, bank of membranes) of a row, Bank.LATENCY after its number: its sum and its membrane."""
    m.submodules.membranes = membranes = bank(vendor, depth=streams << row_bits(layer), width=integrator(layer).width)
    s = Signal(shape(layer.state), reset_less=True)
    m.d.sync += exact(s, saturate(total.shift_right(layer.shift), layer.state))
    s = later(m, s, Bank.LATENCY + ROW_LATENCY - 1, name="s").as_signed()
    m.d.comb += membranes.read_addr.eq(state_address(row))
    fresh = later(m, row["fresh"], Bank.LATENCY, name="fresh")
    return s, Mux(fresh, at_rest(layer), membranes.read_data).as_signed(), membranes


def row_end(m, row: dict, unit, activation, membranes, o, *, wait: int) -> None:
    """The unit works on a row `wait` cycles after its state: the next membrane is kept, the rate goes out."""
    m.d.comb += [
        unit.i.valid.eq(later(m, row["valid"], Bank.LATENCY + wait, name="row_valid", reset_less=False)),
        activation.i.valid.eq(unit.o.valid), activation.i.payload.eq(unit.o.p.y),
        membranes.write_en.eq(unit.o.valid), membranes.write_data.eq(unit.o.p.x),
        membranes.write_addr.eq(later(m, state_address(row), Bank.LATENCY + wait + unit.LATENCY, name="index"))]
    wiring.connect(m, activation.o, wiring.flipped(o))


def constant_banks(m, layer: Dense, bus, *, first: int, learnt=(), vendor: str):
    """Banks of the constants, a word a neuron in each of their halves: number `first` on the bus and those behind it.

    Gives them by name, and of those in `learnt` the port (en, addr, data) for what was learnt. tau_m has a second bank,
    tau_rows, as rows and errors read it at times of their own.
    """
    found, ports = {}, {}
    for number, name in enumerate(layer.constants, first):
        depth, width = layer.halves << row_bits(layer), layer.format(name).width
        half = [bus.half] if layer.halves == 2 else []
        m.submodules[f"{name}_bank"] = found[name] = store = bank(vendor, depth=depth, width=width)
        loaded = (bus.en & (bus.bank == number), Cat(bus.addr[:row_bits(layer)], *half), bus.data[:width])
        if name not in learnt:
            write = later(m, Cat(*loaded), 1, name=f"{name}_write")
            m.d.comb += Cat(store.write_en, store.write_addr, store.write_data).eq(write)
            continue
        sizes, stores = (1, store.addr_bits, width), [store]
        ports[name] = [Signal(size, name=f"{name}_learnt{n}") for n, size in enumerate(sizes)]
        port = [Signal(size, name=f"{name}_port{n}", reset_less=n > 0) for n, size in enumerate(sizes)]
        merge_writes(m, name, loaded, ports[name], port)
        if name == "tau":
            m.submodules.tau_rows = found["tau_rows"] = bank(vendor, depth=depth, width=width)
            stores.append(found["tau_rows"])
        for each in stores:
            m.d.comb += Cat(each.write_en, each.write_addr, each.write_data).eq(Cat(*port))
    return found, ports
