"""One map in one direction: from what is upstream (a source checkpoint, or the results of another map) to results.

Statements run in order. A result is computed only when somebody asks for it, so what --only leaves out need not exist.
"""
import itertools
from . import axes as ax, ops
from .errors import Unsure, Wrong
from .instances import Lowered, one_type
from .results import CreatedResult, MovedResult, TypedResult, paddle_dtype
from .view import active

FUSED = ('fused_qkv', 'fused_qkv_old', 'fused_ffn')
MOVING = ('axis', 'permute', 'reshape') + FUSED
HEADS = ('num_heads', 'num_key_value_groups', 'num_kv_heads')


class MapRun:
    def __init__(self, statements, flipped, src, dst, supply, options):
        """statements: [(Statement, fors)]; src, dst: Views; supply: the tensors to read."""
        self.flipped, self.src, self.dst, self.supply, self.options = flipped, src, dst, supply, options
        self.doubts, self.results, self.dropped, self.read_somewhere, self.against = options.doubts, {}, {}, {}, []
        ordered = statements[::-1] if flipped and self.chained(statements) else statements
        for st, fors in ordered: self.statement(st, fors)
        for st, fors in self.against: self.check_against(st, fors)
        self.check_drops()

    def chained(self, statements):
        """Whether a name stands on both sides, so that the order matters; then a map runs backwards in reverse order."""
        lefts = {t.pattern for st, _ in statements for t in st.lefts if t.pattern}
        return bool(lefts & {t.pattern for st, _ in statements for t in st.rights if t.pattern})

    # -- directions ---------------------------------------------------------------------------------------------------

    def statement(self, st, fors):
        check_static(st)
        ins, outs = (st.rights, st.lefts) if self.flipped else (st.lefts, st.rights)
        nothing = [t.pattern is None for t in ins] == [True] or [t.pattern is None for t in outs] == [True]
        if nothing and st.arrow == '<->': raise Unsure(f'{st.where}: _ alone under <->')
        with_the_run = st.arrow == '<->' or (st.arrow == '<-') == self.flipped
        if not with_the_run:
            if not nothing: self.against.append((st, fors))
            return
        low = Lowered(st, self.flipped, fors, self)
        if all(t.pattern is None for t in low.outs): self.drop(low)
        elif all(t.pattern is None for t in low.ins): self.create(low)
        else: self.move(low)

    def check_against(self, st, fors):
        """A statement that only goes the other way: others must take care of its tensors."""
        low = Lowered(st, self.flipped, fors, self)
        for t in low.ins:
            if t.pattern is None: continue
            for v in low.assignments(t.pattern):
                name = low.name(self.src, t.pattern, v)
                if name not in self.read_somewhere and name not in self.dropped:
                    if not self.supply.holds(name): self.doubts.note('a statement against its direction, of what is not there')
                    if self.options.only: self.doubts.note('--only and a statement against its direction')
                    raise Wrong(f'{st.where}: one-way; {name} goes nowhere')
        for t in low.outs:
            if t.pattern is None: continue
            for v in low.assignments(t.pattern):
                m = low.target(t, v)
                if m.name in self.results: continue
                if m.decl is None: raise Unsure(f'{st.where}: one-way; nobody makes {m.name}')
                if self.options.only and not (m.decl.optional or m.decl.tied): self.doubts.note('--only and a statement against its direction')
                if not m.decl.optional and not m.decl.tied: raise Wrong(f'{st.where}: one-way; nobody makes {m.name}')

    # -- kinds of statements ------------------------------------------------------------------------------------------

    def drop(self, low):
        if low.attrs: self.doubts.note(f'{low.where}: attributes of a drop')
        for t in low.ins:
            if t.transposed: self.doubts.note('a dropped transpose')
            for v in low.assignments(t.pattern):
                ref = low.source(t, v)
                if ref.result: raise Unsure(f'{low.where}: an intermediate result is dropped')
                there = ref.present()
                if not there and not ref.optional() and t.pattern.vars() and ref.member.decl is None: self.doubts.note('a dropped family that nobody declares')
                if not there and not ref.optional() and not self.options.only: raise Wrong(f'{low.where}: {ref.name} is missing')
                if ref.name in self.dropped: self.doubts.note(f'{ref.name} is dropped twice')
                self.dropped[ref.name] = low.where
                self.supply.consume(ref.member)
                self.supply.probe(ref.member, self.doubts)

    def check_drops(self):
        for name, where in self.dropped.items():
            if name in self.read_somewhere: raise Wrong(f'{where}: {name} is dropped and read ({self.read_somewhere[name]})')

    def create(self, low):
        if set(low.attrs) - {'fill'}: self.doubts.note(f'{low.where}: attributes of a creation')
        for t in low.outs:
            typed = one_type(self.dst, low, t)
            for v in low.assignments(t.pattern):
                self.produce(CreatedResult(low, low.target(t, v), typed, [], self.options))

    def move(self, low):
        attrs = low.attrs
        in_types = [one_type(self.src, low, t) if t.pattern else None for t in low.ins]
        out_types = [one_type(self.dst, low, t) if t.pattern else None for t in low.outs]
        if 'fill' in attrs and all(t.pattern for t in low.ins) and not any(True for x in out_types if x and x.axes for a in x.axes for _ in ax.find(a, ('pad',))):
            self.doubts.note(f'{low.where}: fill= without effect')
        moving = any(t.transposed for t in low.ins + low.outs) or any(k in attrs for k in MOVING)
        single = len(low.ins) == len(low.outs) == 1
        if attrs.keys() & set(FUSED): self.check_fused(low)
        if single and 'axis' in attrs and not attrs.keys() & set(FUSED) and not any(t.transposed for t in low.ins + low.outs) and not attrs.keys() & {'permute', 'reshape'}:
            moving = False                                   # axis= from one to one does nothing
            if in_types[0].axes is not None and out_types[0].axes is not None: self.doubts.note('axis= between two types')
        if moving: return self.paddle(low, in_types, out_types)
        if attrs.keys() & set(HEADS): raise Unsure(f'{low.where}: heads without a fused flag')
        if 'copy' in attrs: return self.copy(low, in_types, out_types)
        self.check_dtype_attributes(low, single)
        untyped = [t.pattern.text for t, x in zip(low.ins + low.outs, in_types + out_types) if x is not None and x.axes is None]
        if not untyped: return self.typed(low, in_types, out_types)
        if not single: raise Wrong(f'{low.where}: {untyped[0]} is untyped in a list: axis=, types or copy')
        self.partner(low, low.ins[0], in_types[0], low.outs[0], out_types[0])

    def check_dtype_attributes(self, low, single):
        if not low.attrs.keys() & {'dtype', 'src_dtype', 'dst_dtype'}: return
        if not single: raise Unsure(f'{low.where}: dtype= of several tensors')
        if ('src_dtype' in low.attrs) != ('dst_dtype' in low.attrs) or ('dtype' in low.attrs and 'src_dtype' in low.attrs):
            raise Unsure(f'{low.where}: src_dtype and dst_dtype go together')
        for k in ('dtype', 'src_dtype', 'dst_dtype'):
            if k in low.attrs: paddle_dtype(low.attrs[k], low.where)

    def partner(self, low, a, ta, b, tb):
        """One tensor to one of which at least one is untyped: the typed one's type without cuts and padding, or identity."""
        if ta.axes is None and tb.axes is None:
            if 'normalize' in low.attrs: raise Unsure(f'{low.where}: normalize of an untyped tensor')
            return self.positions(low, [a], [ta], b, tb, lambda shapes: ops.identity(shapes[0]))
        if ta.axes is None and not hasattr(self.supply, 'source'): self.doubts.note('an untyped name of the hub, typed by what lies behind')
        names = set(a.pattern.vars()), set(b.pattern.vars())
        typed = ta if ta.axes is not None else tb
        if names[0] != names[1]: raise Unsure(f'{low.where}: an untyped family opposite a typed one with other variables')
        other = self.src.end if ta.axes is None else self.dst.end
        if any(v in other.placements and v not in other.by_name for p in ax.product_pieces(typed.axes) for v in map(ax.name_of, p[1])):
            self.doubts.note('an untyped tensor whose partner has a dealt axis')
        bare = typed.stripped()
        if ta.axes is None: bare.end, bare.dtype, bare.decl = tb.end, ta.dtype, ta.decl
        else: bare.dtype, bare.decl = tb.dtype, tb.decl
        self.typed(low, [ta if ta.axes is not None else bare], [tb if tb.axes is not None else bare])

    def typed(self, low, in_types, out_types, only_out=None):
        from .typing import Plan
        for t, x in zip(low.ins + low.outs, in_types + out_types):
            if x is not None and x.dtype and t.pattern and low.st.arrow == '<->':
                for u, y in zip(low.ins + low.outs, in_types + out_types):
                    if y is not None and y.dtype and y.dtype != x.dtype and (u in low.ins) != (t in low.ins):
                        raise Wrong(f'{low.where}: {x.dtype} and {y.dtype} under <->')
        plan = Plan(low, in_types, out_types)
        if 'normalize' in low.attrs:
            variables = {n for p in plan.in_piece_vars.values() for n in p}
            if low.attrs['normalize'] not in variables: raise Wrong(f'{low.where}: no axis {low.attrs["normalize"]}')
        if not low.outs or all(t.pattern is None for t in low.outs): return
        for j, t in enumerate(low.outs):
            if t.pattern is None: continue
            for v in low.assignments(t.pattern):
                refs = self.needed(low, plan, j, v)
                self.produce(TypedResult(low, low.target(t, v), plan.out_types[j], refs, self.options, j, v, plan))
        for k, t in enumerate(low.ins):                      # tensors of which every piece is dropped are consumed too
            if t.pattern is not None and not any(k in r for r in plan.readers.values()):
                for v in low.assignments(t.pattern): self.reads(low, [low.source(t, v)])

    def needed(self, low, plan, j, values):
        """The source tensors of one target tensor: variables of its name are fixed, all others run."""
        out = []
        for k in sorted(plan.readers.get(j, ())):
            variables = plan.in_vars[k]
            spans = [[values[n]] if n in values else low.numbers(n) for n in variables]
            for combo in itertools.product(*spans):
                ref = low.source(low.ins[k], dict(zip(variables, combo)))
                ref.term, ref.key = k, (k, combo)
                out.append(ref)
        return out

    def copy(self, low, in_types, out_types):
        if low.st.arrow == '<->': raise Wrong(f'{low.where}: copy is one-way')
        if len(low.ins) != 1: raise Wrong(f'{low.where}: copy of several tensors')
        for t, x in zip(low.outs, out_types):
            if t.pattern is None: raise Unsure(f'{low.where}: copy to _')
            one = Narrow(low, low.ins, [t])
            if in_types[0].axes is not None and x.axes is not None: self.typed(one, in_types, [x])
            else: self.partner(one, low.ins[0], in_types[0], t, x)

    # -- Paddle -------------------------------------------------------------------------------------------------------

    def check_fused(self, low):
        extra = [k for k in low.attrs if k not in FUSED + HEADS + ('axis',)]
        if extra and extra[0] in ('permute', 'reshape', 'dtype', 'src_dtype', 'dst_dtype'): raise Wrong(f'{low.where}: {extra[0]} beside a fused flag')
        if extra: raise Unsure(f'{low.where}: {extra[0]} beside a fused flag')
        if len([k for k in low.attrs if k in FUSED]) > 1: raise Unsure(f'{low.where}: two fused flags')

    def paddle(self, low, in_types, out_types):
        from .paddle import geometries
        if any(t.transposed for t in low.outs) and not (low.flipped and low.st.arrow == '<->'): raise Wrong(f'{low.where}: ^T on the right')
        if any(t.transposed for t in (low.st.rights if low.st.arrow != '<-' else low.st.lefts)): raise Wrong(f'{low.where}: ^T on the right')
        if any(t.pattern is None for t in low.ins + low.outs): raise Unsure(f'{low.where}: _ in a statement of Paddle')
        if low.attrs.keys() & {'normalize', 'scale', 'offset', 'copy'}: raise Unsure(f'{low.where}: {list(low.attrs)} together')
        if low.st.arrow == '<->' and low.attrs.keys() & {'axis', 'reshape'} | set(FUSED) & low.attrs.keys() and low.flipped:
            raise Unsure(f'{low.where}: a list of Paddle backwards')
        for k, (t, x) in enumerate(zip(low.ins + low.outs, in_types + out_types)):
            if x.axes is not None and any(True for a in x.axes for _ in ax.find(a, ('pad', 'any'))): raise Unsure(f'{low.where}: padding in a statement of Paddle')
        for k, one in enumerate(geometries(low, in_types, out_types)):
            self.positions(low, low.ins, in_types, low.outs[k], out_types[k], one)

    def positions(self, low, ins, in_types, out, typed, geometry):
        """Results of operations by position, for every numbering of the names, which must be the same in all of them."""
        names = {frozenset(t.pattern.vars()) for t in ins + [out]}
        if len(names) > 1:
            lost = set().union(*names) - set(out.pattern.vars())
            if lost: raise Wrong(f'{low.where}: {sorted(lost)} is lost in the name {out.pattern.text}')
            raise Wrong(f'{low.where}: the names have different variables')
        for v in low.assignments(out.pattern):
            refs = [low.source(t, {n: v[n] for n in t.pattern.vars()}) for t in ins]
            self.produce(MovedResult(low, low.target(out, v), typed, refs, self.options, geometry, in_types))

    # -- results ------------------------------------------------------------------------------------------------------

    def produce(self, result):
        """Adds a result; one that nobody has read yet may not be replaced."""
        old = self.results.get(result.name)
        reading = any(r.result is old for r in result.refs) if old else False
        if old is not None and not (old.read or reading):
            raise Wrong(f'{result.where}: {result.name} is made twice, also at {old.where}')
        if old is not None and result.member.decl is not None: self.doubts.note(f'{result.name} is declared, made and replaced')
        self.reads(result.lowered, result.refs)
        self.results[result.name] = result

    def reads(self, low, refs):
        for r in refs:
            if r.result: r.result.read = True
            else:
                self.read_somewhere[r.name] = low.where
                self.supply.consume(r.member)

    def finals(self):
        """What is written: results that nobody reads again, and those that the target declares or the source holds."""
        return {n: r for n, r in self.results.items() if not r.read or r.member.decl is not None or self.supply.holds(n)}


class Narrow:
    """A lowered statement with some of its targets only (copy gives each its own)."""

    def __init__(self, low, ins, outs):
        self.__dict__.update(low.__dict__)
        self.ins, self.outs, self._low = ins, outs, low

    def __getattr__(self, name): return getattr(self._low, name)


def check_static(st):
    """What is wrong whatever the checkpoint."""
    attrs = st.attrs
    if st.arrow == '<->':
        for k in ('copy', 'normalize'):
            if k in attrs: raise Wrong(f'{st.where}: {k} is one-way')
    if attrs.get('scale') == 0 and st.arrow == '<->': raise Unsure(f'{st.where}: scale=0 both ways')


def statements_of(m, end, doubts):
    """The statements of a map that conditions let through."""
    found, pending = active(m.items, 'stmt', end)
    if pending: raise Wrong(f'{m.where}: a condition has no value')
    return found
