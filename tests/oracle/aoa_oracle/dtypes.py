"""Element types and casts, bit by bit.

A floating-point value is decoded into sign, integer mantissa and binary exponent, exactly; encoding rounds once, to nearest
even. Nothing here uses the machine's own conversions except for float32 arithmetic, whose operands are exact in float64.
"""
import math, struct
from .errors import Wrong

# spelling in rules -> spelling in files
SPELLING = {'f64': 'F64', 'f32': 'F32', 'f16': 'F16', 'bf16': 'BF16', 'f8_e4m3': 'F8_E4M3', 'f8_e5m2': 'F8_E5M2',
            'i64': 'I64', 'i32': 'I32', 'i16': 'I16', 'i8': 'I8', 'u8': 'U8', 'bool': 'BOOL'}
PADDLE = {'float16': 'F16', 'float32': 'F32', 'bfloat16': 'BF16'}
WIDTH = {'F64': 8, 'F32': 4, 'F16': 2, 'BF16': 2, 'F8_E4M3': 1, 'F8_E5M2': 1, 'I64': 8, 'I32': 4, 'I16': 2, 'I8': 1,
         'U64': 8, 'U32': 4, 'U16': 2, 'U8': 1, 'BOOL': 1}
# exponent bits, mantissa bits
FLOAT = {'F64': (11, 52), 'F32': (8, 23), 'F16': (5, 10), 'BF16': (8, 7), 'F8_E5M2': (5, 2), 'F8_E4M3': (4, 3)}
SIGNED = {'I64', 'I32', 'I16', 'I8'}


def is_float(dtype): return dtype in FLOAT


def decode(bits, dtype):
    """-> ('nan' | 'inf' | 'num', sign, mantissa, exponent); a number is mantissa * 2**exponent."""
    eb, mb = FLOAT[dtype]
    sign, exp, man = bits >> (eb + mb), (bits >> mb) & ((1 << eb) - 1), bits & ((1 << mb) - 1)
    top, bias = (1 << eb) - 1, (1 << (eb - 1)) - 1
    if dtype == 'F8_E4M3':
        if exp == top and man == 7: return 'nan', sign, 0, 0
    elif exp == top:
        return ('nan' if man else 'inf'), sign, 0, 0
    if exp == 0: return 'num', sign, man, 1 - bias - mb
    return 'num', sign, man | (1 << mb), exp - bias - mb


def quiet_nan(sign, dtype):
    eb, mb = FLOAT[dtype]
    body = 0x7f if dtype == 'F8_E4M3' else (((1 << eb) - 1) << mb) | (1 << (mb - 1))
    return (sign << (eb + mb)) | body


def infinity(sign, dtype):
    eb, mb = FLOAT[dtype]
    return (sign << (eb + mb)) | (((1 << eb) - 1) << mb)


def largest(sign, dtype):
    eb, mb = FLOAT[dtype]
    return (sign << (eb + mb)) | (0x7e if dtype == 'F8_E4M3' else (((1 << eb) - 1) << mb) - 1)


def round_shift(man, shift):
    """man / 2**shift to the nearest integer, ties to even."""
    if shift <= 0: return man << -shift
    whole, rest = man >> shift, man & ((1 << shift) - 1)
    half = 1 << (shift - 1)
    return whole + (rest > half or (rest == half and whole & 1))


def encode(sign, man, exp, dtype):
    """Bits of the nearest value, or None when its magnitude overflows."""
    eb, mb = FLOAT[dtype]
    bias, top = (1 << (eb - 1)) - 1, (1 << eb) - 1
    if man == 0: return sign << (eb + mb)
    unit = max(man.bit_length() - 1 + exp, 1 - bias) - mb      # exponent of one unit in the last place
    q = round_shift(man, unit - exp)
    if q >> (mb + 1): q, unit = q >> 1, unit + 1               # rounded up to the next power of two
    field = unit + mb + bias if q >> mb else 0
    bits = (field << mb) | (q & ((1 << mb) - 1))
    if dtype == 'F8_E4M3':
        if bits > 0x7e: return None
    elif field >= top:
        return None
    return (sign << (eb + mb)) | bits


def cast(bits, src, dst, mode='error', what='value'):
    if src == dst: return bits
    kind, sign, man, exp = decode(bits, src)
    if kind == 'nan': return quiet_nan(sign, dst)
    if kind == 'inf':
        if dst != 'F8_E4M3': return infinity(sign, dst)
        if mode == 'saturate': return largest(sign, dst)
        raise Wrong(f'{what}: {dst} has no infinity')
    out = encode(sign, man, exp, dst)
    if out is not None: return out
    if mode == 'saturate': return largest(sign, dst)
    if mode == 'inf' and dst != 'F8_E4M3': return infinity(sign, dst)
    raise Wrong(f'{what}: a finite value does not fit {dst}')


def to_float(bits, dtype):
    """The value as a Python float, exact for every dtype of at most 64 bits."""
    kind, sign, man, exp = decode(bits, dtype)
    if kind == 'nan': return math.nan
    value = math.inf if kind == 'inf' else math.ldexp(man, exp)
    return -value if sign else value


def from_float(value, dtype, mode='error', what='value'):
    """A Python float rounded once to dtype. Infinities that arithmetic made are treated like overflow."""
    raw = struct.unpack('<Q', struct.pack('<d', value))[0]
    if dtype == 'F64': return raw
    return cast(raw, 'F64', dtype, mode, what)


def f32(value):
    """Rounds a Python float to float32, overflowing to infinity."""
    if math.isnan(value) or math.isinf(value): return value
    bits = encode(*_split(value), 'F32')
    if bits is None: return math.copysign(math.inf, value)
    return to_float(bits, 'F32')


def _split(value):
    raw = struct.unpack('<Q', struct.pack('<d', value))[0]
    _, sign, man, exp = decode(raw, 'F64')
    return sign, man, exp


def constant(number, dtype, what):
    """The bits of a number that a rule file writes (an int or a float), for fill."""
    if is_float(dtype): return from_float(float(number), dtype, 'error', what)
    if number != int(number): raise Wrong(f'{what}: {number} is no value of {dtype}')
    number, bits = int(number), 8 * WIDTH[dtype]
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if dtype in SIGNED else (0, (1 << bits) - 1)
    if dtype == 'BOOL': high = 1
    if not low <= number <= high: raise Wrong(f'{what}: {number} does not fit {dtype}')
    return number & ((1 << bits) - 1)
