"""`leadlag quantize`: words of a network, or the words that it has with the lanes of another board."""

from dataclasses import replace
from pathlib import Path

import click

from golden import widths
from golden.checks import check
from golden.data import sets
from golden.description import Trained
from golden.files import check_writable
from leadlag import flow
from leadlag.model import report_table
from leadlag.options import FOLDER, Command, Finite, board_option, named, only_for
from leadlag.results import answer, answers
from leadlag.terminal import Table
from rtl.systems import circuit


def refit(real: Trained, data: str | None, bits: int | None, points: float | None) -> tuple[Trained, widths.Report]:
    """The network with words that are chosen on the training samples of its data, and what they cost.

    ValueError, one line that names the layer, where a value fits no word or more than `points` are lost.
    """
    found = sets.learnt(real.training)[0] if data is None else sets.find(data)
    check(found is not None, sets.unknown(real.name, real.training))
    flow.check_fits(flow.Case(real, real.describe(), (), found))
    chosen, report = widths.fitted(real, found.load("train"), found.answer_from, bits=bits,
                                   points=widths.POINTS if points is None else points)
    return replace(chosen, training=chosen.training | {"word_loss": round(report.loss, 4)}), report


@click.command(cls=Command)
@click.argument("network", metavar="NET")
@board_option
@click.option("--bits", type=click.IntRange(4, 24), help="Choose words for this network, all so long.")
@click.option("--points", type=Finite(0), help="Choose words that lose so many points at most, 0.5 with --bits.")
@click.option("--data", metavar="NAME|FILE", help="Choose words on these samples; what was learnt by default.")
@click.option("--out", type=FOLDER, help="build/NAME by default.")
@answers
def quantize(network, board, bits, points, data, out):
    """Turn real parameters into words: description, parameters and image.

    Of a network.json, which has words already, it writes the same ones with the lanes of another board.
    """
    anew, chosen, shown = (bits, points, data) != (None, None, None), {}, ()
    if network.endswith(".json"):
        only_for("real parameters", False, "bits", "points", "data", given="a description")
        net, params, image = flow.refolded(network, board)
        out = out or Path(network).parent
        return _quantized(net, params, image, board, one_half=False, files=[], out=out,
                          then=f"leadlag build {out / 'network.json'}{named(board)}")
    if anew:
        real, report = refit(flow.find(network), data, bits, points)
        case, chosen = flow.case_of(real, board), {"chosen": report._asdict()}
        flow.check_room(case.net, board)
        shown = report_table(report), f"words lose {report.loss:.2f} points of {report.samples} samples: {report.what}"
    else:
        case = flow.prepare(network, board)
        flow.check_room(case.net, board)
    out = out or flow.BUILD / case.net.name
    check_writable(out / "network.json")
    if anew:        # what was chosen belongs to the network: other commands take this file
        network = out / "float.safetensors"
        real.save(network)
    _quantized(case.net, case.params, case.image, board, one_half=flow.has_one_half(case), files=[network] * anew,
               out=out, chosen=chosen, shown=shown, then=f"leadlag evaluate {network}{named(board)}")


def _quantized(net, params, image, board, *, one_half, files, out, then, chosen=(), shown=()) -> None:
    """Write words, and say what they are and what of the board they take."""
    need = flow.check_room(net, board)
    check_writable(out / "network.json")
    files = files + flow.write_words(net, params, out)
    heading, rows = net.table()
    layers = [dict(zip(heading, row, strict=True)) for row in rows]
    said = {"network": net.name, "size": net.size, "lanes": net.lanes, "words": len(image),
            "design": net.fingerprint, "layers": layers, "notes": circuit(net).notes(net),
            "takes": {name: getattr(need, name) for name in ("bram", "dsp", "spram", "lut4")},
            "one_half": one_half, "written": files} | dict(chosen)
    line = f"{net.name}: {net.size}, {net.lanes} lanes, {len(image):,} words, design {net.fingerprint}"
    answer(said, *shown, Table.of(layers), line, flow.room(need, board, one_half), *said["notes"],
           "written: " + ", ".join(map(str, files)), then=then)
