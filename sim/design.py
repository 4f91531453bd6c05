"""Design: what a harness is compiled with: a circuit as RTL, or the netlist or bitstream that tools made of it.

A harness asks for a component. Given `mapped`, it gets what that way makes of the component instead: the same pins, the
same harness, the same vectors.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from golden.programs import timed
from sim.verilog import to_rtlil, to_verilog

#: models of the hard blocks of vendor forms, by how their names begin
MODELS = {vendor: Path(__file__).with_name("models") / name
          for vendor, name in (("ecp5", "ecp5.v"), ("gowin", "gowin.v"), ("up5k", "ice40.v"))}


class Design(NamedTuple):
    """Verilog with plain pins, made when it is wanted.

    name of its top; key, a text that stands for the Verilog, which takes longer to make; verilog(); times, CPU seconds
    by step, which `verilog` and the compiler fill in.
    """

    name: str
    key: str
    verilog: Callable[[], str]
    times: dict


class Mapped(NamedTuple):
    """A way from a circuit to other Verilog of the same pins: key stands for it; verilog(RTLIL, top, times)."""

    key: str
    verilog: Callable[[str, str, dict], str]


def design_of(component, *, name: str, vendor: str = "generic", mapped: Mapped | None = None,
              verilog: str = "") -> Design:
    """`component` without reset, with the models of `vendor` primitives: as it is, or by way of `mapped`.

    verilog: of what the component has from others.
    """
    text, times = to_rtlil(component, name=name, reset=False), {}
    models = verilog + "".join(path.read_text(encoding="utf-8") for name, path in MODELS.items()
                     if vendor.startswith(name) or vendor == "all")
    # RTLIL and the file that turns it into Verilog stand for the Verilog, which takes seconds to write
    converter = Path(to_verilog.__code__.co_filename).read_text(encoding="utf-8")
    if mapped is not None:
        return Design(name, "\0".join((text, mapped.key, models)),
                      lambda: mapped.verilog(text, name, times) + models, times)

    def converted():
        with timed(times, "convert"):
            return to_verilog(text) + models
    return Design(name, "\0".join((text, converter, models)), converted, times)
