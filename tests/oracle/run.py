"""The oracle as a program that takes aoac's command line for runs.

    python3 -m tests.oracle.run rules.aoa --run --from a:src --to b:out [--mesh-to tp=2] [-D h=4] [--config FILE] [--states] ...

Writes the target, or says on stderr why not. Exit status as aoac's; 70 when the contract does not say what happens.
"""
import os, shutil, sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.oracle.aoa_oracle import engine, tensorfile  # noqa: E402


def main(argv):
    out = engine.run(argv)
    for d in out.doubts: print(f'doubt: {d}', file=sys.stderr)
    if out.status is None:
        print(f'unsure: {out.message}', file=sys.stderr)
        return 70
    if out.status:
        print(f'error: {out.message}', file=sys.stderr)
        return out.status
    for s in out.says: print(f'warning: {s} is left behind or missing', file=sys.stderr)
    if os.path.isdir(out.target) and '--force' in argv: shutil.rmtree(out.target)
    os.makedirs(out.target, exist_ok=True)
    for path, (tensors, meta) in out.files.items(): tensorfile.write(os.path.join(out.target, path), tensors, meta)
    return 0


if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
