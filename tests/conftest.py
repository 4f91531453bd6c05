"""What holds for all tests, and for the programs that they start."""

import os

# One thread a process, before numpy and torch read these: workers of pytest-xdist share the cores already, and sums of
# floats are the same on every machine.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
