"""How the tables say what place and route reached."""


def fmax(group: dict) -> str:
    """Fmax of the bitstream and its clock; over seeds of nextpnr the median and the range, and how long all took."""
    found = f"{group['fmax_mhz']:.1f} MHz"
    if "fmax_range" in group:
        low, high = group["fmax_range"]
        found += (f" (over three seeds, made in {group['wall_s'] / 60:.0f} min: median {group['fmax_median']:.1f}, "
                  f"{low:.1f} to {high:.1f})")
    return f"{found}, {group['clock_mhz']:g} MHz"
