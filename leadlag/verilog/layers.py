# amaranth: UnusedElaboratable=no
"""Benches of the lanes of a layer, and of a layer: parameters over their bus, then row after row without a gap."""

from golden.image import build_image
from golden.rate.engine import random_params
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.regmap import BANK_SHIFT
from golden.units.rows import Rows
from leadlag.verilog.script import Bench, Script
from leadlag.verilog.settings import within
from rtl.pipeline import BANK_BITS
from rtl.rate.dense import DenseLayer
from rtl.rate.schedule import min_period
from rtl.units.mac import MacLanes, bank_bits
from sim.vectors import dense_ticks, generator, row_problem, row_times, row_writes

#: of the parameter bus
MAX_BANK = (1 << BANK_BITS) - 1


def mac(s, seed: str) -> Bench:
    rows = Rows(**{name: getattr(s, name) for name in ("count", "words", "lanes", "weight", "operand", "shift")})
    within(0, MAX_BANK - rows.lanes, first_bank=s.first_bank)
    unit, (weight, x) = MacLanes(rows, first_bank=s.first_bank), row_problem(rows, seed)
    script, bits = Script(unit, quiet={"valid": 0}), bank_bits(rows)
    script.load(row_writes(rows, s.first_bank, weight), half=1)
    script.tick(rows.lanes + 4)
    # a word for somebody else leaves on params_out
    script.expect(script.now + rows.lanes, params_out_en=1, params_out_bank=s.first_bank + rows.lanes,
                  params_out_addr=5, params_out_data=-3)
    script.load([(s.first_bank + rows.lanes, 5, -3)], half=1)
    for cycle, total in row_times(rows, weight, x, unit.LATENCY).items():
        script.expect(script.now + cycle, valid=1, sum=total)
    script.note("rows without a gap")
    for n in range(len(x) * rows.depth + unit.OPERAND_OFFSET):
        place, back = n % rows.words, n - unit.OPERAND_OFFSET
        script.drive(addr=n % rows.depth | 1 << bits, first=place == 0,
                     last=n < len(x) * rows.depth and place == rows.words - 1)
        if back >= 0:
            script.drive(operand=x[back // rows.depth][back % rows.words])
        script.tick()
    script.tick(unit.LATENCY + rows.lanes + 2)
    return Bench(script, {}, f"lane 0 {unit.LATENCY} cycles from the address of a row's last word, lane k is k cycles "
                             f"later; the operand comes {unit.OPERAND_OFFSET} cycles after its address")


def dense_layer(s, seed: str) -> Bench:
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
