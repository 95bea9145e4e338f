#!/usr/bin/env python3
"""The command line as a newcomer and as an enemy: every slip and every odd file gets a clear answer, at once.

    check.py --aoac BINARY [WORD...]    all cases, or those whose names hold a word
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import checkpoint  # noqa: E402

HOSTILE = pathlib.Path(__file__).resolve().parents[1] / "data" / "hostile"
SECONDS = 3.0  # of processor time
RULES = """side a {
  format safetensors
  w  [n m]
}

side b {
  format safetensors
  mesh tp
  w  [n@tp m]
}

map a <-> b {
  w <-> w
}
"""
# command line, exit status, what it says
COMMANDS = [
    ("", 0, "rules/llama2.aoa"),
    ("--help", 0, "--mesh-from"),
    ("r.aoa --help", 0, "--mesh-from"),
    ("--version", 0, r"aoac \d.*LLVM \d.*CUDA"),
    ("formats", 0, "safetensors.*hf"),
    ("formats x", 2, "`x`"),
    ("lsp x", 2, "`x`"),
    ("r.aoa", 0, "2 sides and 1 map"),
    ("r.aoa --json", 0, '"sides": 2'),
    ("nowhere.aoa", 1, "nowhere.aoa: no such file"),
    ("in", 1, "no regular file"),
    ("/dev/null", 1, "no regular file"),
    ("r.aoa other.aoa", 2, "one word too many"),
    ("inspct in", 2, "there is `inspect`"),
    ("dif in in", 2, "there is `diff`"),
    ("-v", 2, "-v: there is no such option"),
    ("r.aoa --rnu", 2, "there is `--run`"),
    ("r.aoa --run", 2, "--from is missing.*--to is missing"),
    ("r.aoa --run --from a:in", 2, "--to is missing"),
    ("r.aoa --run --from a:in --to b", 2, "a path is missing"),
    ("r.aoa --run --from a:in --to b:", 2, "no path behind its colon"),
    ("r.aoa --run --from a:in --to a:in --force", 2, "would delete the source: in is in"),
    ("r.aoa --run --from a:in --to a:. --force", 2, "would delete the source: . holds in"),
    ("r.aoa --run --from :in --to b:out", 2, "names no side"),
    ("r.aoa --run --from c:in --to b:out", 2, "there is no side `c`"),
    ("r.aoa --run --from a:nowhere --to b:out", 1, "nowhere does not exist"),
    ("r.aoa --run --from a:in --to b:no/folder/out", 2, "no/folder"),
    ("r.aoa --run --from a:in --to b:in", 2, "in exists"),
    ("r.aoa --run --plan --from a:in --to b:out", 2, "--run and --plan stand together"),
    ("r.aoa --from a:in --to b:out", 0, "nothing is converted.*`--run`"),
    ("r.aoa --plan --from a:in --to b", 0, "reads .*memory"),
    ("r.aoa --plan --from a:in --to b --json", 0, '"peak_memory"'),
    ("r.aoa --plan --from a:in --from a:in --to b", 2, "--from: it is given twice"),
    ("r.aoa --plan --from a:in --to b --mesh-to tp=5", 1, "would do"),
    ("r.aoa --plan --from a:in --to b --mesh-to t=2", 2, "there is `tp`"),
    ("r.aoa --plan --from a:in --to b -D n=four", 2, "sets no dimension"),
    ("r.aoa --plan --from a:in --to b -D q=4", 2, "no dimension"),
    ("r.aoa --plan --from a:in --to b --memory 12X", 2, "no size"),
    ("r.aoa --plan --from a:in --to b --memory", 2, "a value is missing"),
    ("r.aoa --plan --from a:in --to b --quiet=maybe", 2, "--quiet: its value"),
    ("r.aoa --plan --from a:in --to b --dtype f23", 2, "no floating-point type"),
    ("r.aoa --plan --from a:in --to b --config nowhere.json", 1, "nowhere.json"),
    ("r.aoa --emit=plna --from a:in --to b", 2, "there is `plan`"),
    ("r.aoa --emit=ptx --from a:in --to b", 2, "without CUDA"),
    ("r.aoa --emit", 2, "--emit: a value is missing"),
    ("inspect", 2, "one path is needed"),
    ("inspect nowhere", 1, "nowhere does not exist"),
    ("inspect r.aoa", 1, "no checkpoint of a known format"),
    ("inspect in", 0, "w  f32"),
    ("inspect in --json", 0, '"tensors"'),
    ("diff in", 2, "a word is missing"),
    ("diff in in", 0, "equal: 1 tensor"),
    ("diff in nowhere", 1, "nowhere"),
    ("digest", 2, "a word is missing"),
    ("digest in --as", 2, "--as: a value is missing"),
    ("digest in", 0, r"[0-9a-f]{32}  w"),
    ("digest in --md5", 0, r"[0-9a-f]{32}  model.safetensors"),
    ("digest in --sha256 --md5", 2, "stand together"),
    ("digest nowhere --md5", 1, "nowhere"),
    ("digest r.aoa a:in --md5", 2, "depend on the layout"),
    ("identify", 2, "one path is needed"),
    ("identify in", 1, "no rule file in .* fits in.*aoac init in"),
    ("identify in --rules .", 0, "r.aoa  a +fits"),
    ("identify in --rules nowhere", 2, "nowhere is no folder"),
    ("identify in --rules", 2, "--rules: a value is missing"),
    ("identify nowhere", 1, "nowhere does not exist"),
    ("init", 2, "one path is needed"),
    ("init in", 0, r"w +\[x4 x6\]"),
    ("init in -o r.aoa", 2, "r.aoa exists.*delete it, or give another name"),
    ("init in -o no/folder/x.aoa", 3, "no/folder"),
    ("init in --side a-b", 2, "no name of a side"),
    ("init in --side", 2, "--side: a value is missing"),
    ("init r.aoa", 1, "no checkpoint of a known format"),
    ("import-aoa", 2, "one path is needed"),
    ("import-aoa nowhere.json", 1, "nowhere.json: no such file"),
    ("import-aoa in", 1, "no regular file"),
    ("import-aoa r.aoa", 1, "there is no `aoa_statements`"),
    ("import-aoa r.aoa --form-checkpoint in", 2, "there is no such option"),
    ("fmt", 2, "a file is missing"),
    ("fmt --chek r.aoa", 2, "--chek"),
    ("fmt nowhere.aoa", 1, "nowhere.aoa"),
    ("fmt --check r.aoa", 0, ""),
]
SIDE = "side a {\n  format safetensors\n  %s\n}\n"
MAP = "side a { format safetensors }\nside b { format safetensors }\nmap a <-> b {\n  %s\n}\n"
# name, contents of a rule file that is refused (or accepted: None), the message
FILES = [
    ("binary", bytes((i * 89 + i * i) % 256 for i in range(20000)), r"bytes?\b.*UTF-8"),
    ("nul", b"side a { \0 format safetensors }\n", "0x00"),
    ("no utf-8", b"# \xff\xfe\n", "0xFF"),
    ("100 MB", b"# comment\n" * 10_000_000, "allowed"),
    ("17 MB", b"# comment\n" * 1_700_000, "16 MiB"),
    ("open brackets", SIDE % ("w " + "[" * 100_000), "never closed"),
    ("parentheses", SIDE % ("w [" + "(" * 100_000 + "x" + ")" * 100_000 + "]"), "inside each other"),
    ("blocks", "map a <-> b {\n" + "if x {\n" * 100_000, "inside each other"),
    ("expression", "dims { x = " + "(" * 100_000 + "1" + ")" * 100_000 + " }\n", "inside each other"),
    ("minus signs", "dims { x = " + "-" * 100_000 + "1 }\n", "operations"),
    ("pieces", SIDE % ("w [" + "(a + b) " * 30 + "]"), "pieces"),
    ("aliases", "dims {\n" + "".join(f"n{i} = (n{i - 1} n{i - 1})\n" for i in range(1, 61)) + "}\n" + SIDE % "w [n60]", "factors"),
    ("an alias of itself", "dims { n = (n m) }\n" + SIDE % "w [n]", "stands for itself"),
    ("names", SIDE % ("w." + "{a,b}" * 40 + " [x]"), "100000 names"),
    ("open groups", SIDE % ("w." + "{" * 100_000), "never closed"),
    ("slices", MAP % "w[0:1234567890] -> x, axis=0", "100000 tensors"),
    ("a long name", SIDE % ("w" * 1_000_000 + " [x]"), None),
    ("empty", "", None),
    ("5000 tensors", SIDE % "".join(f"t.{i} [x y]\n" for i in range(5000)), None),
]


def run(aoac, words, folder):
    start = time.monotonic()
    done = subprocess.run([aoac, *words], cwd=folder, capture_output=True, timeout=60, check=False)
    return done, time.monotonic() - start


class Checker:
    def __init__(self, aoac, words):
        self.aoac, self.words = aoac, words
        self.failures, self.count = [], 0

    def case(self, name, words, folder, status, says):
        if self.words and not any(word in name for word in self.words):
            return
        self.count += 1
        done, seconds = run(self.aoac, words, folder)
        if seconds > SECONDS:  # perhaps the machine is busy: the better of two counts
            done, again = run(self.aoac, words, folder)
            seconds = min(seconds, again)
        text = (done.stdout + done.stderr).decode(errors="replace")
        problems = []
        if done.returncode != status:
            problems.append(f"exit status {done.returncode}, expected {status}")
        if not re.search(says, text, re.S):
            problems.append(f"does not say /{says}/")
        if seconds > SECONDS:
            problems.append(f"took {seconds:.1f} s")
        if status != 0 and not re.search(r"^error\[AOA\d{4}\]: [^A-Z]", text, re.M):
            problems.append("has no error with a code")
        if len(text) > 20_000:
            problems.append(f"says {len(text)} characters")
        if problems:
            self.failures.append(f"{name}: {'; '.join(problems)}\n{text[:600]}")

    def commands(self, folder):
        (folder / "r.aoa").write_text(RULES)
        checkpoint.write_checkpoint(folder / "in", "w f32 [4, 6]\n")
        for line, status, says in COMMANDS:
            self.case(f"aoac {line}", line.split(), folder, status, says)
        left = sorted(p.name for p in folder.iterdir())
        if left != ["in", "r.aoa"]:
            self.failures.append(f"files are left behind: {left}")

    def output(self):
        """A reader that goes away is no failure to speak of; a full disk is."""
        self.count += 2
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([self.aoac, "--help"], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
        os.close(writer)
        if done.stderr:
            self.failures.append(f"a closed pipe: {done.stderr.decode()}")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([self.aoac, "--help"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
        if done.returncode != 3 or b"AOA0904" not in done.stderr:
            self.failures.append(f"a full disk: exit status {done.returncode}, {done.stderr.decode()}")

    def files(self, folder):
        for name, text, says in FILES:
            path = folder / "odd.aoa"
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            self.case(f"file: {name}", ["odd.aoa"], folder, 0 if says is None else 1, says or "well typed")

    def numbers(self, folder):
        """Layer numbers of ten digits and more."""
        (folder / "n.aoa").write_text(MAP % "l.$l.w[h] <-> m.$l.w[h]")
        for name, number in (("ten", 1234567890), ("twenty", 12345678901234567890)):
            checkpoint.write_checkpoint(folder / name, f"l.0.w f32 [2]\nl.{number}.w f32 [2]\n")
            self.case(f"{name} digits", ["n.aoa", "--run", "--from", f"a:{name}", "--to", "b:out"], folder, 1, "AOA050[14]")

    def hostile(self, folder):
        for path in sorted((HOSTILE / "safetensors").glob("*.safetensors")):
            good = path.stem in ("ok", "nul_in_name")
            self.case(f"hostile: {path.name}", ["inspect", str(path)], folder, 0 if good else 1, "" if good else path.name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aoac", required=True, type=pathlib.Path)
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    checker = Checker(args.aoac.resolve(), args.words)
    checker.output()
    for cases in (checker.commands, checker.files, checker.numbers, checker.hostile):
        with tempfile.TemporaryDirectory() as name:
            cases(pathlib.Path(name))
    print("\n".join(checker.failures))
    print(f"{checker.count - len(checker.failures)} passed, {len(checker.failures)} failed")
    return 1 if checker.failures else 0


if __name__ == "__main__":
    sys.exit(main())
