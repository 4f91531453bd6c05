"""The yosys of the pyosys wheel as a program, started by golden.tools: pyosys_main.py -q -l LOG SCRIPT."""

import sys


def main() -> int | str:
    """Exit status of yosys, which leaves its messages in LOG."""
    from pyosys import libyosys
    if len(sys.argv) != 5:
        return "usage: pyosys_main.py -q -l LOG SCRIPT"
    log, script = sys.argv[3:]
    libyosys.run_pass(f"tee -q -o {log} script {script}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
