"""A naive interpreter of .aoa rule files, written from the language contract alone.

It enumerates index variables one element at a time, shares nothing with the compiler and cares for correctness only.
The modules, lowest first: errors, dtypes, tensorfile, scanner, ast, parser, program, exprs, axes, mesh, dims, checkpoint,
ops, mapping, states, writer, engine.
"""
