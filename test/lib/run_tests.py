# SPDX-License-Identifier: Apache-2.0
"""The runner behind ./check: a small graph of jobs, three at a time.

A job is a command. Its standard output may hold facts, `ok NAME` and `not ok NAME`; a job without facts is one fact
itself. A scenario under test/system or test/conformance says in its first lines how it wants to be run:

    # check: quick            also in ./check quick
    # check: asan             once more with the binary built under the address and undefined behaviour sanitizers
    # check: tsan             once more with the binary built under the thread sanitizer
    # check: timeout=900      seconds; 900 unless told. Those that may take longest are started first.
"""
import glob
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, 'build-check')
LOGS = os.path.join(BUILD, 'logs')
PARALLEL = 3  # many wait for servers and clocks: three keep two processors busy
TAIL = 60
SEED = '1'  # of what tests choose by chance, unless the caller has a SEED: the same each time, so that a change is judged by what it changed
FACT = re.compile(r'^\s*(not )?ok\b(.*)$')


class Job:
    def __init__(self, name, argv, needs=(), timeout=300, facts='self', env=None, cwd=TOP):
        self.name, self.argv, self.needs, self.timeout = name, argv, list(needs), timeout
        # argv: a list, or a function that makes it once the needs are there
        self.facts = facts  # self: the status alone; tap: lines on stdout; meson: the build directory of a test log
        self.env, self.cwd = env or {}, cwd
        self.passed = self.failed = 0
        self.state = 'waiting'
        self.why = ''
        self.process = None
        self.seconds = 0

    @property
    def log(self):
        return os.path.join(LOGS, self.name.replace('/', '-') + '.log')

    def run(self, work):
        scratch = os.path.join(work, self.name.replace('/', '-'))
        os.makedirs(scratch)
        os.chmod(scratch, 0o711)
        started = time.monotonic()
        with open(self.log, 'wb') as log:
            argv = self.argv() if callable(self.argv) else self.argv
            process = self.process = subprocess.Popen(argv, cwd=self.cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                      env={'SEED': SEED, **os.environ, **self.env, 'WORK': scratch},
                                                      start_new_session=True)
            try:
                status = process.wait(self.timeout)
            except subprocess.TimeoutExpired:
                status = self.end(process)
                self.why = 'still running after %d s' % self.timeout
        self.seconds = time.monotonic() - started
        subprocess.run(['rm', '-rf', scratch], check=False)
        self.count(status)
        if status and not self.failed:
            self.failed = 1
        if status and not self.why:
            self.why = 'exit status %d' % status
        self.state = 'failed' if self.failed else 'passed'

    @staticmethod
    def end(process):
        # first a chance to stop its servers
        for sig, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, None)):
            try:
                os.killpg(process.pid, sig)
            except ProcessLookupError:
                pass
            try:
                return process.wait(patience) or 1
            except subprocess.TimeoutExpired:
                pass
        return 1

    def count(self, status):
        if self.facts == 'self':
            self.passed = 0 if status else 1
        elif self.facts == 'tap':
            with open(self.log, errors='replace') as log:
                self.count_lines(log)
            if not self.passed and not self.failed:
                self.failed, self.why = 1, 'stated no facts'
        else:
            self.count_meson()

    def count_lines(self, lines):
        passed, failed = 0, 0
        for line in lines:
            fact = FACT.match(line)
            # a skipped test has shown nothing
            if fact and (fact[1] or '# SKIP' in fact[2]):
                failed += 1
            elif fact:
                passed += 1
        self.passed += passed
        self.failed += failed
        return passed, failed

    def count_meson(self):
        """The facts are in meson's log; what failed goes to ours, which it is the tail of that is printed."""
        try:
            with open(os.path.join(self.facts, 'meson-logs', 'testlog.json')) as f:
                tests = [json.loads(line) for line in f]
        except OSError:
            tests = []
        if not tests:
            self.failed, self.why = 1, 'no test was run'
        with open(self.log, 'a') as log:
            for test in tests:
                passed, failed = self.count_lines(test.get('stdout', '').splitlines())
                good = test['result'] == 'OK'
                if good and not passed and not failed:
                    self.passed += 1
                if not good and not failed:
                    self.failed += 1
                if not good or failed:
                    log.write('\n--- %s: %s\n%s\n%s\n' % (test['name'], test['result'], test.get('stdout', '')[-6000:],
                                                         test.get('stderr', '')[-6000:]))


