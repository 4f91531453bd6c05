"""Event-driven networks are made elsewhere and imported: there is nothing that trains them here, and no float model.

What stands in a file are integers already. golden.nir.euler is the float64 reference of what they were made of.
"""


def fit(recipe, data, **options):
    """RuntimeError: nothing trains them."""
    raise RuntimeError("event-driven networks are imported, not trained")


def answers(real, samples, since: int = 0, lengths=None):
    """RuntimeError: they have no float model."""
    raise RuntimeError(f"{real.name} was imported as integers: it has no float model")
