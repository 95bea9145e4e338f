"""One random typed program from draw to case: its source checkpoint, the texts of its rules, its command line."""
import itertools, json, re
from . import data, unparse
from ..aoa_oracle import dtypes, exprs, names as oracle_names
from ..aoa_oracle.dtypes import SPELLING
from ..aoa_oracle.scanner import Scanner
from ..aoa_oracle.tensorfile import Tensor
from .case import Case
from .layout import Layout
from .sides import PIECE, GSide, Unit, map_text
from .typed import LIMIT, Reject
from .unparse import bare
from .world import Knowledge


class Program(Layout):
    def build(self):
        self.pool()
        self.compose = self.some('compose')
        self.itself = not self.compose and self.some('itself')
        self.a, self.h, self.b = GSide(self.rng.choice(['a', 'hf', 'left'])), GSide('hub'), GSide(self.rng.choice(['b', 'meg', 'right']))
        self.units = [self.plain_unit() for _ in range(self.rng.randint(1, 4))]
        self.special_units()
        self.second = []
        if self.compose: self.compose_units()
        self.spelling()
        self.wraps()
        if self.itself: self.b = self.a
        self.meshes()
        self.decorate()
        if not self.itself: self.fills()
        self.extras()
        self.state_roles()
        self.flipped = [self.chance(0.5), self.chance(0.5)]
        return self.finish()

    def mentioned(self, text):
        """Those dimensions that a text of the rules names."""
        words = set(re.findall(r'[A-Za-z_]\w*', text))
        return [v for v in self.used() if v in words or any(v in self.world.aliases[n] for n in self.world.aliases if n in words)
                or any(v in unparse.axis(x) for n, x in self.world.axis_aliases.items() if n in words)]

    def sizes_text(self, side):
        return ','.join(f'{m}={side.counts[m] if m in side.counts else side.sizes[m]}'.replace(' ', '') for m in side.mesh + (['wp'] if side.overlay else []))

    def explicit_dims(self):
        w, axis = self.world, unparse.axis
        return [f'{v} = {w.extents[v]}' for v in self.used()] + [f'{n} = ({" ".join(p)})' for n, p in w.aliases.items()] + \
               [f'axis {n} = {axis(x)}' for n, x in w.axis_aliases.items()]

    def seed_case(self):
        """Rules and whole tensors from which the oracle makes the source checkpoint."""
        seed, a = GSide('seed'), self.a
        seed.states, seed.scalars = a.states, a.scalars
        flags = [(t, t.inline, t.untyped, t.guard) for t in self.terms_of(a)]
        dims, a.config = a.config, []
        for t, *_ in flags: t.inline = t.untyped = False; t.guard = None
        units = []
        for u in self.units:
            for t in u.lefts:
                if t is PIECE: continue
                v = Unit([t], [t])
                v.one_way, v.wrap = True, u.wrap if u.wrap and u.wrap.opening.startswith('for') else None
                v.attrs = [f'fill={1 if t.elem == "bool" else 3}']
                units.append(v)
        a.config = dims
        means = [(t, t.mean) for t in self.terms_of(a)]
        seed.loose = [t for t in a.loose if t.blocks]
        text = 'dims {\n' + ''.join(f'  {x}\n' for x in self.explicit_dims()) + '}\n'
        text += seed.text(units, lambda u: u.lefts, naked=True) + a.text(units, lambda u: u.lefts) + map_text('seed', a.name, units, False)
        for t, inline, untyped, guard in flags: t.inline, t.untyped, t.guard = inline, untyped, guard
        for t, m in means: t.mean = m
        command = ['rules.aoa', '--run', '--from', 'seed:seed', '--to', f'{a.name}:src'] + (['--states'] if self.with_states else [])
        if a.mesh: command += ['--mesh-to', self.sizes_text(a)]
        return Case(text, command, {'seed': {'model.safetensors': (self.seed_tensors(), {})}})

    def seed_tensors(self):
        out, w = {}, self.world
        for u in self.units:
            for t in u.lefts:
                if t is PIECE: continue
                pattern = oracle_names.literal(t.stem) if t.quoted else oracle_names.pattern(t.text(), Scanner('', 'seed'))
                shape = tuple(self.shaper.extent(a) for a in [bare(a) for a in t.axes])
                count = 1
                for n in shape: count *= n
                for combo in itertools.product(*[self.span(u, v) for v in t.names]):
                    name = oracle_names.spell(pattern, dict(zip(t.names, combo)), self.number)
                    out[name] = Tensor(SPELLING[t.elem], shape, data.elements(self.rng, SPELLING[t.elem], count, u.kind))
                    self.add_states(out, name, shape, count, u)
        for s in self.a.loose:
            if s.blocks:
                n = s.grid[0] * s.grid[1]
                out[s.text()] = Tensor('F32', s.grid, data.elements(self.rng, 'F32', n, 'tame'))
        return out

    def number(self, e): return exprs.extent(e, self.world.extent, {}, 'seed')

    def span(self, u, v):
        if u.wrap and hasattr(u, 'span') and u.span[0] == v: return range(u.span[1], self.world.extents[v])
        return range(self.world.extents[v])

    def add_states(self, out, name, shape, count, u):
        for role, template, dtype in self.a.states:
            kind = 'tame' if role == 'master' and any(a.startswith(('scale', 'offset')) for a in u.attrs) else 'any'
            out[template.replace('{}', name)] = Tensor('F32', shape, data.elements(self.rng, 'F32', count, kind))
        for role, template, _ in self.a.scalars:
            dtype, s, n = self.step
            bits = n if dtype == 'I64' else dtypes.from_float(float(n), 'F32')
            out[template.replace('{}', name)] = Tensor(dtype, s, [bits])

    def source(self):
        """The source checkpoint: {file: (tensors, metadata)}."""
        case = self.seed_case()
        if case.size() > LIMIT // 4: raise Reject('too large')
        out = case.outcome()
        if out.status != 0: raise Reject(f'seed: {out.message}')
        files = {f: (dict(t), m) for f, (t, m) in out.files.items()}
        if sum(len(t.vals) for ts, _ in files.values() for t in ts.values()) > LIMIT: raise Reject('too large')
        self.remove_absent(files)
        return files

    def remove_absent(self, files):
        for u in self.units:
            gone = getattr(u, 'absent', None)
            if gone in (None, 'none'): continue
            t, v = u.lefts[0], u.lefts[0].names[0]
            local = any(p.var == v and p.local for p in self.a.places)
            if local and gone == 'some': gone = 'all'
            pattern = oracle_names.pattern(t.text(), Scanner('', 'seed'))
            for n in range(self.world.extents[v]):
                if gone == 'some' and self.rng.random() < 0.5: continue
                name = oracle_names.spell(pattern, {v: n})
                self.remove(files, name)
        for copy in self.a.loose:
            if not copy.tied or self.a.places or self.with_states: continue
            x = self.rng.random()
            victim = copy if x < 0.3 else copy.tied if x < 0.6 else None
            if victim and not victim.names: self.remove(files, victim.stem if victim.quoted else victim.text())

    def remove(self, files, name):
        gone = [name] + [t.replace('{}', name) for _, t, _ in self.a.states + self.a.scalars]
        for tensors, _ in files.values():
            for n in gone: tensors.pop(n, None)

    def rules(self, explicit):
        whole = self.a.text(self.units, lambda u: u.terms()) + self.h.text(self.second, lambda u: u.terms()) + map_text('', '', self.units + self.second, False) + str(self.config)
        knowledge = Knowledge(self.rng, self.world, self.mentioned(whole), explicit, self.some('spelling'))
        self.a.config = knowledge.side
        parts = []
        if knowledge.lines: parts.append('dims {\n' + ''.join(f'  {x}\n' for x in knowledge.lines) + '}\n')
        if self.itself: parts.append(self.a.text(self.units, lambda u: u.lefts))
        else:
            sides = [self.a.text(self.units, lambda u: u.lefts)]
            if self.compose:
                sides += [self.h.text(self.units + self.second, lambda u: u.rights if u in self.units else []), self.b.text(self.second, lambda u: u.rights)]
                maps = [map_text(self.a.name, 'hub', self.units, self.flipped[0]), map_text('hub', self.b.name, self.second, self.flipped[1])]
            else:
                sides.append(self.b.text(self.units, lambda u: u.rights))
                maps = [map_text(self.a.name, self.b.name, self.units, self.flipped[0])]
            self.rng.shuffle(sides)
            parts += sides + maps
        return parts, knowledge

    # -- the command ------------------------------------------------------------------------------------------------------

    def command(self, knowledge):
        r = self.rng
        out = ['rules.aoa', '--run', '--from', f'{self.a.name}:src', '--to', f'{self.b.name}:out'] + knowledge.options
        if self.b.mesh:
            text = self.sizes_text(self.b)
            if text: out += ['--mesh-to', text]
        if self.a.counts: out += ['--mesh-from', self.sizes_text(self.a)]
        for d in self.b.dims:
            if '?=' in d and not self.itself and self.some('told'): out += ['-D', r.choice(['', 'to.']) + f'kk={r.randint(1, 6)}']
        if self.with_states: out.append('--states')
        config = {**self.config, **knowledge.config}
        if config or r.random() < 0.05: out += ['--config', 'config.json']
        return out, config

    def finish(self):
        sources = {'src': self.source()}
        explicit = self.some('explicit')
        if self.itself: self.remesh()
        for attempt in range(2):
            parts, knowledge = self.rules(explicit)
            command, config = self.command(knowledge)
            case = self.assemble(parts, command, config, sources)
            out = case.outcome()
            if out.status == 1 and 'has no value' in out.message and not explicit:
                explicit = True
                continue
            break
        if out.status == 0: case, out = self.narrow(case, out)
        return case, out

    def remesh(self):
        """A side to itself: other sizes for the target."""
        for m in self.a.mesh:
            if m == 'wp': continue
            self.a.sizes[m] = self.rng.choice([1, 2, 2, 3, 4]) if not any(p.axis == m for p in self.a.places) or self.chance(0.5) else self.a.sizes[m]
        if self.a.overlay:
            n = 1
            for m in self.a.overlay[1]: n *= self.a.sizes[m]
            self.a.sizes['wp'] = self.rng.choice([x for x in range(1, n + 1) if n % x == 0])

    def assemble(self, parts, command, config, sources):
        files = {'config.json': json.dumps(config)} if '--config' in command else {}
        text = ''.join(parts)
        if self.some('family'): text = 'family x-1\n' + text
        if self.some('import'):
            files['base.aoa'], text = self.variant(parts, text) if self.some('replace') else (text, '')
            text = 'import "base.aoa"\n' + text
        if self.some('default_block'):
            text = f'default {{ from {self.a.name} "src"  to {self.b.name} "out" }}\n' + text
            i = command.index('--from' if self.chance(0.5) else '--to')
            command = command[:i] + command[i + 2:]
        if self.some('noise'): text = self.noise(text)
        return Case('# ' + ' '.join(sorted(set(self.features))) + '\n' + text, command, sources, files)

    def variant(self, parts, text):
        """The file as one that imports another: what is there once too often is removed, what is wrong is declared again."""
        r, own = self.rng, {}
        lines = text.split('\n')
        if r.random() < 0.6 and not self.itself:      # a pair of tensors that the variant does not have
            for side, name in ((self.a, 'gone.1'), (self.h if self.compose else self.b, 'gone.2')):
                at = lines.index(f'side {side.name} {{')
                lines.insert(at + 2, f'  {name} [{self.used()[0]}]')
                own.setdefault(f'side {side.name} {{', []).append(f'  remove {name}')
            at = next(i for i, x in enumerate(lines) if x.startswith('map ') and f' {self.a.name} ' in x + ' ' or x.startswith(f'map {self.a.name} '))
            first = lines[at].split()[1] == self.a.name
            lines.insert(at + 1, '  gone.1 <-> gone.2' if first else '  gone.2 <-> gone.1')
        simple = [i for i, x in enumerate(lines) if re.fullmatch(r'  [A-Za-z_]\w* = \d+', x) and self.in_dims(lines, i)]
        if simple and r.random() < 0.5:               # an equation that the variant replaces
            i = r.choice(simple)
            own['dims {'] = [lines[i]]
            lines[i] = re.sub(r'\d+$', lambda m: str(int(m.group()) + 1), lines[i])
        found = [i for i, x in enumerate(lines) if re.fullmatch(r'  [\w./-]+ \[[^\[\]@]*\]( : \w+)?', x) and ' zz' not in x and '_' not in x.split('[')[1]]
        if found and r.random() < 0.6 and not any(s.zero for s in (self.a, self.b)):
            i = r.choice(found)                       # a declaration that it replaces
            side = next(lines[j] for j in range(i, -1, -1) if lines[j].startswith(('side ', 'map ', 'dims ')))
            if side.startswith('side '):
                own.setdefault(side, []).append(lines[i])
                lines[i] = lines[i].replace('[', '[zz99 ', 1)
        return '\n'.join(lines), ''.join('\n'.join([head] + body + ['}', '']) for head, body in own.items())

    def in_dims(self, lines, i): return next(lines[j] for j in range(i, -1, -1) if lines[j].endswith('{')) == 'dims {'

    def noise(self, text):
        """Comments, tabs, line ends of Windows, a missing last line end: none of it means anything."""
        lines = text.split('\n')
        lines = [x + ('   # ' + self.rng.choice(['note', 'x -> y', '{']) if self.rng.random() < 0.1 and '"' not in x else '') for x in lines]
        lines = [x.replace('  ', '\t', 1) if self.rng.random() < 0.1 else x for x in lines]
        return ('\r\n' if self.rng.random() < 0.5 else '\n').join(lines).rstrip() if self.rng.random() < 0.7 else '\n'.join(lines)

    def narrow(self, case, out):
        """Options that only make sense once the result is known."""
        r, extra = self.rng, []
        names = sorted({n for t, _ in out.files.values() for n in t})
        if names and self.some('only'):
            n = r.choice(names)
            extra += ['--only', r.choice([n, n[:max(1, len(n) // 2)] + '*', n[:-1] + '?'])]
        if len(out.files) > 1 and self.some('ranks'):
            some = sorted(r.sample(range(len(out.files)), r.randint(1, len(out.files))))
            extra += ['--ranks', ','.join(map(str, some)) if r.random() < 0.7 else f'{some[0]}-{some[-1]}']
        if self.some('dtype') and all(u.kind == 'tame' for u in self.units): extra += ['--dtype', r.choice(['bf16', 'f16', 'f32'])]
        if self.a.mesh and r.random() < 0.2: extra.append('--check-replicas')
        if not extra: return case, out
        new = Case(case.rules, case.command + extra, case.sources, case.files)
        result = new.outcome()
        return (new, result) if result.status == 0 else (case, out)
