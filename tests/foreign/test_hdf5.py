"""The reader of HDF5: what h5py writes, in every range of versions; what is damaged is one line."""

import random
import re
import time
from types import SimpleNamespace

import hdf5s
import numpy as np
import pytest

from golden.nir import hdf5, hdf5_bytes, hdf5_values
from golden.nir.hdf5 import Dataset, Group, parse
from golden.nir.hdf5_write import dump


def everything(group: Group) -> dict:
    """All values by path; attributes as path@name."""
    found = {f"{group.path}@{name}": value for name, value in group.attributes().items()}
    for member in group.members.values():
        found |= everything(member) if isinstance(member, Group) else {member.path: member.read()}
    return found


def same(found, expected, what):
    """Equal, and of the same type but for the order of bytes and what numpy has no type for."""
    expected = np.asarray(expected)
    if expected.dtype.kind == "S":
        expected = expected.astype("U").astype(object)
    if isinstance(found, str):
        assert found == expected, what
        return
    found = np.asarray(found)
    assert found.shape == expected.shape, what
    assert np.array_equal(found, expected), what
    if expected.dtype.itemsize <= 8:
        assert found.dtype == expected.dtype.newbyteorder("="), what


def check_content(root: Group):
    found = everything(root)
    for name, (value, _) in hdf5s.values().items():
        same(found.pop(f"/values/{name}"), value, name)
    for name, value in hdf5s.attributes().items():
        same(found.pop(f"/@{name}"), value, name)
    for n in range(30):
        assert found.pop(f"/groups/a group called {n}/number") == n
    for name in ("never written", "never written, chunks"):
        same(found.pop(f"/{name}"), np.zeros(40, np.float32), name)
    assert not found


@pytest.mark.parametrize("name", hdf5s.VERSIONS)
def test_kept_files(name):
    check_content(parse((hdf5s.FILES / name).read_bytes()))


@pytest.mark.parametrize("version", ["earliest", "v108", "v110", "latest"])
def test_files_of_the_package(version, tmp_path):
    pytest.importorskip("h5py")
    hdf5s.write(tmp_path / "x", version)
    check_content(parse((tmp_path / "x").read_bytes()))


def test_groups_of_many_names(tmp_path):
    """Trees of two levels and more, in every form of a group."""
    h5py = pytest.importorskip("h5py")
    for version in ("earliest", "latest"):
        with h5py.File(tmp_path / "x", "w", libver=version) as file:
            for n in range(2500):
                file.create_group(f"{n:04} {'x' * (n % 50)}")
        names = [f"{n:04} {'x' * (n % 50)}" for n in range(2500)]
        assert sorted(parse((tmp_path / "x").read_bytes()).members) == names, version


