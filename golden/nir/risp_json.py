"""RISP networks as TENNLab's JSON, in and out. What is not exact, or not known, is refused by name.

Format: markdown/framework_network_json_format.md and risp.md of TENNLab-UTK/framework-open. `values` of nodes and edges
are arrays, whose columns `Properties` name; parameters stand in `Associated_Data.proc_params`.
"""

import json
import math
from fractions import Fraction

from golden.checks import check, is_int
from golden.files import from_json, parse_file
from golden.nir.risp import MAX_WORD, Risp, Synapse, decimal

#: parameters that change nothing that is not in the values, and those that are not known to us where they are set
PASSED = {"min_weight", "min_threshold", "max_threshold", "max_delay", "noisy_seed", "log", "run_time_inclusive"}
KNOWN = {"discrete", "max_weight", "min_potential", "leak_mode", "threshold_inclusive", "fire_like_ravens",
         "spike_value_factor"}
NONE = {"noisy_stddev": 0, "stds": [], "weights": [], "inputs_from_weights": False}
LEAKS = ("none", "all", "configurable")


def read(path) -> Risp:
    """The network of a file; ValueError, one line with the file."""
    return parse_file(path, parse)


def parse(data: bytes | str) -> Risp:
    """The network of a JSON text; ValueError names the node, edge or parameter that is wrong."""
    try:
        text = data.decode() if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        raise ValueError("the network is not JSON: not UTF-8") from None
    whole = from_json(text, "the network")
    check(isinstance(whole, dict), "the network is no JSON object")
    params = _params(whole)
    own = {name: _entry(whole, name, list) for name in ("Nodes", "Edges", "Inputs", "Outputs")}
    columns = _entry(whole, "Properties", dict)
    nodes, edges = (_columns(columns, name) for name in ("node_properties", "edge_properties"))
    rows = [_node(row, n, nodes, params) for n, row in enumerate(own["Nodes"])]
    numbers = {each: n for n, (each, _, _) in enumerate(rows)}
    check(len(numbers) == len(rows), "two nodes have the same id")
    ends = [_edge(row, n, edges, numbers) for n, row in enumerate(own["Edges"])]
    known = [params["min_potential"], *(row[1] for row in rows), *(end[2] for end in ends)]
    if params["discrete"]:
        quantum = Fraction(1)
        for value in known:
            check(value.denominator == 1, f"{float(value):g} is no integer, and the network is discrete")
    else:
        quantum = common([*known, params["factor"]])
    words = [int(value / quantum) for value in known]
    check(all(abs(word) < MAX_WORD for word in words), "values have no quantum of which all of them are few multiples: "
          f"{float(quantum):g} is the largest")
    n = len(rows)
    return Risp(ids=tuple(row[0] for row in rows), thresholds=tuple(words[1:n + 1]),
                leaks=tuple(row[2] for row in rows), min_potential=words[0], quantum=quantum,
                synapses=tuple(Synapse(a, b, word, delay)
                               for (a, b, _, delay), word in zip(ends, words[n + 1:], strict=True)),
                inputs=_named(own["Inputs"], "Inputs", numbers), outputs=_named(own["Outputs"], "Outputs", numbers),
                inclusive=params["threshold_inclusive"], late=params["fire_like_ravens"],
                discrete=params["discrete"], factor=params["factor"])


def common(values) -> Fraction:
    """The largest number of which all values are multiples; 1 where all are 0."""
    values = [value for value in values if value]
    below = math.lcm(*(value.denominator for value in values)) if values else 1
    return Fraction(math.gcd(*(int(value * below) for value in values)), below) if values else Fraction(1)


def _entry(whole: dict, name: str, kind: type):
    check(isinstance(whole.get(name), kind), f"{name} must be a{'n object' if kind is dict else ' list'}")
    return whole[name]


def _number(value, what: str) -> Fraction:
    check(isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MAX_WORD,
          f"{what} must be a number of less than {MAX_WORD}, not {value!r}")
    return decimal(value)


def _params(whole: dict) -> dict:
    """The parameters, with their defaults."""
    found = _entry(_entry(whole, "Associated_Data", dict), "proc_params", dict)
    for name, value in found.items():
        check(name in PASSED | KNOWN or name in NONE, f"proc_params: {name!r} is not known")
        check(name not in NONE or value == NONE[name], f"proc_params: {name} = {value!r} is not supported")
    made = {"leak_mode": found.get("leak_mode", "none"), "discrete": found.get("discrete"),
            "threshold_inclusive": found.get("threshold_inclusive", True),
            "fire_like_ravens": found.get("fire_like_ravens", False)}
    check(made["leak_mode"] in LEAKS, f"proc_params: leak_mode must be one of {', '.join(LEAKS)}, "
          f"not {made['leak_mode']!r}")
    for name in ("discrete", "threshold_inclusive", "fire_like_ravens"):
        check(isinstance(made[name], bool), f"proc_params: {name} must be true or false, not {made[name]!r}")
    made["min_potential"] = _number(found.get("min_potential"), "proc_params: min_potential")
    factor = found.get("spike_value_factor", found.get("max_weight", 1))
    return made | {"factor": _number(factor, "proc_params: spike_value_factor")}


