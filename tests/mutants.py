"""`make mutants`: changes single places of rtl, golden and firmware and asks the tests of the unit whether they notice.

A mutant is one module with one expression or statement changed (tests/mutate.py). Each module gives the same number of
them, drawn by a hash of what is changed: a change of a module leaves the mutants of all others as they are, and of its
own those that it does not touch. A mutant is killed when one of the tests that mutants.toml names for its module fails
or hangs; survivors are listed there with the reason. So are changes that are none, as nothing can tell them from what
was there (`a product commutes`): they are not drawn, the next one is. Left out: golden.train, whose constants
are choices that a training judges, and what starts and stops programs, since a changed line may stop those of others.

What was run is kept in build/mutants/results.jsonl by the texts of mutant and tests: a second run repeats what changed.
The general tools (mutmut, cosmic-ray) know neither tests of a unit's own nor the statements of a circuit.
"""

import argparse
import ast
import hashlib
import json
import multiprocessing
import os
import py_compile
import resource
import shutil
import signal
import sys
import tempfile
import threading
import tomllib
from pathlib import Path
from typing import NamedTuple

from joblib import Parallel, delayed

ROOT = Path(__file__).resolve().parent.parent
TABLE = Path(__file__).with_suffix(".toml")
OUT = ROOT / "build/mutants"
PACKAGES = ("firmware", "golden", "rtl")
LEFT_OUT = {"golden/train", "golden/programs.py", "golden/tools.py", "golden/pyosys_main.py",
            "golden/ecpbram_main.py", "rtl/inventory.py", "rtl/systems.py"}
COPIED = (*PACKAGES, "sim", "tests", "leadlag", "boards", "zoo", "docs")
SEED, EACH, JOBS = "leadlag", 4, 2
#: what tests import that is not ours: loaded once, since a process of its own for each mutant is forked from there
WARM = ["numpy", "torch", "hypothesis", "pytest", "amaranth.sim", "amaranth.lib.memory", "amaranth.back.rtlil",
        "safetensors.numpy"]
#: a mutant hangs when its tests compute this many times as long as without it, and some seconds more
TIMES, SECONDS = 3, 8
#: and in any case after so many seconds
PATIENCE = 3600
#: one thread a process, before numpy is loaded
ONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", "--hypothesis-seed=0", "--durations=20")


class Mutant(NamedTuple):
    """module: its path; name: what is changed, as survivors are listed; text: the module's, changed; None: as it is."""

    module: str
    name: str
    text: str | None


def modules() -> list[str]:
    """Paths of all modules that mutants are made of."""
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [str(path.relative_to(ROOT)) for path in found
            if not {str(path.relative_to(ROOT)), str(path.parent.relative_to(ROOT))} & LEFT_OUT
            and path.name != "__init__.py" and path.read_text(encoding="utf-8")]


