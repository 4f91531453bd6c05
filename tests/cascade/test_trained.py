"""The file of a trained cascaded network: what comes back is what was saved, and what is wrong is one line."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golden.cascade.trained import Block, CascadeTrained, Conv
from golden.files import read_safetensors, write_safetensors

pytest.importorskip("safetensors")


def conv(rng, outputs, inputs, kernel, rows=None):
    shape = (outputs,) if rows is None else (rows, outputs)
    return Conv(*(rng.normal(0, 1, size).astype(np.float32)
                  for size in ((outputs, inputs, kernel, kernel), shape, shape)))


def made(channels=(3, 3, 4), strides=(2, 1, 2), kernel=3, norm="shared", heads=1, **fields):
    """A network of random numbers that float32 holds."""
    rng, blocks = np.random.default_rng(0), []
    for n, (into, out, stride) in enumerate(zip(channels[:-1], channels[1:], strides[1:], strict=True)):
        rows = n + 1 if norm == "step" else 1
        across = rng.normal(0, 1, (out, into)).astype(np.float32) if into != out or stride != 1 else None
        blocks.append(Block(conv(rng, out, into, kernel, rows), conv(rng, out, out, kernel, rows), across))
    return CascadeTrained(**{
        "name": "net", "shape": (8, 8, 2), "channels": channels, "strides": strides, "kernel": kernel,
        "stem": conv(rng, channels[0], 2, kernel), "blocks": tuple(blocks), "training": {"seed": 3},
        "head": rng.normal(0, 1, (heads, 5, channels[-1])).astype(np.float32),
        "offset": np.zeros((heads, 5)), "ranges": np.arange(1, len(channels) + 1)} | fields)


def arrays(real):
    return real._tensors()


@pytest.mark.parametrize("fields", [
    {}, {"norm": "step"}, {"heads": 3}, {"kernel": 1, "strides": (1, 1, 1)}, {"scheme": "serial"}, {"alpha": 0.25},
    {"channels": (3, 3), "strides": (1, 1)}])
def test_it_comes_back(tmp_path, fields):
    real = made(**fields)
    real.save(tmp_path / "a")
    again = CascadeTrained.load(tmp_path / "a")
    for name in ("name", "shape", "channels", "strides", "kernel", "scheme", "alpha", "training", "steps", "classes",
                 "parameters"):
        assert getattr(again, name) == getattr(real, name), name
    assert list(arrays(again)) == list(arrays(real))
    for name, value in arrays(real).items():
        assert np.array_equal(arrays(again)[name], value), name
    again.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert {value.dtype for value in read_safetensors(tmp_path / "a")[0].values()} == {np.dtype(np.float32)}


def test_inputs_that_differ_while_an_image_stands_still():
    """Behind a delay of a tick block k has seen k; a smoothed residual goes on changing behind the first block."""
    assert [made().distinct(k) for k in (1, 2)] == [1, 2]
    assert [made(alpha=0.25).distinct(k) for k in (1, 2)] == [1, made().steps]


def test_names_and_shapes_are_those_of_the_docstring():
    assert {name: value.shape for name, value in arrays(made(norm="step", heads=3)).items()} == {
        "stem.weight": (3, 2, 3, 3), "stem.scale": (3,), "stem.bias": (3,),
        "blocks.0.conv1.weight": (3, 3, 3, 3), "blocks.0.conv1.scale": (1, 3), "blocks.0.conv1.bias": (1, 3),
        "blocks.0.conv2.weight": (3, 3, 3, 3), "blocks.0.conv2.scale": (1, 3), "blocks.0.conv2.bias": (1, 3),
        "blocks.1.conv1.weight": (4, 3, 3, 3), "blocks.1.conv1.scale": (2, 4), "blocks.1.conv1.bias": (2, 4),
        "blocks.1.conv2.weight": (4, 4, 3, 3), "blocks.1.conv2.scale": (2, 4), "blocks.1.conv2.bias": (2, 4),
        "blocks.1.shortcut.weight": (4, 3), "head.weight": (3, 5, 4), "head.bias": (3, 5), "ranges": (3,)}


def test_parameters():
    real = made()
    assert real.parameters == 54 + 6 + 2 * (81 + 6) + 108 + 144 + 16 + 12 + 20 + 5


@pytest.mark.parametrize(("fields", "message"), [
    ({"shape": (8, 8)}, "shape must be 3 or more whole numbers in 1..4096, not"),
    ({"shape": (8, 8, 2, 1)}, "shape must be height, width and channels"),
    ({"shape": (8, 8, 0)}, "shape must be 3 or more whole numbers"),
    ({"kernel": 2}, "kernel must be 1 or 3, not 2"), ({"kernel": True}, "kernel must be 1 or 3, not True"),
    ({"scheme": "later"}, "scheme must be one of parallel, serial, not 'later'"),
    ({"alpha": 1.0}, "alpha must be a number in 0..1, or null, not 1.0"),
    ({"alpha": "half"}, "alpha must be a number in 0..1, or null, not 'half'"),
    ({"training": []}, "training must be an object"),
    ({"blocks": ()}, "net: 3 channels, 3 strides, 0 blocks"),
    ({"ranges": np.ones(2)}, r"ranges has shape \(2,\), expected \(3,\)"),
    ({"ranges": np.array([1.0, 0, 1])}, r"ranges must be above 0, not \[1.0, 0.0, 1.0\]"),
    ({"head": np.ones((2, 5, 4))}, r"head.weight has shape \(2, 5, 4\), expected \(1 or 3, classes, 4\)"),
    ({"offset": np.ones(5)}, r"head.bias has shape \(5,\), expected \(1, 5\)"),
    ({"head": np.full((1, 5, 4), np.nan)}, r"head.weight\[0, 0, 0\] is nan, not a finite number")])
def test_networks_that_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        replace(made(), **fields)


def test_blocks_that_are_refused():
    real = made()
    first, second = real.blocks
    for block, message in (
            (second._replace(shortcut=None), "blocks.1: a shortcut is missing, the block changes the shape"),
            (second._replace(conv1=second.conv1._replace(scale=np.ones((3, 4)))),
             "blocks.1: 3 rows of scale: 1 or 2, one a step that differs"),
            (second._replace(conv2=second.conv2._replace(bias=np.ones(4))),
             r"blocks.1.conv2.bias has shape \(4,\), expected \(1, 4\)"),
            (second._replace(conv1=second.conv1._replace(weight=np.ones((4, 4, 3, 3)))),
             r"blocks.1.conv1.weight has shape \(4, 4, 3, 3\), expected \(4, 3, 3, 3\)")):
        with pytest.raises(ValueError, match=message):
            replace(real, blocks=(first, block))
    with pytest.raises(ValueError, match="blocks.0: has a shortcut, and keeps the shape"):
        replace(real, blocks=(first._replace(shortcut=np.ones((3, 3))), second))


def rewritten(tmp_path, change):
    """The message that a changed file is refused with."""
    made().save(tmp_path / "a")
    tensors, about = read_safetensors(tmp_path / "a")
    change(tensors, about)
    write_safetensors(tmp_path / "b", tensors, about)
    with pytest.raises(ValueError, match=".") as error:
        CascadeTrained.load(tmp_path / "b")
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'b'}: ")
    return str(error.value).removeprefix(f"{tmp_path / 'b'}: ")


def sizes(**fields):
    def change(tensors, about):
        about["cascade_network"] = json.dumps(json.loads(about["cascade_network"]) | fields)
    return change


@pytest.mark.parametrize(("change", "message"), [
    (lambda t, a: t.pop("ranges"), "tensor ranges is missing"),
    (lambda t, a: t.pop("blocks.1.conv2.scale"), "tensor blocks.1.conv2.scale is missing"),
    (lambda t, a: t.update({"blocks.2.conv1.weight": t["ranges"]}), "tensor blocks.2.conv1.weight belongs to no layer"),
    (lambda t, a: t.update({"stem.scale": t["ranges"][:2]}), "stem.scale has shape (2,), expected (3,)"),
    (lambda t, a: a.pop("cascade_network"), "no cascade_network in the metadata: not a trained cascaded network"),
    (lambda t, a: a.update(cascade_network="[]"), "cascade_network must be an object with name, shape, channels"),
    (lambda t, a: a.update(cascade_network="{"), "cascade_network is not JSON"),
    (lambda t, a: a.update(training="[1]"), "training must be an object"),
    (sizes(extra=1), "cascade_network must be an object with name, shape, channels"),
    (sizes(classes=6), "classes = 6, head.weight has 5"),
    (sizes(channels=3), "channels must be 2 or more whole numbers"),
    (sizes(channels=[3, 3]), "2 channels, and 3 strides"),
    (sizes(channels=[3, "3", 4]), "channels must be 2 or more whole numbers"),
    (sizes(strides=[2, 1, 1.0]), "strides must be 2 or more whole numbers"),
    (sizes(name=7), "name must be a text, not 7"), (sizes(shape=None), "shape must be 3 or more whole numbers"),
    (sizes(kernel=1), "stem.weight has shape (3, 2, 3, 3), expected (3, 2, 1, 1)")])
def test_damaged_files(tmp_path, change, message):
    assert rewritten(tmp_path, change).startswith(message)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_that_changed(tmp_path, data):
    """One line, or a network that saves and loads as it is."""
    path = tmp_path / "net"
    made().save(path)
    content = bytearray(path.read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, min(len(content), header + 64) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[:data.draw(st.sampled_from([len(content), len(content) - 1, header]))])
    try:
        found = CascadeTrained.load(path)
    except ValueError as error:
        text = str(error)
    else:
        found.save(path)
        assert CascadeTrained.load(path).channels == found.channels
        text = str(path)
    assert text.startswith(str(path))
    assert "\n" not in text
