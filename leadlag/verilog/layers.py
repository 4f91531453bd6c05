"""Benches of the lanes of a layer, and of a layer: parameters over their bus, then row after row without a gap."""

import numpy as np

from golden.fixed import QFormat
from golden.image import build_image
from golden.rate.engine import random_params
from golden.rate.network import Dense, Network
from golden.regmap import BANK_SHIFT
from leadlag.verilog.script import Bench, Script
from rtl.rate.dense import DenseLayer
from rtl.rate.schedule import min_period
from rtl.units.mac import MacLanes, bank_bits
from sim.vectors import dense_ticks, generator, mac_sums


def _dense(s, **more) -> Dense:
    """The layer of MacLanes and DenseLayer."""
    return Dense(inputs=s.inputs, outputs=s.outputs, lanes=s.lanes, operand=s.operand, weight=s.weight, state=s.state,
                 **{"activation": "linear", "lead": QFormat(1, 6), "lag": QFormat(1, 6), "rate": QFormat(1, 4)} | more)


def mac(s, seed: str) -> Bench:
    layer, rng = _dense(s), generator(seed)
    unit, walk = MacLanes(layer, first_bank=s.first_bank), layer.inputs + 1
    script = Script(unit, quiet={"valid": 0})
    shape, bits = (layer.outputs, layer.inputs), bank_bits(layer)
    weight = np.where(rng.random(shape) < 0.3, rng.choice([layer.weight.min, layer.weight.max], shape),
                      rng.integers(layer.weight.min, layer.weight.max + 1, shape))
    bias = rng.integers(layer.weight.min, layer.weight.max + 1, layer.outputs)
    vectors = rng.integers(layer.operand.min, layer.operand.max + 1, (6, layer.inputs))
    vectors[0] = layer.operand.min
    script.load(mac_writes(layer, s.first_bank, weight, bias), half=1)
    script.tick(layer.lanes + 4)
    # a word for somebody else leaves on params_out
    script.expect(script.now + layer.lanes, params_out_en=1, params_out_bank=s.first_bank + layer.lanes,
                  params_out_addr=5, params_out_data=-3)
    script.load([(s.first_bank + layer.lanes, 5, -3)], half=1)
    begin, passes = script.now, layer.folds * walk
    for n, row in enumerate(mac_sums(layer, vectors, weight, bias)):
        for j, total in enumerate(row):
            fold, lane = divmod(j, layer.lanes)
            script.expect(begin + n * passes + (fold + 1) * walk - 1 + lane + unit.LATENCY, valid=1, sum=total)
    for n in range(len(vectors) * passes + unit.OPERAND_OFFSET):
        place, back = n % passes, n - unit.OPERAND_OFFSET
        is_over = n >= len(vectors) * passes
        script.drive(addr=place | 1 << bits, first=place % walk == 0, last=not is_over and place % walk == walk - 1)
        if back >= 0:
            script.drive(operand=1 << layer.operand.frac_bits if back % walk == 0 else
                         vectors[back // passes][back % walk - 1])
        script.tick()
    script.tick(unit.LATENCY + layer.lanes + 2)
    total = QFormat(layer.acc_bits - 1 - layer.weight.frac_bits - layer.operand.frac_bits,
                    layer.weight.frac_bits + layer.operand.frac_bits)
    return Bench(script, {"operand": layer.multiplicand, "sum": total},
                 f"lane 0 {unit.LATENCY} cycles from the address of a row's last word, lane k is k cycles later; the "
                 f"operand comes {unit.OPERAND_OFFSET} cycles after its address")


def mac_writes(layer, first_bank: int, weight, bias):
    """(bank, word, data) of all rows: row j in lane j mod lanes, fold j // lanes; rows that do not exist hold zero."""
    walk = layer.inputs + 1
    for row in range(layer.folds * layer.lanes):
        words = [int(bias[row]), *map(int, weight[row])] if row < layer.outputs else [0] * walk
        for k, word in enumerate(words):
            yield first_bank + row % layer.lanes, row // layer.lanes * walk + k, word


def dense_layer(s, seed: str) -> Bench:
    layer = _dense(s, activation=s.activation, lead=s.lead, lag=s.lag, rate=s.rate, guard=s.guard, delay=s.delay,
                   max_delay=s.max_delay)
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
