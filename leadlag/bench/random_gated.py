"""Random liquid-time-constant networks: any, and those that learn on the chip (leadlag.bench.random_networks)."""

from golden.fixed import QFormat
from golden.ltc.layer import LtcLayer, Readout
from golden.ltc.network import LtcNetwork
from golden.ltc.teacher import Teacher
from golden.units.plasticity import PERIOD
from leadlag.bench.drawing import pick, valid, word_format


def gated_network(family: str, rng) -> LtcNetwork:
    """1 to 3 layers of any formats, sizes and lanes, and a readout."""
    largest, layers = 24 if family.startswith("wide") else rng.choice((2, 5, 9)), []
    inputs = pick(rng, 1, largest)
    for n in range(rng.choice((1, 2, 2, 3))):
        layers.append(valid(lambda n=n, inputs=inputs: _gated(rng, inputs, pick(rng, 1, largest), n == 0)))
        inputs = layers[-1].outputs
    layers.append(valid(lambda: _gated(rng, inputs, pick(rng, 1, 6), None)))
    return LtcNetwork(name="random", layers=tuple(layers), halves=rng.randint(1, 2))


def taught_network(rng) -> LtcNetwork:
    """A layer and a readout that learn, or the readout alone."""
    inputs, size, outputs = (pick(rng, 1, most) for most in (5, rng.choice((2, 5, 8)), rng.choice((2, 5))))
    weight, state = word_format(rng, 18, least_int=0, most_frac=16), word_format(rng, 17, least_int=1, least_frac=2)
    same = {"weight": weight, "spike_weight": weight, "state": state, "gate": QFormat(0, pick(rng, 2, 10)),
            "gate_sum": word_format(rng, 14, least_int=0, most_frac=9)}
    teacher = Teacher(
        rate=rng.choice((0, 2, 4, 6, pick(rng, -8, 16))), streams=rng.choice((1, 2, 4)), seed=pick(rng, 1, PERIOD),
        error=QFormat(rng.randint(1, 3), pick(rng, 1, 13)), scope=rng.choice(("all", "readout")))
    layer = LtcLayer(inputs=inputs, outputs=size, lanes=2 * size, operand=state, input_weight=weight, **same,
                     threshold=rng.choice((None, 0, rng.randrange(1 << state.frac_bits))))
    return LtcNetwork(name="random", halves=1, teacher=teacher, layers=(
        layer, Readout(inputs=size, outputs=outputs, lanes=outputs, **same)))


def _gated(rng, inputs: int, size: int, is_first: bool | None):
    """A layer, the readout where `is_first` is None."""
    fields = {"inputs": inputs, "outputs": size, "state": word_format(rng, 17, least_int=1, least_frac=1),
              "gate": QFormat(0, pick(rng, 2, 10)), "gate_sum": word_format(rng, 14, least_int=0, most_frac=9),
              "weight": word_format(rng, 12), "spike_weight": word_format(rng, 12)}
    if is_first is None:
        return Readout(**fields, lanes=pick(rng, 1, size))
    adaptive = rng.random() < 0.7
    if is_first:
        fields |= {"operand": word_format(rng, 12), "input_weight": word_format(rng, 12)}
    return LtcLayer(**fields, adaptive=adaptive, lanes=(1 + adaptive) * pick(rng, 1, size),
                    threshold=rng.choice((None, 0, rng.randrange(1 << fields["state"].frac_bits))))
