"""Cascaded networks: every residual block works at once, and there is an answer at every step."""
