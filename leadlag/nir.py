"""Networks of others: NIR's graphs and TENNLab's RISP, read, checked, run in float64 and in integers, and written.

What is read and what is not: docs/nir.md.
"""

from golden.nir.euler import run as simulate
from golden.nir.graph import Flat, Graph, flatten
from golden.nir.neurons import IF, LI, LIF, CubaLI, CubaLIF, Delay, Integrator, Scale, Threshold
from golden.nir.nodes import Affine, AvgPool2d, Conv1d, Conv2d, Flatten, Input, Linear, Output, SumPool2d
from golden.nir.options import Options, implied_dt, stated
from golden.nir.rasters import Raster
from golden.nir.rasters import read as read_rasters
from golden.nir.read import load
from golden.nir.risp import Risp, Synapse
from golden.nir.risp import run as run_risp
from golden.nir.risp_json import parse as parse_risp
from golden.nir.risp_json import read as read_risp
from golden.nir.risp_json import write as write_risp
from golden.nir.synapses import Table, Wiring, wire
from golden.nir.targets import check_target
from golden.nir.write import write
from leadlag.foreign import Foreign, export, read, save

__all__ = [
    "Affine", "AvgPool2d", "Conv1d", "Conv2d", "CubaLI", "CubaLIF", "Delay", "Flat", "Flatten", "Foreign", "Graph",
    "IF", "Input", "Integrator", "LI", "LIF", "Linear", "Options", "Output", "Raster", "Risp", "Scale", "SumPool2d",
    "Synapse", "Table", "Threshold", "Wiring", "check_target", "export", "flatten", "implied_dt", "load", "parse_risp",
    "read", "read_rasters", "read_risp", "run_risp", "save", "simulate", "stated", "wire", "write", "write_risp",
]
