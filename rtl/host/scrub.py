"""Scrubber: the parameters in force, read over and over and held against the checksum of their image."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, signed
from amaranth.lib import crc, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from golden.checks import check
from golden.description import Bank
from rtl.pipeline import ADDR_BITS, BANK_BITS, WORD_BITS


def runs(banks: Sequence[Bank]) -> list[tuple[int, int, int]]:
    """(first bank, last bank, words of each): banks of as many words that follow one another.

    ValueError for a bank whose words do not count from 0 upwards.
    """
    found = []
    for bank in banks:
        size = len(bank.words)
        check(tuple(bank.words) == tuple(range(size)),
              f"bank {bank.number} has gaps between its words, over which a scrubber does not step")
        if found and found[-1][1:] == (bank.number - 1, size):
            found[-1] = (found[-1][0], bank.number, size)
        elif size:
            found.append((bank.number, bank.number, size))
    return found


class Scrubber(wiring.Component):
    """Asks for word after word in the order of the image, and computes CRC-32 as the loader does, a byte a cycle.

    A round takes ROUND + (WORD + w) * words cycles, where a word is there w cycles after it was asked for.
    While `active` is low nothing is asked for; a round in which it was low is not counted and begins anew.

    Parameters: banks of the image.
    Members
      active        an image is in force and stays
      crc           its checksum
      read          a word is wanted, until `valid`: read_bank, read_addr
      valid, data   that word
      done          for one cycle: a round has ended
      differs       with `done`: its checksum was not that of the image
    """

    WORD, ROUND = 9, 2

    def __init__(self, banks: Sequence[Bank]):
        self.runs = runs(banks)
        super().__init__({"active": In(1), "crc": In(32), "read": Out(1), "read_bank": Out(BANK_BITS),
                          "read_addr": Out(ADDR_BITS), "valid": In(1), "data": In(signed(WORD_BITS)),
                          "done": Out(1), "differs": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = check = crc.Processor(CRC32_ISO_HDLC(data_width=8))
        bank, addr, run = self.read_bank, self.read_addr, Signal(range(len(self.runs) + 1))
        word, count, stale = Signal(WORD_BITS, reset_less=True), Signal(3), Signal()
        end, last = Signal(BANK_BITS), Signal(ADDR_BITS)     # of the run: its last bank, the last word of each
        bank_after = Signal(BANK_BITS)
        with m.Switch(run):
            for n, (_, final, words) in enumerate(self.runs):
                with m.Case(n):
                    m.d.comb += [end.eq(final), last.eq(words - 1)]
                    if n + 1 < len(self.runs):
                        m.d.comb += bank_after.eq(self.runs[n + 1][0])
        address = Cat(addr, Const(0, 16 - ADDR_BITS), bank, Const(0, 15 - BANK_BITS), Const(1, 1))
        m.d.comb += check.data.eq(Cat(address, word, Const(0, 32 - WORD_BITS)).word_select(count, 8))
        # a word that was asked for is waited for: its answer must not be taken for that of the next round
        with m.If(~self.active):
            m.d.sync += stale.eq(1)
        with m.FSM():
            with m.State("BEGIN"):
                m.d.comb += check.start.eq(1)
                m.d.sync += [stale.eq(~self.active), run.eq(0), bank.eq(self.runs[0][0]), addr.eq(0)]
                with m.If(self.active):
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += self.read.eq(1)
                m.d.sync += word.eq(self.data)
                with m.If(self.valid):
                    m.next = "SUM"
            with m.State("SUM"):
                m.d.comb += check.valid.eq(1)
                m.d.sync += count.eq(count + 1)
                with m.If(count == 7):
                    m.next = "READ"
                    m.d.sync += addr.eq(addr + 1)
                    with m.If(addr == last):
                        m.d.sync += [addr.eq(0), bank.eq(bank + 1)]
                        with m.If(bank == end):
                            m.d.sync += [bank.eq(bank_after), run.eq(run + 1)]
                            with m.If(run == len(self.runs) - 1):
                                m.next = "COMPARE"
                    with m.If(stale):
                        m.next = "BEGIN"
            with m.State("COMPARE"):
                m.d.comb += [self.done.eq(~stale & self.active), self.differs.eq(self.done & (check.crc != self.crc))]
                m.next = "BEGIN"
        return m


def scrub_members() -> dict:
    """Members of Control in a design that scrubs.

    read ... read_data: those of the core; flipped: a round's checksum was another since the register was written;
    differs, for one cycle: that is so of a round that has just ended; crc of the image in force; committed, for one
    cycle: one will be; pause: nothing is read; mended, for one cycle: to be counted.
    """
    return {"read": Out(1), "read_bank": Out(BANK_BITS), "read_addr": Out(ADDR_BITS), "read_valid": In(1),
            "read_data": In(signed(WORD_BITS)), "flipped": Out(1), "differs": Out(1), "crc": Out(32),
            "committed": Out(1), "pause": In(1), "mended": In(1)}


def scrub(m, control, held, file, load) -> None:
    """The scrubber of `control` and its registers."""
    m.submodules.scrubber = unit = Scrubber(control.net.layout())
    with m.If(load.right):
        m.d.sync += control.crc.eq(held.data)
    m.d.comb += [unit.active.eq(load.loaded & ~load.settling & ~control.pause), unit.crc.eq(control.crc),
                 control.read.eq(unit.read), control.read_bank.eq(unit.read_bank), control.read_addr.eq(unit.read_addr),
                 unit.valid.eq(control.read_valid), unit.data.eq(control.read_data), control.differs.eq(unit.differs),
                 control.committed.eq(load.right)]
    for name, event in (("scrub_rounds", unit.done), ("scrub_flips", unit.differs), ("scrub_mends", control.mended)):
        file.values[name] = counter = Signal(32, name=name)
        with m.If(file.writes[name]):
            m.d.sync += counter.eq(0)
        with m.Elif(event):
            m.d.sync += counter.eq(counter + 1)
    m.d.comb += control.flipped.eq(file.values["scrub_flips"] != 0)
