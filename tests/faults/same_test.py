"""The bytes of a target depend on its inputs alone: not on threads, memory, backend, or what is cached."""
import os
import random
import unittest

from common import RunTest

TURNED = ['--to', 'turned:out', '--mesh-to', 'tp=2', '--dtype', 'f32']


class SameTest(RunTest):
    def test_ways_to_run(self):
        whole = self.expected(*TURNED)
        for threads in '1', '2', '7':
            for memory in '1M', '3M', '64M', '4G':
                self.succeed(*TURNED, '--threads', threads, '--memory', memory)
                self.assertEqual(self.target(), whole, f'{threads} threads, {memory}')
                self.clean()
        for options in ['--backend', 'reference'], ['--sync'], ['--verify'], ['--backend', 'reference', '--memory', '1M']:
            self.succeed(*TURNED, *options)
            self.assertEqual(self.target(), whole, options)
            self.clean()

    def objects(self):
        return sorted(os.path.join(parent, name) for parent, _, names in os.walk(self.path('cache')) for name in names)

    def test_cache(self):
        whole = self.expected(*TURNED)
        objects = self.objects()
        self.assertGreater(len(objects), 0)
        contents = {}
        for path in objects:
            with open(path, 'rb') as file:
                contents[path] = file.read()
        chance = random.Random(3)

        def spoil(content, kind):
            at = chance.randrange(len(content))
            return {'flip': content[:at] + bytes([content[at] ^ 1]) + content[at + 1:], 'short': content[:at], 'empty': b'',
                    'noise': chance.randbytes(len(content)), 'other': contents[chance.choice(objects)]}[kind]

        for kind in 'flip', 'flip', 'flip', 'short', 'short', 'empty', 'noise', 'other':
            for path in objects:
                with open(path, 'wb') as file:
                    file.write(spoil(contents[path], kind))
            self.succeed(*TURNED)
            self.assertEqual(self.target(), whole, kind)
            self.clean()
            self.assertEqual(self.objects(), objects)
            for path in objects:  # rebuilt
                with open(path, 'rb') as file:
                    self.assertEqual(file.read(), contents[path], kind)

    def test_cache_that_cannot_be(self):
        whole = self.expected(*TURNED)
        self.remove('cache')
        with open(self.path('cache'), 'w'):
            pass  # a file where the folder should be
        self.succeed(*TURNED)
        self.assertEqual(self.target(), whole)

    def test_cache_on_a_full_disk(self):
        whole = self.expected(*TURNED)
        self.remove('cache')
        self.succeed(*TURNED, fault='open:1:100:28:' + self.path('cache'))
        self.assertEqual(self.target(), whole)


if __name__ == '__main__':
    unittest.main()
