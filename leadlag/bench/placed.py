"""What place and route says over several seeds of nextpnr: the groups of `leadlag bench` that route a design use it."""

from statistics import median

#: seeds of nextpnr over which a median stands
SEEDS = (1, 2, 3)


def over_seeds(report: dict, seeds=SEEDS) -> dict:
    """Median and range (MHz) of Fmax over `seeds`, from a report of a build that placed every one of them."""
    found = [report["fmax_by_seed"][str(seed)] for seed in seeds]
    return {"fmax_median": median(found), "fmax_range": [min(found), max(found)]}
