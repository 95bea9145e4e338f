"""What a map reads from: the checkpoint (with tied copies, optimizer states and block scales), or another map's results."""
from . import axes as ax, names
from .ast import Statement, Term
from .checkpoint import Global, count
from .errors import Unsure, Wrong
from .tensorfile import Tensor
from .view import Typed


def tied_statement(original, copy, where, back=False):
    """original -> copy, or back."""
    a, b = Term(original), Term(copy)
    return Statement([b] if back else [a], '->', [a] if back else [b], {}, where)


class Results:
    """The results of a map, as the supply of the next one."""

    def __init__(self, results): self.results, self.consumed = results, set()

    def names(self): return {n for n, r in self.results.items() if r.exists()}

    def holds(self, name): return name in self.results and self.results[name].exists()

    def present(self, member): return self.holds(member.name)

    def consume(self, member): self.consumed.add(member.name)

    def probe(self, member, doubts):
        """Whether what is dropped could have been made is nobody's business, or it is."""
        try: self.holds(member.name) and self.results[member.name].value('weight')
        except (Wrong, Unsure) as e: doubts.note(f'wrong, and dropped: {e}')

    def fetch(self, member, typed, role):
        g = self.results[member.name].value(role)
        if role == 'weight' and typed.dtype and typed.dtype != g.dtype: raise Wrong(f'{member.name} is {g.dtype}, its type says {typed.dtype}')
        return g


