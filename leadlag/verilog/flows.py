# amaranth: UnusedElaboratable=no
"""Benches of units that take a word a cycle and never stall: corners of every format, random words, gaps."""

import numpy as np

from golden.checks import check
from golden.fixed import MULTIPLIER_BITS, QFormat
from golden.units.activation import activation_step, derivative_step
from golden.units.leadlag import integrator, lag_step, leadlag_step
from golden.units.plasticity import Noise, plasticity_step
from golden.units.weights import BLOCK, MAX_BLOCKS, Ternary, source_word
from leadlag.verilog.script import Bench, Script
from leadlag.verilog.settings import within
from rtl.units.activation import Activation
from rtl.units.leadlag import LeadLag
from rtl.units.plasticity import Plasticity
from rtl.units.weights import BlockWeights
from sim.vectors import draw, generator, sweep

#: transfers of a bench
COUNT = 1000


def flow(component, payloads, answers, seed: str) -> Script:
    """A script of a unit that never stalls: payloads with gaps, and each answer LATENCY cycles behind its payload."""
    script, pauses = Script(component, quiet={"o_valid": 0}), generator(seed).random(len(payloads))
    for payload, answer, pause in zip(payloads, answers, pauses, strict=True):
        script.drive(i_payload=payload)
        if pause < 0.2:
            script.tick(1 + int(pause * 20))
        script.expect(script.now + component.LATENCY, o_valid=1, **answer)
        script.word("i", payload)
    script.tick(component.LATENCY + 2)
    return script


def leadlag(s, seed: str) -> Bench:
    within(0, 8, guard=s.guard)
    for name, fmt, most in (("state", s.state, MULTIPLIER_BITS - 1), ("lead", s.lead, MULTIPLIER_BITS),
                            ("lag", s.lag, MULTIPLIER_BITS)):
        check(fmt.width <= most, f"{name} {fmt} is {fmt.width} bits wide, {most} at most")
        check(fmt.frac_bits > 0, f"{name} {fmt} needs a fraction bit")
    check(s.lag.frac_bits > s.guard, f"lag {s.lag} needs more fraction bits than the {s.guard} guard bits")
    unit, fields = LeadLag(s), ("x", "i", "lead", "lag")
    formats = (integrator(s), s.state, s.lead, s.lag)
    words, pack = draw(formats, COUNT, seed), Script(unit).packed
    answers = []
    for x, i, lead, lag in words:
        step = leadlag_step(x, i, lead, lag, s)
        answers.append({"o_payload__x": step.x, "o_payload__y": step.y,
                        "o_payload__step": lag_step(i - (x >> s.guard), lag, s)})
    payloads = [pack("i_payload", **dict(zip(fields, word, strict=True))) for word in words]
    named = {f"i_payload.{name}": fmt for name, fmt in zip(fields, formats, strict=True)}
    named |= {"o_payload.x": formats[0], "o_payload.y": s.state}
    return Bench(flow(unit, payloads, answers, seed), named, f"{unit.LATENCY} cycles, one transfer a cycle")


def activation(s, seed: str) -> Bench:
    name = s.function + ("_derivative" if s.derivative else "")
    unit, words = Activation(name, s.state, s.out), sweep(s.state, COUNT, seed)
    step = derivative_step if s.derivative else activation_step
    answers = [{"o_payload": int(word)} for word in step(np.array(words), s.function, s.state, s.out)]
    return Bench(flow(unit, words, answers, seed), {"i_payload": s.state, "o_payload": s.out},
                 f"{unit.LATENCY} cycles, one word a cycle")


def plasticity(s, seed: str) -> Bench:
    unit = Plasticity(s.weight, s.error.width + s.rate.width, shift=s.shift, seed=s.seed)
    words, pack = draw((s.weight, s.error, s.rate), COUNT, seed), Script(unit).packed
    noise = Noise(s.seed)[np.arange(COUNT)]
    answers = [{"o_payload": int(word)} for word in plasticity_step(*np.array(words).T, noise, s.shift, s.weight)]
    payloads = [pack("i_payload", w=w, product=error * rate) for w, error, rate in words]
    return Bench(flow(unit, payloads, answers, seed), {
        "i_payload.w": s.weight, "o_payload": s.weight,
        "i_payload.product": QFormat(s.error.int_bits + s.rate.int_bits + 1, s.error.frac_bits + s.rate.frac_bits),
    }, f"{unit.LATENCY} cycles, one weight a cycle")


def block_weights(s, seed: str) -> Bench:
    within(1, MAX_BLOCKS, blocks=s.blocks)
    weight, rng = Ternary(plus=s.plus, minus=s.minus, seed=s.seed), generator(seed)
    unit = BlockWeights(weight, range(s.blocks))
    script, inputs = Script(unit), 64
    words, matrix = source_word(s.seed, np.arange(inputs)), weight.matrix(inputs, s.blocks * BLOCK)
    for line, fold in zip(rng.integers(0, inputs, COUNT), rng.integers(0, s.blocks, COUNT), strict=True):
        column = matrix[fold * BLOCK:(fold + 1) * BLOCK, line]
        script.drive(word=words[line], fold=fold)
        script.expect(script.now + unit.LATENCY, **{
            name: sum(1 << n for n, value in enumerate(column) if value == sign)
            for name, sign in (("plus", 1), ("minus", -1))})
        script.tick()
    script.tick(unit.LATENCY + 1)
    return Bench(script, {}, f"{unit.LATENCY} cycles, one block a cycle")
