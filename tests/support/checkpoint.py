"""Safetensors files of random bits, written and read with the standard library alone."""
import json
import math
import mmap
import os
import random
import struct

WIDTH = {'F64': 8, 'F32': 4, 'BF16': 2, 'F16': 2, 'I64': 8, 'I32': 4, 'U8': 1, 'F8_E4M3': 1}
STEP = 16 << 20


def header(tensors, metadata=None):
    """The bytes before the data, and the number of data bytes. `tensors`: {name: (dtype, shape)}, in file order."""
    at, table = 0, {'__metadata__': metadata} if metadata else {}
    for name, (dtype, shape) in tensors.items():
        size = WIDTH[dtype] * math.prod(shape)
        table[name] = {'dtype': dtype, 'shape': list(shape), 'data_offsets': [at, at + size]}
        at += size
    text = json.dumps(table, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    return struct.pack('<Q', len(text)) + text, at


def write(path, tensors, seed=1, metadata=None, holes=False, copies=None):
    """Writes a file of random bits; with `holes` a file of zeros that takes no space. `copies`: {copy: original}, equal tensors."""
    head, size = header(tensors, metadata)
    bits = random.Random(seed)
    with open(path, 'wb') as file:
        file.write(head)
        if holes:
            file.truncate(len(head) + size)
            return
        for at in range(0, size, STEP):
            file.write(bits.randbytes(min(STEP, size - at)))
    if copies:
        made, places = read(path), json.loads(head[8:])
        with open(path, 'r+b') as file:
            for copy, original in copies.items():
                file.seek(len(head) + places[copy]['data_offsets'][0])
                file.write(bytes(made[original][2]))


def read(path):
    """-> {name: (dtype, shape, bytes)}; the bytes are views of the mapped file."""
    with open(path, 'rb') as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    size, = struct.unpack('<Q', whole[:8])
    table = json.loads(bytes(whole[8:8 + size]))
    table.pop('__metadata__', None)
    at = 8 + size
    return {name: (t['dtype'], tuple(t['shape']), whole[at + t['data_offsets'][0]:at + t['data_offsets'][1]])
            for name, t in table.items()}


def read_folder(folder):
    """The tensors of all files of a folder that is not sharded by ranks."""
    tensors = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith('.safetensors'):
            tensors.update(read(os.path.join(folder, name)))
    return tensors


def snapshot(folder):
    """{relative path: content} of everything below a folder."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, 'rb') as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found
