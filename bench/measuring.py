# SPDX-License-Identifier: Apache-2.0
"""Running one command and keeping what it cost."""
import os
import shutil
import statistics
import statistics
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BACKSTAY = os.path.abspath(os.environ.get('BACKSTAY', TOP + '/build/src/backstay'))
RUNS = int(os.environ.get('RUNS', '5'))
PASSWORD = 'bench'


def needed(program):
    if not shutil.which(program):
        sys.exit('bench: there is no %s; scripts/install-deps bench' % program)


def du(path):
    return int(subprocess.check_output(['du', '-sb', path]).split()[0])


def size_of(repository):
    return sum(os.lstat(os.path.join(d, f)).st_size for d, _, fs in os.walk(repository) for f in fs)


class Measured:
    def __init__(self, wall, cpu, rss):
        self.wall, self.cpu, self.rss, self.stored = wall, cpu, rss, 0


def measure(command, env, cwd=None):
    """Runs it with all of its children. Peak memory is that of the largest process."""
    with open(os.path.join(os.environ['BENCH_DIR'], 'log'), 'ab') as log:
        started = time.monotonic()
        process = subprocess.Popen(['bash', '-c', 'set -o pipefail; ' + command], env=env, stdout=log, stderr=log, cwd=cwd,
                                   stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
    if status:
        with open(log.name, errors='replace') as f:
            sys.exit('%s\n%s' % (''.join(f.readlines()[-20:]), 'bench: failed: ' + command))
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


class Table:
    def __init__(self, kind):
        self.kind, self.results = kind, {}

    def add(self, work, program, measured):
        self.results.setdefault(work, {}).setdefault(program, []).append(measured)
        print('%-44s %-9s %7.2f s  %7.2f s CPU  %6.0f MiB' % (work, program, measured.wall, measured.cpu, measured.rss / 2**20), flush=True)

    def text(self, about):
        lines = ['# bench/run %s' % self.kind, '', about, '',
                 '| work | program | wall s | CPU s | peak MiB | stored MiB | wall, times ours | CPU, times ours |',
                 '| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |']
        for work, programs in self.results.items():
            median = {p: {f: statistics.median(getattr(m, f) for m in runs) for f in ('wall', 'cpu', 'rss', 'stored')}
                      for p, runs in programs.items()}
            ours = median.get('backstay')
            for program, m in median.items():
                ratio = ['%.2f' % (m[f] / ours[f]) if ours and ours[f] else '' for f in ('wall', 'cpu')]
                lines.append('| %s | %s | %.2f | %.2f | %.0f | %s | %s | %s |' % (
                    work, program, m['wall'], m['cpu'], m['rss'] / 2**20, '%.1f' % (m['stored'] / 2**20) if m['stored'] else '', *ratio))
        return '\n'.join(lines) + '\n'
