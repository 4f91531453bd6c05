"""`leadlag bench random_networks`: random networks of every family, the circuit against golden, word by word.

One of them again, with what its host did: `python -m leadlag.bench.random INDEX [SEED]`.
"""

import random
import sys
import time
from collections import Counter
from typing import NamedTuple

import numpy as np

from golden.cascade.network import CascadeNetwork
from golden.event.network import EventNetwork
from golden.ltc.network import LtcNetwork
from golden.spiking.network import SpikingNetwork
from leadlag.bench.random_cascades import CascadeHost
from leadlag.bench.random_events import EventHost
from leadlag.bench.random_hosts import SpikingHost
from leadlag.bench.random_ltcs import LtcHost
from leadlag.bench.random_networks import FAMILIES, draw
from leadlag.bench.random_rates import PairHost, RateHost
from leadlag.bench.random_taught import TaughtHost
from leadlag.terminal import bars
from rtl.cascade.core import CascadeCore
from rtl.event.core import EventCore
from rtl.host.top import NetworkTop
from rtl.ltc.core import LtcCore
from rtl.ltc.taught.core import TaughtCore
from rtl.rate.core import NetworkCore
from rtl.rate.pair import Pair
from rtl.spiking.core import SpikingCore
from sim.harness import script
from sim.harness.bare import Bare

SEED, NETWORKS = 1, 364
#: clock cycles after which a host begins nothing new, on Amaranth's simulator and compiled
BUDGET, COMPILED_BUDGET = 2000, 60_000


class Outcome(NamedTuple):
    """Of a network: index; family; words compared; cycles; what its host did; message, empty where all were equal."""

    index: int
    family: str
    words: int
    cycles: int
    actions: tuple
    message: str


def check(index: int, seed: int = SEED) -> Outcome:
    """Draw network number `index` of `seed`, and compare its circuit with golden."""
    family = FAMILIES[index % len(FAMILIES)]
    rng, words = random.Random(f"{seed}/{index}"), np.random.default_rng([seed, index])
    net, host, cycles, message = draw(family, rng), None, 0, ""
    wide, pair = family.startswith("wide"), family == "two-boards"
    bare = not wide and not pair and rng.random() < 0.7
    kind = {SpikingNetwork: SpikingHost, CascadeNetwork: CascadeHost, LtcNetwork: LtcHost, EventNetwork: EventHost}.get(
        type(net), PairHost if pair else RateHost)
    kind = TaughtHost if kind is LtcHost and net.teacher else kind
    options = {"family": family} if kind in (PairHost, RateHost) else {}
    try:
        budget = COMPILED_BUDGET if wide else max(BUDGET, kind.least_budget)
        host = kind(net, rng, words, budget=budget, button=not wide, bare=bare, **options)
        if wide:
            cycles = script.compiled(net, host.script())
        elif pair:
            cycles = script.amaranth(Pair(net, max_latency=15), host.script(), buses=("lower", "upper"))
        elif bare:
            cycles = _core(net, host, whole=rng.random() < 0.7).run(host.script())
        else:
            cycles = script.amaranth(NetworkTop(net), host.script())
    except Exception as error:      # whatever goes wrong, the network has to be named
        where = "a core alone" if bare else "compiled" if wide else "behind a bus"
        message = (f"network {index} of seed {seed} ({family}, {where}): {type(error).__name__}: {error}\n"
                   f"after {', '.join(host.trace) if host else 'nothing'}\n"
                   f"again: python -m leadlag.bench.random {index} {seed}\n{net.to_json()}")
    return Outcome(index, family, host.compared if host else 0, cycles, tuple(host.trace) if host else (), message)


def _core(net, host, *, whole: bool) -> Bare:
    """A core alone; whole: every image of a spiking network runs to its end, and hidden spikes are compared, too."""
    if isinstance(net, CascadeNetwork | LtcNetwork):
        plain = LtcCore if isinstance(host, LtcHost) else TaughtCore
        core = {CascadeNetwork: CascadeCore, LtcNetwork: plain}[type(net)](net)
    elif isinstance(net, EventNetwork):
        core = EventCore(net)
    elif isinstance(net, SpikingNetwork):
        core = SpikingCore(net, stop_early=not whole)
        if whole and len(net.layers) > 1:
            host.tokens = []
    else:
        core = NetworkCore(net)
    host.device = Bare(core, pace_in=host.pace_in, pace_out=host.pace_out, seed="stalls", seen=host.tokens)
    return host.device


def random_networks(console, *, seed: int = SEED, networks: int = NETWORKS) -> dict:
    """Circuit against golden for networks 0 to `networks` - 1 of `seed`, two at a time; RuntimeError where one differs.

    Every network that differs is printed with what its host did, its description and the command that runs it again.
    """
    from joblib import Parallel, delayed
    outcomes, started = [], time.monotonic()
    with bars(console) as progress:
        task = progress.add_task("random networks", total=networks)
        jobs = Parallel(n_jobs=2, return_as="generator_unordered")
        for outcome in jobs(delayed(check)(index, seed) for index in range(networks)):
            outcomes.append(outcome)
            progress.advance(task)
            if outcome.message:
                console.print(outcome.message)
    wrong = sorted(outcome.index for outcome in outcomes if outcome.message)
    if wrong:
        raise RuntimeError(f"circuit and golden differ in {len(wrong)} of {networks} networks of seed {seed}: "
                           f"{', '.join(map(str, wrong))}")
    return {"networks": networks, "equal": networks - len(wrong), "seed": seed, "families": list(FAMILIES),
            "words_compared": sum(outcome.words for outcome in outcomes),
            "cycles": sum(outcome.cycles for outcome in outcomes),
            "actions": dict(sorted(Counter(action for outcome in outcomes for action in outcome.actions).items())),
            "wall_s": round(time.monotonic() - started)}


GROUPS = {"random_networks": random_networks}


if __name__ == "__main__":
    found = check(*map(int, sys.argv[1:]))
    print(found.message or f"network {found.index} ({found.family}): {found.words} words equal in {found.cycles} "
          f"cycles: {', '.join(found.actions)}")
    sys.exit(bool(found.message))
