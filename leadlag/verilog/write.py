"""A circuit with its test bench and vectors, as files for a project that knows nothing of this one."""

import inspect
import re
from pathlib import Path

import jinja2

from golden.files import write_together
from golden.fixed import QFormat
from leadlag.verilog.script import PAUSE_BITS, Bench, Script
from sim.verilog import to_rtlil, to_verilog

LICENCE = "SPDX-License-Identifier: Apache-2.0, by the leadlag contributors"
#: of Verilog 2005, and what a test bench calls its own
KEYWORDS = set("""clk rst dut always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config
    deassign default defparam design disable edge else end endcase endconfig endfunction endgenerate endmodule
    endprimitive endspecify endtable endtask event for force forever fork function generate genvar highz0 highz1 if
    ifnone incdir include initial inout input instance integer join large liblist library localparam macromodule medium
    module nand negedge nmos nor noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive pull0
    pull1 pulldown pullup pulsestyle_onevent pulsestyle_ondetect rcmos real realtime reg release repeat rnmos rpmos
    rtran rtranif0 rtranif1 scalared showcancelled signed small specify specparam strong0 strong1 supply0 supply1 table
    task time tran tranif0 tranif1 tri tri0 tri1 triand trior trireg unsigned use uwire vectored wait wand weak0 weak1
    while wire wor xnor xor""".split())
#: cycles behind the last word of all in which none may come
IDLE = 200


def check_name(name: str) -> str:
    """The name as a module of Verilog has it; ValueError where it cannot be one."""
    found = re.sub(r"[-. ]", "_", name).lower()
    if not re.fullmatch(r"[a-z]\w{0,63}", found, re.ASCII) or found in KEYWORDS:
        raise ValueError(f"{name!r} is no name of a module: a letter, then letters, digits and _, no keyword")
    return found


