#!/usr/bin/env python3
"""Golden tests: runs a command for every NAME.aoa of a folder and compares what it prints with NAME.out.

    run.py --tool BINARY [FOLDER...]             all folders beside this file that have a `cmd`, or those named
    run.py --tool BINARY --update [FOLDER...]    writes the .out files instead; read the difference before you commit it

`cmd` in a folder is the command, split like a shell does, with {tool} for BINARY and {file} for NAME.aoa. It runs inside
the folder. NAME.out holds what it writes to stdout, then to stderr, then its exit status if that is not 0.
"""

import argparse
import difflib
import pathlib
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT = 60  # seconds


def output_of(command, folder):
    """What a command prints, in the order in which NAME.out has it."""
    run = subprocess.run(command, cwd=folder, capture_output=True, timeout=TIMEOUT, check=False)
    out = run.stdout + run.stderr
    if run.returncode != 0:
        out += f"[exit status {run.returncode}]\n".encode()
    return out


def show_difference(name, expected, actual):
    lines = difflib.unified_diff(
        expected.decode(errors="replace").splitlines(),
        actual.decode(errors="replace").splitlines(),
        f"{name}.out",
        "actual",
        lineterm="",
    )
    print("\n".join(lines))


def run_folder(folder, tool, update):
    """The numbers of cases that passed and failed."""
    template = shlex.split((folder / "cmd").read_text())
    passed = failed = 0
    for case in sorted(folder.glob("*.aoa")):
        command = [part.format(tool=tool, file=case.name) for part in template]
        actual = output_of(command, folder)
        golden = case.with_suffix(".out")
        if update:
            golden.write_bytes(actual)
        expected = golden.read_bytes() if golden.exists() else b""
        if golden.exists() and actual == expected:
            passed += 1
        else:
            failed += 1
            print(f"FAILED {folder.name}/{case.name}")
            show_difference(case.stem, expected, actual)
    stale = {out.stem for out in folder.glob("*.out")} - {case.stem for case in folder.glob("*.aoa")}
    for name in sorted(stale):
        failed += 1
        print(f"FAILED {folder.name}/{name}.out has no {name}.aoa")
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True, type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("folders", nargs="*")
    args = parser.parse_args()
    folders = [HERE / name for name in args.folders] or sorted(cmd.parent for cmd in HERE.glob("*/cmd"))
    passed = failed = 0
    for folder in folders:
        counts = run_folder(folder, args.tool.resolve(), args.update)
        passed += counts[0]
        failed += counts[1]
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
