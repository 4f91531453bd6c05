"""Small trained networks, each with the command, seed and data that made it in its metadata."""
