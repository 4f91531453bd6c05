"""Units of the circuit that learns by FPTT, each by itself against the golden step, with its latency."""

import numpy as np
import pytest
from taught import taught

from golden.fixed import QFormat, round_shift, saturate
from golden.ltc import learn
from golden.ltc.layer import ADAPT, ADAPT_SHIFT
from golden.ltc.step import leak
from golden.ltc.teacher import peak
from golden.units.activation import activation_step
from rtl.ltc.taught.errors import HiddenErrors, ReadoutErrors
from rtl.ltc.taught.gate import GateUnit
from rtl.ltc.taught.neurons import Neurons
from rtl.ltc.taught.softmax import SoftmaxError
from rtl.ltc.taught.walk import READ, Segment, Walker
from rtl.primitives import Bank
from sim.pysim import run

NET = taught(error=QFormat(1, 14))
LAYER, FMT = NET.layers[0], NET.teacher.error
SUM_BITS = 36


def play(dut, plan: dict, cycles: int, watched) -> list[dict]:
    """Drive {cycle: {input: word}}, zero elsewhere; what `watched` outputs are in every cycle."""
    inputs, found = {name for given in plan.values() for name in given}, []

    async def bench(ctx):
        for cycle in range(cycles):
            for name in inputs:
                ctx.set(getattr(dut, name), plan.get(cycle, {}).get(name, 0))
            found.append({name: ctx.get(getattr(dut, name)) for name in watched})
            await ctx.tick()
    run(dut, bench, cycles=cycles + 2)
    return found


def merged(*plans) -> dict:
    """Plans for the same cycles as one."""
    found = {}
    for plan in plans:
        for cycle, given in plan.items():
            found.setdefault(cycle, {}).update(given)
    return found


def words(rng, fmt, count):
    """Random words, some at the ends."""
    ends = rng.choice([fmt.min, fmt.max, 0, -1], count)
    return np.where(rng.random(count) < 0.2, ends, rng.integers(fmt.min, fmt.max + 1, count))


def sums(rng, count):
    """Sums of gates, most within the sigmoid."""
    shift = LAYER.gate_shift
    near = rng.integers(LAYER.gate_sum.min << shift, LAYER.gate_sum.max + 1 << shift, count)
    return np.where(rng.random(count) < 0.2, rng.integers(-1 << SUM_BITS - 2, 1 << SUM_BITS - 2, count), near)


def gate_of(total):
    return activation_step(saturate(round_shift(total, LAYER.gate_shift), LAYER.gate_sum), "sigmoid", LAYER.gate_sum,
                           LAYER.gate)


def test_gate_unit():
    rng, count = np.random.default_rng(1), 40
    total, old, i = sums(rng, count), words(rng, LAYER.state, count), words(rng, LAYER.state, count)
    plan = merged({n: {"valid": 1, "sum": int(total[n])} for n in range(count)},
                  {n + Bank.LATENCY: {"old": int(old[n]), "i": int(i[n])} for n in range(count)})
    found = play(GateUnit(LAYER, SUM_BITS), plan, count + GateUnit.LATENCY + 1,
                 ("o_valid", "new", "gate", "difference"))
    gate = gate_of(total)
    want = zip(leak(old, i, gate, LAYER).tolist(), gate.tolist(), (i - old).tolist(), strict=True)
    there = found[GateUnit.LATENCY:][:count]
    assert [(each["new"], each["gate"], each["difference"]) for each in there] == list(want)
    assert [each["o_valid"] for each in found] == [0] * GateUnit.LATENCY + [1] * count + [0]


