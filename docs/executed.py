"""Code on the pages of the site is run, and what it prints is held against what the page says it prints.

    ```console              lines that begin with `$ ` are commands, the others what they print; `...` is any lines
    ```python               runs in one namespace for the page; ```text title="prints"``` behind it: what it prints
    ```toml title="x.toml"  a file of that name, for what comes after it; any language

A page has a folder of its own, and its blocks run in the order in which they stand. A line `<!-- slow -->` above a
block keeps it, and what needs it, for the long tests; `<!-- exit 2 -->` says that the last command is to fail so.
Integers are exact. Other numbers may drift by DRIFT of their size, times and dates as they like: training sums floats,
and processors differ.

    python docs/executed.py PAGE ...            runs pages and writes down what was printed
    python docs/executed.py --check PAGE ...    runs them and says what has drifted; with --slow all blocks
"""

import argparse
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from golden.files import write_whole

ROOT = Path(__file__).resolve().parent.parent
DRIFT = 0.05
#: of what is printed in per cent, whole points are allowed besides
POINTS = 3.0
PATIENCE = 1200
_BLOCK = re.compile(r"(?P<marks>(?:^<!-- (?:slow|exit \d) -->\n)*)^```(?P<language>[a-z]+)"
                    r"(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
#: what differs from run to run, or from processor to processor: times, dates, fingerprints of formats that were chosen
_TIME = re.compile(r"\b\d[\d,.]* ?(?:s|ms|us|min|h)\b|\b\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?"
                   r"|(?<=cpu_s)\W+[\d.]+|\bdesign [0-9a-f]{16}\b")
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?%?(?![\w])")


class Block(NamedTuple):
    """A fenced block: where its text begins and ends in the page, its marks, language, title and text."""

    begin: int
    end: int
    slow: bool
    status: int
    language: str
    title: str | None
    text: str


class Drifted(AssertionError):
    """What is printed is not what the page says."""


def blocks(page: str) -> list[Block]:
    """The fenced blocks of the text of a page."""
    found = []
    for match in _BLOCK.finditer(page):
        status = re.search(r"exit (\d)", match["marks"])
        found.append(Block(*match.span("text"), "<!-- slow -->" in match["marks"], int(status[1]) if status else 0,
                           match["language"], match["title"], match["text"]))
    return found


def commands(text: str) -> list[tuple[str, str]]:
    """(command, what it prints) of a block of console; a backslash at the end goes on in the next line."""
    text = text.replace("\\\n", "\\\0")
    parts = re.split(r"^\$ (.*)\n?", text, flags=re.MULTILINE)
    if parts[0].strip():
        raise ValueError(f"a block of console begins with a command, not with {parts[0].splitlines()[0]!r}")
    return [(command.replace("\\\0", "\\\n"), said) for command, said in zip(parts[1::2], parts[2::2], strict=True)]


def compare(wanted: str, got: str) -> None:
    """Raise Drifted where `got` is not `wanted`; a line `...` stands for any lines."""
    want, have = ([_plain(line) for line in text.strip().splitlines() if line.strip()] for text in (wanted, got))
    at = 0
    while want:
        line = want.pop(0)
        if line == "...":
            if not want:
                return
            while at < len(have) and not _alike(want[0], have[at]):
                at += 1
            continue
        if at >= len(have) or not _alike(line, have[at]):
            raise Drifted(f"the page says: {line}\nit prints:     {have[at] if at < len(have) else 'nothing more'}")
        at += 1
    if at < len(have):
        raise Drifted(f"the page says nothing more, it prints: {have[at]}")


def _plain(line: str) -> str:
    """A line without times, and without how wide its columns are."""
    return re.sub(r"\s+", " ", re.sub(r"[─━═]+", "─", _TIME.sub("TIME", line))).strip()


def _alike(want: str, have: str) -> bool:
    if _NUMBER.sub("0", want) != _NUMBER.sub("0", have):
        return False
    points = "accuracy" in want
    return all(_near(*pair, points) for pair in zip(_NUMBER.findall(want), _NUMBER.findall(have), strict=True))


def _near(want: str, have: str, points: bool) -> bool:
    if want.endswith("%") != have.endswith("%"):
        return False
    if want.lstrip("-").replace(",", "").isdigit():         # counts and words are exact
        return want == have
    first, second = (float(each.rstrip("%").replace(",", "")) for each in (want, have))
    room = max(DRIFT * abs(first), POINTS if want.endswith("%") else POINTS / 100 if points and first < 1 else 0)
    return abs(first - second) <= room


def environment() -> dict[str, str]:
    """As a reader has it: a terminal of 80 columns, no colours, `leadlag` on the PATH."""
    found = dict(os.environ) | {"COLUMNS": "80", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    found["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{found['PATH']}"
    found["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), found.get("PYTHONPATH"))))
    return found


def run(page: str, folder: Path, *, slow: bool) -> Iterator[tuple[Block, str]]:
    """Run the blocks of a page in `folder`; yields each block that says what is printed, with what was printed.

    slow: also those that are marked so. Of a console block the commands are in what is yielded. RuntimeError where a
    command ends with another status than it should; what Python raises goes through.
    """
    names, printed, behind = {"__name__": "__page__"}, None, []
    try:
        for block in blocks(page):
            if block.slow and not slow:
                printed = None
            elif block.title == "prints":
                if printed is not None:
                    yield block, printed
            elif block.title:
                write_whole(folder / block.title, block.text)
            elif block.language == "python":
                printed = _python(block.text, names, folder)
            elif block.language == "console":
                yield block, _console(block, folder, behind)
    finally:
        for each in behind:
            each.kill()
            each.wait()


def _python(text: str, names: dict, folder: Path) -> str:
    said, before = io.StringIO(), Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(said):
            exec(compile(text, "the page", "exec"), names)
    finally:
        os.chdir(before)
    return said.getvalue()


def _console(block: Block, folder: Path, behind: list) -> str:
    """Run the commands of a block; those with `&` at the end stay until the page ends."""
    lines, given = [], commands(block.text)
    for n, (command, said) in enumerate(given):
        lines.append(f"$ {command}")
        if command.rstrip().endswith("&"):
            behind.append(subprocess.Popen(["bash", "-c", f"exec {command.rstrip()[:-1]}"], cwd=folder, text=True,
                                           env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
            lines += [behind[-1].stdout.readline().rstrip("\n") for _ in said.strip().splitlines()]
            continue
        found = subprocess.run(["bash", "-c", command], cwd=folder, env=environment(), text=True, timeout=PATIENCE,
                               stdin=subprocess.DEVNULL, capture_output=True, check=False)
        status = block.status if n == len(given) - 1 else 0
        if found.returncode != status:
            raise RuntimeError(f"{command}: exit status {found.returncode}, not {status}\n{found.stdout}{found.stderr}")
        printed = found.stdout + (found.stderr if status else "")
        lines += [line.rstrip() for line in printed.strip("\n").splitlines()]
    return "\n".join(lines) + "\n"


def _kept(old: str, new: str) -> str:
    """What is written down: what was printed, but for an output that the page cuts short and that is still right."""
    try:
        compare(old, new)
    except Drifted:
        return new
    return old if "..." in old.splitlines() else new


def renew(path: Path) -> None:
    """Run a page and write into it what was printed."""
    page = path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        found = list(run(page, Path(folder), slow=True))
    for block, printed in reversed(found):
        text = _kept(block.text, printed)
        page = page[:block.begin] + text + page[block.end:]
    write_whole(path, page)


def check(path: Path, slow: bool) -> None:
    """Run a page; Drifted where it prints something else than it says."""
    with tempfile.TemporaryDirectory() as folder:
        for block, printed in run(path.read_text(encoding="utf-8"), Path(folder), slow=slow):
            compare(block.text, printed)


def main() -> int:
    """Do what the command line says; exit status 1 where a page has drifted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing, say what has drifted")
    parser.add_argument("--slow", action="store_true", help="with --check: also blocks that are marked so")
    told = parser.parse_args()
    for page in told.pages:
        try:
            check(page, told.slow) if told.check else renew(page)
        except (Drifted, RuntimeError) as error:
            print(f"{page}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
