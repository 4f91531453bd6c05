"""The command `leadlag verify`."""

import click

from leadlag import flow
from leadlag.options import COUNT, Command, board_option
from leadlag.results import answer, answers
from leadlag.terminal import notes, status
from sim.faults import FAULTS


@click.command(cls=Command, short_help="Netlist, routed board or bitstream against golden.")
@click.argument("network", metavar="NET")
@board_option
@click.option("--rung", type=click.Choice(["netlist", "routed", "bitstream"]), default="netlist", show_default=True,
              help="What runs: the synthesised device, the routed board, the board decoded from its bitstream.")
@click.option("-n", "--samples", "count", type=COUNT, help="The first N test samples, 10 by default; ticks, 1,500 by "
                                                           "default, of what learns.")
@click.option("--data", metavar="NAME[=FOLDER]", help="Data set; the network's own by default.")
@click.option("--fault", type=click.Choice(FAULTS), help="Plant a fault, a table or a block RAM: it has to be found.")
@answers
def verify(network, board, rung, count, data, fault):
    """Compare what the tools made of a circuit with the golden model, word by word.

    NET may be lagline or fourier, which learn while they run, too. Exit code 1 where a word differs: the line names it.
    """
    from leadlag.verify import rungs
    from leadlag.verify.vectors import vectors
    target = flow.board(board)
    rungs.check_rung(target, rung)
    found = vectors(network, board, data, count)
    with status(notes, f"{found.net.name} on {board}, {rung}") as say:
        row = rungs.verify(found, target, rung, fault=fault,
                           progress=lambda text: say(f"{found.net.name} on {board}, {rung}: {text}"))
    answer(row, rungs.table([row]))
