"""What tests of whole runs share: a small model, the program, and faults on their way."""
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

AOAC = os.environ['AOAC']
SHIM = os.environ['AOA_SHIM']
RULES = str(HERE.parent / 'support' / 'llama.aoa')
CUT = ['--to', 'cut:out', '--mesh-to', 'tp=2,pp=2']
SMALL_JOBS = ['--memory', '2M', '--threads', '2']  # 64 KiB each


class Run:
    def __init__(self, process):
        self.status, self.out, self.err = process.returncode, process.stdout, process.stderr

    def __repr__(self):
        return f'status {self.status}\n{self.out}{self.err}'


class RunTest(unittest.TestCase):
    """Every test has a folder of its own with a model in `hf`, and kernels' cache in `cache`."""
    model = models.SMALL

    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix='aoac-faults-')
        models.make(os.path.join(cls.root, 'model'), cls.model)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)

    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=self.root)
        shutil.copytree(os.path.join(self.root, 'model'), self.path('hf'))

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def start(self, *arguments, fault=None, limit=None, source='hf:hf', rules=RULES):
        """Starts a run; `fault` is one of shim.c, `limit` is called in the child."""
        environment = dict(os.environ, XDG_CACHE_HOME=self.path('cache'), AOA_FAULT_COUNT=self.path('calls'))
        if fault:
            environment.update(LD_PRELOAD=SHIM, AOA_FAULT=fault)
        command = [AOAC, rules, '--run', '--quiet', '--from', source, *arguments]
        return subprocess.Popen(command, cwd=self.folder, env=environment, preexec_fn=limit, text=True,
                                errors='replace', stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run_aoac(self, *arguments, **options):
        process = self.start(*arguments, **options)
        process.stdout, process.stderr = process.communicate(timeout=60)
        return Run(process)

    def succeed(self, *arguments, **options):
        run = self.run_aoac(*arguments, **options)
        self.assertEqual(run.status, 0, run)
        return run

    def refuse(self, status, *arguments, says=(), **options):
        """A run that fails with `status`, says so as people do, and leaves nothing behind."""
        before = self.target()
        run = self.run_aoac(*arguments, **options)
        self.assertEqual(run.status, status, run)
        for word in says:
            self.assertIn(word, run.err)
        for word in ('bug in aoac', 'terminate called', 'std::', 'what():', '.cpp:'):
            self.assertNotIn(word, run.err)
        self.assertRegex(run.err, r'^error\[AOA\d{4}\]: ')
        self.assertEqual(self.target(), before)
        self.assertEqual(self.strays(), [])
        return run

    def calls(self, call, *arguments):
        """How many calls of a kind a run makes that nothing disturbs."""
        self.succeed(*arguments, fault=f'{call}:1:1:count')
        with open(self.path('calls')) as file:
            return int(file.read())

    def target(self, name='out'):
        """The target's content, or None."""
        path = self.path(name)
        return checkpoint.snapshot(path) if os.path.lexists(path) else None

    def strays(self):
        return [name for name in os.listdir(self.folder) if '.aoac' in name]

    def remove(self, name='out'):
        shutil.rmtree(self.path(name), ignore_errors=True)

    def clean(self):
        """As if nothing had been run."""
        for name in ['out', *self.strays()]:
            self.remove(name)

    def expected(self, *arguments):
        """What an undisturbed run makes."""
        self.succeed(*arguments)
        made = self.target()
        self.clean()
        return made