def test_neurons():
    rng, count = np.random.default_rng(2), 60
    alpha, rho = sums(rng, count), sums(rng, count)
    u, x = (words(rng, LAYER.state, count) >> rng.integers(0, 4, count) for _ in range(2))
    b, s = rng.integers(0, LAYER.one + 1, count), rng.integers(0, 2, count)
    # a membrane at its threshold does not spike
    rho[0], b[0] = -1 << SUM_BITS - 2, 1000
    u[0] = x[0] = LAYER.threshold + LAYER.theta_rise(1000)
    plan = merged({n: {"valid": 1, "alpha_sum": int(alpha[n]), "rho_sum": int(rho[n])} for n in range(count)},
                  {n + Bank.LATENCY: {"u": int(u[n]), "b": int(b[n]), "x": int(x[n]), "s": int(s[n])}
                   for n in range(count)})
    dut = Neurons(LAYER, SUM_BITS, peak=peak(NET))
    found = play(dut, plan, count + Neurons.LATENCY + 1, ("o_valid", "o_spike", "o_u", "o_b", "o_kept"))
    gates = gate_of(alpha), gate_of(rho)
    new_b, ut = leak(b, s * LAYER.one, gates[1], LAYER), leak(u, x, gates[0], LAYER)
    theta = LAYER.threshold + LAYER.theta_rise(new_b)
    spike = ut > theta
    psi = (peak(NET) - abs(ut - theta)).clip(0)
    assert 0 < spike.sum() < count
    assert ut[0] == theta[0]
    assert (psi > 0).any()
    there = found[Neurons.LATENCY:][:count]
    for n, each in enumerate(there):
        kept = each["o_kept"]
        assert (each["o_spike"], each["o_u"], each["o_b"]) == (spike[n], 0 if spike[n] else ut[n], new_b[n]), n
        assert (kept.alpha, kept.r, kept.xu, kept.sb, kept.psi) == (
            gates[0][n], gates[1][n], x[n] - u[n], s[n] * LAYER.one - b[n], psi[n]), n
    assert [each["o_valid"] for each in found] == [0] * Neurons.LATENCY + [1] * count + [0]


@pytest.mark.parametrize("outputs", [1, 2, 5])
def test_softmax_error(outputs):
    net = taught(outputs=outputs, error=FMT)
    rng, rounds = np.random.default_rng(outputs), 4
    latency = SoftmaxError.latency(outputs)
    gap = outputs + latency + outputs + 3
    y = words(rng, LAYER.state, (rounds, outputs)) >> rng.integers(0, 5, (rounds, 1))
    plan, label = {}, rng.integers(0, outputs, rounds)
    for k in range(rounds):
        plan |= {k * gap: {"start": 1}}
        plan |= {k * gap + 1 + n: {"valid": 1, "y": int(y[k, n])} for n in range(outputs)}
        plan = merged(plan, {k * gap + n: {"label": int(label[k]), "mute": int(k == 2)} for n in range(1, gap)})
    found = play(SoftmaxError(outputs, LAYER.state, FMT), plan, rounds * gap, ("o_valid", "o"))
    for k in range(rounds):
        want = learn.output_error(y[k][None], None if k == 2 else int(label[k]), net)[0]
        first = k * gap + outputs + latency
        assert [each["o"] for each in found[first:first + outputs]] == want.tolist(), k
        assert sum(each["o_valid"] for each in found[k * gap:first]) == 0
        assert all(each["o_valid"] for each in found[first:first + outputs])


def test_readout_errors():
    rng, count, bits = np.random.default_rng(6), NET.outputs, 40
    difference, gate = rng.integers(-40_000, 40_000, count), rng.integers(0, 256, count)
    dy, column = words(rng, FMT, count), rng.integers(-1 << 29, 1 << 29, count)
    dut = ReadoutErrors(NET.readout, FMT, weight_bits=13, column_bits=bits)
    dy_at, column_at = 10, 10 + ReadoutErrors.Q_LATENCY + 3
    plan = merged({0: {"restart": 1}},
                  {1 + n: {"valid": 1, "kept": {"difference": int(difference[n]), "gate": int(gate[n])}}
                   for n in range(count)},
                  {dy_at + n: {"dy_valid": 1, "dy": int(dy[n])} for n in range(count)},
                  {column_at + n: {"column_valid": 1, "column": int(column[n])} for n in range(count)})
    plan = {cycle: {name: given.get(name, {"difference": 0, "gate": 0} if name == "kept" else 0)
                    for name in ("restart", "valid", "kept", "dy_valid", "dy", "column_valid", "column")}
            for cycle, given in ((n, plan.get(n, {})) for n in range(80))}
    found = play(dut, plan, 80, ("q_valid", "q", "dz_valid", "dz", "overflow"))
    q = learn.gate_error(dy, difference, gate, NET.readout, FMT)
    dz = saturate(round_shift(dy * gate, 8) + round_shift(column, 13), FMT)
    for name, valid, want, first in (("q", "q_valid", q, dy_at + ReadoutErrors.Q_LATENCY),
                                     ("dz", "dz_valid", dz, column_at + ReadoutErrors.DZ_LATENCY)):
        assert [each[name] for each in found[first:first + count]] == want.tolist(), name
        assert [n for n, each in enumerate(found) if each[valid]] == list(range(first, first + count)), name
    ends = [bool(((each == FMT.min) | (each == FMT.max)).any()) for each in (q, dz)]
    assert any(each["overflow"] for each in found) == any(ends)


