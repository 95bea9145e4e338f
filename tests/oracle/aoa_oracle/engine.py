"""One run, from a command line to the files of the target, or the reason why there are none.

run(argv, folder) -> Outcome. The steps: rules, ends and route, files, dimensions, maps, coverage, writing.
"""
import os, re
from . import check, cli, mapping, mesh, names, program as programs
from .ast import Statement, Term, walk
from .checkpoint import Source, read_files, read_json
from .dims import Dims, solve
from .evidence import Evidence
from .errors import Doubts, Unknown, Unsure, Wrong
from .supply import Checkpoint, Results, tied_statement
from .view import View
from .rulecheck import check_program
from .rulenames import expr_names, find_route, names_in_numbers, names_with_variables, used_names
from .writer import Writer


class Outcome:
    """status 0: files {path below the target: (tensors, metadata)}. status 1, 2: message. doubts: what was not certain.

    status None: the contract (or this oracle) does not say.
    """

    def __init__(self, status, files=None, message='', doubts=(), target=None, says=(), also=()):
        self.status, self.files, self.message, self.doubts = status, files or {}, message, list(doubts)
        self.target, self.says, self.also = target, list(says), also

    def certain(self): return self.status is not None and not self.doubts


def run(argv, folder='.'):
    doubts, here = Doubts(), os.getcwd()
    try:
        os.chdir(folder)
        job = Job(argv, doubts)
        files = job.run()
        if job.options.only and not doubts.notes: hidden_by_only(argv, doubts)
        return Outcome(0, files, '', doubts.notes, job.target and job.target[1], job.says)
    except Wrong as e: return Outcome(e.status, None, str(e), doubts.notes, also=e.also)
    except Unknown as e:
        if any(a.startswith('--only') for a in argv): doubts.note('--only and an unknown dimension')
        return Outcome(1, None, str(e), doubts.notes)
    except Unsure as e: return Outcome(None, None, str(e), doubts.notes)
    except RecursionError: return Outcome(None, None, 'recursion', doubts.notes)
    finally: os.chdir(here)


def hidden_by_only(argv, doubts):
    """A mistake in what --only leaves out may be told, or not."""
    at = next(i for i, a in enumerate(argv) if a.startswith('--only'))
    rest = argv[:at] + argv[at + (1 if '=' in argv[at] else 2):]
    try: Job(rest, Doubts()).run()
    except (Wrong, Unsure, Unknown): doubts.note('a mistake in what --only leaves out')


