"""Random elements of a dtype.

any:  every bit pattern (NaN payloads, subnormals)     tame: small numbers that survive any cast and arithmetic
wild: numbers of all magnitudes, infinities and NaN, for casts that say what to do with them
"""
import struct
from ..aoa_oracle import dtypes


def element(rng, dtype, kind):
    bits = 8 * dtypes.WIDTH[dtype]
    if dtype == 'BOOL': return rng.randrange(2)
    if not dtypes.is_float(dtype) or kind == 'any': return rng.getrandbits(bits)
    if kind == 'tame':
        if rng.random() < 0.05: return dtypes.encode(rng.randrange(2), 0, 0, dtype)
        value = rng.uniform(0.1, 4) * rng.choice([1, -1])
        return dtypes.cast(struct.unpack('<Q', struct.pack('<d', value))[0], 'F64', dtype)
    x = rng.random()
    if x < 0.05: return dtypes.quiet_nan(rng.randrange(2), dtype)
    if x < 0.1 and dtype != 'F8_E4M3': return dtypes.infinity(rng.randrange(2), dtype)
    if x < 0.5: return rng.getrandbits(bits)
    value = rng.uniform(-2, 2) * 2.0 ** rng.randint(-30, 20)
    out = dtypes.cast(struct.unpack('<Q', struct.pack('<d', value))[0], 'F64', dtype, 'saturate')
    return out


def elements(rng, dtype, count, kind): return [element(rng, dtype, kind) for _ in range(count)]
