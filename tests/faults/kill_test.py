"""Runs that die at any moment, and what is made of what they leave."""
import random
import signal
import time
import unittest
import zipfile

from common import CUT, SMALL_JOBS, RunTest


class KillTest(RunTest):
    def kill_at(self, calls, number, again, *arguments, old=None):
        """Dies before call `number`; then `again` goes on, and makes what an undisturbed run makes."""
        arguments = [*CUT, *SMALL_JOBS, *arguments]
        run = self.run_aoac(*arguments, fault=f'{calls}:{number}:1:kill')
        self.assertEqual(run.status, -signal.SIGKILL, run)
        left = self.target()
        self.assertTrue(left in (old, self.whole), f'{calls} {number}: half a target')
        published = left == self.whole and '--force' not in arguments
        run = self.run_aoac(*arguments, *again)
        self.assertEqual(run.status, 2 if published else 0, f'{calls} {number}: {run}')
        self.assertEqual(self.target(), self.whole, f'{calls} {number}')
        self.assertEqual(self.strays(), [], f'{calls} {number}')
        self.clean()

    def setUp(self):
        super().setUp()
        self.whole = self.expected(*CUT, *SMALL_JOBS)

    def some(self, calls, count, *arguments):
        """Some calls of a run, and all of those that name things (publication is among them)."""
        total = self.calls(calls, *CUT, *SMALL_JOBS, *arguments)
        self.clean()
        chosen = random.Random(7).sample(range(1, total + 1), min(count, total))
        return sorted(chosen)

    def test_any_call_then_resume(self):
        for number in self.some('any', 40):
            self.kill_at('any', number, ['--resume'])

    def test_any_call_then_again(self):
        for number in self.some('any', 15):
            self.kill_at('any', number, [])

    def test_writes_with_sync(self):
        for number in self.some('write', 8, '--sync'):
            self.kill_at('write', number, ['--resume'], '--sync')
        for number in self.some('sync', 6, '--sync'):
            self.kill_at('sync', number, ['--resume'], '--sync')

    def test_publication(self):
        for again in ['--resume'], []:
            for number in self.some('name', 100):
                self.kill_at('name', number, again)

    def test_publication_over_an_old_target(self):
        for number in self.some('name', 100, '--force'):
            self.succeed('--to', 'renamed:out')
            self.kill_at('name', number, ['--resume'], '--force', old=self.target())

    def test_twice(self):
        arguments = [*CUT, *SMALL_JOBS]
        for number in 4, 9:
            self.run_aoac(*arguments, fault=f'write:{number}:1:kill')
            run = self.run_aoac(*arguments, '--resume', fault=f'write:{number}:1:kill')
            self.assertEqual(run.status, -signal.SIGKILL, run)
            self.assertIsNone(self.target())
            self.succeed(*arguments, '--resume')
            self.assertEqual(self.target(), self.whole)
            self.clean()

    def reads(self, *arguments):
        """How often a run reads the source's tensors and header."""
        self.succeed(*arguments, fault='read:1:1:count:hf/model.safetensors')
        with open(self.path('calls')) as file:
            return int(file.read())

    def test_resume_does_not_repeat(self):
        for before, after in (SMALL_JOBS, SMALL_JOBS), (['--memory', '2M', '--threads', '1'], ['--memory', '2M', '--threads', '3']):
            writes = self.calls('write', *CUT, *before)
            self.clean()
            everything = self.reads(*CUT, *before)
            self.clean()
            self.run_aoac(*CUT, *before, fault=f'write:{writes - 1}:1:kill')
            self.assertLess(self.reads(*CUT, *after, '--resume'), everything * 2 / 3)
            self.assertEqual(self.target(), self.whole)
            self.clean()

    def test_files_with_checksums(self):
        arguments = ['--to', 'hf+bin:out', *SMALL_JOBS]
        whole = self.expected(*arguments)
        writes = self.calls('write', *arguments)
        self.clean()
        for number in range(1, writes + 1, max(1, writes // 12)):
            run = self.run_aoac(*arguments, fault=f'write:{number}:1:kill')
            self.assertEqual(run.status, -signal.SIGKILL, run)
            self.succeed(*arguments, '--resume')
            self.assertEqual(self.target(), whole, f'write {number}')
            archive = zipfile.ZipFile(self.path('out', 'pytorch_model.bin'))
            self.assertIsNone(archive.testzip(), f'write {number}')
            self.clean()

    def test_random_moments(self):
        arguments = [*CUT, *SMALL_JOBS]
        start = time.monotonic()
        self.succeed(*arguments)
        usual = time.monotonic() - start
        self.clean()
        moments = random.Random(11)
        for _ in range(20):
            process = self.start(*arguments, '--resume')
            time.sleep(moments.uniform(0, usual))
            process.kill()
            process.communicate()
            left = self.target()
            self.assertTrue(left in (None, self.whole))
            if left:
                self.clean()
        self.run_aoac(*arguments, '--resume')
        self.assertEqual(self.target(), self.whole)
        self.assertEqual(self.strays(), [])

    @staticmethod
    def state(process):
        with open(f'/proc/{process.pid}/stat') as file:
            return file.read().rsplit(')', 1)[1].split()[0]

    def test_interrupt(self):
        # The signal comes while the run stands before a write.
        for sent in signal.SIGINT, signal.SIGTERM:
            process = self.start(*CUT, *SMALL_JOBS, fault='write:6:1:stop')
            while self.state(process) != 'T':
                time.sleep(0.01)
            process.send_signal(sent)
            process.send_signal(signal.SIGCONT)
            _, err = process.communicate(timeout=30)
            self.assertEqual(process.returncode, -sent)
            self.assertIn('--resume', err)
            self.assertIsNone(self.target())
            self.succeed(*CUT, *SMALL_JOBS, '--resume')
            self.assertEqual(self.target(), self.whole)
            self.assertEqual(self.strays(), [])
            self.clean()


if __name__ == '__main__':
    unittest.main()
