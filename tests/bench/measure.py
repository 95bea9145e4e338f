"""Runs commands and says what they took: wall time, processor time, peak of resident memory."""
import json
import os
import statistics
import subprocess
import sys

# Runs a command from a small process: the system's figure of resident memory begins with that of the parent.
LAUNCH = '''
import json, os, sys, time
start = time.monotonic()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
took = time.monotonic() - start
json.dump([os.waitstatus_to_exitcode(status), took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024], open(os.environ["MEASURE_TO"], "w"))
'''


def run(command, folder='.', quiet=True, **environment):
    """-> {wall, processor: seconds; peak: bytes}. A failure ends the benchmark."""
    result = os.path.join(folder, 'measured.json')
    program = subprocess.check_output(['which', command[0]], text=True).strip()
    subprocess.run([sys.executable, '-S', '-E', '-c', LAUNCH, program, *command[1:]], cwd=folder, check=True,
                   env=dict(os.environ, MEASURE_TO=os.path.abspath(result), **environment), stdout=subprocess.DEVNULL if quiet else None)
    with open(result) as file:
        status, wall, processor, peak = json.load(file)
    os.remove(result)
    if status != 0:
        sys.exit(f'{" ".join(command)}: exit status {status}')
    return {'wall': wall, 'processor': processor, 'peak': peak}


def interleave(candidates, rounds, before=lambda name: None, after=lambda name: None):
    """Runs all candidates {name: function that measures} in turns. -> {name: medians}. `before` and `after` clean up."""
    taken = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, measure in candidates.items():
            before(name)
            taken[name].append(measure())
            after(name)
    return {name: {key: statistics.median(one[key] for one in all) for key in all[0]} for name, all in taken.items()}


def table(results, base):
    print(f'{"":26}{"wall s":>9}{"ratio":>8}{"cpu s":>9}{"ratio":>8}{"peak MB":>10}')
    for name, r in results.items():
        b = results[base]
        print(f'{name:26}{r["wall"]:9.3f}{r["wall"] / b["wall"]:8.2f}{r["processor"]:9.3f}{r["processor"] / max(b["processor"], 1e-9):8.2f}{r["peak"] / 1e6:10.1f}')
