"""Make the processor's program: `python -m firmware.riscv.build` writes map.h and golden/keeper.hex.

The compiler is clang, in the wheel `ziglang`. Its output is the same on every computer; both files are in the
repository, so that nobody needs it who leaves the C as it is.
"""

import importlib.metadata
import importlib.util
import struct
import sys
import tempfile
from pathlib import Path

from firmware.riscv.header import header
from golden import keeper
from golden.files import write_whole
from golden.programs import BuildError, ToolError, run

HERE = Path(__file__).parent
MAP, HEX = HERE / "map.h", Path(keeper.__file__).with_name("keeper.hex")
#: bytes that the program has to leave to the stack, beside its buffer of a page
STACK = 256
_FLAGS = ("-target", "riscv32-freestanding-none", "-march=generic_rv32", "-Oz", "-ffreestanding", "-fno-builtin",
          "-fno-sanitize=all", "-nostdlib", "-Wall", "-Wextra", "-Werror", "-Wl,-T,link.ld", "-Wl,--gc-sections")


def compile_program() -> tuple[int, ...]:
    """The words of keeper.c; ToolError without the compiler, BuildError where the C is wrong or does not fit."""
    if importlib.util.find_spec("ziglang") is None:
        raise ToolError("the C compiler for the processor is missing: pip install ziglang==0.17.1")
    zig = [sys.executable, "-m", "ziglang"]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name in ("start.S", "link.ld", "keeper.c"):
            write_whole(work / name, (HERE / name).read_text(encoding="utf-8"))
        write_whole(work / "map.h", header())
        run([*zig, "cc", *_FLAGS, "start.S", "keeper.c", "-o", "keeper.elf"], name="zig cc", cwd=work)
        run([*zig, "objcopy", "-O", "binary", "keeper.elf", "keeper.bin"], name="zig objcopy", cwd=work)
        data = (work / "keeper.bin").read_bytes()
    data += bytes(-len(data) % 4)
    if len(data) + keeper.PAGE + STACK > keeper.MEMORY:
        raise BuildError(f"the program takes {len(data)} bytes, with a page and {STACK} of stack it has to fit "
                         f"{keeper.MEMORY}")
    return struct.unpack(f"<{len(data) // 4}I", data)


def main() -> int:
    try:
        words = compile_program()
    except (ToolError, BuildError) as error:
        print(error, file=sys.stderr)
        return 2
    write_whole(MAP, header())
    write_whole(HEX, keeper.program_text(words))
    print(f"{HEX}: {4 * len(words)} bytes, by ziglang {importlib.metadata.version('ziglang')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
