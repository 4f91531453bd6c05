"""What a notebook shows of a network, of its words, of a run and of a build: a table and a picture each."""

from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np


def page(title: str, rows: list[dict], picture: str = "") -> str:
    """HTML of a heading, a table with a row a dict, and a picture (SVG text)."""
    heads = list(rows[0]) if rows else []
    body = "".join("<tr>" + "".join(f"<td>{_cell(row[head])}</td>" for head in heads) + "</tr>" for row in rows)
    table = f"<table><tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>{body}</table>" if rows else ""
    return f"<p><b>{escape(title)}</b></p>{table}{picture}"


def _cell(value) -> str:
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))


def layers_svg(sizes: list[int]) -> str:
    """Layers as columns, as high as they have neurons (logarithmic), with lines between them."""
    high, step = 90, 90
    tall = [8 + high * np.log2(1 + size) / np.log2(1 + max(sizes)) for size in sizes]
    parts = []
    for n, (size, height) in enumerate(zip(sizes, tall, strict=True)):
        x, y = 20 + n * step, 55 - height / 2 + 10
        if n:
            before = tall[n - 1]
            parts += [f'<line x1="{x - step + 14}" y1="{65 - before / 2 * side:.1f}" x2="{x}" '
                      f'y2="{65 - height / 2 * side:.1f}" stroke="#9aa5b1"/>' for side in (-1, 1)]
        parts.append(f'<rect x="{x}" y="{y:.1f}" width="14" height="{height:.1f}" rx="3" fill="#0072b2"/>'
                     f'<text x="{x + 7}" y="135" text-anchor="middle" font-size="11" fill="#1f2933">{size}</text>')
    width = 40 + step * (len(sizes) - 1) + 14
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="145">{"".join(parts)}</svg>'


@dataclass(frozen=True)
class Run:
    """What a network in words answered: answers (n,) or (n, targets), and signals of the first sample by layer."""

    name: str
    answers: np.ndarray
    signals: list[tuple[str, np.ndarray]]
    tick: tuple[float, str]

    def _repr_html_(self) -> str:
        from leadlag.report.play import play_svg  # matplotlib: not for every command
        rows = [{"sample": n, "answer": answer} for n, answer in enumerate(self.answers[:10])]
        layers = [{"name": name, "values": values} for name, values in self.signals]
        picture = play_svg({"layers": layers}) if layers else ""
        return page(f"{self.name}: {len(self.answers)} samples", rows, picture)


@dataclass(frozen=True)
class Built:
    """A bitstream: its path, and `report`, the figures of build/NETWORK/BOARD/report.json as plain values."""

    bitstream: Path
    report: dict
    summary: str

    @property
    def ok(self) -> bool:
        """Whether the routed design is as fast as its clock."""
        return self.report["timing_met"]

    def _repr_html_(self) -> str:
        from leadlag.report.pictures import utilisation_svg  # matplotlib: not for every command
        names = ("board", "clock_mhz", "fmax_mhz", "lanes", "lut4", "dsp", "bram")
        rows = [{"figure": name, "value": self.report[name]} for name in names if name in self.report]
        return page(self.summary, rows, utilisation_svg(self.report))
