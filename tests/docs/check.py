#!/usr/bin/env python3
"""Runs the examples of docs/: every error code has a wrong and a right one, and what pages show is what the program prints.

    check.py --aoac BINARY [PAGE.md...]            all pages of docs/, or those named
    check.py --aoac BINARY --update [PAGE.md...]   writes what the program prints into the pages; read the difference

Blocks of a page, by the words behind ```:

    aoa                 a whole rule file that checks
    aoa dims|side|map   lines of such a block, which check inside one
    aoa NAME.aoa        a file in the work folder, as are `json NAME`, `python NAME` and `text NAME`
    checkpoint NAME     a checkpoint in the work folder (tests/tools/checkpoint.py has the form)
    aoa wrong, right    a rule file, checked by the command of its first line `# aoac rules.aoa ...`, or by `aoac rules.aoa`
    text                after `aoa wrong`: the message
    console             commands behind `$ `, each followed by what it prints

In errors.md each section has a work folder of its own, elsewhere each page.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import page as pages

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "tools"))
import checkpoint  # noqa: E402

KINDS = ROOT / "compiler" / "diag" / "kind.def"
NO_EXAMPLE = {"AOA0999"}  # a bug in aoac: what would show it would be mended instead
TIMEOUT = 60
# Times, rates and the names of folders differ from run to run.
VARIES = [
    (re.compile(r"\d+(\.\d+)? [kMG]?B/s"), "... B/s"),
    (re.compile(r"\d+\.\d+ s\b"), "... s"),
    (re.compile(r"^(memory|work) .*$", re.M), r"\1 ..."),  # of a plan: the code's affair
    (re.compile(r"/\S*/example/(\./)?"), ""),
    (re.compile(r"\.aoac-[0-9a-f]{16}"), ".aoac-0123456789abcdef"),
]
WRAPPED = {
    "dims": "dims {\n%s}\n",
    "side": "side example {\n%s}\n",
    "map": "side a { format safetensors }\nside b { format safetensors }\nmap a <-> b {\n%s}\n",
}


def steady(text):
    for pattern, replacement in VARIES:
        text = pattern.sub(replacement, text)
    return text


def registry():
    """code -> meaning, from the compiler's source."""
    found = re.findall(r'^AOA_DIAGNOSTIC\((\d+), \w+, "((?:[^"\\]|\\.)*)"\)', KINDS.read_text(), re.M)
    return {f"AOA{int(number):04}": meaning for number, meaning in found}


