"""The bound of `--memory`: what is resident at most is the bound and 64 MiB, and what does not fit is refused."""
import os
import re
import subprocess
import sys
import unittest

from common import AOAC, RULES, RunTest, checkpoint, models

MIB = 1 << 20
# Starts the program from a process that is small itself: the system's figure begins with that of the parent.
MEASURE = '''
import os, resource, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
status = os.wait4(pid, 0)
print(status[2].ru_maxrss * 1024, file=open("peak", "w"))
sys.exit(os.waitstatus_to_exitcode(status[1]))
'''


class MemoryTest(RunTest):
    model = models.SMOLLM2_135M

    def setUp(self):
        super(RunTest, self).setUp()
        self.folder = self.root

    def peak(self, *arguments, rules=RULES, source='hf:model', cold=True):
        """The exit status, what was said, and the peak in bytes."""
        if cold:
            self.remove('cache')
        environment = dict(os.environ, XDG_CACHE_HOME=self.path('cache'))
        command = [sys.executable, '-S', '-c', MEASURE, AOAC, rules, '--quiet', '--from', source, *arguments]
        run = subprocess.run(command, cwd=self.folder, env=environment, text=True, capture_output=True, timeout=60)
        with open(self.path('peak')) as file:
            return run.returncode, run.stderr, int(file.read())

    def holds(self, mebibytes, *arguments, **options):
        status, err, peak = self.peak(*arguments, '--memory', f'{mebibytes}M', **options)
        self.assertEqual(status, 0, err)
        self.assertLessEqual(peak, (mebibytes + 64) * MIB, f'{mebibytes} MiB: {arguments}')

    def least(self, *arguments, **options):
        """The figure that a refusal names: it works, and less does not."""
        status, err, _ = self.peak(*arguments, '--memory', '1K', **options)
        self.assertEqual(status, 2, err)
        figure = int(re.search(r'help: `--memory (\d+)M` would do', err)[1])
        self.holds(figure, *arguments, **options)
        if figure > 4:
            self.assertEqual(self.peak(*arguments, '--memory', f'{figure * 9 // 10 - 1}M', **options)[0], 2)
        return figure

    def test_bound(self):
        for mebibytes in 2, 8, 32, 128:
            for side in ['--to', 'turned:out', '--mesh-to', 'tp=3'], ['--to', 'cut:out', '--mesh-to', 'tp=3,pp=2'], ['--to', 'renamed:out']:
                for threads in '1', '8':
                    self.holds(mebibytes, '--run', '--force', *side, '--threads', threads)

    def test_bound_of_other_work(self):
        self.holds(16, '--run', '--force', '--to', 'turned:out', '--mesh-to', 'tp=3', '--verify', '--sync')
        self.holds(16, '--run', '--force', '--to', 'turned:out', '--mesh-to', 'tp=3', '--dtype', 'f32')

    def test_least(self):
        self.assertLessEqual(self.least('--run', '--force', '--to', 'turned:out', '--mesh-to', 'tp=3'), 4)

    def test_many_tensors(self):
        # 60,000 tensors on 16 ranks: what is held is headers and plan, hardly buffers.
        many = {f'model.layers.{i}.self_attn.{x}': ('BF16', (8, 8)) for i in range(20000) for x in 'abc'}
        with open(self.path('many.aoa'), 'w') as file:
            file.write('''
side a {
  format safetensors
  model.layers.$l.self_attn.{a,b,c} [h w]
}
side b {
  format safetensors
  mesh pp, tp
  place l on pp
  layers.$l.{a,b} [w h@tp]
  layers.$l.c [h@tp w]
}
map a <-> b {
  model.layers.$l.self_attn.{a,b,c} <-> layers.$l.{a,b,c}
}
''')
        checkpoint.write(self.path('many.safetensors'), many)
        figure = self.least('--run', '--force', '--to', 'b:out', '--mesh-to', 'tp=4,pp=4', rules='many.aoa', source='a:many.safetensors')
        self.assertLess(figure, 200)


if __name__ == '__main__':
    unittest.main()
