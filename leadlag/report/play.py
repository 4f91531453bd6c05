"""One sample on its way through a network, as an animated picture: the same text for the same figures, no script.

Every neuron is a dot, layer beside layer; dots glow with what the neuron sends: orange above zero, blue below. A line
moves over the input below them. `leadlag.report.page` says what the figures are (`rates`).
"""

from html import escape

import numpy as np

from leadlag.report.pictures import INK, MUTED, NARROW, WIDE

#: a layer is drawn as at most so many dots: neurons side by side share one, that of the strongest
MOST = 60
#: of a sample, and seconds for all of them
FRAMES, SECONDS = 48, 9
RISE, FALL, REST = (213, 94, 0), (0, 114, 178), (238, 241, 244)
LINE, TEXT = "#9aa5b1", f'font-family="DejaVu Sans,sans-serif" font-size="9" fill="{MUTED}"'


def play_svg(rates, narrow: bool = False) -> str:
    """The picture; narrow: for a phone."""
    layers = [(layer["name"], _frames(np.asarray(layer["values"], float))) for layer in rates["layers"]]
    width, size, gap = 72 * (NARROW if narrow else WIDE), 8, 3
    # as many rows as make the layers fit side by side
    for rows in range(10, MOST + 1):
        wide = [-(-frames.shape[1] // rows) * (size + gap) for _, frames in layers]
        if sum(wide) + 8 * len(layers) + 16 <= width:
            break
    top, high = 26, min(rows, max(frames.shape[1] for _, frames in layers)) * (size + gap)
    space = (width - 16 - sum(wide)) / max(1, len(layers) - 1)
    parts, x = [], 8.0
    for (name, frames), columns in zip(layers, wide, strict=True):
        # the last name ends where its dots end, at the border
        place = f'x="{x:.0f}"' if name != layers[-1][0] else f'x="{x + columns - gap:.0f}" text-anchor="end"'
        parts.append(f'<text {place} y="16" {TEXT}>{_short(name, narrow or len(layers) > 8)}</text>')
        parts += _dots(frames, x, top, rows, size, gap, answer=rates.get("answer") if name == layers[-1][0] else None)
        x += columns + space
    trace = _trace(np.asarray(rates["layers"][0]["values"], float), 8, top + high + 10, width - 16, 40)
    parts += trace
    tall = top + high + (72 if trace else 10)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.1f} {tall}" role="img">'
            f'{"".join(parts)}</svg>')


def _short(name: str, narrow: bool) -> str:
    """A layer's name without its activation; on a phone its number alone."""
    name = escape(name.partition(" (")[0])
    return name.removeprefix("layer ").removeprefix("block ") if narrow else name


def _frames(values: np.ndarray) -> np.ndarray:
    """(frames, dots) in -1..1: of ticks and neurons that share one, the value farthest from zero."""
    values = values / (np.abs(values).max() or 1.0)
    for axis, most in ((0, FRAMES), (1, MOST)):
        parts = np.array_split(np.arange(values.shape[axis]), min(most, values.shape[axis]))
        chosen = []
        for part in parts:
            some = values.take(part, axis)
            at = np.expand_dims(np.abs(some).argmax(axis), axis)
            chosen.append(np.take_along_axis(some, at, axis).squeeze(axis))
        values = np.stack(chosen, axis)
    return values


def _colour(value: float) -> str:
    strength, end = abs(value) ** 0.7, RISE if value > 0 else FALL
    return "#" + "".join(f"{round(a + (b - a) * strength):02x}" for a, b in zip(REST, end, strict=True))


def _dots(frames, x, y, rows, size, gap, answer=None) -> list[str]:
    found = []
    for n, values in enumerate(frames.T):
        column, row = divmod(n, rows)
        at = f'cx="{x + column * (size + gap) + size / 2:.0f}" cy="{y + row * (size + gap) + size / 2:.0f}"'
        colours = [_colour(value) for value in values]
        steps = [k for k in range(len(colours)) if k == 0 or colours[k] != colours[k - 1]]
        times = ";".join(f"{k / len(colours):.3f}".rstrip("0").rstrip(".") or "0" for k in steps)
        said = ";".join(colours[k] for k in steps)
        ring = f' stroke="{INK}" stroke-width="2"' if n == answer else f' stroke="{LINE}" stroke-width=".6"'
        moves = ""
        if len(steps) > 1:
            moves = (f'<animate attributeName="fill" dur="{SECONDS}s" repeatCount="indefinite" calcMode="discrete" '
                     f'keyTimes="{times}" values="{said}"/>')
        # without animation the last moment stands
        found.append(f'<circle {at} r="{size / 2:g}" fill="{colours[-1]}"{ring}>{moves}</circle>')
    return found


def _trace(values, x, y, width, height) -> list[str]:
    """The input over time, strongest line or sum of all, and the line that moves over it; nothing of one that stays."""
    shown = values[:, 0] if values.shape[1] == 1 else np.abs(values).sum(1)
    if np.ptp(shown) == 0:
        return []
    low, high = shown.min(), shown.max()
    span = (high - low) or 1.0
    step = width / max(1, len(shown) - 1)
    points = " ".join(f"{x + k * step:.1f},{y + height - (value - low) / span * height:.1f}"
                      for k, value in enumerate(shown))
    moves = "".join(f'<animate attributeName="{end}" dur="{SECONDS}s" repeatCount="indefinite" '
                    f'values="{x};{x + width}"/>' for end in ("x1", "x2"))
    place = f'y1="{y}" y2="{y + height}" x1="{x + width}" x2="{x + width}"'
    return [f'<polyline points="{points}" fill="none" stroke="{INK}" stroke-width="1.2"/>',
            f'<line {place} stroke="#d55e00" stroke-width="2">{moves}</line>',
            f'<text x="{x}" y="{y + height + 14}" {TEXT}>input over time</text>']