def _columns(properties: dict, name: str) -> dict[str, int]:
    """Where in `values` each property stands."""
    found = {}
    for each in _entry(properties, name, list):
        check(isinstance(each, dict) and isinstance(each.get("name"), str) and is_int(each.get("index"), 0, 255),
              f"{name}: name and index are expected, not {each!r}")
        found[each["name"]] = each["index"]
    for each in ("Threshold",) if name == "node_properties" else ("Weight", "Delay"):
        check(each in found, f"{name}: {each} is missing")
    return found


def _value(row: dict, columns: dict[str, int], name: str, what: str) -> Fraction:
    values = row.get("values")
    check(isinstance(values, list) and columns[name] < len(values), f"{what}: {name} is missing")
    return _number(values[columns[name]], f"{what}: {name}")


def _node(row, n: int, columns: dict[str, int], params: dict) -> tuple[int, Fraction, bool]:
    """Id, threshold, whether it leaks."""
    check(isinstance(row, dict) and is_int(row.get("id"), 0, (1 << 32) - 1), f"node {n} of the list has no id")
    what, leak = f"node {row['id']}", params["leak_mode"] == "all"
    if params["leak_mode"] == "configurable":
        check("Leak" in columns, "node_properties: Leak is missing, and leak_mode is configurable")
        values = row.get("values")
        given = values[columns["Leak"]] if isinstance(values, list) and columns["Leak"] < len(values) else None
        check(given in (0, 1), f"{what}: Leak must be 0 or 1, not {given!r}")
        leak = bool(given)
    return row["id"], _value(row, columns, "Threshold", what), leak


def _edge(row, n: int, columns: dict[str, int], numbers: dict[int, int]) -> tuple[int, int, Fraction, int]:
    """Both ends by number, weight, delay."""
    check(isinstance(row, dict), f"edge {n} of the list is no object")
    what = f"edge {row.get('from')} -> {row.get('to')}"
    ends = [row.get("from"), row.get("to")]
    for end in ends:
        check(is_int(end, 0, (1 << 32) - 1) and end in numbers, f"{what}: there is no node {end!r}")
    delay = _value(row, columns, "Delay", what)
    check(delay.denominator == 1 and delay >= 1, f"{what}: Delay must be a whole number of steps from 1 on, "
          f"not {float(delay):g}")
    return *(numbers[end] for end in ends), _value(row, columns, "Weight", what), int(delay)


def _named(ids: list, what: str, numbers: dict[int, int]) -> tuple[int, ...]:
    for each in ids:
        check(is_int(each, 0, (1 << 32) - 1) and each in numbers, f"{what}: there is no node {each!r}")
    check(len(set(ids)) == len(ids), f"{what}: a node is there twice")
    return tuple(numbers[each] for each in ids)


def write(net: Risp) -> str:
    """The JSON of a network, from which `parse` makes the same; ValueError where a number has no decimals."""
    def number(value: Fraction):
        plain = value.numerator if value.denominator == 1 else value.numerator / value.denominator
        check(decimal(plain) == value, f"{value} has no decimals that JSON could hold")
        return plain

    def values(words):
        return [number(word * net.quantum) for word in words]

    def column(name, index, kind, words):
        low, high = (values([f(words)])[0] if words else 0 for f in (min, max))
        return {"name": name, "type": kind, "index": index, "size": 1, "min_value": low, "max_value": high}

    kind = 73 if net.discrete else 68       # letters I and D
    weights, delays = [one.weight for one in net.synapses], [one.delay for one in net.synapses]
    steps = column("Delay", 1, 73, []) | {"min_value": 1, "max_value": max(delays, default=1)}
    mixed = len(set(net.leaks)) > 1
    nodes = [column("Threshold", 0, kind, net.thresholds)]
    nodes += [{"name": "Leak", "type": 66, "index": 1, "size": 1, "min_value": 0, "max_value": 1}] if mixed else []
    low, high = values([min(weights, default=0), max(weights, default=0)])
    params = {"discrete": net.discrete, "fire_like_ravens": net.late, "run_time_inclusive": False,
              "leak_mode": "configurable" if mixed else "all" if net.leaks[0] else "none",
              "max_delay": steps["max_value"], "min_weight": low, "max_weight": high,
              "min_threshold": nodes[0]["min_value"], "max_threshold": nodes[0]["max_value"],
              "min_potential": values([net.min_potential])[0], "spike_value_factor": number(net.factor),
              "threshold_inclusive": net.inclusive}
    whole = {
        "Properties": {"node_properties": nodes, "edge_properties": [column("Weight", 0, kind, weights), steps],
                       "network_properties": []},
        "Nodes": [{"id": each, "values": values([threshold]) + ([int(leak)] if mixed else [])}
                  for each, threshold, leak in zip(net.ids, net.thresholds, net.leaks, strict=True)],
        "Edges": [{"from": net.ids[one.source], "to": net.ids[one.target],
                   "values": [*values([one.weight]), one.delay]} for one in net.synapses],
        "Inputs": [net.ids[n] for n in net.inputs], "Outputs": [net.ids[n] for n in net.outputs],
        "Network_Values": [], "Associated_Data": {"other": {"proc_name": "risp"}, "proc_params": params}}
    return json.dumps(whole, indent=1) + "\n"
