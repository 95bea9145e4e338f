#!/usr/bin/env python3
"""Hosts that share no disk: each writes its own ranks of a target from those ranks of the source that it needs.

    check.py --aoac BINARY
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'support'))

import checkpoint  # noqa: E402
import models  # noqa: E402

RULES = HERE.parents[1] / 'rules' / 'llama2.aoa'
PAIRS = [('pp=2,tp=2', 'tp=4'), ('pp=2,tp=2', 'pp=2,dp=2'), ('dp=2,tp=2', 'pp=2,tp=2'), ('pp=4', 'pp=2,tp=2'), ('tp=4', 'pp=2,tp=2')]


class HostsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        models.make(str(self.folder / 'hf'), models.SMALL)

    def aoac(self, *arguments):
        return subprocess.run([AOAC, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, XDG_CACHE_HOME=str(self.folder / 'cache')))

    def convert(self, source, target, *arguments):
        return self.aoac(RULES, '--run', '--quiet', '--config', 'hf/config.json', '--from', source, '--to', target, *arguments)

    def succeed(self, *arguments):
        run = self.convert(*arguments)
        self.assertEqual(run.returncode, 0, run.stderr)

    def layout(self, mesh, name):
        """A checkpoint with this mesh, and apart from it the files that say how it is cut."""
        self.succeed('hf:hf', f'mindformers:{name}', '--mesh-to', mesh)
        shutil.move(self.folder / name / 'strategy', self.folder / f'{name}-layout')

    def host(self, ranks):
        """The source's ranks that it takes to write these, in `host`."""
        needs = self.aoac('layouts', '--needs', ranks, '--layout-from', 'source-layout', '--layout-to', 'target-layout')
        self.assertEqual(needs.returncode, 0, needs.stderr)
        shutil.rmtree(self.folder / 'host', ignore_errors=True)
        for rank in needs.stdout.split():
            shutil.copytree(self.folder / 'source' / f'rank_{rank}', self.folder / 'host' / f'rank_{rank}')
        return needs.stdout.split()

    def write(self, ranks):
        shutil.rmtree(self.folder / 'out', ignore_errors=True)
        return self.convert('mindformers:host', 'mindformers:out', '--ranks', ranks, '--layout-from', 'source-layout', '--layout-to', 'target-layout')

    def test_every_host(self):
        fewer = 0
        for source, target in PAIRS:
            for name, mesh in ('source', source), ('target', target):
                shutil.rmtree(self.folder / name, ignore_errors=True)
                shutil.rmtree(self.folder / f'{name}-layout', ignore_errors=True)
                self.layout(mesh, name)
            self.succeed('mindformers:source', 'mindformers:whole', '--force', '--layout-from', 'source-layout', '--layout-to', 'target-layout')
            for ranks in '0', '1', '0-1', '2-3':
                needed = self.host(ranks)
                fewer += len(needed) < 4
                run = self.write(ranks)
                self.assertEqual(run.returncode, 0, f'{source} {target} {ranks}: {run.stderr}')
                for folder in (self.folder / 'out').glob('rank_*'):
                    self.assertEqual(checkpoint.snapshot(folder), checkpoint.snapshot(self.folder / 'whole' / folder.name))
                if len(needed) == 1: continue
                # Without one of them nothing is written.
                shutil.rmtree(self.folder / 'host' / f'rank_{needed[-1]}')
                run = self.write(ranks)
                self.assertEqual(run.returncode, 1, run.stderr)
                self.assertIn(f'rank_{needed[-1]}', run.stderr)
                self.assertFalse((self.folder / 'out').exists())
        self.assertGreater(fewer, 5)

    def test_all_ranks_need_all(self):
        self.layout('pp=2,tp=2', 'source')
        self.layout('tp=4', 'target')
        self.host('0')
        shutil.rmtree(self.folder / 'host' / 'rank_0')
        run = self.convert('mindformers:host', 'mindformers:out', '--layout-from', 'source-layout', '--layout-to', 'target-layout')
        self.assertNotEqual(run.returncode, 0)
        self.assertIn('missing: rank_0', run.stderr)


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--aoac', required=True)
    AOAC = os.path.abspath(parser.parse_args().aoac)
    unittest.main(argv=sys.argv[:1])
