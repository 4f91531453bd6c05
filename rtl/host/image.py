"""How an image comes into force: written from `load_begin` to `load_commit`, and taken over between two ticks."""

from typing import NamedTuple

from amaranth.hdl import Cat, Const, Mux, Signal
from amaranth.lib import crc
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC

from rtl.pipeline import later


class Load(NamedTuple):
    """The image that is being written: its checksum so far, whether one is, how many words have come.

    loaded: one is in force; settling: the last one is not yet; stray: to be set for a word that belongs to none; right,
    for one cycle: it is complete, and its checksum is the one given.
    """

    crc: crc.Processor
    loading: Signal
    count: Signal
    loaded: Signal
    settling: Signal
    stray: Signal
    right: Signal


def loader(m, control, held, file) -> Load:
    """The registers of a load of `control`: its begin, its commit, its errors; and the status of the device."""
    expected = control.constants["parameter_words"]
    m.submodules.crc = check = crc.Processor(CRC32_ISO_HDLC(data_width=8))
    load = Load(check, Signal(), Signal(range(expected + 2)), Signal(), Signal(), Signal(name="_stray"),
                Signal())
    begin, commit = file.writes["load_begin"], file.writes["load_commit"]
    # the last words still hop along the lanes when the checksum comes
    hops = control.info.settle
    settle, complete, same = Signal(range(hops + 1)), Signal(reset_less=True), Signal(reset_less=True, name="same")
    m.d.sync += [complete.eq(load.count == expected), same.eq(check.crc == held.data)]
    m.d.comb += [load.settling.eq((settle != 0) | (control.want_half != control.half)), check.start.eq(begin),
                 file.flags["load_idle"].eq(commit & ~load.loading | load.stray),
                 file.flags["load_count"].eq(commit & ~complete), file.flags["load_crc"].eq(commit & ~same),
                 load.right.eq(commit & load.loading & complete & same)]
    # like the weights themselves, where they are and that they were learnt outlives a reset
    want_half, learnt = Signal(name="half_wanted", reset_less=True), Signal(reset_less=True)
    m.d.comb += control.want_half.eq(want_half)
    with m.If(begin):
        m.d.sync += [load.loading.eq(1), load.count.eq(0)]
        if control.info.halves == 1:
            m.d.sync += load.loaded.eq(0)
    with m.Elif(commit):
        m.d.sync += load.loading.eq(0)
    with m.If(load.right):
        m.d.sync += settle.eq(hops)
    with m.Elif(settle != 0):
        m.d.sync += settle.eq(settle - 1)
        with m.If(settle == 1):
            m.d.sync += [want_half.eq(~control.half), load.loaded.eq(1)]
    if control.info.learns:
        with m.If(control.want_half != control.half):     # until then what was learnt is in force
            m.d.sync += learnt.eq(0)
        with m.Elif(control.moved):
            m.d.sync += learnt.eq(1)
    # whether a tick starts is known late in a cycle, and a host does not mind one more
    busy = later(m, control.busy, 1, name="busy_said", reset_less=False)
    file.values["status"] = Cat(load.loaded, load.loading | load.settling, control.half, busy, learnt,
                                control.running if control.info.learns else Const(0, 1),
                                Const(control.info.halves == 1, 1))
    return load


def waits(m, control, load: Load):
    """Whether a new image cannot be loaded yet: the last one is not in force, or a tick reads what it is to be."""
    if not control.info.drain:
        return load.settling
    left = Signal(range(control.info.drain + 1), name="draining")
    m.d.sync += left.eq(Mux(control.busy, control.info.drain, Mux(left == 0, 0, left - 1)))
    return load.settling | control.busy | (left != 0)
