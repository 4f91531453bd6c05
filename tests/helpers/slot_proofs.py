"""What is proved of the slots that keep what a device learns: a power cut at any step of a save leaves a valid one."""

from amaranth.hdl import Array, Assert, Assume, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

#: of the newer valid slot: there is none
NONE = 2


class Saves(wiring.Component):
    """Two slots while saves, failures of the flash and power cuts come in any order, for as long as one likes.

    A slot is what its CRC-32 sees of it: the save whose header it has, and the save whose words it has, 0 for none; it
    is valid where both are the same one. (That is all that is assumed of the CRC-32: no slot passes that is half one
    save and half another.) A step of a save does what it should, or fails; a cut in its middle leaves it done, not
    done, or the part in ruins. At power-up the newer valid slot is looked for, as the processor does it.

    Inputs: save begins one; ends, its step is over, with or without success (works); cut, the power goes and comes
    again; stays, becomes: what a step that fails or is cut leaves of header and words.
    """

    def __init__(self, module):
        self.module = module
        super().__init__({"save": In(1), "ends": In(1), "works": In(1), "cut": In(1), "stays": In(2),
                          "becomes": In(2)})

    def elaborate(self, platform):
        m = Module()
        steps = self.module.SAVE
        header, words = ([Signal(32, name=f"{part}{n}") for n in range(2)] for part in ("header", "words"))
        check, idle, save = len(steps), len(steps) + 1, Signal(32)
        newest, sequence, at = Signal(2, init=NONE), Signal(32), Signal(range(idle + 1), init=idle)
        m.d.comb += [save.eq(sequence + 1), Assume(save != 0)]
        target = Signal()
        with m.Switch(newest):
            for number in range(3):
                with m.Case(number):
                    m.d.comb += target.eq(self.module.slot_to_save(None if number == NONE else number))
        with m.If(self.cut):
            m.d.sync += at.eq(idle)
        with m.Elif(at == idle):
            m.d.sync += at.eq(Mux(self.save, 0, idle))
        with m.Elif(at == check):
            m.d.sync += at.eq(idle)
        with m.Elif(self.ends):
            m.d.sync += at.eq(at + 1)
        after = self._flash(m, (header, words), at, target, save, steps)
        self._processor(m, after, at == check, newest, sequence, target)
        self._claims(m, (header, words), newest, sequence, target, Mux(at == idle, 0, save))
        m.d.comb += [Assert(at <= idle), *(
            Assert((at <= steps.index(step)) | (at == idle) | (part[target] == 0) | (part[target] == save))
            for part, step in ((Array(header), "header"), (Array(words), "words")))]
        return m

    def _flash(self, m, parts, at, target, save, steps):
        """What the slots are behind this cycle: (header, words), of each slot."""
        ruined = self.cut | ~self.works
        made = []
        for k, (part, step) in enumerate(zip(parts, ("header", "words"), strict=True)):
            row = []
            for n, held in enumerate(part):
                changed = Signal(32, name=f"{step}{n}_after")
                left = Mux(self.stays[k], held, 0)
                m.d.comb += changed.eq(held)
                with m.If((target == n) & (self.cut | self.ends)):
                    with m.If(at == steps.index("erase")):
                        m.d.comb += changed.eq(Mux(ruined, left, 0))
                    with m.If(at == steps.index(step)):
                        # bits only fall: what is not erased does not become what is programmed
                        m.d.comb += changed.eq(Mux(held != 0, 0, Mux(ruined & ~self.becomes[k], 0, save)))
                m.d.sync += held.eq(changed)
                row.append(changed)
            made.append(row)
        return made

    def _processor(self, m, after, checks, newest, sequence, target):
        """Its memory: the newer valid slot, found at power-up, or written and read back."""
        header, words = after
        valid = [(header[n] != 0) & (header[n] == words[n]) for n in range(2)]
        second = valid[1] & (~valid[0] | (header[1] > header[0]))
        with m.If(self.cut):
            m.d.sync += [newest.eq(Mux(second, 1, Mux(valid[0], 0, NONE))),
                         sequence.eq(Mux(second, header[1], Mux(valid[0], header[0], 0)))]
        with m.Elif(checks & Cat(valid).bit_select(target, 1)):
            m.d.sync += [newest.eq(target), sequence.eq(sequence + 1)]

    def _claims(self, m, parts, newest, sequence, target, under_way):
        header, words = parts
        for n in range(2):
            valid = (header[n] != 0) & (header[n] == words[n])
            # the last save that was done is there, and valid; the other slot has an older one or that under way
            m.d.comb += [Assert((newest != n) | (valid & (header[n] == sequence))),
                         Assert((newest == n) | ~valid | (header[n] < sequence) |
                                (target == n) & (header[n] == under_way))]
        m.d.comb += [Assert(newest <= NONE), Assert((newest == NONE) == (sequence == 0))]