def test_hidden_errors():
    rng, count, bits = np.random.default_rng(7), LAYER.outputs, 40
    kept = {"alpha": rng.integers(0, 256, count), "r": rng.integers(0, 256, count),
            "xu": rng.integers(-40_000, 40_000, count), "sb": rng.integers(-4096, 4097, count),
            "psi": rng.integers(0, peak(NET) + 1, count)}
    above, alpha, rho = (rng.integers(-1 << 27, 1 << 27, count) for _ in range(3))
    # du of 224: 1.8 of it is rounded from a half, and what is one less shows in dr
    above[0], kept["psi"][0], kept["sb"][0], kept["r"][0] = 299 << 13, peak(NET), LAYER.one, 128
    dut = HiddenErrors(LAYER, FMT, weight_bits=13, above_bits=bits, column_bits=bits)
    above_at, column_at = 10, 10 + HiddenErrors.D_LATENCY + 6
    none = dict.fromkeys(kept, 0)
    plan = {n: {"restart": int(n == 0), "valid": 0, "kept": none, "above_valid": 0, "above": 0, "column_valid": 0,
                "alpha_column": 0, "rho_column": 0} for n in range(80)}
    for n in range(count):
        plan[1 + n] |= {"valid": 1, "kept": {name: int(value[n]) for name, value in kept.items()}}
        plan[above_at + n] |= {"above_valid": 1, "above": int(above[n])}
        plan[column_at + n] |= {"column_valid": 1, "alpha_column": int(alpha[n]), "rho_column": int(rho[n])}
    found = play(dut, plan, 80, ("d_valid", "da", "dr", "dx_valid", "dx"))
    ds = saturate(round_shift(above, 13), FMT)
    du = saturate(round_shift(ds * kept["psi"], LAYER.state.frac_bits), FMT)
    dk = saturate(round_shift(-ADAPT * du, ADAPT_SHIFT), FMT)
    want = {"da": learn.gate_error(du, kept["xu"], kept["alpha"], LAYER, FMT),
            "dr": learn.gate_error(dk, kept["sb"], kept["r"], LAYER, FMT),
            "dx": saturate(round_shift(du * kept["alpha"], 8) + round_shift(alpha + rho, 13), FMT)}
    for name, valid, first in (("da", "d_valid", above_at + HiddenErrors.D_LATENCY),
                               ("dr", "d_valid", above_at + HiddenErrors.D_LATENCY),
                               ("dx", "dx_valid", column_at + HiddenErrors.DX_LATENCY)):
        assert [each[name] for each in found[first:first + count]] == want[name].tolist(), name
        assert [n for n, each in enumerate(found) if each[valid]] == list(range(first, first + count)), name


def test_walker():
    segments = [Segment(0, 5, 3, begins=True, ends=True), Segment(3, 0, 2, begins=True), Segment(6, 2, 3, ends=True),
                Segment(9, 2, 3, back=True, swap=True, learning=True, column=1),
                Segment(12, 0, 4, update=True, learning=True)]
    names = ("active", "position", "addr", "first", "last", "back", "update", "swap")
    for errors in (0, 1):
        # `start` is in cycle 0, so cycle 0 of the plan is cycle 1
        found = play(Walker(segments, 8), {0: {"start": 1, "errors": errors}}, 24, names)[1:]
        want = [dict.fromkeys(names, 0) for _ in found]
        for segment in segments if errors else segments[:3]:
            for k in range(segment.count):
                want[segment.begin + k] |= {
                    "active": 1, "position": segment.address + k, "first": segment.begins and k == 0,
                    "last": segment.ends and k == segment.count - 1, "back": segment.back, "update": segment.update,
                    "swap": segment.swap and k == 0}
                if segment.update:
                    want[segment.begin + k + READ] |= {"addr": segment.address + k}
                else:
                    want[segment.begin + k]["addr"] = segment.address + k
        for n, (each, other) in enumerate(zip(found, want, strict=True)):
            seen = {name: each[name] for name in names if name not in ("position", "addr") or other["active"]}
            expected = {name: other[name] for name in seen}
            if other["update"]:
                seen.pop("addr"), expected.pop("addr")
            assert seen == expected, (errors, n)
        if errors:
            assert [each["addr"] for each in found[12 + READ:16 + READ]] == [0, 1, 2, 3]


def test_a_walker_rests_behind_its_last_word():
    """Also where its clock comes round, and a cycle in which a segment began comes again."""
    for count in (3, 4):
        dut = Walker([Segment(0, 5, 3), Segment(15 - count, 0, count)], 8)
        found = play(dut, {0: {"start": 1}}, 60, ("active",))[1:]
        assert [n for n, each in enumerate(found) if each["active"]] == [0, 1, 2, *range(15 - count, 15)]
