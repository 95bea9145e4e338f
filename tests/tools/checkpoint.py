"""Small checkpoints from text, for tests: one line for each tensor, as `aoac inspect` lists them.

    mesh tp=2              only for files of ranks
    rank 0
    w f32 [4, 6]           values count 0, 1, 2, ...
    b f32 [2] = 1 2.5      or are given
"""

import json
import re
import struct

PACK = {"f64": "d", "f32": "f", "f16": "e", "i64": "q", "i32": "i", "i16": "h", "i8": "b", "u8": "B", "bool": "B"}


def parse_checkpoint(text):
    """The mesh and, for every rank, the tensors (name, dtype, shape, values or None) of a text."""
    mesh, ranks = None, {}
    rank = 0
    for line in filter(str.strip, text.splitlines()):
        if line.startswith("mesh "):
            mesh = line.split()[1]
        elif line.startswith("rank "):
            rank = int(line.split()[1])
        else:
            match = re.fullmatch(r"(\S+)\s+(\w+)\s+\[([\d, ]*)\](?:\s*=(.*))?", line.strip())
            if not match:
                raise ValueError(f"no line of a checkpoint: {line}")
            name, dtype, shape, values = match.groups()
            shape = [int(extent) for extent in shape.replace(",", " ").split()]
            ranks.setdefault(rank, []).append((name, dtype, shape, values and [float(v) for v in values.split()]))
    return mesh, ranks


def tensor_bytes(dtype, shape, values):
    """The bytes of a tensor; without values it counts 0, 1, 2, ... (modulo 100)."""
    count = 1
    for extent in shape:
        count *= extent
    if values is None:
        values = [i % 100 for i in range(count)]
    if len(values) != count:
        raise ValueError(f"{len(values)} values for {count} elements")
    if dtype == "bf16":
        return b"".join(struct.pack("<f", value)[2:] for value in values)
    if dtype.startswith("f8"):
        return bytes(int(value) % 100 for value in values)
    kind = PACK[dtype]
    return struct.pack(f"<{count}{kind}", *(values if kind in "dfe" else map(int, values)))


def safetensors(tensors, metadata):
    """A safetensors file as bytes."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, dtype, shape, values in tensors:
        part = tensor_bytes(dtype, shape, values)
        header[name] = {"dtype": dtype.upper(), "shape": shape, "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def write_checkpoint(folder, text):
    """Writes what a text describes: one file, or one for each rank."""
    folder.mkdir(parents=True)
    mesh, ranks = parse_checkpoint(text)
    for rank, tensors in ranks.items():
        metadata = {"aoa.mesh": mesh, "aoa.rank": str(rank)} if mesh else None
        name = f"rank_{rank:05}.safetensors" if mesh else "model.safetensors"
        (folder / name).write_bytes(safetensors(tensors, metadata))
