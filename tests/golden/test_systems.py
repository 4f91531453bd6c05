"""The table of systems where it is short of one."""

import pytest

from golden import systems


def test_a_reader_of_others_has_to_be_there(monkeypatch):
    assert systems.importer().__name__ == "golden.event.foreign"
    monkeypatch.setattr(systems, "KINDS", ("rate", "spiking"))
    with pytest.raises(ValueError, match="no kind of network reads those of others"):
        systems.importer()
