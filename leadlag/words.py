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

    Of a network.json, which has words already, it writes the same ones with the lanes of another board, in its place.
    """
    anew, chosen, shown = (bits, points, data) != (None, None, None), {}, ()
    if network.endswith(".json"):
        only_for("real parameters", False, "bits", "points", "data", given="a description")
        net, params, image = flow.refolded(network, board)
        out = out or Path(network).parent
        following = f"leadlag build {out / 'network.json'}{named(board)}"
    else:
        real = flow.find(network)
        if anew:
            real, report = refit(real, data, bits, points)
            chosen = {"chosen": report._asdict()}
            shown = report_table(report), (f"words lose {report.loss:.2f} points of {report.samples} samples: "
                                           f"{report.what}")
        case = flow.case_of(real, board)
        net, params, image = case.net, case.params, case.image
        out = out or flow.BUILD / net.name
        # what was chosen belongs to the network: other commands take this file
        following = f"leadlag evaluate {out / 'float.safetensors' if anew else network}{named(board)}"
    need = flow.check_room(net, board)
    check_writable(out / "network.json")
    if anew:
        real.save(out / "float.safetensors")
    files = [out / "float.safetensors"] * anew + flow.write_words(net, params, out)
    heading, rows = net.table()
    layers = [dict(zip(heading, row, strict=True)) for row in rows]
    said = {"network": net.name, "size": net.size, "lanes": net.lanes, "words": len(image),
            "design": net.fingerprint, "layers": layers, "notes": circuit(net).notes(net),
            "takes": {name: getattr(need, name) for name in ("bram", "dsp", "spram", "lut4")},
            "one_half": flow.has_one_half(net), "written": files} | chosen
    line = f"{net.name}: {net.size}, {net.lanes} lanes, {len(image):,} words, design {net.fingerprint}"
    answer(said, *shown, Table.of(layers), line, flow.room(need, net, board), *said["notes"],
           "written: " + ", ".join(map(str, files)), then=following)
