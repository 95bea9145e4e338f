"""What checks of loading share: the cases of a folder of checkpoints, each written by aoac from the whole model."""
import argparse
import fnmatch
import json
import subprocess
import tempfile
from pathlib import Path


class Differs(Exception):
    pass


class Case:
    """A case of cases.json, and a folder in which things may be made."""

    def __init__(self, facts, options, folder):
        self.facts, self.options, self.folder = facts, options, folder
        self.path = options.fixtures / facts['path']
        self.rules = options.rules / facts['rules']
        self.states = ['--states'] if facts['states'] else []

    def words(self, arguments):
        return [a.replace('{root}', str(self.options.fixtures)) for a in arguments]

    def run(self, *arguments):
        done = subprocess.run([self.options.aoac, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode: raise RuntimeError(done.stderr.strip() or f'exit status {done.returncode}')

    def write(self):
        """Writes the case from the whole model, as its `write` says. -> where, and the arguments of the target."""
        write, out = self.facts['write'], self.folder / 'out'
        whole = f'{"whole" if self.states else "hf"}:{self.folder / "start"}'
        arguments, written = self.words(self.facts['args']), self.words(write['args'])
        self.run(self.rules, '--run', '--from', f'{self.facts["side"]}:{self.path}', '--to', whole, *arguments, *self.states)
        config = arguments[arguments.index('--config'):][:2] if '--config' in arguments else []
        mesh = ['--mesh-to', write['mesh']] if write['mesh'] else []
        self.run(self.rules, '--run', '--from', whole, '--to', f'{self.facts["side"]}+{write["variant"]}:{out}', *config, *self.states,
                 *mesh, *written)
        return out, written


def main(format, check):
    """Runs `check`, which takes a Case, for all cases of a format that can be written. It raises what is wrong, and may
    return a remark. -> the exit status."""
    p = argparse.ArgumentParser()
    p.add_argument('--aoac', type=Path, required=True)
    p.add_argument('--rules', type=Path, required=True)
    p.add_argument('--fixtures', type=Path, required=True)
    p.add_argument('patterns', nargs='*', default=['*'])
    options = p.parse_args()
    cases = [c for c in json.loads((options.fixtures / 'cases.json').read_text()) if c['format'] == format and c.get('write') and
             any(fnmatch.fnmatch(c['name'], pattern) for pattern in options.patterns)]
    failed = 0
    for facts in cases:
        remark, why = '', ''
        with tempfile.TemporaryDirectory() as folder:
            try:
                remark = check(Case(facts, options, Path(folder)))
            except Exception as error:  # frameworks raise what they like
                why = str(error) if isinstance(error, Differs) else f'{type(error).__name__}: {error}'
        failed += bool(why)
        print(f'{facts["name"]}: {why or "equal" + (f" ({remark})" if remark else "")}', flush=True)
    print(f'{len(cases) - failed} equal, {failed} not')
    return 1 if failed else 0
