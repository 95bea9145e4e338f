"""A case: rules, command, source files and what must come out, in memory and as a folder of the conformance format."""
import os, shlex, shutil, tempfile
from ..aoa_oracle import engine, tensorfile


class Case:
    """rules: text. files: {path: text} beside it. sources: {folder: {file: (tensors, metadata)}}. command: list of words."""

    def __init__(self, rules, command, sources, files=None):
        self.rules, self.command, self.sources, self.files = rules, command, sources, files or {}

    def put(self, folder):
        """Writes the inputs."""
        os.makedirs(folder, exist_ok=True)
        for path, text in {**self.files, 'rules.aoa': self.rules}.items():
            with open(os.path.join(folder, path), 'w', encoding='utf-8', newline='') as f: f.write(text)
        for name, files in self.sources.items():
            os.makedirs(os.path.join(folder, name), exist_ok=True)
            for path, content in files.items():
                if isinstance(content, bytes):
                    os.makedirs(os.path.join(folder, name), exist_ok=True)
                    with open(os.path.join(folder, name, path), 'wb') as f: f.write(content)
                else: tensorfile.write(os.path.join(folder, name, path), *content)

    def outcome(self):
        """What the oracle says."""
        folder = tempfile.mkdtemp(prefix='oracle-')
        try:
            self.put(folder)
            return engine.run(self.command, folder)
        finally: shutil.rmtree(folder, ignore_errors=True)

    def save(self, folder, outcome):
        """A case folder with its judgement."""
        shutil.rmtree(folder, ignore_errors=True)
        self.put(folder)
        with open(os.path.join(folder, 'cmd'), 'w', encoding='utf-8') as f: f.write(shlex.join(self.command) + '\n')
        if outcome.status:
            statuses = {1, outcome.status, *outcome.also}
            with open(os.path.join(folder, 'error'), 'w') as f: f.write(' '.join(map(str, sorted(statuses))) + '\n')
            return
        for path, (tensors, meta) in outcome.files.items(): tensorfile.write(os.path.join(folder, 'expected', path), tensors, meta)

    def size(self): return sum(len(t.vals) for files in self.sources.values() for c in files.values() if not isinstance(c, bytes) for t in c[0].values())
