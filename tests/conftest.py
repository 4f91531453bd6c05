"""What holds for all tests, and for the programs that they start."""

import gc
import os
import time
from types import SimpleNamespace

import pytest
from hypothesis import settings

# One thread a process, set before numpy and torch read it: workers of pytest-xdist share the cores already, and sums of
# floats are the same on every machine.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

# the same examples in every run: a failure is there for everybody
settings.register_profile("leadlag", derandomize=True)
settings.load_profile("leadlag")


def pytest_collection_finish():
    """Circuits are large trees of objects that live as long as their test: the collector need not walk them often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


_CLOCK = SimpleNamespace(monotonic=time.process_time)


@pytest.fixture(autouse=True)
def _patience_in_own_time(monkeypatch):
    """A host of a test waits in this process's own seconds: what else runs on the cores must not use them up."""
    for module in ("firmware.window", "firmware.exchange", "firmware.loader", "firmware.board", "firmware.keeper"):
        monkeypatch.setattr(f"{module}.time", _CLOCK)