def files(name: str, bench: Bench, *, about: dict, version: str, command: str) -> dict[str, str]:
    """Text by file name: circuit, test bench, vectors, README.

    about: {heading: text} of the header; command: the line that makes the files again.
    """
    script = bench.script
    if name in script.pins:
        raise ValueError(f"{name!r} is a pin of the module: give it another --name")
    verilog = to_verilog(to_rtlil(script.component, name=name))
    found = {f"{name}.v": _header(name, bench, about, version, command) + verilog,
             f"{name}_tb.v": _bench_text(name, script, version, command)}
    if script.driven:
        found[f"{name}_inputs.hex"] = _lines(script.inputs())
    if script.watched:
        expected, mask = script.expected()
        found |= {f"{name}_expected.hex": _lines(expected), f"{name}_mask.hex": _lines(mask)}
    for stream, rows in (script.sources | script.sinks).items():
        bits = script.pins[f"{stream}_payload"].width
        digits = -(-(bits + PAUSE_BITS) // 4)
        found[f"{name}_{stream}.hex"] = _lines(f"{pause << bits | word:0{digits}x}" for pause, word in rows)
    if script.accesses:
        found[f"{name}_bus.hex"] = _lines(f"{int(a.write):x}{a.addr:08x}{a.data:08x}{a.wait:08x}{a.mask:08x}"
                                          for a in script.accesses)
    found["README.txt"] = _readme(name, about, found, version, command)
    return found


def write(folder, found: dict[str, str]) -> list[Path]:
    """Write the files, all or none; OSError where that cannot be done."""
    written = {Path(folder) / name: text for name, text in found.items()}
    write_together(written)
    return list(written)


def described(circuit: type, golden) -> dict[str, str]:
    """What a circuit and the golden steps that it equals say of themselves, by name."""
    return {f"{what} {each.__module__}.{each.__qualname__}": inspect.getdoc(each)
            for what, each in (("circuit", circuit), *(("golden model", step) for step in golden))}


def _lines(rows) -> str:
    return "\n".join(rows) + "\n"


def _header(name, bench, about, version, command) -> str:
    lines = [f"{name}: written by leadlag {version}", f"  {command}", LICENCE, ""]
    for heading, text in (about | {"latency": bench.latency, "pins": _pins_text(bench)}).items():
        lines += [heading, *(f"  {line}" if line else "" for line in text.splitlines()), ""]
    return "".join(f"// {line}".rstrip() + "\n" for line in lines[:-1]) + "\n"


def _pins_text(bench: Bench) -> str:
    rows = [("clk", "input", "1", "all registers work at its rising edge"),
            ("rst", "input", "1", "synchronous, active high")]
    for pin in bench.script.pins.values():
        whole = len(pin.fields) == 1 and not pin.fields[0].name
        fmt = _format(pin.fields[0], bench.formats.get(pin.name)) if whole else ""
        rows.append((pin.name, "input" if pin.is_input else "output", str(pin.width), fmt))
        for field in () if whole else pin.fields:
            rows.append((f"  [{field.offset + field.width - 1}:{field.offset}]", "", str(field.width),
                         f"{field.name}  {_format(field, bench.formats.get(f'{pin.name}.{field.name}'))}".rstrip()))
    widths = [max(len(row[n]) for row in rows) for n in range(3)]
    text = ["  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3])).rstrip()
            for row in rows]
    return "\n".join([*text, "Qi.f: two's complement with i integer and f fraction bits beside the sign"])


def _format(field, fmt: QFormat | None) -> str:
    if fmt is not None:
        return f"{fmt}, [{fmt.min * fmt.lsb:g}, {(fmt.max + 1) * fmt.lsb:g}) in steps of 2**-{fmt.frac_bits}"
    return "two's complement" if field.signed else ""


def _bench_text(name: str, script: Script, version: str, command: str) -> str:
    watched, low = [], 0
    for pin in script.watched:
        for part in _parts(pin):
            watched.append(part | {"pin": f"{pin.name}[{part['high']}:{part['low']}]" if part["label"] != pin.name
                                   else pin.name, "low": low + part["low"], "high": low + part["high"]})
        low += pin.width
    streams = {kind: [{"name": stream, "count": len(rows), "bits": script.pins[f"{stream}_payload"].width,
                       "parts": _parts(script.pins[f"{stream}_payload"])} for stream, rows in table.items()]
               for kind, table in (("sources", script.sources), ("sinks", script.sinks))}
    environment = jinja2.Environment(loader=jinja2.PackageLoader("leadlag.verilog", "."), autoescape=False,
                                     undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.get_template("bench.v.j2").render(
        name=name, version=version, command=command, pins=list(script.pins.values()), driven=script.driven,
        rows=script.now, input_bits=sum(pin.width for pin in script.driven), watched=watched, output_bits=low,
        accesses=len(script.accesses), idle=IDLE, patience=script.patience, pause_bits=PAUSE_BITS, **streams)


def _parts(pin) -> list[dict]:
    """Where the fields of a pin are, and how a person wants to see them."""
    return [{"low": field.offset, "high": field.offset + field.width - 1,
             "label": f"{pin.name}[{field.offset + field.width - 1}:{field.offset}] ({field.name})"
             if field.name else pin.name, "show": "$signed" if field.signed else "$unsigned"} for field in pin.fields]


def _readme(name, about, found, version, command) -> str:
    vectors = "\n".join(f"  {file}" + ("         which bits of the outputs count, by cycle" if "_mask" in file else "")
                        for file in found if file.endswith(".hex"))
    headings = "\n".join(f"  {heading}" for heading in about if heading != "parameters")
    return f"""{name}, written by leadlag {version}:
  {command}

  {name}.v      the circuit, Verilog 2005, one module, no dependencies
  {name}_tb.v   its test bench, which reads
{vectors}

Run the bench in this folder, here with Icarus Verilog (Debian: apt-get install iverilog):

  iverilog -g2005 -o {name}.vvp {name}.v {name}_tb.v
  vvp {name}.vvp

It prints PASS with the number of words compared, or FAIL with the first difference and the number of all.
The vectors come from leadlag's golden model; the head of {name}.v says what circuit and model are, and has the
format of every pin, the latency and the parameters:

{headings}

{LICENCE}.
"""
