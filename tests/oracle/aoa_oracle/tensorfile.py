"""Safetensors files: a strict reader and a writer. Elements are integers of raw bits."""
import json, os, struct
from .dtypes import WIDTH
from .errors import Wrong


class Tensor:
    """A tensor as a file holds it: dtype in the file's spelling, shape, elements in row-major order."""
    __slots__ = ('dtype', 'shape', 'vals')

    def __init__(self, dtype, shape, vals):
        self.dtype, self.shape, self.vals = dtype, tuple(shape), vals

    def raw(self): return pack(self.vals, WIDTH[self.dtype])


CODE = {1: 'B', 2: 'H', 4: 'I', 8: 'Q'}


def pack(vals, width): return struct.pack(f'<{len(vals)}{CODE[width]}', *vals)


def unpack(raw, width): return list(struct.unpack(f'<{len(raw) // width}{CODE[width]}', raw))


def _pairs(pairs):
    if len(dict(pairs)) < len(pairs): raise ValueError('a key occurs twice')
    return dict(pairs)


def read(path):
    """-> ({name: Tensor}, metadata)."""
    with open(path, 'rb') as f: blob = f.read()
    return parse(blob, path)


def parse(blob, path):
    if len(blob) < 8: raise Wrong(f'{path}: shorter than its length field')
    size = struct.unpack('<Q', blob[:8])[0]
    if size > len(blob) - 8: raise Wrong(f'{path}: the header is longer than the file')
    try: head = json.loads(blob[8:8 + size].decode('utf-8'), object_pairs_hook=_pairs)
    except ValueError as e: raise Wrong(f'{path}: the header is not JSON: {e}')
    if not isinstance(head, dict): raise Wrong(f'{path}: the header is no object')
    meta, data, out, spans = head.pop('__metadata__', {}), blob[8 + size:], {}, []
    for name, t in head.items():
        if not isinstance(t, dict) or t.get('dtype') not in WIDTH: raise Wrong(f'{path}: {name}: dtype {t}')
        shape, (begin, end) = t['shape'], t['data_offsets']
        if any(not isinstance(n, int) or n < 0 for n in shape): raise Wrong(f'{path}: {name}: shape {shape}')
        count = 1
        for n in shape: count *= n
        if begin < 0 or end < begin or end > len(data) or end - begin != count * WIDTH[t['dtype']]:
            raise Wrong(f'{path}: {name}: bytes {begin}..{end} for {t["dtype"]} {shape}')
        spans.append((begin, end))
        out[name] = Tensor(t['dtype'], shape, unpack(data[begin:end], WIDTH[t['dtype']]))
    at = 0
    for begin, end in sorted(spans):
        if begin != at: raise Wrong(f'{path}: a hole or an overlap at byte {at}')
        at = end
    if at != len(data): raise Wrong(f'{path}: bytes after the last tensor')
    return out, meta


def serialise(tensors, meta):
    head, chunks, at = {}, [], 0
    if meta: head['__metadata__'] = meta
    for name in sorted(tensors):
        raw = tensors[name].raw()
        head[name] = {'dtype': tensors[name].dtype, 'shape': list(tensors[name].shape), 'data_offsets': [at, at + len(raw)]}
        chunks.append(raw)
        at += len(raw)
    text = json.dumps(head, ensure_ascii=False, separators=(',', ':')).encode('utf-8')
    text += b' ' * (-len(text) % 8)
    return struct.pack('<Q', len(text)) + text + b''.join(chunks)


def write(path, tensors, meta):
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with open(path, 'wb') as f: f.write(serialise(tensors, meta))
