"""What the models of each family hold, from their configurations: one module per family, named like its rule file.

A module has

    tensors(config, **options)   {name: (dtype, shape)} of a checkpoint in the layout of the family's first side
    MODELS                       {name: {config, options, tensors, elements, layouts, refused}} of models that people train

written from the models' own code and published index files, not from the rule files, which they judge. `tensors` and
`elements` of MODELS are the published numbers, where there are any: they judge the table. `refused` is {layout: what the
message says}.
"""
import importlib
import re
from pathlib import Path


def families():
    """The names of the families that have a table."""
    return sorted(p.stem for p in Path(__file__).parent.glob('*.py') if not p.stem.startswith('_'))


def table(family):
    return importlib.import_module(f'tables.{family}')


def sides(rules):
    """The names of the sides of a rule file and of what it imports; `hf` first, the layout that checkpoints come in."""
    text, out = rules.read_text(), []
    for path in re.findall(r'^import "(.+)"', text, re.M): out += sides(rules.parent / path)
    out += re.findall(r'^side (\w+)', text, re.M)
    return sorted(dict.fromkeys(out), key=lambda side: side != 'hf')
