"""What commands say: two consoles, one kind of table, and a sign of life from long work. Nothing of it is cut.

Results go to `console` (standard output), how far work is to `notes` (standard error): bars and spinners on a terminal,
elsewhere (a pipe, a file, CI) a line every EVERY seconds. Text is never read as markup, and a line of text is never
wrapped, so that a path can be copied whole. Only this module imports rich.
"""

import math
import os
import sys
import threading
import time
from contextlib import contextmanager

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid
from rich.text import Text

#: seconds from one line about long work to the next, where no terminal shows it
EVERY = 10.0


class Screen(Console):
    """A console that prints text as it is."""

    def __init__(self, **options):
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def print(self, *objects, **options) -> None:
        """Print; lines of text leave wrapping to the terminal. OSError names the stream."""
        if all(isinstance(entry, str) for entry in objects):
            options.setdefault("soft_wrap", True)
        try:
            super().print(*objects, **options)
        except OSError as error:
            name = "standard error" if self.stderr else "standard output"
            raise OSError(error.errno, error.strerror, name) from None


console, notes = Screen(), Screen(stderr=True)


class Table:
    """Rows under headings, as wide as the console at most, with every word whole.

    Drawn with rules where that fits, else without; cells are wrapped at spaces only where neither fits; where words
    alone are too wide, every row becomes a block of lines, a heading and a value each.
    """

    def __init__(self, *headings: str, title: str | None = None):
        self.headings, self.rows, self.title = headings, [], title

    def add_row(self, *cells: str) -> None:
        """A row; ValueError where it has not a cell a heading."""
        if len(cells) != len(self.headings):
            raise ValueError(f"a row of {len(cells)} cells under {len(self.headings)} headings")
        self.rows.append(cells)

    @classmethod
    def of(cls, rows: list[dict], *, title: str | None = None) -> "Table":
        """A table of rows that have the same headings, with any values."""
        table = cls(*rows[0], title=title)
        for row in rows:
            table.add_row(*map(text_of, row.values()))
        return table

    def __rich_console__(self, console, options):
        def shown(text):
            # as the encoding will show it, so that it is measured so
            return text.encode(console.encoding, "backslashreplace").decode(console.encoding)
        if self.title:
            yield Text(shown(self.title), style="italic", overflow="fold")
        lines = [[*map(shown, row)] for row in (self.headings, *self.rows)]
        columns = list(zip(*lines, strict=True))
        whole = [max(cell_len(line) for cell in column for line in cell.splitlines() or [""]) for column in columns]
        words = [max(cell_len(word) for cell in column for word in cell.split() or [""]) for column in columns]
        # between columns: a rule and two spaces, or two spaces
        frames = ((box.HEAVY_HEAD, 3 * len(columns) + 1), (None, 2 * (len(columns) - 1)))
        for least in (whole, words):
            for rules, frame in frames:
                if sum(least) + frame <= options.max_width:
                    yield _drawn(rules, lines, _widths(least, whole, options.max_width - frame))
                    return
        yield from _blocks(lines)


def _drawn(rules, lines, widths) -> Grid:
    headings, *rows = lines
    grid = Grid(box=rules, pad_edge=rules is not None)
    for heading, width in zip(headings, widths, strict=True):
        grid.add_column(heading, width=width, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    return grid


def _blocks(lines):
    headings, *rows = lines
    for n, row in enumerate(rows):
        if n:
            yield Text("")
        grid = Grid.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for heading, cell in zip(headings, row, strict=True):
            grid.add_row(heading, cell)
        yield grid


def _widths(least, whole, room: int) -> list[int]:
    """Widths from `least` to `whole` that add up to `room` at most; narrow columns get what they want first."""
    widths = list(least)
    while sum(widths) < room and (short := [n for n, width in enumerate(widths) if width < whole[n]]):
        widths[min(short, key=lambda n: widths[n])] += 1
    return widths


def text_of(value) -> str:
    """A value as people read it: integers in groups of three digits, other numbers with five that count.

    `--json` has all digits.
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(text_of(each) if isinstance(each, float) else repr(each) for each in value)}]"
    if isinstance(value, float) and not value.is_integer() and math.isfinite(value):
        return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.5g}"
    return f"{value:,}" if type(value) is int else str(value)


class Bars(Progress):
    """Progress bars with a count and a clock; without a terminal, lines about the tasks that are not done."""

    def __init__(self, console: Screen | None):
        super().__init__(TextColumn("{task.description:<34}", markup=False), BarColumn(bar_width=30),
                         MofNCompleteColumn(), TimeElapsedColumn(), console=console or notes,
                         disable=console is None or not console.is_terminal)
        self._pulse = _Pulse(console, self._lines)

    def start(self) -> None:
        """Show them."""
        super().start()
        self._pulse.start()

    def stop(self) -> None:
        """Leave them as they are."""
        self._pulse.stop()
        super().stop()

    def stop_task(self, task_id) -> None:
        """End a task that is not done, which is said at once."""
        super().stop_task(task_id)
        if self._pulse.thread is not None:
            self.console.print(self.tasks[self.task_ids.index(task_id)].description)

    def _lines(self) -> list[str]:
        return [task.description + (f", {task.completed:,.0f} of {task.total:,.0f}" if task.total else "")
                for task in self.tasks if not task.finished and task.stop_time is None]


def bars(console: Screen | None) -> Bars:
    """Progress bars, a context; silent without a console."""
    return Bars(console)


@contextmanager
def status(console: Screen | None, text: str):
    """A line about work without a count; gives a function that changes it. Silent without a console."""
    if console is not None and console.is_terminal:
        spinner = "dots" if console.encoding.startswith("utf") else "line"
        with console.status(Text(text), spinner=spinner) as shown:
            yield lambda text: shown.update(Text(text))
        return
    now = [text]
    pulse = _Pulse(console, lambda: now)
    pulse.start()
    try:
        yield lambda text: now.__setitem__(0, text)
    finally:
        pulse.stop()


class _Pulse:
    """Prints `lines()` with the seconds since its start every EVERY seconds, on a console that is no terminal."""

    def __init__(self, console: Screen | None, lines):
        self.console, self.lines, self.ended, self.thread = console, lines, threading.Event(), None

    def start(self) -> None:
        if self.console is not None and not self.console.is_terminal and self.thread is None:
            self.thread = threading.Thread(target=self._beat, daemon=True)
            self.thread.start()

    def stop(self) -> None:
        self.ended.set()
        if self.thread is not None:
            self.thread.join()

    def _beat(self) -> None:
        started = time.monotonic()
        while not self.ended.wait(EVERY):
            for line in self.lines():
                try:
                    self.console.print(f"{line} ({time.monotonic() - started:.0f} s)")
                except (OSError, SystemExit):       # nobody reads any more
                    return


def escape() -> None:
    """Let standard output and error show what their encoding lacks, and bytes of file names, as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def let_go() -> None:
    """What a full disk did not take is lost: Python would try again as it ends, and complain in lines of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def reason(error: Exception) -> str:
    """An error in a line, the file first where it is about one."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    name, said = error.filename, error.strerror or str(error)
    return said if name is None else f"{os.fsdecode(name) if isinstance(name, bytes) else name}: {said}"