class Job:
    def __init__(self, argv, doubts):
        self.doubts, self.says, self.target = doubts, [], None
        self.options = cli.parse(argv, doubts)

    def run(self):
        o = self.options
        if o.has('--plan'): raise Unsure('not a run')
        self.program = programs.load(o.rules, self.doubts)
        try: check_program(self.program, self.doubts)
        except Wrong as e:
            if self.command_line_too(): e.also += (2,)
            raise
        static = check.errors(self.program, self.doubts)
        if not o.has('--run'):
            if static: raise Wrong(static[0])
            return {}
        self.source, self.target = cli.end(o, self.program, 'from'), cli.end(o, self.program, 'to')
        for name, _ in (self.source, self.target): self.program.side(name)
        given_from, counts_from = mesh.parse_sizes(o.values.get('--mesh-from', ''), '--mesh-from')
        given_to, counts_to = mesh.parse_sizes(o.values.get('--mesh-to', ''), '--mesh-to')
        src_side, dst_side = self.program.side(self.source[0]), self.program.side(self.target[0])
        sizes_to = mesh.complete(dst_side, given_to, '--mesh-to')
        mesh.complete(src_side, given_from, '--mesh-from')
        if os.path.lexists(self.target[1]) and not o.has('--force') and '--part' not in o.values:
            raise Wrong(f'{self.target[1]} exists; --force', 2)
        files, said, config = read_files(self.source[1], src_side, given_from)
        if o.values.get('--config'):
            if config is not None: raise Unsure('--config beside the configuration of the checkpoint')
            config = read_json(o.values['--config'])
        sizes_from = mesh.complete(src_side, said or {}, 'aoa.mesh')
        if src_side.mesh and len(mesh.coordinates(src_side, sizes_from)) != len(files):
            raise Wrong(f'{len(files)} rank files for the mesh {said}')
        route = find_route(self.program, self.source[0], self.target[0])
        self.open_ends(route, sizes_from, counts_from, sizes_to, counts_to, config or {})
        self.checkpoint_files = Source(self.views[0], files, self.doubts, o.has('--check-replicas'))
        self.define()
        if any(v.pending for v in self.views): raise Wrong('a condition has no value')
        for v in self.views: self.note_repeats(v)
        files = self.finish(self.convert(route))
        if static: self.doubts.note(f'wrong in a part that the run does not use: {static[0]}')
        return files

    def command_line_too(self):
        """Whether the command line names a side or a mesh axis that the rules lack: then either mistake may be told first."""
        try:
            for which in ('from', 'to'):
                side = self.program.side(cli.end(self.options, self.program, which)[0])
                sizes = mesh.parse_sizes(self.options.values.get(f'--mesh-{which}', ''), '')[0]
                if set(sizes) - set(mesh.axes_of(side)): return True
        except Wrong: return True
        return False

    # -- ends and dimensions ------------------------------------------------------------------------------------------

    def open_ends(self, route, sizes_from, counts_from, sizes_to, counts_to, config):
        self.dims = dims = Dims(self.program, config, self.doubts)
        path = [self.source[0]] + [x[2] for x in route] if route is not None else [self.source[0], self.target[0]]
        self.views, ends = [], []
        for i, name in enumerate(path):
            side, first, last = self.program.side(name), i == 0, i == len(path) - 1
            label = 'from' if first else 'to' if last else f'hub{i}'
            own = {d.split('=')[0].split('.')[1] for d in self.options.defines if d.startswith(label + '.')}
            dims.add_scope(label, side, own)
            sizes = sizes_from if first else sizes_to if last else {m: 1 for m in mesh.axes_of(side)}
            counts = counts_from if first else counts_to if last else {}
            end = mesh.End(side, label, sizes, counts, dims)
            end.by_name = names_with_variables(self.program, side)
            ends.append(end)
        self.hub_checks(ends)
        for end in ends: self.views.append(View(end, self.doubts))
        self.route = route

    def hub_checks(self, ends):
        for e in ends[1:-1]:
            if e.side.mesh and any(True for _ in walk(e.side.items, 'decl')): self.doubts.note('a hub with a mesh')

    def define(self):
        """Values from the command line and the configuration, then whatever follows."""
        for d in self.options.defines:
            name, value = d.split('=')
            scope, _, bare = name.rpartition('.')
            if scope: self.dims.say((scope, bare), int(value), f'-D {d}')
            else: self.define_everywhere(bare, int(value))
        src = self.views[0].end
        for keys, name in src.side.config:
            from .exprs import Absent, config_value, whole
            try: v = config_value(self.dims.config, keys)
            except Absent: continue
            if any(e.name == name and e.kind == 'value' for _, e in self.dims.equations): continue
            self.dims.say(src.key(name), whole(v, keys, 'config'), f'config.{".".join(keys)}')
        evidence = Evidence(self)
        solve(self.dims, evidence.facts, evidence.families)
        for v in self.views:
            v.refresh()
            for n in names_in_numbers(self.program, v.end.side):
                if self.dims.key(v.end.label, n) in self.dims.late: self.doubts.note(f'{n} in a name, and only names or a default say it')

    def define_everywhere(self, name, value):
        """-D NAME: wherever the name is declared; in the file if nowhere."""
        local = [s for s, declared in self.dims.locals.items() if s and name in declared and not self.overridden(s, name)]
        in_file = name in self.dims.locals['']
        for s in local: self.dims.say((s, name), value, f'-D {name}')
        if in_file or not local: self.dims.say(('', name), value, f'-D {name}')
        if not in_file and not local and name not in used_names(self.program): self.doubts.note(f'-D {name}, which nothing uses')

    def overridden(self, scope, name): return any(d.startswith(f'{scope}.{name}=') for d in self.options.defines)

    def note_repeats(self, view):
        """A doubt about types of declarations is a doubt about the run; all types are looked at once."""
        for d, _ in view.decls: view.decl_type(d)

    # -- maps ---------------------------------------------------------------------------------------------------------

    def convert(self, route):
        self.supply = Checkpoint(self.checkpoint_files, self.options)
        if not route: return self.identity()
        supply, run = self.supply, None
        for i in range(len(route)):
            found, flipped = Evidence(self).statements(i)
            if run is not None:
                hub = run
                supply = Results(run.finals())
            run = mapping.MapRun(found, flipped, self.views[i], self.views[i + 1], supply, self.options)
            if i: self.check_hub(hub, supply)
        return run.finals()

    def check_hub(self, hub, supply):
        for n, r in hub.finals().items():
            if n not in supply.consumed and not self.options.only and r.exists(): self.doubts.note(f'{n} of the hub goes nowhere')

    def identity(self):
        """A side to itself: every declared tensor to the one of the same name."""
        statements = []
        if not self.views[1].decls: raise Unsure('a side to itself that declares nothing')
        for d, fors in self.views[1].decls:
            if not d.tied and not d.blocks: statements.append((Statement([Term(d.pattern)], '->', [Term(d.pattern)], {}, d.where), fors))
        return mapping.MapRun(statements, False, self.views[0], self.views[1], self.supply, self.options).finals()

    # -- the target -----------------------------------------------------------------------------------------------------

    def finish(self, results):
        view, o = self.views[-1], self.options
        members = view.all_members()
        results = {n: r for n, r in results.items() if self.wanted(n)}
        self.note_halves(results)
        results.update(self.tied(members, results))
        results = {n: r for n, r in results.items() if self.wanted(n) and r.exists()}
        scales = {n: m for n, m in members.items() if m.decl.blocks}
        if o.only:
            o_names = list(results) + [n for n, m in scales.items() if self.scaled(m) in results]
            if not o_names: raise Wrong(f'--only {o.only} matches nothing', also=(2,))
        else: self.coverage(members, results)
        ranks = cli.ranks(o, len(view.end.ranks))
        writer = Writer(view, results, o)
        for r in results.values(): writer.weight(r)
        for n, m in scales.items():
            of = self.scaled(m)
            if of in results: writer.scales(m, results[of])
            elif not m.decl.optional and not o.only: raise Wrong(f'{m.decl.where}: {n} of {of}, which is not made')
        if self.supply.scales and not scales: raise Unsure('scales that the target does not declare')
        if o.has('--states'): self.states(writer, results)
        return self.files(writer, ranks)

    def note_halves(self, results):
        """Of one statement instance some targets exist and others do not, or an undeclared one does not: not clear."""
        groups = {}
        for r in results.values():
            if not r.exists() and r.member.decl is None: self.doubts.note(f'{r.name} is not made, and not declared')
            common = set.intersection(*[set(t.pattern.vars()) for t in r.lowered.ins + r.lowered.outs if t.pattern] or [set()])
            key = (id(r.lowered.st), tuple(sorted((v, n) for v, n in r.member.values.items() if v in common)))
            groups.setdefault(key, set()).add(r.exists())
        if any(len(g) > 1 for g in groups.values()): self.doubts.note('half of a statement')

    def scaled(self, m): return names.spell(m.decl.blocks[0], m.values, self.views[-1].end.extent)

    def wanted(self, name): return not self.options.only or glob(self.options.only, name)

    def tied(self, members, results):
        """Second copies that the target declares."""
        view, out = self.views[-1], {}
        self.options.tied_targets = {names.spell(m.decl.tied, m.values, view.end.extent) for m in members.values() if m.decl.tied}
        for d, fors in view.decls:
            if not d.tied: continue
            for m in view.members(d, fors):
                original = names.spell(d.tied, m.values, view.end.extent)
                if m.name in results: raise Unsure(f'{m.name} is tied and made by a statement')
                if self.options.only and not self.wanted(original): self.doubts.note('--only of a tied copy')
                if original not in results or not results[original].exists():
                    if not d.optional and not self.options.only: raise Wrong(f'{d.where}: {m.name} is tied to {original}, which is not made')
                    continue
                if results[original].typed.dtype != d.dtype: self.doubts.note('tied with another dtype')
                st = tied_statement(d.tied, d.pattern, d.where)
                if results[original].lowered.attrs.get('fill', 0): self.doubts.note('fill of a tied tensor')
                run = mapping.MapRun([(st, fors)], False, view, view, Results(results), self.options)
                out[m.name] = run.results[m.name]
        return out

    def coverage(self, members, results):
        for n, m in members.items():
            if n not in results and not (m.decl.optional or m.decl.tied or m.decl.blocks):
                raise Wrong(f'{m.decl.where}: {n} is not made')
        self.note_absent()
        left = {(r, n) for r, f in enumerate(self.checkpoint_files.files) for n in f} - self.checkpoint_files.consumed
        side = self.views[0].end.side
        templates = [t for _, t, _ in side.states + side.scalars]
        weights = set(self.checkpoint_files.consumed)
        left -= {(r, t.replace('{}', n)) for r, n in weights for t in templates}
        for m in self.supply.scales.values(): left -= {(r, n) for r, _, n in self.checkpoint_files.holders(m)}
        elsewhere = {n for _, n in self.checkpoint_files.consumed}
        for r, n in sorted(left):
            if n in elsewhere: self.doubts.note(f'{n} on a rank that should not have it')
            if any(re.fullmatch(re.escape(t).replace(re.escape('{}'), '.*'), n) for t in templates): self.doubts.note(f'{n}: a state of nothing')
        if left: raise Wrong(f'nothing consumes {sorted(left)[0][1]} of rank {sorted(left)[0][0]}')

    def note_absent(self):
        """A tensor that the source side declares, that is not there, and that nothing reads."""
        for n, m in self.views[0].all_members().items():
            if m.decl.optional or m.decl.tied or m.decl.blocks or self.checkpoint_files.present(m): continue
            if not any(h in self.checkpoint_files.consumed for h in [(r, x) for r, _, x in self.checkpoint_files.holders(m)]):
                self.doubts.note(f'{n} is declared, absent, and not read')

    def states(self, writer, results):
        a, b = self.views[0].end.side, self.views[-1].end.side
        here, there = {r: 'state' for r, _, _ in a.states}, {r: 'state' for r, _, _ in b.states}
        here.update({r: 'scalar' for r, _, _ in a.scalars})
        there.update({r: 'scalar' for r, _, _ in b.scalars})
        for r in here.keys() & there.keys():
            if here[r] != there[r]: raise Unsure(f'{r} is a state here and a scalar there')
        computed = {r: e for r, _, e in b.scalars if e is not None and r not in here}
        used = {n for e in computed.values() for n in expr_names(e)}
        left = [r for r in here if r not in there and r not in used]
        missing = [r for r in there if r not in here and r not in computed]
        self.says += left + missing
        if (left or missing) and self.options.has('--strict-states'): raise Wrong(f'left behind: {left}, missing: {missing}')
        members = {}
        for m in self.source_members(results): members[m.name] = m
        for role, template, dtype in a.states:   # the others are read
            if role in left and dtype: self.probe(role, template, dtype, members.values())
        for result in results.values():
            if result.member.decl and result.member.decl.tied: continue
            for role, template, dtype in b.states:
                if role in here: writer.state(result, role, template, dtype)
            for role, template, expr in b.scalars:
                if role in here or role in computed: writer.scalar(result, role, template, computed.get(role), self.supply, members)

    def probe(self, role, template, dtype, members):
        """A dtype is a promise, also of a state that is left behind."""
        files = self.checkpoint_files
        for m in members:
            for r, _, name in files.holders(m):
                t = files.files[r].get(template.replace('{}', name))
                if t and t.dtype != dtype: raise Wrong(f'{role} of {m.name} is {t.dtype}, its side says {dtype}')

    def source_members(self, results):
        """The source members behind some results, chains and hubs included."""
        seen, todo = set(), list(results.values())
        while todo:
            for ref in todo.pop().refs:
                if ref.result: todo.append(ref.result)
                elif isinstance(ref.supply, Results):
                    if id(ref.supply.results.get(ref.name)) not in seen:
                        seen.add(id(ref.supply.results.get(ref.name)))
                        if ref.name in ref.supply.results: todo.append(ref.supply.results[ref.name])
                else: yield ref.member

    def files(self, writer, ranks):
        """{path: (tensors, metadata)} of the format of the target."""
        end = self.views[-1].end
        if end.side.mesh:
            if end.side.format != 'safetensors': raise Unsure(f'format {end.side.format} with a mesh')
            text = ','.join(f'{m}={end.sizes[m]}' for m in mesh.axes_of(end.side))
            out = {f'rank_{r:05d}.safetensors': (t, {'aoa.mesh': text, 'aoa.rank': str(r)}) for r, t in enumerate(writer.files) if r in ranks}
        else:
            if end.side.format not in ('safetensors', 'hf'): raise Unsure(f'format {end.side.format}')
            out = {'model.safetensors': (writer.files[0], {})}
        part = self.options.values.get('--part')
        if part:
            i, n = map(int, part.split('/'))
            out = {f: t for k, (f, t) in enumerate(out.items()) if k % n == i - 1}
        return out


# -- helpers --------------------------------------------------------------------------------------------------------


def glob(pattern, name):
    return bool(re.fullmatch(''.join('.*' if c == '*' else '.' if c == '?' else re.escape(c) for c in pattern), name))
