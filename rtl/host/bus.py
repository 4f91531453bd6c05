"""The board's internal bus: one word at a time, held until acknowledged."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class BusSignature(wiring.Signature):
    """Seen from the master: `read` or `write` and `addr`, `w_data` hold until `ack`, which lasts one cycle.

    `r_data` and `error` (no such address) are valid with `ack`. Between two accesses the master drops its request for
    at least one cycle.
    """

    def __init__(self):
        super().__init__({"read": Out(1), "write": Out(1), "addr": Out(32), "w_data": Out(32),
                          "ack": In(1), "r_data": In(32), "error": In(1)})