class Checkpoint:
    """The source by roles."""

    def __init__(self, source, options):
        self.source, self.view, self.end, self.options = source, source.view, source.end, options
        self.side, self.memo = source.end.side, {}
        self.copies, self.scales = {}, {}
        for d, fors in self.view.decls:
            for m in self.view.members(d, fors) if d.tied or d.blocks else ():
                if d.tied: self.copies.setdefault(names.spell(d.tied, m.values, self.end.extent), []).append(m)
                else: self.scales[names.spell(d.blocks[0], m.values, self.end.extent)] = m

    def names(self):
        if any(p.place.local for p in self.end.placements.values()): self.options.doubts.note('stars or placeholders over local numbers')
        return self.source.all_names()

    def holds(self, name): return name in self.source.all_names()

    # -- presence -----------------------------------------------------------------------------------------------------

    def there(self, member):
        """The tied copies of a tensor that are in the files, and whether it is there itself."""
        return [c for c in self.copies.get(member.name, ()) if self.source.present(c)], self.source.present(member)

    def present(self, member):
        copies, own = self.there(member)
        return own or bool(copies)

    def consume(self, member):
        for m in [member] + self.copies.get(member.name, []): self.source.consume(m)

    def probe(self, member, doubts):
        """A dtype is a promise, also of what is dropped."""
        want = member.decl.dtype if member.decl else None
        for _, _, t in self.source.parts(member) if want else ():
            if t.dtype != want: raise Wrong(f'{member.name} is {t.dtype}, its type says {want}')

    # -- reading ------------------------------------------------------------------------------------------------------

    def fetch(self, member, typed, role):
        key = (member.name, role, typed.axes)
        if key not in self.memo:
            if role == 'weight': self.memo[key] = self.weight(member, typed)
            elif role == '#blocks': self.memo[key] = self.blocks(member, typed)
            else: self.memo[key] = self.state(member, typed, role)
        return self.memo[key]

    def weight(self, member, typed):
        copies, own = self.there(member)
        mean = bool(member.decl and member.decl.mean)
        g = self.source.gather(member.name, self.source.parts(member), typed, mean) if own else None
        for c in copies:
            other = self.converted(c, member)
            if g is None: g = other
            if (g.dtype, g.shape, g.vals) != (other.dtype, other.shape, other.vals): raise Wrong(f'{member.name} and its copy {c.name} differ')
        out = Global(g.dtype, g.shape, g.vals, {member.name})
        out.mean = mean
        return out

    def converted(self, copy, member):
        """A tied copy as the tensor that it is tied to."""
        from .mapping import MapRun
        d = copy.decl
        if d.dtype != (member.decl.dtype if member.decl else None): raise Unsure(f'{copy.name}: tied with another dtype')
        fors = next(f for x, f in self.view.decls if x is d)
        run = MapRun([(tied_statement(d.tied, d.pattern, d.where, back=True), fors)], False, self.view, self.view, Plain(self.source), self.options)
        return run.results[member.name].value('weight')

    def state(self, member, typed, role):
        template, dtype = next((t, d) for r, t, d in self.side.states if r == role)
        if self.copies.get(member.name): self.options.doubts.note('states of a tied tensor')
        if member.decl and member.decl.mean: self.options.doubts.note('states beside replicas mean')
        bare = Typed(typed.end, typed.axes, None, dtype, typed.decl)
        bare.stored = typed.stored
        parts = self.state_parts(member, typed, template)
        for _, _, t in parts:
            if t is None: raise Wrong(f'{template.replace("{}", member.name)} is missing')
        return self.source.gather(f'{role} of {member.name}', parts, bare)

    def state_parts(self, member, typed, template):
        holders = self.source.holders(member)
        own = {r: self.source.files[r].get(template.replace('{}', n)) for r, _, n in holders}
        if not self.side.zero: return [(r, c, own[r]) for r, c, _ in holders]
        axis, how = self.side.zero
        if how not in ('flat', 'whole'): raise Unsure(f'zero by {how}')
        if axis not in self.side.mesh: raise Unsure('zero by an overlay axis')
        if typed.axes is not None and self.end.cut_by(typed.axes, axis): raise Unsure('the axis of zero cuts the weight')
        out = []
        for r, c, n in holders:
            group = sorted((c2[axis], r2) for r2, c2, _ in holders if all(c2[m] == c[m] for m in self.side.mesh if m != axis))
            pieces = [own[r2] for _, r2 in group]
            if how == 'whole': out.append((r, c, next((t for t in pieces if t is not None), None)))
            else: out.append((r, c, self.unflatten(pieces, self.local_shape(member, typed, r, c, n, axis), n)))
        return out

    def local_shape(self, member, typed, r, c, n, axis):
        if typed.axes is None: return self.source.files[r][n].shape
        from .checkpoint import any_extents
        anys = any_extents(typed, self.source.files[r][n].shape)
        return ax.shape(typed.file_axes(), typed.query(c, anys))

    def unflatten(self, pieces, shape, name):
        """A block from its flat pieces; zeros at the end fall away."""
        if None in pieces: return None
        n, k = count(shape), len(pieces)
        each = -(-n // k)
        for t in pieces:
            if t.shape != (each,): raise Wrong(f'a flat state of {name} has shape {t.shape}, {each} are expected')
            if t.dtype != pieces[0].dtype: raise Wrong(f'flat states of {name} differ in dtype')
        return Tensor(pieces[0].dtype, shape, [v for t in pieces for v in t.vals][:n])

    def scalar(self, name_of_weight, role, members):
        """One number of a weight, which must be the same on every rank that has it."""
        template = next(t for r, t, _ in self.side.scalars if r == role)
        member, found = members[name_of_weight], []
        for r, _, n in self.source.holders(member):
            t = self.source.files[r].get(template.replace('{}', n))
            if t is None: raise Wrong(f'{template.replace("{}", n)} is missing')
            found.append((t.dtype, t.shape, tuple(t.vals)))
        if len(set(found)) > 1: raise Wrong(f'{role} of {name_of_weight} differs between ranks')
        if self.copies.get(name_of_weight): self.options.doubts.note('states of a tied tensor')
        return found[0]

    def blocks(self, member, typed):
        """In place of every element the block that scales it: (scale tensor, rank, index, bits, dtype)."""
        scale = self.scales.get(member.name)
        if scale is None: raise Unsure(f'{member.name} has no scales, the target has')
        parts, sizes = [], scale.decl.blocks[1]
        files = {r: (n, self.source.files[r]) for r, _, n in self.source.holders(scale)}
        for r, c, t in self.source.parts(member):
            if r not in files or files[r][0] not in files[r][1]: raise Wrong(f'{scale.name} is missing')
            s = files[r][1][files[r][0]]
            if len(sizes) != len(t.shape): raise Wrong(f'{scale.name}: {len(sizes)} block sizes for {len(t.shape)} axes')
            grid = tuple(-(-n // b) for n, b in zip(t.shape, sizes))
            if s.shape != grid: raise Wrong(f'{scale.name} has shape {s.shape}, {grid} blocks')
            if len(self.end.ranks) > 1 and any(n % b for n, b in zip(t.shape, sizes)): self.options.doubts.note('a cut off the edge of a block')
            ids = [block_of(i, t.shape, sizes) for i in range(len(t.vals))]
            parts.append((r, c, Tensor(t.dtype, t.shape, [(scale.name, r, i, s.vals[i], s.dtype) for i in ids])))
        bare = Typed(typed.end, typed.axes, None, None, typed.decl)
        bare.stored = typed.stored
        check, self.source.check = self.source.check, False
        try: return self.source.gather(member.name, parts, bare)
        finally: self.source.check = check


def block_of(flat, shape, sizes):
    """The number of the block in which an element lies."""
    at, steps = 0, []
    for n in reversed(shape):
        steps.append(flat % n)
        flat //= n
    for i, n, b in zip(reversed(steps), shape, sizes): at = at * -(-n // b) + i // b
    return at


class Plain:
    """The checkpoint without its tied copies, for converting one of them."""

    def __init__(self, source): self.source = source

    def names(self): return self.source.all_names()

    def holds(self, name): return name in self.source.all_names()

    def present(self, member): return self.source.present(member)

    def consume(self, member): pass

    def fetch(self, member, typed, role): return self.source.gather(member.name, self.source.parts(member), typed)
