"""FramePlayer: what a host would send, read from the flash at power-up (golden/flash.py)."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.flash import END, ERASED, HEADER, MAGIC, Boot
from golden.frames import REQUEST_SYNC, Status

#: cycles from a byte that the link takes until it says whether that ended a frame, with some to spare
SETTLE_BITS = 3


class FramePlayer(wiring.Component):
    """Gives frames to HostLink one by one, each when the one before has been answered, and ends at the first bad one.

    Begins after reset. The magic and the fingerprint come first: without them nothing is sent. Until `active` falls
    the line of the host has to be kept from the link, and afterwards the link is the host's.

    Parameters: fingerprint of the design.
    Members
      i                      bytes of the flash
      o                      bytes for the link, which takes them at once
      framing                the link waits for the next byte of a request
      answered, status       for one cycle: the response to one is complete; what it said
      errors                 flags of the device (golden.regmap.ERRORS): a load that was not put in force
      state                  golden.flash.Boot
      active                 state is PLAYING
    """

    def __init__(self, fingerprint: str):
        self.head = MAGIC + bytes.fromhex(fingerprint)[::-1]
        if len(self.head) != HEADER:
            raise ValueError(f"a fingerprint has 16 hexadecimal digits, not {fingerprint!r}")
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8, always_ready=True)),
                          "framing": In(1), "answered": In(1), "status": In(Status), "errors": In(1),
                          "state": Out(Boot), "active": Out(1)})

    def elaborate(self, platform):
        m = Module()
        i, o = self.i, self.o
        place, settle = Signal(range(HEADER + 1)), Signal(SETTLE_BITS)
        wanted = Signal(8)
        with m.Switch(place):
            for n, byte in enumerate(self.head):
                with m.Case(n):
                    m.d.comb += wanted.eq(byte)
        m.d.comb += [self.active.eq(self.state == Boot.PLAYING), o.payload.eq(i.payload)]

        def end(state):
            m.d.sync += self.state.eq(state)
            m.next = "OVER"

        with m.FSM():
            with m.State("HEAD"):
                m.d.comb += i.ready.eq(1)
                with m.If(i.valid):
                    m.d.sync += place.eq(place + 1)
                    with m.If((place == 0) & (i.payload == ERASED)):
                        end(Boot.NOTHING)
                    with m.Elif(i.payload != wanted):
                        end(Boot.REFUSED)
                    with m.Elif(place == HEADER - 1):
                        m.next = "BETWEEN"
            with m.State("BETWEEN"):
                with m.If(i.valid):
                    with m.If(i.payload == REQUEST_SYNC):
                        m.next = "GIVE"
                    with m.Elif((i.payload == END) & ~self.errors):
                        end(Boot.DONE)
                    with m.Else():
                        end(Boot.REFUSED)
            with m.State("GIVE"):
                m.d.comb += [o.valid.eq(i.valid), i.ready.eq(1)]
                with m.If(i.valid):
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.sync += settle.eq(settle + 1)
                with m.If(settle.all()):
                    m.next = "GIVE"
                    with m.If(~self.framing):
                        m.next = "ANSWER"
            with m.State("ANSWER"):
                with m.If(self.answered):
                    m.next = "BETWEEN"
                    with m.If(self.status != Status.OK):
                        end(Boot.REFUSED)
            with m.State("OVER"):
                pass
        return m
