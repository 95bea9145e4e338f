"""Configurations worth a look by themselves: odd spellings, corners of the macros, and what Paddle documents nowhere.

Each line: statements, source, target. A tensor is `NAME[EXTENTS]DTYPE@AXIS`: DTYPE is F32 if left out, @AXIS a cut.
"""
import re
import numpy as np
from .case import Case
from .engine import Stored, Wanted, TYPES

TENSOR = re.compile(r'(?P<name>[^\[\s]+)\[(?P<shape>[\d,]*)\](?P<dtype>[A-Z]+\d*)?(@(?P<cut>\d))?')

# statements | source | target | further lines of the map | types of the target | mesh: source, target
LISTED = r'''
a -> b, _, axis=0 | a[4,6] | b[2,6]
a -> _, b, _, axis=1 | a[4,6] | b[4,2]
a, _ -> b, axis=0 | a[4,6] | b[8,6]
f -> q, _, _, fused_qkv, num_heads=4, num_key_value_groups=2 | f[3,16] | q[3,8]
f -> _, up, fused_ffn | f[3,16] | up[3,8]
a -> b ; b -> _ | a[4,6] | b[4,6]
a -> t ; t -> _ ; a -> b | a[4,6] | b[4,6]
a -> _ ; a -> _ ; b -> b | a[4,6] b[2] | b[2]
a -> b, axis=7 | a[4,6] | b[4,6]
a -> b, axis=0 ; b -> c | a[4,6] | c[4,6]
a -> b, permute = "[1,0]" | a[4,6] | b[6,4]
a -> b, permute='[ 1 , 0 ]' | a[4,6] | b[6,4]
a -> b, permute='[1,0,]' | a[4,6] | b[6,4]
a -> b, permute='(1,0)' | a[4,6] | b[6,4]
a -> b, permute='1,0' | a[4,6] | b[6,4]
a -> b, permute='[-1,0]' | a[4,6] | b[6,4]
a -> b, permute='[-1,-2]' | a[4,6] | b[6,4]
a -> b, permute='[0]' | a[4,6] | b[4]
a -> b, permute='[]' | a[4] | b[4]
a -> b, permute='[]' | a[] | b[]
a^T -> b | a[] | b[]
a^T -> b | a[4] | b[4]
a^T -> b | a[2,3,4,5] | b[5,4,3,2]
a^T^T -> b | a[4,6] | b[4,6]
a^T->b | a[4,6] | b[6,4]
a^T , b^T->c , axis = 1 | a[4,6] b[4,2] | c[6,8]
a^T, a -> c, axis=1 | a[4,4] | c[4,8]
a^T, a^T -> c, axis=1 | a[4,6] | c[6,8]
a, a^T -> c, axis=0 | a[4,4] | c[8,4]
a->b | a[4,6] | b[4,6]
  a   ->   b   | a[4,6] | b[4,6]
a -> b, dtype = "float32" | a[4,6]BF16 | b[4,6]
a -> b, dtype='float32' | a[4,6] | b[4,6]
a -> b, dtype='float32' | a[4,6]I32 | b[4,6]
a -> b, dtype='bfloat16' | a[4,6]U8 | b[4,6]BF16
a -> b, dst_dtype='float32', src_dtype='bfloat16' | a[4,6]BF16 | b[4,6]
a -> b, src_dtype='bfloat16', dst_dtype='float32' | a[4,6] | b[4,6]
a -> b, src_dtype='float16', dst_dtype='float32' | a[4,6]BF16 | b[4,6]
a -> b, src_dtype='bfloat16' | a[4,6]BF16 | b[4,6]
a -> b, dst_dtype='float32' | a[4,6]BF16 | b[4,6]
a -> b, dtype='float16' | a[4,6]BF16 | b[4,6]F16
a -> b, dtype=float32 | a[4,6]BF16 | b[4,6]
a -> b, dtype='Float32' | a[4,6]BF16 | b[4,6]
a -> b, dtype='paddle.float32' | a[4,6]BF16 | b[4,6]
a -> t, dtype='float32' ; t -> b, dtype='bfloat16' | a[4,6]BF16 | b[4,6]BF16
a -> t, dtype='bfloat16' ; t -> b, dtype='float32' | a[4,6] | b[4,6]
a -> t, dtype='float32' ; t -> x, y, axis=0 | a[4,6]BF16 | x[2,6] y[2,6]
a -> t, dtype='float32' ; b -> u, dtype='float32' ; t, u -> c, axis=1 | a[4,6]BF16 b[4,2]BF16 | c[4,8]
a -> t, dtype='float32' ; t, b -> c, axis=1 | a[4,6]BF16 b[4,2] | c[4,8]
a -> t, dtype='float32' ; t, b -> c, axis=1 | a[4,6]BF16 b[4,2]BF16 | c[4,8]
a^T -> b, dtype='float32' | a[4,6]BF16 | b[6,4]
q^T, k^T, v^T -> f, axis=1, fused_qkv, num_heads=4, num_key_value_groups=2 | q[8,3] k[4,3] v[4,3] | f[3,16]
q, k, v -> f, num_heads=4, num_key_value_groups=2, fused_qkv | q[3,8] k[3,4] v[3,4] | f[3,16]
q, k, v -> f, num_key_value_groups=2, num_heads=4, axis=1, fused_qkv | q[3,8] k[3,4] v[3,4] | f[3,16]
q, k, v -> f, fused_qkv, num_heads=4 | q[3,8] k[3,8] v[3,8] | f[3,24]
q, k, v -> f, fused_qkv, num_heads=4, num_key_value_groups=0 | q[3,8] k[3,8] v[3,8] | f[3,24]
q, k, v -> f, fused_qkv, num_heads=0, num_key_value_groups=0 | q[3,8] k[3,8] v[3,8] | f[3,24]
q, k, v -> f, fused_qkv | q[3,8] k[3,8] v[3,8] | f[3,24]
q, k, v -> f, fused_qkv, num_heads=4, num_kv_heads=2 | q[3,8] k[3,4] v[3,4] | f[3,16]
q, k, v -> f, fused_qkv, num_heads=4, num_key_value_groups=2 | q[3,8] k[3,8] v[3,4] | f[3,20]
q, k, v -> f, fused_qkv, num_heads=4, num_key_value_groups=2 | q[3,8] k[3,2] v[3,6] | f[3,16]
q, k, v -> f, fused_qkv, num_heads=2, num_key_value_groups=2 | q[3,8] k[3,4] v[3,6] | f[3,18]
q, k, v -> f, fused_qkv_old, num_heads=4, num_key_value_groups=2 | q[3,8] k[3,4] v[3,4] | f[3,16]
q, k, v -> f, axis=0, fused_qkv_old, num_heads=4, num_key_value_groups=2 | q[8] k[4] v[4] | f[16]
f -> q, k, v, fused_qkv_old, num_heads=4, num_key_value_groups=2 | f[3,16] | q[3,8] k[3,4] v[3,4]
f -> g, axis=1, fused_qkv_old, num_heads=4, num_key_value_groups=2 | f[3,16] | g[3,16]
f -> g, fused_qkv, num_heads=4, num_key_value_groups=2 | f[3,16] | g[3,16]
f -> g, fused_ffn | f[3,16] | g[3,16]
f -> g, axis=1, fused_ffn | f[3,16] | g[3,16]
f -> gate, up, axis=0, fused_ffn | f[16,3] | gate[8,3] up[8,3]
gate, up -> f, axis = 0, fused_ffn | gate[8,3] up[8,3] | f[16,3]
gate, up -> f, fused_ffn, axis=0 | gate[8] up[8] | f[16]
gate, up -> f, fused_ffn | gate[8] up[8] | f[16]
gate, up -> f, fused_ffn | gate[3,8] up[3,6] | f[3,14]
gate, up, x -> f, fused_ffn | gate[3,8] up[3,8] x[3,8] | f[3,24]
gate, up -> f, fused_ffn, fused_ffn | gate[3,8] up[3,8] | f[3,16]
gate, gate -> f, fused_ffn | gate[3,8] | f[3,16]
a.*.w -> b, axis=0 | a.0.w[2,3] a.10.w[2,3] a.9.w[2,3] | b[6,3]
a.*.w -> b | a.3.w[2,3] | b[2,3]
a.*.w -> b, axis=0 | a.007.w[2,3] a.1.w[2,3] | b[4,3]
a.*.w^T -> b, axis=0 | a.0.w[2,3] a.1.w[2,3] | b[6,2]
a*, b* -> c, axis=0 | a0[2] a1[2] b5[2] | c[6]
a* -> c, axis=0 | a0[2] a1[2] ab[2] | c[4] | ab -> _
c -> a.*.w, axis=0 | c[4,3] | a.0.w[2,3] a.2.w[2,3] | | a.$n.w [i j]
a.* -> a.*, axis=0 | a.1[4] | a.1[4]
p[0:2] -> c, axis=0 | p_0[2] p_1[2] | c[4]
p[0:1] -> c, axis=0 | p_0[2] | c[2]
p[0:1] -> c | p_0[2] | c[2]
p[2:2], a -> c, axis=0 | a[2] | c[2]
p[1:3], a, q[0:2] -> c, axis=0 | p_1[1] p_2[2] a[2] q_0[1] q_1[1] | c[7]
p.w[ 0 : 2 ] -> c, axis=0 | p.w_0[2] p.w_1[2] | c[4]
p[0:2]^T -> c, axis=0 | p_0[2,2] p_1[2,2] | c[4,2]
c -> p[0:2], q[0:2], axis=1 | c[3,4] | p_0[3,1] p_1[3,1] q_0[3,1] q_1[3,1]
l.$LAYER_ID.w -> m.$LAYER_ID.w | l.0.w[2] l.12.w[2] l.3.w[2] | m.0.w[2] m.12.w[2] m.3.w[2]
l.$LAYER_ID.w^T -> m.$LAYER_ID.w | l.0.w[2,3] l.12.w[2,3] | m.0.w[3,2] m.12.w[3,2]
l.$LAYER_ID.e.$EXPERT_ID.w -> m.$EXPERT_ID.$LAYER_ID.w | l.0.e.1.w[2] l.3.e.1.w[2] | m.1.0.w[2] m.1.3.w[2]
l.$LAYER_ID.e.$EXPERT_ID.w -> m.$LAYER_ID.$EXPERT_ID.w | l.0.e.1.w[2] l.3.e.2.w[2] | m.0.1.w[2] m.3.2.w[2]
l.$LAYER_ID.w, l.$LAYER_ID.v -> m.$LAYER_ID.w, axis=0 | l.0.w[2] l.0.v[2] l.1.w[2] | m.0.w[4] m.1.w[2]
l.$LAYER_ID.w, l.$LAYER_ID.v -> m.$LAYER_ID.w, axis=0 | l.0.w[2] l.0.v[2] l.1.v[2] | m.0.w[4] | l.1.v -> _
l.$LAYER_ID.w -> m.$LAYER_ID.a, m.$LAYER_ID.b, axis=0 | l.0.w[4] l.1.w[2] | m.0.a[2] m.0.b[2] m.1.a[1] m.1.b[1]
l.$LAYER_ID.w -> m.$LAYER_ID.$LAYER_ID | l.0.w[4] l.1.w[2] | m.0.0[4] m.1.1[2]
l.$LAYER_ID.w.$LAYER_ID -> m.$LAYER_ID | l.0.w.0[4] l.1.w.1[2] | m.0[4] m.1[2]
l.$LAYER_ID.w -> m.${LAYER_ID} | l.0.w[4] | m.0[4]
l.$LAYER_ID_OFFSET.w -> m.$LAYER_ID_OFFSET.w | l.1.w[2] l.2.w[3] | m.0.w[2] m.1.w[3]
l.$LAYER_ID_OFFSET.w^T -> m.$LAYER_ID_OFFSET.w | l.1.w[2,2] | m.0.w[2,2]
l.$LAYER_ID_OFFSET.w -> l.$LAYER_ID_OFFSET.w | l.1.w[2] l.2.w[3] | l.0.w[2] l.1.w[3]
l.$LAYER_ID_OFFSET.a, l.$LAYER_ID_OFFSET.b -> m.$LAYER_ID_OFFSET.w, axis=0 | l.1.a[2] l.1.b[2] | m.0.w[4]
l.$LAYER_ID_OFFSET.w -> m.$LAYER_ID_OFFSET.w, dtype='float32' | l.1.w[2]BF16 | m.0.w[2]
l.$LAYER_ID.w -> _ ; b -> c | l.0.w[2] b[2] | c[2]
l.$LAYER_ID.w -> m.$LAYER_ID.w ; l.$LAYER_ID.w -> _ | l.0.w[2] | m.0.w[2]
l.$LAYER_ID.w -> l.$LAYER_ID.w | l.0.w[2] | l.0.w[2]
l.$LAYER_ID.w^T -> l.$LAYER_ID.w | l.0.w[2,3] | l.0.w[3,2]
l.$LAYER_ID.w^T -> l.$LAYER_ID.w ; l.0.w, l.1.w -> c, axis=0 | l.0.w[2,3] l.1.w[2,3] | c[6,2]
l.0.w^T -> l.0.w ; l.$LAYER_ID.w -> m.$LAYER_ID.w | l.0.w[2,3] l.1.w[2,3] | m.0.w[3,2] m.1.w[2,3]
a -> b ; a^T -> c ; a -> x, y, axis=0 | a[4,6] | b[4,6] c[6,4] x[2,6] y[2,6]
a -> c ; c^T -> d ; b -> c | a[4,6] b[2,3] | c[2,3] d[6,4]
a -> c ; c^T -> c ; c -> x, y, axis=0 | a[4,6] | x[3,4] y[3,4]
a -> a ; a^T -> b | a[4,6] | b[6,4]
a^T -> a | a[4,4] | a[4,4]
a^T -> a ; a -> b | a[4,6] | b[6,4]
a -> b ; b -> a ; a -> c | a[4,6] b[2] | c[4,6]
a -> b ; b -> a | a[4,6] b[2,3] | a[4,6]
b -> t ; a -> b ; t -> a | a[4,6] b[2,3] | a[2,3] b[4,6]
a -> t ; t -> u ; u -> v ; v -> b | a[4,6] | b[4,6]
t -> b ; a -> t | a[4,6] | b[4,6]
a -> x, x, axis=0 | a[4,6] | x[2,6]
a -> x, x, y, axis=0 | a[6,6] | x[2,6] y[2,6]
a, b -> b, axis=0 | a[4,6] b[4,6] | b[8,6]
_ -> n ; a -> n | a[4] | n[4]
a -> n ; _ -> n | a[4] | n[4]
_ -> a | a[4] | a[4]
a -> b \n c -> d | a[4] c[2] | b[4] d[2]
a -> b, axis=0 \n c -> d | a[4] c[2] | b[4] d[2]
a -> b, axis=0c -> d | a[4] c[2] | b[4] d[2]
a -> x, y, axis=0c -> d | a[4] c[2] | x[2] y[2] d[2]
a -> b, dtype='float32'c -> d | a[4]BF16 c[2] | b[4] d[2]
a -> b, axis=0, c -> d | a[4] c[2] | b[4] d[2]
a -> b, | a[4] | b[4]
a -> | a[4] | b[4]
-> b | a[4] | b[4]
a - > b | a[4] | b[4]
a => b | a[4] | b[4]
a <- b | b[4] | a[4]
a -> b -> c | a[4] | b[4] c[4]
a -> 'b' | a[4] | b[4]
a -> b axis=0 | a[4] | b[4]
a, -> b, axis=0 | a[4] | b[4]
a,, b -> c, axis=0 | a[4] b[4] | c[8]
a -> b; c -> d | a[4] c[2] | b[4] d[2]
a b -> c | a[4] b[2] | c[4]
a.b_1$x -> c | a.b_1$x[4] | c[4]
0a -> c | 0a[4] | c[4]
a -> c, axis='0' | a[4] | c[4]
a, b -> c, axis='0' | a[4] b[4] | c[8]
a, b -> c, axis=00 | a[4] b[4] | c[8]
a, b -> c, axis=0, axis=0 | a[4] b[4] | c[8]
a, b -> c, axis=0, dtype='float32' | a[4]BF16 b[4]BF16 | c[8]
a, b -> c, dtype='float32' | a[4]BF16 b[4]BF16 | c[8]
a, b -> c, axis=0 | a[4]BF16 b[4] | c[8]
a, b -> c, axis=0 | a[4,1] b[4] | c[8]
a, b -> c, axis=0 | a[0,3] b[4,3] | c[4,3]
a -> b, c, axis=1 | a[4] | b[4] c[4]
a -> b, foo=3 | a[4] | b[4]
a -> b, num_heads=3 | a[4] | b[4]
a -> axis | a[4] | axis[4]
axis -> b | axis[4] | b[4]
dtype, b -> c, axis=0 | dtype[4] b[4] | c[8]
a -> fused_qkv | a[4] | fused_qkv[4]
a_transpose_tmp, a^T -> c, axis=1 | a_transpose_tmp[3,4] a[4,3] | c[3,8]
a[4] -> b | a[4] | b[4]
a.w_0 -> b | a.w_0[4] | b[4]
a -> b.moment1_0 | a[4] | b.moment1_0[4]
A -> a | A[4] | a[4]
a.b+c -> d | a.b+c[4] | d[4]
axb -> d | a.b[4] axb[2] | d[2] | a.b -> _
a.b -> d | a.b[4] axb[2] | d[4] | axb -> _
gate, up -> f, fused_ffn | gate[4,8] up[4,8] | f[4,16]@0 | | f [f_0@tp (f_1 + f_1)] | 1 2
gate, up -> f, axis=1 | gate[4,8] up[4,8] | f[4,16]@0 | | f [f_0@tp f_1] | 1 2
f -> gate, up, axis=1 | f[4,16]@0 | gate[4,8] up[4,8] | | | 2 1
'''


