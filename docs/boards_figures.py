"""Generated blocks of docs/boards.md: the boards as they are, and from docs/bench.json what was built for them."""

import textwrap

from boards import BOARDS
from boards.base import LIGHTS
from boards.pins import balls_of


def boards(table) -> str:
    """Every board, its part and what that holds."""
    rows = [(f"`{name}`", board.title, board.part.name, board.part.family.name, f"{board.part.lut4:,}",
             str(board.part.bram), str(board.part.dsp), f"{board.clock_mhz:g} MHz")
            for name, board in BOARDS.items()]
    return table(("board", "what it is", "part", "family", "LUT4", "block RAM", "multipliers", "clock"), rows)


def pins(table) -> str:
    """The balls that a bitstream uses, one row for boards of the same platform of amaranth-boards but for its size."""
    rows = {}
    for name, board in BOARDS.items():
        flash = "-" if board.flash is None else _flash(board)
        row = (f"{_balls(board, board.clock, 0)['']}, {board.input_mhz:g} MHz",
               *(_balls(board, board.uart, 0)[signal] for signal in ("rx", "tx")),
               " ".join(_balls(board, "led", n)[""] for n in range(min(board.leds, LIGHTS))) or "-",
               "-" if board.reset_button is None else _balls(board, *board.reset_button)[""], flash)
        rows.setdefault(row, []).append(f"`{name}`")
    return table(("board", "oscillator", "rx", "tx", "lights 0 to 3", "reset", "flash (`+flash`): cs, clk, copi, cipo"),
                 [(", ".join(names), *row) for row, names in rows.items()])


def _balls(board, name: str, number: int) -> dict[str, str]:
    return {signal: " ".join(found) for signal, found in balls_of(board.platform, name, number).items()}


def _flash(board) -> str:
    found = _balls(board, board.flash.resource, 0)
    if board.flash.own_clock:
        del found["clk"]
    return ", ".join(found.get(signal, "by a primitive") for signal in ("cs", "clk", "copi", "cipo"))


def builds(table, data) -> str:
    """Networks that were routed, board by board; then what fits without having been routed, and what does not."""
    found = data.get("boards", {}).get("rows", [])
    if not found:
        return "Not measured yet: `leadlag bench boards`."
    routed = [row for row in found if "fmax_mhz" in row]
    parts = [table(("network", "board", "clock", "Fmax", "LUT4", "FF", "DSP", "RAM", "a second, at that clock"),
                   [_routed(row) for row in routed])]
    untimed = list(dict.fromkeys(row["untimed"] for row in routed if "untimed" in row))
    parts += [textwrap.fill(f"{text[0].upper()}{text[1:]}.", 118) for text in untimed]
    counted = [row for row in found if "needs" in row and not {"fmax_mhz", "failed"} & set(row)]
    if counted:
        parts.append(table(("counted here, not routed", "board", "lanes", "LUT4, about", "DSP", "RAM"), [
            (row["network"], row["board"], str(row["lanes"]), f"{row['needs']['lut4']:,}", str(row["needs"]["dsp"]),
             str(row["needs"]["bram"])) for row in counted]))
    short = [(row["network"], row["board"], row["short"]) for row in found if "short" in row]
    short += [(row["network"], row["board"], row["failed"]) for row in found if "failed" in row]
    if short:
        parts.append(table(("does not fit", "board", "what is short"), short))
    pairs = data["boards"].get("pairs", len(found))
    if len(found) < pairs:
        parts.append(f"So far {len(found)} of {pairs} pairs of network and board were tried.")
    return "\n\n".join(parts)


def _routed(row) -> tuple[str, ...]:
    pace = next((f"{row[key]:,.0f} {key.removesuffix('_per_s')}" for key in ("images_per_s", "ticks_per_s")
                 if key in row), "-")
    clock = f"{row['clock_mhz']:g} MHz" + ("" if row["timing_met"] else ", missed")
    place = " in place" if row.get("in_place") else ""
    return (row["network"] + place, row["board"], clock, f"{row['fmax_mhz']:.1f} MHz", f"{row['lut4']:,}",
            f"{row['ff']:,}", str(row["dsp"]), str(row["bram"]), pace)
