"""Run a cocotb bench on a component: Verilog through yosys, build, run, raise where a test failed."""

import hashlib
import json
import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path

from golden.files import write_whole
from golden.programs import ICARUS, MAKE, PERL, BuildError, compiler, ending, first_error, program
from sim.objects import launcher
from sim.verilated import CACHE, verilator
from sim.verilog import input_pins, to_rtlil, to_verilog

BUILD = Path("build/cocotb")
ROOT = Path(__file__).resolve().parent.parent
VARIABLE = "LEADLAG_BENCH"
SIMULATORS = ("icarus", "verilator")
_BUILD_ARGS = {"icarus": [], "verilator": ["--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint",
                                           "-Wno-style", "-O3", "--output-split", "0"]}


def run_bench(component, bench_module: str, *, simulator: str = "verilator", params: dict | None = None) -> None:
    """Run all tests of `bench_module` (such as `sim.benches.leadlag_tb`) on `component`.

    params reach the bench as JSON (sim.drivers.settings). AssertionError where a test fails, with the end of the log;
    ToolError where the simulator or a program that it needs is missing, BuildError where the circuit does not build.
    """
    if simulator not in SIMULATORS:
        raise ValueError(f"simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
    environment = check_simulator(simulator)
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import get_runner
    text = to_rtlil(component, name="unit")
    label = f"{bench_module.rpartition('.')[2]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}-{simulator}"
    with tempfile.TemporaryDirectory(dir=_plain_folder(), prefix=f"{label}-") as folder, _environ(environment):
        folder = Path(folder).resolve()
        source, log, results = folder / "unit.v", folder / "log.txt", folder / "results.xml"
        write_whole(source, to_verilog(text))
        runner = get_runner(simulator)
        try:
            runner.build(sources=[source], hdl_toplevel="unit", build_dir=folder, timescale=("1ns", "1ps"),
                         build_args=_BUILD_ARGS[simulator], log_file=folder / "build.txt")
        except (RuntimeError, SystemExit) as error:
            if ending():
                raise
            said = _tail(folder / "build.txt")
            raise BuildError(f"{label} did not build: {first_error(said) if said else error}") from None
        try:
            runner.test(test_module=bench_module, hdl_toplevel="unit", build_dir=folder, test_dir=folder, log_file=log,
                        results_xml=str(results), timescale=("1ns", "1ps") if simulator == "icarus" else None,
                        extra_env={VARIABLE: json.dumps({"inputs": input_pins(component), **(params or {})}),
                                   "PYTHONPATH": str(ROOT), "COCOTB_ANSI_OUTPUT": "0"})
        except (RuntimeError, SystemExit):
            # a failed test ends in SystemExit; the results tell it from a simulator that broke down
            if ending():
                raise
        assert results.exists(), f"{label} did not run\n{_tail(log)}"
        count, failed = get_results(results)
        assert count, f"{label}: {bench_module} has no tests"
        assert not failed, f"{label}: {failed} of {count} tests failed\n{_tail(log)}"


def _plain_folder() -> Path | None:
    """Where a simulation is built: make and the scripts of simulators break at spaces and umlauts in a path."""
    if re.search(r"[^\w./+-]", str(BUILD.absolute()), re.ASCII):
        return None         # the system's folder for such files
    BUILD.mkdir(parents=True, exist_ok=True)
    return BUILD


def check_simulator(simulator: str) -> dict[str, str]:
    """The environment that `simulator` runs in; ToolError where it is missing."""
    if simulator == "icarus":
        program(ICARUS)
        return dict(os.environ)
    _, environment, _ = verilator()
    compiler()
    for each in (MAKE, PERL):
        program(each, ", which compiles Verilator's simulations")
    # a bench runs some ten thousand cycles: what the C++ compiler optimises costs more than it saves
    environment["MAKEFLAGS"] = f"{environment.get('MAKEFLAGS', '')} OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0".strip()
    return environment | launcher(CACHE)


@contextmanager
def _environ(environment):
    """Cocotb's runner looks for programs on the PATH of this process."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _tail(path: Path, lines: int = 40) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""
