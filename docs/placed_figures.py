"""How the tables say what place and route reached."""


def fmax(group: dict) -> str:
    """Fmax of the bitstream and its clock; over seeds of nextpnr the median and the range, too."""
    found = f"{group['fmax_mhz']:.1f} MHz"
    if "fmax_range" in group:
        found += " (over three seeds: median {:.1f}, {:.1f} to {:.1f})".format(group["fmax_median"], *group["fmax_range"])
    return f"{found}, {group['clock_mhz']:g} MHz"
