"""Full disks, broken disks, files that are not what they were."""
import errno
import os
import resource
import unittest

from common import CUT, SMALL_JOBS, RunTest

ARGUMENTS = [*CUT, *SMALL_JOBS]
STAGED, SOURCE = '.out.aoac-', 'hf/model.safetensors'


class DiskTest(RunTest):
    def test_full_disk(self):
        full = ['no space left on device']
        for call in 'write', 'space':
            for number in 1, 5, 8:
                self.refuse(3, *ARGUMENTS, fault=f'{call}:{number}:1000:{errno.ENOSPC}:{STAGED}', says=full)
        self.succeed(*ARGUMENTS)

    def test_full_disk_keeps_the_old_target(self):
        self.succeed('--to', 'renamed:out')
        self.refuse(3, *ARGUMENTS, '--force', fault=f'write:9:1000:{errno.ENOSPC}:{STAGED}', says=['no space left'])

    def test_limited_file_size(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        self.refuse(3, *ARGUMENTS, limit=limit, says=['file too large'])

    def test_broken_disk(self):
        broken = ['input/output error']
        reads = self.calls('read', *ARGUMENTS)
        self.clean()
        for number in range(2, reads, max(1, reads // 8)):
            self.refuse(3, *ARGUMENTS, fault=f'read:{number}:1:{errno.EIO}:{SOURCE}', says=[*broken, 'model.safetensors', 'at byte'])
        writes = self.calls('write', *ARGUMENTS)
        self.clean()
        for number in range(1, writes, 3):
            self.refuse(3, *ARGUMENTS, fault=f'write:{number}:1:{errno.EIO}:{STAGED}', says=[*broken, 'at byte'])
        for number in range(1, 5):
            self.refuse(3, *ARGUMENTS, '--sync', fault=f'sync:{number}:1:{errno.EIO}', says=broken)

    def test_failed_publication_leaves_the_old_target(self):
        self.succeed('--to', 'renamed:out')
        names = self.calls('name', *ARGUMENTS, '--force')
        self.clean()
        self.succeed('--to', 'renamed:out')
        old = self.target()
        for number in range(1, names + 1):
            run = self.run_aoac(*ARGUMENTS, '--force', fault=f'name:{number}:1:{errno.EIO}')
            self.assertIn(run.status, (0, 3), run)
            if self.target() != old:  # published; only the removal of the rest can have failed
                self.assertEqual(self.target(), self.again())
                self.clean()
                self.succeed('--to', 'renamed:out')
            else:
                self.assertEqual(run.status, 3, run)
                self.assertIn('input/output error', run.err)

    def again(self):
        self.succeed('--to', 'cut:again', '--mesh-to', 'tp=2,pp=2', '--force')
        return self.target('again')

    def test_interrupted_and_short_transfers(self):
        whole = self.expected(*ARGUMENTS)
        for fault in [f'any:2:40:{errno.EINTR}', f'read:1:1000000:half', f'write:1:1000000:half', f'open:1:9:{errno.EINTR}',
                      f'sync:1:3:{errno.EINTR}']:
            self.succeed(*ARGUMENTS, '--sync', fault=fault)
            self.assertEqual(self.target(), whole, fault)
            self.clean()

    def test_verify(self):
        writes = self.calls('write', *ARGUMENTS)
        self.clean()
        data = 0
        for number in range(1, writes + 1):
            fault = f'write:{number}:1:flip:files/rank_'
            run = self.run_aoac(*ARGUMENTS, '--verify', fault=fault)
            if run.status == 0:  # beyond the last write to a target file
                break
            self.assertEqual(run.status, 3, run)
            self.assertRegex(run.err, r'--verify: rank_\d+.safetensors does not read as it was written')
            self.assertIsNone(self.target())
            self.assertEqual(self.strays(), [])
            data += 1
        self.assertGreater(data, 8)

    def test_truncated_source(self):
        path = self.path('hf', 'model.safetensors')
        size = os.path.getsize(path)
        for length in 0, 7, 100, size // 2, size - 1:
            os.truncate(path, length)
            self.refuse(1, *ARGUMENTS, says=['model.safetensors'])

    def test_source_changes_during_the_run(self):
        path = self.path('hf', 'model.safetensors')
        size = os.path.getsize(path)
        process = self.start(*ARGUMENTS, fault='space:1:1:stop')
        self.wait_stopped(process)
        os.truncate(path, size - 5)
        process.send_signal(18)
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 1, err)
        self.assertIn('model.safetensors', err)
        self.assertIsNone(self.target())
        self.assertEqual(self.strays(), [])

    def wait_stopped(self, process):
        while True:
            with open(f'/proc/{process.pid}/stat') as file:
                if file.read().rsplit(')', 1)[1].split()[0] == 'T':
                    return

    def test_unreadable_source(self):
        self.refuse(3, *ARGUMENTS, fault=f'open:1:1:{errno.EACCES}:model.safetensors', says=['permission denied', 'model.safetensors'])
        self.refuse(1, *ARGUMENTS, source='hf:nowhere', says=['nowhere'])

    def test_few_open_files(self):
        arguments = ['--to', 'cut:out', '--mesh-to', 'tp=4,pp=4', '--memory', '2M', '--threads', '2']
        whole = self.expected(*arguments)
        self.succeed(*arguments, limit=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
        self.assertEqual(self.target(), whole)


if __name__ == '__main__':
    unittest.main()