class Runner:
    def __init__(self, jobs, work):
        self.jobs, self.work = jobs, work
        self.by_name = {job.name: job for job in jobs}
        self.changed = threading.Condition()

    def ready(self):
        for job in self.jobs:
            if job.state != 'waiting':
                continue
            states = [self.by_name[n].state for n in job.needs]
            if any(s in ('failed', 'stuck') for s in states):
                job.state, job.failed = 'stuck', 1
                job.why = 'not run: needs ' + ', '.join(job.needs)
                self.report(job)
                return self.ready()
            if all(s == 'passed' for s in states):
                return job
        return None

    def report(self, job):
        facts = '%d passed' % job.passed + (', %d FAILED' % job.failed if job.failed else '')
        print('%6.1f s  %-34s %s%s' % (job.seconds, job.name, facts, '  (%s)' % job.why if job.why else ''), flush=True)

    def worker(self):
        while True:
            with self.changed:
                while not (job := self.ready()):
                    if all(j.state not in ('waiting', 'running') for j in self.jobs):
                        self.changed.notify_all()
                        return
                    self.changed.wait()
                job.state = 'running'
            try:
                job.run(self.work)
            except Exception as e:  # a job that cannot even start
                job.state, job.failed, job.why = 'failed', job.failed or 1, repr(e)
            with self.changed:
                self.report(job)
                self.changed.notify_all()

    def run(self):
        threads = [threading.Thread(target=self.worker, daemon=True) for _ in range(PARALLEL)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    def stop(self):
        """Ends what runs, with its servers, and starts nothing more."""
        with self.changed:
            running = [job for job in self.jobs if job.state == 'running']
            for job in self.jobs:
                job.state = 'stopped' if job.state in ('waiting', 'running') else job.state
        for job in running:
            if job.process and job.process.poll() is None:
                job.end(job.process)


def build_job(kind, *options, compiler='gcc', target='all'):
    path = os.path.join(BUILD, kind)
    script = ('if [ -e "$0/build.ninja" ]; then meson configure "$0" "$@"; else meson setup "$0" "$@"; fi'
              ' && ninja -C "$0" ' + target)
    return Job('build/' + kind, ['bash', '-c', script, path, *options], timeout=1200,
               env={'CC': compiler})


def unit_job(kind, env=None, quick=False, needs=()):
    path = os.path.join(BUILD, kind)
    if quick or kind == 'tsan':
        # under the sanitizers each byte costs a tenth of a second; the full check changes every one elsewhere
        env = {**env, 'FLIP_STEP': '8'}
    # what malloc() fills memory with: meson would draw a byte for each test
    env = {**(env or {}), 'MALLOC_PERTURB_': '165'}
    if kind == 'release':
        env = {**env, 'LD_PRELOAD': os.path.join(path, 'test/unit/libthread-witness.so'), 'THREADS_SEEN': THREADS_SEEN}
    argv = ['meson', 'test', '-C', path, '--no-rebuild', '--num-processes', '2', '--timeout-multiplier', '4', '-q']
    return Job('unit/' + kind, {'tsan': lambda: threaded(path, argv), 'release': lambda: witnessed(argv)}.get(kind, argv),
               needs=['build/' + kind, *needs], timeout=2400 if kind == 'tsan' else 1800, facts=path, env=env)


# What unit tests of the release start threads: a file each. Written by test/lib/thread_witness.c.
THREADS_SEEN = os.path.join(BUILD, 'threads-seen')


def witnessed(argv):
    shutil.rmtree(THREADS_SEEN, ignore_errors=True)
    os.makedirs(THREADS_SEEN)
    os.chmod(THREADS_SEEN, 0o1777)  # some go on as another user
    return argv


def threaded(path, argv):
    """Builds and runs the unit tests that were seen to start a thread: of another the thread sanitizer has nothing to say."""
    tests = json.loads(subprocess.run(['meson', 'introspect', '--tests', path], stdout=subprocess.PIPE, check=True).stdout)
    seen = set(os.listdir(THREADS_SEEN))
    if 'test-base-parallel' not in seen:
        raise RuntimeError('no thread was seen in the test of base/parallel: test/lib/thread_witness.c is blind')
    # the program of a test, or the one that its script drives
    programs = {test['name']: [word for word in test['cmd'] if word.startswith(path + '/')] for test in tests}
    found = {name: words for name, words in programs.items() if any(os.path.basename(word) in seen for word in words)}
    targets = [os.path.relpath(word, path) for words in found.values() for word in words]
    # the log of an earlier run must not count for this one, should the build fail
    script = 'rm -f "$0/meson-logs/testlog.json" && ninja -C "$0" %s && exec "$@"' % ' '.join(map(shlex.quote, targets))
    return ['bash', '-c', script, path, *argv, *found]


SANITIZER_ENV = {
    'G_SLICE': 'always-malloc',  # GLib's own allocator hands memory from thread to thread unseen
    'ASAN_OPTIONS': 'abort_on_error=0:exitcode=99:detect_stack_use_after_return=1',
    'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1:exitcode=99',
    # GLib is not built for the thread sanitizer: what happens inside of it is not seen
    'TSAN_OPTIONS': 'exitcode=99:halt_on_error=0:suppressions=' + os.path.join(TOP, 'test/lib/tsan.supp'),
}


# -O1 and lines alone halve the time of the compiler and cost the programs nothing that can be measured.
SANITIZED_BUILD = ['-Doptimization=1', '-Ddebug=false', '-Db_lundef=false', '-Dwerror=false', '-Darchive_module=disabled']


def wishes(script):
    with open(script, errors='replace') as f:
        head = ''.join(f.readline() for _ in range(12))
    found = re.search(r'^# check:(.*)$', head, re.M)
    words = found[1].replace(',', ' ').split() if found else []
    return {w.partition('=')[0]: w.partition('=')[2] for w in words}


def scenarios(quick):
    jobs = []
    for path in sorted(glob.glob(TOP + '/test/conformance/*') + glob.glob(TOP + '/test/system/*')):
        if not os.path.isfile(path):
            continue
        if not os.access(path, os.X_OK):
            sys.exit('check: %s is not executable, so it would not be run' % os.path.relpath(path, TOP))
        wish = wishes(path)
        if quick and 'quick' not in wish:
            continue
        folder, name = os.path.relpath(path, TOP + '/test').split('/')
        for kind in ['release'] + ([] if quick else [k for k in ('asan', 'tsan') if k in wish]):
            binary = os.path.join(BUILD, kind, 'src', 'backstay')
            jobs.append(Job('%s/%s' % (folder, os.path.splitext(name)[0]) + ('' if kind == 'release' else '/' + kind),
                            [path], needs=['build/' + kind], timeout=int(wish.get('timeout', 900)), facts='tap',
                            env={**SANITIZER_ENV, 'BACKSTAY': binary, 'CHECK': 'quick' if quick else 'full',
                                 'SANITIZED': '' if kind == 'release' else kind}))
    return sorted(jobs, key=lambda job: -job.timeout)


def fuzz_jobs():
    """A short walk from the corpus, the same each time: a change is judged by what it changed. The way depends on the seed, the order
    of the corpus and the addresses of the program, so these are fixed where the kernel lets us, and a fast machine walks no farther.
    New paths are looked for by hand, with FUZZ_SECONDS and a FUZZ_SEED of one's own, and what that finds becomes part of the corpus."""
    seconds, seed = int(os.environ.get('FUZZ_SECONDS', 3)), int(os.environ.get('FUZZ_SEED', 1))
    runs = -1 if 'FUZZ_SECONDS' in os.environ else 50000
    env = {**SANITIZER_ENV, 'LSAN_OPTIONS': 'suppressions=' + os.path.join(TOP, 'test/lib/lsan.supp')}
    jobs = []
    for source in sorted(glob.glob(TOP + '/test/fuzz/*.c')):
        name = os.path.splitext(os.path.basename(source))[0]
        corpus = os.path.join(TOP, 'test/fuzz/corpus', name)
        # new inputs go to a scratch corpus, the one in the tree is read
        script = 'mkdir "$WORK/new" && find "$2" -type f | LC_ALL=C sort | paste -sd, | tr -d "\\n" >"$WORK/corpus" && ' \
                 'fixed=(setarch -R) && { "${fixed[@]}" true || fixed=(); } && ' \
                 'exec "${fixed[@]}" "$0" -seed=%d -runs=%d -max_total_time=%d -rss_limit_mb=2048 -reload=0 -timeout=60 ' \
                 '-print_final_stats=1 -artifact_prefix="$1/" -seed_inputs=@"$WORK/corpus" "$WORK/new"' % (seed, runs, seconds)
        jobs.append(Job('fuzz/' + name, ['bash', '-c', script, os.path.join(BUILD, 'fuzz/test/fuzz/fuzz-' + name), LOGS,
                                         corpus],
                        needs=['build/fuzz'], timeout=seconds + 120, env=env))
    return jobs


# what the quick scenarios call
QUICK_TARGETS = ['src/backstay', 'archive/backstay.so', 'test/unit/test-net-smtp-driver', 'test/unit/test-daemon-web-driver']


def all_jobs(quick):
    release = os.path.join(BUILD, 'release')
    jobs = [
        # the quick check runs the unit tests under the sanitizers only
        build_job('release', '-Dbuildtype=release', '-Db_ndebug=false', '-Dwerror=true', '-Darchive_module=enabled',
                  target=' '.join(QUICK_TARGETS) if quick else 'all'),
        build_job('asan', *SANITIZED_BUILD, '-Db_sanitize=address,undefined',
                  '-Dc_args=-g1 -fno-sanitize-recover=all -fno-omit-frame-pointer'),
        unit_job('asan', SANITIZER_ENV, quick),
        Job('link', [sys.executable, TOP + '/test/link/run.py', release], needs=['build/release'], facts='tap'),
        Job('style', [TOP + '/test/lib/style'], facts='tap'),
    ]
    if not quick:
        jobs += [unit_job('release'),
                 build_job('tsan', *SANITIZED_BUILD, '-Db_sanitize=thread', '-Dc_args=-g1', target='src/backstay'),
                 unit_job('tsan', SANITIZER_ENV, needs=['unit/release']),
                 build_job('fuzz', '-Dfuzz=true', '-Db_sanitize=address,undefined', '-Db_lundef=false', '-Dwerror=false',
                           '-Darchive_module=disabled',
                           '-Dc_args=-fsanitize=fuzzer-no-link -fno-sanitize-recover=all', compiler='clang', target='fuzzers')]
    # the short ones last, so that no processor waits for another at the end
    return jobs + scenarios(quick) + ([] if quick else fuzz_jobs())


def chosen(jobs, patterns):
    if not patterns:
        return jobs
    by_name = {job.name: job for job in jobs}
    keep, todo = set(), [job.name for job in jobs if any(p in job.name for p in patterns)]
    while todo:
        name = todo.pop()
        if name not in keep:
            keep.add(name)
            todo += by_name[name].needs
    return [job for job in jobs if job.name in keep]


def failures(lines):
    """The facts that do not hold, each with the indented lines that say why."""
    found, within = [], False
    for line in lines:
        failed = re.match(r'\s*not ok\b', line)
        within = bool(failed or within and line.startswith('    '))
        if within:
            found.append(line)
    return found


def main(arguments):
    quick = arguments[:1] == ['quick']
    jobs = chosen(all_jobs(quick), arguments[1:] if quick else arguments)
    if not jobs:
        print('check: no test has such a name')
        print('0 passed, 1 failed')
        return 1
    shutil.rmtree(LOGS, ignore_errors=True)
    os.makedirs(LOGS)
    started = time.monotonic()
    work = tempfile.mkdtemp(prefix='backstay-check.')
    os.chmod(work, 0o711)
    runner = Runner(jobs, work)
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda *_: sys.exit(130))
    try:
        runner.run()
    finally:
        runner.stop()
        subprocess.run(['rm', '-rf', work], check=False)
    for job in jobs:
        if job.failed:
            print('\n==== %s: %s; the end of %s' % (job.name, job.why, job.log))
            try:
                with open(job.log, errors='replace') as log:
                    lines = log.readlines()
            except OSError:
                continue
            sys.stdout.writelines(failures(lines[:-TAIL]) + lines[-TAIL:])
    print('\n%.0f s; logs are in %s' % (time.monotonic() - started, LOGS))
    failed = sum(job.failed for job in jobs)
    print('%d passed, %d failed' % (sum(job.passed for job in jobs), failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
