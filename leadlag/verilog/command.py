"""What `leadlag verilog` does: a unit and its parameters by name, written as files, and run in Icarus."""

from pathlib import Path
from typing import NamedTuple

from golden.checks import check
from golden.files import check_writable
from leadlag import flow
from leadlag.verilog import pins, write
from leadlag.verilog.script import Unit
from leadlag.verilog.settings import chosen, instead
from leadlag.verilog.units import units
from leadlag.version import VERSION
from rtl.systems import circuit


class Written(NamedTuple):
    """What was written: unit, module, folder and files."""

    unit: str
    name: str
    folder: Path
    files: list[Path]


def unit_for(network: str, board: str) -> str:
    """The unit that NET is, with its streams; ValueError without NET."""
    if network is None:
        raise ValueError(f"what is to be written? NET, or --unit with one of {', '.join(units())}")
    check(network not in units(), f"{network} is a unit: leadlag verilog --unit {network}")
    return circuit(flow.prepare(network, board).net).core.__name__


def emit(unit: str, given=(), *, name: str | None = None, out=None, seed: int = 0, template: str | None = None,
         command: str) -> Written:
    """Write a unit: files of `leadlag.verilog.write.files` in folder `out`, build/verilog/NAME by default.

    unit: a name of `units()`; given: texts NAME=VALUE; name of the module, by default that of the unit or network;
    seed: of the vectors; template, of `leadlag.verilog.pins`, beside a network; command: the line that makes the same.
    ValueError for what does not go together.
    """
    row = row_of(unit)
    values, texts = chosen(unit, row.settings, given)
    module = write.check_name(name or Path(getattr(values, "network", "") or unit).stem)
    folder = Path(out or flow.BUILD / "verilog" / module)
    check_writable(folder / f"{module}.v")
    try:
        bench = row.bench(values, f"{unit} {seed}")
    except ValueError as error:
        raise ValueError(f"{unit}: {error}") from None
    about = write.described(row.circuit, row.golden) | dict(bench.about)
    about["parameters"] = "\n".join(f"{key} = {text}" for key, text in texts.items())
    found = write.files(module, bench, about=about, version=VERSION, command=command)
    if template is not None:
        net = flow.prepare(values.network, values.board).net
        found |= pins.files(module, net, template, version=VERSION, command=command)
    return Written(unit, module, folder, write.write(folder, found))


def listing(unit: str | None = None) -> list[dict]:
    """A row for every parameter of every unit, or of one: unit, parameter, type, default, meaning."""
    rows = units() if unit is None else {unit: row_of(unit)}
    return [{"unit": name, "parameter": key, "type": setting.kind.name, "default": setting.default,
             "meaning": setting.doc} for name, row in rows.items() for key, setting in row.settings.items()]


def row_of(unit: str) -> Unit:
    """The row of a unit by name; ValueError offers the nearest."""
    known = units()
    if unit not in known:
        raise ValueError(f"no unit {unit!r}{instead(unit, known)}")
    return known[unit]