def tensors(text, make):
    return {m['name']: make(m['dtype'] or 'F32', tuple(int(n) for n in m['shape'].split(',') if n), m['cut'] and int(m['cut'])) for m in TENSOR.finditer(text)}


def listed():
    """(line, case) of every line."""
    rng = np.random.default_rng(3)

    def stored(dtype, shape, cut):
        values = rng.normal(size=shape) * 50
        kind = TYPES[dtype][1]
        if dtype == 'BF16': bits = (np.asarray(values, '<f4').view('<u4') >> 16).astype('<u2')
        elif dtype in ('I32', 'U8'): bits = np.abs(values).astype(kind)
        else: bits = values.astype(kind)
        return Stored(dtype, np.asarray(bits).reshape(shape), cut)

    for line in LISTED.strip().splitlines():
        statements, source, target, *rest = [p.strip() for p in line.split('|')]
        lines, types, mesh = (rest + ['', '', ''])[:3]
        split = [s.strip().replace('\\n', '\n') for s in statements.split(' ; ')]
        targets = tensors(target, lambda *a: Wanted(a[0], a[1], a[2]))
        sources = tensors(source, stored)
        ranks = [int(n) for n in mesh.split()] or [1, 1]
        dims = {}
        for declared in types.split(';'):
            if not declared: continue
            name, _, axes = declared.strip().partition(' ')
            plain = re.findall(r'[a-z]\w*', axes.replace('@tp', ''))
            shapes = [t.shape for n, t in targets.items() if n == name or '$' in name]
            for axis, extent in zip(axes.strip('[] ').split(), shapes[0]):
                if '(' not in axis: dims[axis.replace('@tp', '')] = extent
            if '(' in axes: dims[plain[-1]] = shapes[0][-1] // 2
        typed = {d.strip().partition(' ')[0]: d.strip().partition(' ')[2] for d in types.split(';') if d}
        source_types = {n: f'[{" ".join(f"s{i}@tp" if i == t.cut else f"s{i}" for i in range(len(t.bits.shape)))}]' for n, t in sources.items() if t.cut is not None}
        yield line, Case(split, sources, targets, ranks[0], ranks[1], source_types, typed, dims, [x.strip() for x in lines.split(';') if x.strip()])
