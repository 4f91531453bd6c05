"""The table of units says only what is so: its tests and its benches make the unit that they are named for."""

import pytest

from docs import unit_table


def table(head, rows):
    return "\n".join(map(str, rows))


def test_who_makes_what(tmp_path):
    file = tmp_path / "x.py"
    file.write_text('def f():\n    return bench(Unit(1), "name")\ndef g():\n    return Other.latency(2), "other"\n')
    assert unit_table.is_made("Unit", [file])
    assert unit_table.is_made("Unit", [file], "name")
    assert not unit_table.is_made("Unit", [file], "other")
    assert not unit_table.is_made("Other", [file])


@pytest.mark.parametrize(("row", "says"), [
    (("LeadLag", "units.leadlag.leadlag_step", "rtl.units.leadlag", "mac_tb", "test_leadlag"), "runs mac_tb on a"),
    (("LeadLag", "units.leadlag.leadlag_step", "rtl.units.leadlag", "", "test_mac"), "test_mac makes no LeadLag"),
    (("LeadLag", "units.leadlag.leadlag_step", "rtl.units.leadlag", "no_tb", "test_mac"), "no no_tb.py"),
    (("LeadLag", "units.leadlag.step", "rtl.units.leadlag", "", "test_leadlag"), "no attribute 'step'")])
def test_rows_that_are_not_so(row, says, monkeypatch):
    from docs import figures
    monkeypatch.setattr(unit_table, "UNITS", (row,))
    with pytest.raises((ValueError, FileNotFoundError, AttributeError), match=says):
        unit_table.units(table, figures.network(), figures.BOARD)
