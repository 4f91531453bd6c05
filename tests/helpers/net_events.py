"""The network that the event engine is measured with."""

from golden.event.network import EventNetwork
from golden.event.parts import INPUT, Block, Population


def dense_256(lanes: int = 1, *, axonal: bool = False, size: int = 256) -> EventNetwork:
    """Leaky neurons, each with a synapse of any delay of 7 bits to each, and a line."""
    return EventNetwork(
        name="event-256-axonal" if axonal else "event-256", lines=size, populations=(Population(size=size, leak=8),),
        blocks=(Block(source=0, target=0), Block(source=INPUT, target=0, kind="direct")), weight_bits=4, delay_bits=7,
        axonal=axonal, sum_bits=12, raster=tuple(range(size)), folded=lanes)