class Page:
    def __init__(self, path, aoac):
        self.path, self.aoac = path, aoac
        self.text = path.read_text()
        self.blocks = pages.blocks_of(self.text)
        self.failures, self.changes, self.examples = [], [], {}

    def fail(self, block, what):
        self.failures.append(f"{self.path.name}:{block.line}: {what}")

    def run(self, command, folder):
        """Runs a line of shell, where `aoac` is the program under test."""
        programs = folder.parent / "bin"
        if not programs.exists():
            programs.mkdir()
            (programs / "aoac").symlink_to(self.aoac)
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder.parent), "LC_ALL": "C.UTF-8"}
        words = ["bash", "-c", command]
        return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=environment)

    def check(self):
        by_section = self.path.name == "errors.md"
        groups = {}
        for block in self.blocks:
            groups.setdefault(block.section if by_section else "", []).append(block)
        for section, blocks in groups.items():
            with tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name) / "example"
                folder.mkdir()
                self.check_group(section, blocks, folder)

    def check_group(self, section, blocks, folder):
        for block, after in zip(blocks, blocks[1:] + [None]):
            kind = block.info[0] if block.info else ""
            word = block.info[1] if len(block.info) > 1 else ""
            if kind == "checkpoint":
                checkpoint.write_checkpoint(folder / word, block.text)
            elif kind == "console":
                self.check_console(block, folder)
            elif kind == "aoa" and word in ("wrong", "right"):
                message = after if after and after.info == ["text"] else None
                self.check_example(section.split(":")[0], word, block, message, folder)
            elif kind == "aoa" and word in WRAPPED:
                self.check_rules(block, WRAPPED[word] % block.text, folder)
            elif kind == "aoa" and not word:
                self.check_rules(block, block.text, folder)
            elif word:
                (folder / word).parent.mkdir(parents=True, exist_ok=True)
                (folder / word).write_text(block.text)

    def check_rules(self, block, text, folder):
        (folder / "example.aoa").write_text(text)
        run = self.run("aoac example.aoa", folder)
        if run.returncode != 0:
            self.fail(block, f"the example does not check:\n{run.stderr}")

    def check_example(self, code, word, block, message, folder):
        self.examples.setdefault(code, set()).add(word)
        before = sorted(folder.rglob("*"))
        (folder / "rules.aoa").write_text(block.text)
        first = block.text.split("\n")[0]
        run = self.run(first[2:] if first.startswith("# ") and "aoac " in first else "aoac rules.aoa", folder)
        reported = set(re.findall(r"^(?:error|warning)\[(\w+)\]", run.stderr, re.M))
        if word == "wrong":
            warns = "(warning)" in block.section or run.stderr.startswith("warning[")
            expected_status = (run.returncode == 0) == warns
            if reported != {code} or not expected_status:
                self.fail(block, f"status {run.returncode}, {sorted(reported)} in place of {code}:\n{run.stderr}")
            if expected_status and sorted(folder.rglob("*")) != sorted({*before, folder / "rules.aoa"}) and run.returncode != 0:
                self.fail(block, "files are left behind")
            if message is None:
                self.fail(block, "the message is not shown")
            elif message.text != steady(run.stderr):
                self.changes.append((message, steady(run.stderr)))
                self.fail(message, f"the message is\n{run.stderr}")
        elif run.returncode != 0 or run.stderr:
            self.fail(block, f"status {run.returncode}:\n{run.stderr}")
        if "out" not in {p.name for p in before}:
            shutil.rmtree(folder / "out", ignore_errors=True)

    def check_console(self, block, folder):
        shown = []
        for command in re.findall(r"^\$ (.*)$", block.text, re.M):
            run = self.run(command, folder)
            shown.append(f"$ {command}\n{run.stdout}{run.stderr}")
        if steady("".join(shown)) != steady(block.text):
            self.changes.append((block, "".join(shown)))
            self.fail(block, "the commands print\n" + "".join(shown))


def check_codes(page):
    """Every code has a section under its meaning, with a wrong and a right example."""
    codes = registry()
    headings = dict(re.findall(r"^## (AOA\d+): (.*)$", page.text, re.M))
    for code in sorted(codes.keys() | headings.keys()):
        if headings.get(code) != codes.get(code):
            page.failures.append(f"{code}: the registry says `{codes.get(code)}`, the page `{headings.get(code)}`")
        elif code not in NO_EXAMPLE and page.examples.get(code) != {"wrong", "right"}:
            page.failures.append(f"{code}: has {sorted(page.examples.get(code, set()))}")


def check_options(page):
    """Every option that `aoac --help` names is in the reference."""
    text = subprocess.run([page.aoac, "--help"], capture_output=True, text=True, check=True).stdout
    for option in sorted(set(re.findall(r"--[a-z][a-z-]+", text))):
        if option not in page.text:
            page.failures.append(f"{page.path.name}: lacks {option}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aoac", required=True, type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("pages", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    failures = []
    for path in args.pages or sorted((ROOT / "docs").glob("*.md")):
        page = Page(path, args.aoac.resolve())
        page.check()
        if path.name == "errors.md":
            check_codes(page)
        if path.name == "language.md":
            check_options(page)
        if args.update and page.changes:
            path.write_text(pages.replace_blocks(page.text, page.changes))
        failures += page.failures
    print("\n".join(failures) or "all examples are right")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
