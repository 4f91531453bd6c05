"""The detector of cuts: a frame that differs much from the one before begins anew; golden.cascade.engine.differs.

    value -+---------------------> write, a cycle later ----> [image]
           +--> |value - old| --> sum --> above the threshold?   |
                          old <------------- read <--------------+

The image of the frame before lies where the new one is written, and the engine reads it no more: a frame's words are
taken when the stem of the last one is made. So the engine's read port is free for the old words, and the exact sum of
absolute differences costs a subtractor and an accumulator, no memory. Cheaper statistics (a sum of values, sums of
areas) would be weaker and save a few flip-flops only.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.cascade.layer import ACTIVATION_BITS
from rtl.cascade.maps import Map
from rtl.pipeline import later


class Detector(wiring.Component):
    """Sum of absolute differences of a frame against the one that it replaces.

    A word of the image is read with the first of its values, and written from the next cycle on: never both at once.

    Parameters: image, the Map; values of a frame; threshold.
    Members
      clear                        a frame begins: the sum is zero
      en, address, value           a value comes, in order
      read_addr, read_data         words of the image
      write_en, write_addr, write_data    the value, a cycle later
      differs                      the sum is above the threshold, LATENCY cycles behind the last value
    """

    LATENCY = Map.LATENCY + 3

    def __init__(self, image: Map, *, values: int, threshold: int):
        self.image, self.values, self.threshold = image, values, threshold
        super().__init__({
            "clear": In(1), "en": In(1), "address": In(image.write_addr.shape()), "value": In(ACTIVATION_BITS),
            "read_addr": Out(image.read_addr.shape()), "read_data": In(image.read_data.shape()), "write_en": Out(1),
            "write_addr": Out(image.write_addr.shape()), "write_data": Out(ACTIVATION_BITS), "differs": Out(1)})

    def elaborate(self, platform):
        m = Module()
        image = self.image
        m.d.comb += self.read_addr.eq(self.address[image.low:])
        m.d.sync += [self.write_en.eq(self.en), self.write_addr.eq(self.address), self.write_data.eq(self.value)]
        came = later(m, self.en, Map.LATENCY, name="came", reset_less=False)
        value = later(m, self.value, Map.LATENCY, name="value")
        old, held = Signal(ACTIVATION_BITS), Signal.like(self.read_data)
        if image.low:
            column = later(m, self.address[:image.low], Map.LATENCY, name="column")
            with m.If(came & (column == 0)):
                m.d.sync += held.eq(self.read_data)
            m.d.comb += old.eq(Mux(column == 0, self.read_data, held).word_select(column, ACTIVATION_BITS))
        else:
            m.d.comb += old.eq(self.read_data)
        apart, counts = Signal(ACTIVATION_BITS), Signal()
        total = Signal((self.values * ((1 << ACTIVATION_BITS) - 1)).bit_length())
        m.d.sync += [apart.eq(Mux(value > old, value - old, old - value)), counts.eq(came),
                     self.differs.eq(total > self.threshold)]
        with m.If(self.clear):
            m.d.sync += total.eq(0)
        with m.Elif(counts):
            m.d.sync += total.eq(total + apart)
        return m