def test_a_block_of_the_user(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x", "w", userblock_size=1024) as file:
        file["a"] = np.arange(9)
    assert parse((tmp_path / "x").read_bytes()).members["a"].read().tolist() == list(range(9))


REFUSED = {
    "compound": lambda file: file.create_dataset("x", data=np.zeros(2, [("a", "f4"), ("b", "i4")])),
    "reference": lambda file: file.create_dataset("x", data=file.ref, dtype=__import__("h5py").ref_dtype),
    "no value": lambda file: file.create_dataset("x", data=__import__("h5py").Empty("f4")),
    "filter 32000 ('lzf')": lambda file: file.create_dataset("x", data=np.zeros(99), compression="lzf"),
    "texts of any length|sequences of any length": lambda file: file.create_dataset(
        "x", data=np.array([np.zeros(2), np.zeros(3)], object), dtype=__import__("h5py").vlen_dtype("f8")),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_read(what, tmp_path):
    """Refused by path, and only when the value is asked for."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x", "w") as file:
        REFUSED[what](file)
        file["y"] = 1
    root = parse((tmp_path / "x").read_bytes())
    assert root.members["y"].read() == 1
    with pytest.raises(ValueError, match="^/x: .*(" + "|".join(map(re.escape, what.split("|"))) + ")"):
        root.members["x"].read()


def test_links_and_circles(tmp_path):
    h5py = pytest.importorskip("h5py")

    def read(draw):
        with h5py.File(tmp_path / "x", "w") as file:
            draw(file.create_group("a"))
        return parse((tmp_path / "x").read_bytes())

    def circle(group):
        group["b/c"] = group

    def soft(group):
        group["b"] = h5py.SoftLink("/a")

    def deep(group):
        group.create_group("/".join("a" * 70))

    with pytest.raises(ValueError, match="^/a/b/c: the same object has two names"):
        read(circle)
    with pytest.raises(ValueError, match="^/a: b is a link"):
        read(soft)
    with pytest.raises(ValueError, match=r"^/a/[a/]*: groups stand within groups 64 deep$"):
        read(deep)


def test_what_is_no_file():
    for data in (b"", b"x", hdf5.SIGNATURE, bytes(5000)):
        with pytest.raises(ValueError, match=r"^[^\n]+$"):
            parse(data)
    whole = (hdf5s.FILES / "old.h5").read_bytes()
    with pytest.raises(ValueError, match=f"cut short: {len(whole) - 1} of {len(whole)} bytes"):
        parse(whole[:-1])


# ---- damage

def damaged(data: bytes, rng: random.Random) -> bytes:
    """A file with an end missing, other bytes, other addresses, or a part of it somewhere else."""
    data, how = bytearray(data), rng.randrange(8)
    if how == 0:
        return bytes(data[:rng.randrange(len(data))])
    if how < 4:
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 255, rng.randrange(256)))
    elif how < 6:
        at = rng.randrange(len(data) - 8) // 8 * 8
        data[at:at + 8] = rng.choice((rng.randrange(len(data)) // 8 * 8, 2**63, 2**64 - 1, 2**31)).to_bytes(8, "little")
    else:
        to, source, size = rng.randrange(len(data)), rng.randrange(len(data)), rng.randrange(64)
        data[to:to + size] = data[source:source + size]
    return bytes(data)


def small() -> list[bytes]:
    """Kept files of the package `nir`, and those of h5py."""
    return [path.read_bytes() for path in sorted(hdf5s.FILES.iterdir())]


def test_damaged_files():
    """2,000 damaged files: each is read, or refused in one line, in less than a second of its own."""
    rng, files, fine = random.Random("damage"), small(), 0
    for n in range(2000):
        data = damaged(rng.choice(files), rng)
        start = time.process_time()
        try:
            everything(parse(data))
            said = ""
        except ValueError as error:
            said = str(error)
        fine += not said
        assert "\n" not in said, n
        assert time.process_time() - start < 1, n
    assert 200 < fine < 1800


def test_no_array_is_larger_than_the_file_allows(tmp_path):
    """A shape that a damaged file has made large is refused before there is memory for it."""
    data = bytearray((hdf5s.FILES / "latest.h5").read_bytes())
    shape = b"".join(n.to_bytes(8, "little") for n in (9, 14))
    assert data.count(shape) >= 1
    for n in (2**40, 2**62):
        with pytest.raises(ValueError, match=r"more than the file can hold|expected"):
            everything(parse(bytes(data).replace(shape, (9).to_bytes(8, "little") + n.to_bytes(8, "little"))))


def test_a_data_set_knows_its_shape():
    group = parse((hdf5s.FILES / "new.h5").read_bytes()).members["values"]
    assert isinstance(group.members["gzip"], Dataset)
    assert group.members["gzip"].shape == (9, 14)
    assert group.members["one"].shape == ()


@pytest.mark.parametrize(("deep", "fits"), [(hdf5.DEEPEST, True), (hdf5.DEEPEST + 1, False)])
def test_groups_as_deep_as_may_be(deep, fits):
    data = 7
    for _ in range(deep):
        data = {"a": data}
    if fits:
        assert depth(parse(dump(data))) == deep
    else:
        with pytest.raises(ValueError, match=f"groups stand within groups {hdf5.DEEPEST} deep"):
            parse(dump(data))


def depth(group) -> int:
    """Groups that stand within each other."""
    found = 0
    while isinstance(group, Group):
        found, group = found + 1, group.members["a"]
    return found


def test_a_chunk_that_is_outside_along_one_axis(monkeypatch):
    """Each axis of its place counts, not any of them."""
    monkeypatch.setattr(hdf5_values, "chunks", lambda *given: [((0, 1), 0, 0, 0)])
    member = parse((hdf5s.FILES / "new.h5").read_bytes()).members["values"].members["chunks"]
    with pytest.raises(ValueError, match="a chunk is outside"):
        member.read()


def test_an_object_that_is_outside_of_its_heap():
    heap = hdf5_bytes.FractalHeap.__new__(hdf5_bytes.FractalHeap)
    heap.file, heap.head = SimpleNamespace(block=lambda *at: None, at=lambda at, size: (at, size)), 20
    assert heap.within(100, 20, 44, 64) == (120, 44)
    for offset, size in ((19, 4), (20, 45), (64, 1)):
        with pytest.raises(ValueError, match="an object is outside of its heap"):
            heap.within(100, offset, size, 64)


def test_more_pages_of_chunks_than_a_byte_has_bits(tmp_path):
    """The last of nine pages is not full: two bytes say which are used."""
    h5py = pytest.importorskip("h5py")
    values = np.arange(8 * 1024 + 5, dtype=np.uint16)
    with h5py.File(tmp_path / "x.h5", "w", libver="latest") as file:
        file.create_dataset("x", data=values, chunks=(1,))
    assert np.array_equal(parse((tmp_path / "x.h5").read_bytes()).members["x"].read(), values)
