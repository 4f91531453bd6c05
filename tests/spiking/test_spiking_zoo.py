"""The spiking networks of the zoo: their figures still hold, and the small one answers alike as float and integers."""

import numpy as np
import pytest

from golden.data.images import FASHION, images
from golden.spiking.engine import encode, run
from golden.spiking.trained import SpikingTrained
from leadlag import flow

#: of the first 300 test images: right answers, and the sum of the ticks of all decisions
FASHION_ANSWERS = {"delays-fashion-256": (273, 3482), "delays-fashion-800": (274, 5205)}


def answers(trained, pixels):
    net = trained.net
    return run(net, trained.quantize(), encode(net.code, net.ticks, pixels)).answers


@pytest.mark.parametrize("name", [name for name in flow.zoo() if name.startswith("delays-")])
def test_files(name):
    """Below 2 MiB, with the command that made it, delays in whole ticks, weights from seeds."""
    path = flow.zoo()[name]
    assert path.stat().st_size < 2 << 20
    trained = flow.find(name)
    assert isinstance(trained, SpikingTrained)
    assert trained.net.name == name
    assert trained.training["command"].startswith(f"leadlag train {name} --seed ")
    assert all(layer.regenerates for layer in trained.net.layers)
    assert all((delay == np.floor(delay)).all() for delay in trained.delays)


def test_digits():
    pytest.importorskip("sklearn")
    delays = pytest.importorskip("golden.train.delays")
    trained, test = flow.find("delays-digits"), images("digits", "test")
    real, found = delays.float_answers(trained, test.x), answers(trained, test.x)
    assert (real.label == test.y).mean() == pytest.approx(trained.training["float_accuracy"], abs=1e-9)
    # two images of 360
    assert abs((real.label == test.y).sum() - (found.label == test.y).sum()) <= 2
    assert ((found.label == test.y).sum(), found.tick.sum()) == (335, 4842)


@pytest.mark.skipif(not FASHION.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
@pytest.mark.parametrize("name", FASHION_ANSWERS)
def test_fashion(name):
    test = images("fashion-mnist", "test")
    found = answers(flow.find(name), test.x[:300])
    assert ((found.label == test.y[:300]).sum(), found.tick.sum()) == FASHION_ANSWERS[name]
