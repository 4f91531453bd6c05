# amaranth: UnusedElaboratable=no
"""Benches of units that only networks of rate neurons have."""

import numpy as np

from golden.fixed import QFormat
from golden.image import build_image
from golden.rate.engine import random_params
from golden.rate.layer import Dense
from golden.rate.learn import tau_step
from golden.rate.network import Network
from golden.rate.plastic import Plastic, increment_format
from golden.regmap import BANK_SHIFT
from golden.units.activation import ACTIVATIONS
from golden.units.dense import DenseParams, dense_step
from golden.units.plasticity import Noise
from leadlag.verilog.flows import COUNT, flow
from leadlag.verilog.script import Bench, Script, Unit
from leadlag.verilog.settings import FILTER, FORMAT, INTEGER, Setting, one_of
from rtl.rate.dense import DenseLayer
from rtl.rate.schedule import min_period
from rtl.rate.tau import TimeConstant
from sim.vectors import dense_ticks, draw, generator


def _time_constant(s, seed: str) -> Bench:
    layer = Dense(inputs=1, outputs=1, activation="linear", operand=QFormat(1, 9), weight=QFormat(1, 10),
                  state=s.state, lead=QFormat(1, 10), lag=s.lag, rate=QFormat(0, 9), plastic=Plastic(
                      error=s.error, slope=QFormat(1, 10), rate=3, tau=s.tau, tau_r=QFormat(4, 8),
                      tau_rate=s.tau_rate, tau_min=s.tau_min))
    unit, fields = TimeConstant(layer, seed=s.seed), ("eps", "step", "tau", "lag")
    formats = (s.error, increment_format(layer), s.tau, s.lag)
    words, pack, none = draw(formats, COUNT, seed), Script(unit).packed, np.zeros(COUNT, np.int64)
    eps, step, tau, lag = np.array(words).T
    found = tau_step(DenseParams(weight=none, bias=none, lag=lag, tau=tau), layer, eps, step,
                     Noise(s.seed)[np.arange(COUNT)])
    answers = [{"o_payload__tau": x, "o_payload__lag": y} for x, y in zip(found.tau, found.lag, strict=True)]
    payloads = [pack("i_payload", **dict(zip(fields, word, strict=True))) for word in words]
    named = {f"i_payload.{name}": fmt for name, fmt in zip(fields, formats, strict=True)}
    return Bench(flow(unit, payloads, answers, seed), named | {"o_payload.tau": s.tau, "o_payload.lag": s.lag},
                 f"{unit.LATENCY} cycles, one neuron a cycle")


def _dense_layer(s, seed: str) -> Bench:
    layer = Dense(**vars(s))
    unit, net = DenseLayer(layer, ahead=False), Network(name="layer", dt=1.0, layers=(layer,))
    params, gaps = random_params(net, generator(seed)), generator(f"{seed} gaps")
    script = Script(unit, quiet={"o_valid": 0})
    script.load([(int(a) >> BANK_SHIFT & 0xFFF, int(a) & 0x3FFF, int(d)) for a, d in build_image(net, params).pairs],
                half=1)
    script.tick(layer.lanes + 6)
    script.drive(half=1)
    walk, first = layer.inputs + 1, unit.neuron_latency(layer)
    for n, tick in enumerate(dense_ticks(layer, params[0], seed)):
        script.note("all begins anew" if tick.fresh else f"tick {n}")
        for row, rate in enumerate(tick.rate):
            fold, lane = divmod(row, layer.lanes)
            at = script.now + 1 + first + (fold + 1) * walk - 1 + lane
            script.expect(at, o_valid=1, o_payload=rate)
        script.pulse(start=1, fresh=tick.fresh, restart=tick.fresh)
        for word in tick.message:
            script.word("i", word)
        # at the least distance of two ticks, and slower
        script.tick(max(0, min_period(layer) - 1 - layer.inputs) + n % 2 * int(gaps.integers(1, 25)))
    script.tick(layer.folds * walk + first + layer.lanes)
    named = {"i_payload": s.operand, "o_payload": s.rate}
    return Bench(script, named, f"neuron j comes {first} cycles behind the address of its row's last weight, in cycle "
                                f"{first} + (j div {layer.lanes} + 1) * {walk} + j mod {layer.lanes} after `start`; "
                                f"a tick may follow {min_period(layer)} cycles after the one before")


UNITS = {
    "TimeConstant": Unit(TimeConstant, (tau_step,), {
        "tau": Setting(FORMAT, "Q8.7", "of tau_m in ticks"), "lag": Setting(FORMAT, "Q0.15", "of dt / tau_m"),
        "state": Setting(FORMAT, "Q3.10", "of the membrane that moves"),
        "error": Setting(FORMAT, "Q1.11", "of the error"),
        "tau_rate": Setting(INTEGER, "0", "it learns with a rate of 2**-tau_rate"),
        "tau_min": Setting(INTEGER, "4", "the shortest, in ticks"),
        "seed": Setting(INTEGER, "99", "of the noise, 1 to 131071")}, _time_constant),
    "DenseLayer": Unit(DenseLayer, (dense_step,), FILTER | {
        "inputs": Setting(INTEGER, "6", "words of a message"), "outputs": Setting(INTEGER, "7", "neurons"),
        "lanes": Setting(INTEGER, "3", "multipliers, at most inputs + 1 and outputs"),
        "operand": Setting(FORMAT, "Q1.8", "of the incoming message"),
        "weight": Setting(FORMAT, "Q2.9", "of weights and biases"),
        "rate": Setting(FORMAT, "Q1.8", "of the outgoing message"),
        "activation": Setting(one_of(*ACTIVATIONS), "tanh", "of the neurons"),
        "delay": Setting(INTEGER, "1", "ticks that messages are late"),
        "max_delay": Setting(INTEGER, "2", "the longest delay that the circuit holds")}, _dense_layer),
}
