"""Between make and the C++ compiler: objects of Verilator's runtime, the same for every circuit, are compiled once.

Verilator's makefiles put what OBJCACHE names before each call of the compiler. `launcher` makes such a command of this
file; it runs as a script, with the standard library and nothing of ours but golden.programs.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

#: the folder of objects
FOLDER = "LEADLAG_OBJECTS"
#: beside the runtime's sources: its version
VERSION = "verilated_config.h"


def launcher(folder: Path) -> dict[str, str]:
    """Variables for make: objects are kept in `folder`, unless the user has a cache of her own."""
    own = shlex.join([sys.executable, "-S", "-E", str(Path(__file__).resolve())])
    return {"OBJCACHE": os.environ.get("OBJCACHE") or own, FOLDER: str(Path(folder).absolute())}


def compile_object(command: list[str], folder: Path) -> int:
    """Run a compiler, or copy what it made before of the same source with the same options; its exit status.

    Only sources of the runtime are kept, as they include nothing of a circuit.
    """
    source = Path(command[-1])
    if not (source.is_absolute() and source.with_name(VERSION).exists() and "-c" in command and "-o" in command[:-2]):
        return subprocess.run(command).returncode
    from golden.programs import build_once
    place = command.index("-o") + 1
    compiler = subprocess.run([command[0], "--version"], capture_output=True).stdout
    key = hashlib.sha256("\0".join(command[:place] + command[place + 1:]).encode() + compiler)
    for file in (source, source.with_name(VERSION)):
        key.update(file.read_bytes())
    status = []

    def make(temporary):
        built = temporary / "built.o"
        status.append(subprocess.run([*command[:place], str(built), *command[place + 1:]]).returncode)
        if status[0]:
            raise ChildProcessError
        return built
    try:
        shutil.copyfile(build_once(folder / f"{source.stem}-{key.hexdigest()[:16]}.o", make), command[place])
    except ChildProcessError:
        return status[0]
    return 0


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    sys.exit(compile_object(sys.argv[1:], Path(os.environ[FOLDER])))
