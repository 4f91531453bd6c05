# amaranth: UnusedElaboratable=no
"""The bench of lanes: rows of weights over the parameter bus, then row after row without a gap."""

from golden.units.rows import Rows
from leadlag.verilog.script import Bench, Script
from leadlag.verilog.settings import within
from rtl.pipeline import BANK_BITS
from rtl.units.mac import MacLanes, bank_bits
from sim.vectors import row_problem, row_times, row_writes

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
