"""What the source says about dimensions: shapes against the types of declarations and statements, and numbers in names."""
from . import exprs, mapping, names
from .dims import Fact
from .errors import Unknown, Unsure, Wrong
from .rulenames import used_names
from .view import active


class Evidence:
    def __init__(self, job): self.job = job

    def statements(self, i):
        """Active statements of the i-th map of the route with their fors; (list, flipped)."""
        m, flipped, _ = self.job.route[i]
        found, _ = active(m.items, 'stmt', MapEnd(self.job))
        return found, flipped

    def facts(self):
        """Shapes of the source against types: of declarations, of statements, and of partners."""
        view = self.job.views[0]
        for v in self.job.views: v.refresh()
        groups = {}
        for rank, tensors in enumerate(self.job.checkpoint_files.files):
            coords = view.end.ranks[rank]
            for name, t in tensors.items():
                found = [c for c in view.candidates(name) if view.in_range(self.whole_numbers(c[2], coords), c[1])]
                if len(found) == 1 and found[0][0].type is not None:
                    self.add_fact(groups, view.decl_type(found[0][0]), found[0][0].pattern, name, coords, t)
                elif not any(c[0].type is not None for c in found):
                    for pattern, typed in self.statement_types():
                        values = names.matcher(pattern, view.number)(name)
                        if values is not None: self.add_fact(groups, typed, pattern, name, coords, t)
        return [Fact(typed.file_axes(), typed.end, shapes, key[1]) for key, (typed, shapes) in groups.items()]

    def whole_numbers(self, values, coords):
        """Numbers in a file as numbers of the model, if they can be told by now."""
        out = dict(values)
        for v, n in values.items():
            p = self.job.views[0].end.placements.get(v)
            if p and p.place.local:
                try: indices = p.indices(self.job.views[0].end.value(self.job.views[0].end.key(v)), stage=coords[p.axis])
                except (Unknown, Wrong):
                    del out[v]
                    continue
                out[v] = indices[n] if n < len(indices) else -1
        return out

    def add_fact(self, groups, typed, pattern, name, coords, t):
        local = tuple(coords[p.axis] for v, p in self.job.views[0].end.placements.items() if p.place.local and v in pattern.vars())
        key = (typed.axes, name, local)
        groups.setdefault(key, (typed, []))[1].append((coords, t.shape))

    def statement_types(self):
        """(pattern, type) of source tensors that get their types from a statement: written there, or the partner's."""
        if not self.job.route: return
        found, flipped = self.statements(0)
        for st, fors in found:
            ins, outs = (st.rights, st.lefts) if flipped else (st.lefts, st.rights)
            if st.arrow != '<->' and (st.arrow == '<-') != flipped: continue
            for t in ins:
                if t.type is not None and t.pattern: yield t.pattern, self.job.views[0].resolve(t.type, t.stored, t.dtype, None)
            single = len(ins) == len(outs) == 1 and ins[0].pattern and outs[0].pattern
            moving = any(t.transposed for t in ins + outs) or st.attrs.keys() & (set(mapping.MOVING) - {'axis'})
            if not single or moving or ins[0].type is not None or ins[0].pattern.has('star'): continue
            if outs[0].type is not None: yield ins[0].pattern, self.job.views[1].resolve(outs[0].type, None, None, None).stripped()
            else:
                d = next((d for d, _ in self.job.views[1].decls if d.pattern == outs[0].pattern), None)
                if d and d.type is not None: yield ins[0].pattern, self.job.views[1].decl_type(d).stripped()

    def source_patterns(self):
        """(pattern, fors, optional) of everything that names tensors of the source."""
        for d, fors in self.job.views[0].decls: yield d.pattern, fors, d.optional
        declared = {d.pattern for d, _ in self.job.views[0].decls}
        if not self.job.route: return
        found, flipped = self.statements(0)
        for st, fors in found:
            if st.arrow != '<->' and (st.arrow == '<-') != flipped: continue
            for t in st.rights if flipped else st.lefts:
                if t.pattern and t.pattern not in declared: yield t.pattern, fors, False

    def families(self):
        """Extents that only the names of the source say."""
        end, found, optional = self.job.views[0].end, {}, {}
        for pattern, fors, opt in self.source_patterns():
            for v in pattern.vars():
                key = end.key(v)
                if key in self.job.dims.known or self.job.dims.alias(end.label, v) or any(f[0] == v for f in fors) or v in ('LAYER_ID', 'EXPERT_ID', 'LAYER_ID_OFFSET'): continue
                if any(d.pattern.has('expr') for d, _ in self.job.views[0].decls): self.job.doubts.note('numbers in names beside extents in names')
                stages = found.setdefault(key, {})
                place = end.placements.get(v)
                optional[key] = optional.get(key, True) and opt
                match = names.matcher(pattern, self.job.views[0].number)
                for rank, tensors in enumerate(self.job.checkpoint_files.files):
                    stage = end.ranks[rank][place.axis] if place and place.place.local else 0
                    seen = stages.setdefault(stage, set())
                    seen |= {m[v] for n in tensors for m in [match(n)] if m is not None}
        out = []
        for key, stages in found.items():
            total = sum(max(s) + 1 if s else 0 for s in stages.values())
            if total == 0 and not optional[key]: continue
            if optional[key] and key[1] in used_names(self.job.program, patterns=False): self.job.doubts.note(f'{key[1]} is only said by the members of an optional family')
            if optional[key] and any(len(s) != max(s) + 1 for s in stages.values() if s): self.job.doubts.note(f'{key[1]}: gaps in an optional family')
            out.append((key, total, 'names of the source'))
        return out


class MapEnd:
    """What conditions in a map may ask: dimensions of the file and the configuration. Mesh sizes are ambiguous there."""

    def __init__(self, job): self.job = job

    def condition(self, e):
        def lookup(name):
            if any(name in v.end.sizes for v in self.job.views): raise Unsure(f'mesh size {name} in a condition of a map')
            return self.job.dims.value(('', name))
        return exprs.condition(e, lookup, self.job.dims.config, 'map')