def table() -> dict:
    """mutants.toml."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def draw(module: str, each: int = EACH) -> list[Mutant]:
    """Mutants of a module, one operator after another; none that is the same."""
    from mutate import changed, changes
    tree, kinds, same = ast.parse((ROOT / module).read_text(encoding="utf-8")), {}, table()["same"]
    for change in sorted(changes(tree), key=lambda change: _hash(SEED, module, change.name)):
        if f"{module} {change.name}" in same:
            continue
        kinds.setdefault(change.operator, []).append(change)
    order, found = sorted(kinds, key=lambda kind: _hash(SEED, module, kind)), []
    for turn in range(each):
        found += [kinds[kind][turn] for kind in order if turn < len(kinds[kind])]
    return [Mutant(module, change.name, changed(tree, change)) for change in found[:each]]


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


class Bench:
    """Copies of the tree, one a worker, in which mutants are put and tests are run."""

    def __init__(self, folder: Path):
        self.folder, self._mine = folder, threading.local()
        os.environ.update(ONE)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(WARM)

    def run(self, mutant: Mutant, tests: list[str], seconds: int) -> tuple[str, float]:
        """'killed', 'hangs' or 'survived', and seconds of computing; more than `seconds` is a hang."""
        tree = self._tree()
        path = tree / mutant.module
        whole = path.read_text(encoding="utf-8")
        try:
            if mutant.text is not None:
                path.write_text(mutant.text, encoding="utf-8")
            return self._tested(tree, tests, seconds)
        finally:
            path.write_text(whole, encoding="utf-8")

    def log(self) -> str:
        """What pytest has said last."""
        return (self._tree() / "log").read_text(encoding="utf-8", errors="replace")

    def _tested(self, tree, tests, seconds):
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_tests, args=(str(tree), tests, seconds, theirs))
        process.start()
        theirs.close()      # so that the other end sees when this one is gone
        process.join(PATIENCE)
        hangs = process.is_alive() or process.exitcode == -signal.SIGXCPU
        if process.is_alive():
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        if hangs:
            return "hangs", float(seconds)
        if process.exitcode in (3, 4, 5):
            raise RuntimeError(f"pytest could not run {' '.join(tests)}: see {tree / 'log'}")
        return "killed" if process.exitcode else "survived", ours.recv() if ours.poll() else 0.0

    def _tree(self) -> Path:
        if not hasattr(self._mine, "tree"):
            tree = self._mine.tree = Path(tempfile.mkdtemp(dir=self.folder))
            for name in COPIED:
                shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
            for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "Makefile"):
                shutil.copy(ROOT / name, tree / name)
            # compiled circuits are kept by what they are made of
            (OUT / "verilated").mkdir(parents=True, exist_ok=True)
            (tree / "build").mkdir()
            (tree / "build/verilated").symlink_to(OUT / "verilated")
            for path in tree.rglob("*.py"):
                py_compile.compile(str(path), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
        return self._mine.tree


def _tests(tree: str, tests: list[str], seconds: int, result) -> None:
    """In a process of its own: pytest on the copy, which sends the seconds that it computed."""
    os.setsid()
    threading.Thread(target=_follow, args=(result,), daemon=True).start()
    os.chdir(tree)
    log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    os.environ["PYTHONPATH"] = tree
    sys.dont_write_bytecode = True
    sys.path[:] = [tree, *(path for path in sys.path if not path.startswith(str(ROOT)) or ".venv" in path)]
    import pytest
    code = pytest.main([*OPTIONS, f"--rootdir={tree}", *tests])
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    result.send(sum(one.ru_utime + one.ru_stime for one in used))
    os._exit(code)


def _follow(result) -> None:
    """End with all that was started when the run that wants the result is gone."""
    try:
        result.recv()
    except (EOFError, OSError):
        os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Run what the command line says and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("modules", nargs="*", help="parts of module paths; without any: all")
    parser.add_argument("--each", type=int, default=EACH, help="mutants of a module (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=JOBS, help="mutants at a time (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="print the mutants, run nothing")
    arguments = parser.parse_args()
    chosen = [module for module in modules()
              if not arguments.modules or any(part in module for part in arguments.modules)]
    mutants = [mutant for module in chosen for mutant in draw(module, arguments.each)]
    if arguments.list:
        print("\n".join(f"{mutant.module} {mutant.name}" for mutant in mutants))
        return
    results = measure(mutants, arguments.jobs)
    whole = chosen == modules() and arguments.each >= EACH
    sys.exit(report(mutants, results, whole))


def measure(mutants: list[Mutant], jobs: int) -> dict[Mutant, str]:
    """What became of each mutant: from the file of results, or by running its tests."""
    tests_of = table()["tests"]
    path = OUT / "results.jsonl"
    known = dict(map(json.loads, path.read_text(encoding="utf-8").splitlines())) if path.exists() else {}
    OUT.mkdir(parents=True, exist_ok=True)
    texts = {}

    def keep(key, value):
        known[key] = value
        with path.open("a", encoding="utf-8") as file:      # a line at a time, whoever else does
            file.write(json.dumps([key, value]) + "\n")

    def read(names):
        for name in names:
            file = name.split("::")[0]
            texts.setdefault(file, (ROOT / file).read_text(encoding="utf-8"))
        return [texts[name.split("::")[0]] for name in names]

    def unchanged(bench, tests):
        key = _hash("unchanged", *tests, *read(tests), *read(name for name in modules() if tests_of.get(name) == tests))
        if key not in known:
            became, seconds = bench.run(Mutant(tests[0].split("::")[0], "", None), tests, PATIENCE)
            if became != "survived":
                raise RuntimeError(f"{' '.join(tests)} fails without a mutant:\n{bench.log()[-2000:]}")
            keep(key, round(seconds, 1))
            print(f"{known[key]:7.1f} s  {' '.join(tests)}", flush=True)
        return known[key]

    def one(bench, mutant):
        tests = tests_of[mutant.module]
        key = _hash(mutant.module, mutant.text, *tests, *read(tests))
        if key not in known:
            became, seconds = bench.run(mutant, tests, SECONDS + round(TIMES * times[tuple(tests)]))
            keep(key, became)
            print(f"{seconds:7.1f} s  {became:8}  {mutant.module} {mutant.name}", flush=True)
        return known[key]

    with tempfile.TemporaryDirectory(prefix="leadlag-mutants-") as folder:
        def stop(number, frame):
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(128 + number)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        bench = Bench(Path(folder))
        workers = Parallel(n_jobs=jobs, prefer="threads")
        sets = sorted({tuple(tests_of[mutant.module]) for mutant in mutants})
        times = dict(zip(sets, workers(delayed(unchanged)(bench, list(tests)) for tests in sets), strict=True))
        return dict(zip(mutants, workers(delayed(one)(bench, mutant) for mutant in mutants), strict=True))


def report(mutants: list[Mutant], results: dict[Mutant, str], whole: bool) -> int:
    """Print the table and the survivors; a whole run is written to bench.json. Returns an exit code."""
    reasons, same = table()["survivors"], table()["same"]
    survivors = [mutant for mutant in mutants if results[mutant] == "survived"]
    print(f"\n{'module':34}{'mutants':>8}{'killed':>8}")
    for module in dict.fromkeys(mutant.module for mutant in mutants):
        mine = [mutant for mutant in mutants if mutant.module == module]
        print(f"{module:34}{len(mine):8}{sum(mutant not in survivors for mutant in mine):8}")
    unknown = 0
    for mutant in survivors:
        reason = reasons.get(f"{mutant.module} {mutant.name}")
        unknown += reason is None
        print(f"survivor: {mutant.module} {mutant.name}\n    {reason or 'not in ' + TABLE.name}")
    killed = len(mutants) - len(survivors)
    print(f"{len(mutants)} mutants, {killed} killed ({killed / max(1, len(mutants)):.1%}), {len(survivors)} survivors; "
          f"not drawn, since they are the same: {len(same)}")
    if whole:
        sys.path[:0] = [str(ROOT)]      # beside this file are folders that are called as packages are
        from leadlag.bench import groups as bench
        bench.merge("mutants", {"mutants": len(mutants), "killed": killed, "seed": SEED, "same": len(same),
                                "survivors": [f"{mutant.module} {mutant.name}" for mutant in survivors]},
                    "make mutants")
    return int(unknown > 0)


if __name__ == "__main__":
    main()
