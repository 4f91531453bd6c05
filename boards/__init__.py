"""The boards: BOARDS maps a name to its Board. A new board is one file and one row here."""

from boards import ice40, ulx3s

BOARDS = {board.name: board for board in (*ulx3s.BOARDS, *ice40.BOARDS)}
