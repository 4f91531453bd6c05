"""The boards: BOARDS maps a name to its Board. A new board is one file and one row here."""

from boards import ice40, icebreaker, icepi_zero, icesugar_pro, tang_nano_9k, tang_primer_20k, ulx3s

BOARDS = {board.name: board for file in (ulx3s, icepi_zero, icesugar_pro, ice40, icebreaker, tang_nano_9k,
                                         tang_primer_20k) for board in file.BOARDS}
