#!/usr/bin/env python3
"""Golden tests of the phases: `aoac --emit=PHASE` for each case of cases/, compared with PHASE/NAME.out.

    emit.py --aoac BINARY [PHASE...]
    emit.py --aoac BINARY --update [PHASE...]    writes the .out files instead; read the difference before you commit it

The first line of cases/NAME.aoa is the command; NAME.checkpoint says what the source `in` holds (tests/tools/checkpoint.py).
Code is shown for one named processor, and compared where this machine and its LLVM are those of the .out files.
"""

import argparse
import pathlib
import platform
import re
import shlex
import subprocess
import sys
import tempfile

import run

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))
import checkpoint  # noqa: E402

CPU = {"x86_64": "x86-64-v3"}  # by machine, for the phases of CODE
LLVM = "LLVM 19."
CODE = {"llvm", "asm"}
CODE_CASES = {"paddle", "stored", "casts"}
PHASES = ["ast", "types", "map", "index", "plan", "llvm", "asm"]
TRIPLE = re.compile(rb'^target triple = .*\n', re.M)  # the system's, not the code's


def output_of(aoac, case, phase):
    words = shlex.split(case.read_text().split("\n")[0])[2:]
    command = [aoac, *words, f"--emit={phase}"]
    if phase in CODE:
        command += ["--cpu", CPU[platform.machine()]]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / case.name).write_text(case.read_text())
        checkpoint.write_checkpoint(folder / "in", case.with_suffix(".checkpoint").read_text())
        return TRIPLE.sub(b"", run.output_of(command, folder))


def check(aoac, case, phase, update):
    golden = HERE / phase / f"{case.stem}.out"
    actual = output_of(aoac, case, phase)
    if update:
        golden.parent.mkdir(exist_ok=True)
        golden.write_bytes(actual)
    expected = golden.read_bytes() if golden.exists() else b""
    if actual == expected and actual:
        return True
    print(f"FAILED {phase}/{case.stem}")
    run.show_difference(case.stem, expected, actual)
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aoac", required=True, type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("phases", nargs="*")
    args = parser.parse_args()
    aoac = args.aoac.resolve()
    version = subprocess.run([aoac, "--version"], capture_output=True, text=True, check=True).stdout
    failed = count = 0
    for phase in args.phases or PHASES:
        if phase in CODE and (platform.machine() not in CPU or LLVM not in version):
            print(f"{phase}: not compared here")
            continue
        for case in sorted((HERE / "cases").glob("*.aoa")):
            if phase in CODE and case.stem not in CODE_CASES:
                continue
            count += 1
            failed += not check(aoac, case, phase, args.update)
    print(f"{count - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
