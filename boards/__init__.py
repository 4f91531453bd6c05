"""The boards: BOARDS maps a name to its Board. A new board is one file and one row here."""

from boards import ulx3s

BOARDS = {board.name: board for board in ulx3s.BOARDS}
