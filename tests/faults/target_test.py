"""What may stand at the target, who may write it, and runs in parts."""
import os
import random
import unittest

from common import CUT, SMALL_JOBS, RunTest

ARGUMENTS = [*CUT, *SMALL_JOBS]


class TargetTest(RunTest):
    def test_occupied(self):
        os.mkdir(self.path('out'))
        self.refuse(2, *ARGUMENTS, says=['out exists', '--force'])
        self.refuse(2, *ARGUMENTS, '--resume', says=['out exists', '--force'])

    def test_parent_missing(self):
        self.refuse(2, '--to', 'renamed:nowhere/out', says=['nowhere', 'no such file'])
        self.assertFalse(os.path.exists(self.path('nowhere')))

    def test_parent_is_a_file(self):
        self.refuse(2, '--to', 'renamed:hf/config.json/out', says=['config.json'])

    def test_force_replaces_all(self):
        whole = self.expected(*ARGUMENTS)
        os.mkdir(self.path('out'))
        with open(self.path('out', 'other'), 'w') as file:
            file.write('of the old one')
        self.succeed(*ARGUMENTS, '--force')
        self.assertEqual(self.target(), whole)
        self.assertEqual(self.strays(), [])

    def test_two_runs_at_once(self):
        whole = self.expected(*ARGUMENTS)
        first = self.start(*ARGUMENTS, fault='write:5:1:stop')
        while not self.strays():
            pass
        second = self.run_aoac(*ARGUMENTS)
        self.assertEqual(second.status, 2, second)
        self.assertIn('another run is writing', second.err)
        first.send_signal(18)
        _, err = first.communicate(timeout=30)
        self.assertEqual(first.returncode, 0, err)
        self.assertEqual(self.target(), whole)

    def test_parts(self):
        order = random.Random(5)
        for arguments in ARGUMENTS, ['--to', 'hf+bin:out', *SMALL_JOBS]:  # the latter with checksums over all parts
            whole = self.expected(*arguments)
            for count in 2, 3, 7:
                numbers = list(range(1, count + 1))
                order.shuffle(numbers)
                for number in numbers:
                    self.succeed(*arguments, '--part', f'{number}/{count}')
                self.assertEqual(self.target(), whole)
                self.assertEqual(self.strays(), [])
                self.clean()

    def test_parts_side_by_side(self):
        whole = self.expected(*ARGUMENTS)
        for _ in range(5):
            processes = [self.start(*CUT, '--memory', '2M', '--threads', str(i), '--part', f'{i}/4') for i in range(1, 5)]
            for process in processes:
                _, err = process.communicate(timeout=30)
                self.assertEqual(process.returncode, 0, err)
            self.assertEqual(self.target(), whole)
            self.assertEqual(self.strays(), [])
            self.clean()

    def test_part_killed_and_again(self):
        whole = self.expected(*ARGUMENTS)
        self.succeed(*ARGUMENTS, '--part', '1/3')
        for write in 3, 6, 9:
            self.run_aoac(*ARGUMENTS, '--part', '2/3', fault=f'write:{write}:1:kill')
        self.succeed(*ARGUMENTS, '--part', '3/3')
        self.assertNotEqual(self.target(), whole)
        self.succeed(*ARGUMENTS, '--part', '2/3')
        self.assertEqual(self.target(), whole)
        self.assertEqual(self.strays(), [])

    def test_ranks(self):
        whole = self.expected(*ARGUMENTS)
        self.succeed(*ARGUMENTS, '--ranks', '1,3')
        self.assertEqual({name: whole[name] for name in self.target()}, self.target())
        self.assertEqual([n for n in sorted(self.target()) if n.startswith('rank_')], ['rank_00001.safetensors', 'rank_00003.safetensors'])


if __name__ == '__main__':
    unittest.main()
