# SPDX-License-Identifier: Apache-2.0
"""What every scenario needs: facts on standard output, a scratch directory, the two programs.

A scenario states facts with fact() and ends with finish(). Everything it runs is shown on the way, so that a log reads
like a session. The scratch directory is named WORK and goes with the scenario; both programs have their caches in it.
"""
import atexit
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from writer import Keys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIXTURES = os.path.join(TOP, 'test/fixtures/restic')
BACKSTAY = os.environ.get('BACKSTAY') or os.path.join(TOP, 'build/src/backstay')
RESTIC = os.environ.get('RESTIC', 'restic')
QUICK = os.environ.get('CHECK', 'quick') == 'quick'
SANITIZED = os.environ.get('SANITIZED', '')
FIXTURE_PASSWORD = 'backstay-fixture'
PASSWORD = 'a password with spaces, ü and "quotes"'

if os.environ.get('WORK'):
    WORK = os.environ['WORK']
else:
    WORK = tempfile.mkdtemp(prefix='backstay-scenario.')
    os.chmod(WORK, 0o711)
    atexit.register(lambda: subprocess.run(['rm', '-rf', WORK], check=False))

# Exit codes: restic's, ours from 20 up.
FAILED, PARTIAL, NO_REPOSITORY, LOCKED, WRONG_PASSWORD = 1, 3, 10, 11, 12
UNREACHABLE, REFUSED, VERSIONS, NOT_EMPTY, MISMATCH, INTERRUPTED = 21, 22, 23, 25, 27, 130

_failed = 0
_stated = 0


def fact(good, name, detail=''):
    """States a fact; detail is shown when it does not hold."""
    global _failed, _stated
    _stated += 1
    print(('ok ' if good else 'not ok ') + name, flush=True)
    if not good:
        _failed += 1
        if detail != '':
            print('    ' + str(detail)[-4000:].replace('\n', '\n    '), flush=True)
    return bool(good)


def equal(got, want, name):
    return fact(got == want, name, 'got  %r\nwant %r' % (got, want))


def finish():
    sys.exit(1 if _failed or not _stated else 0)


def say(*words):
    print('#', *words, flush=True)


# The runner asks with SIGTERM first, so that servers are stopped on the way out.
signal.signal(signal.SIGTERM, lambda *_: sys.exit('terminated'))


class Result:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    @property
    def text(self):
        return self.out.decode(errors='replace')

    @property
    def errors(self):
        return self.err.decode(errors='replace')

    @property
    def all(self):
        return self.text + self.errors

    def json(self):
        """The one document on standard output."""
        return json.loads(self.out)

    def lines(self):
        """One object a line; lines that are none are left out."""
        found = []
        for line in self.out.splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                pass
        return [x for x in found if isinstance(x, dict)]

    def messages(self, kind):
        return [x for x in self.lines() if x.get('message_type') == kind]

    def summary(self):
        found = self.messages('summary')
        return found[-1] if found else {}


def environment(password=PASSWORD, **more):
    keep = {k: v for k, v in os.environ.items()
            if k in ('PATH', 'HOME', 'TMPDIR', 'LANG', 'LC_ALL', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS',
                     'G_SLICE')}
    keep.update(XDG_CACHE_HOME=WORK + '/cache', BACKSTAY_CACHE_DIR=WORK + '/cache/backstay',
                RESTIC_CACHE_DIR=WORK + '/cache/restic', TZ='UTC')
    if password is not None:
        keep['RESTIC_PASSWORD'] = password
    keep.update({k: v for k, v in more.items() if v is not None})
    return keep


def run(*argv, code=None, input=None, env=None, timeout=240, cwd=None, prefix=(), why=''):
    """Runs to the end. With code= its exit status is a fact (a number or a tuple of them)."""
    argv = [os.fspath(a) for a in (*prefix, *argv)]
    shown = ' '.join(shlex.quote(os.fsdecode(a)) for a in argv)
    started = time.monotonic()
    try:
        done = subprocess.run(argv, input=input, env=env or environment(), timeout=timeout, cwd=cwd,
                              stdin=subprocess.DEVNULL if input is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        result = Result(done.returncode, done.stdout, done.stderr, time.monotonic() - started)
    except subprocess.TimeoutExpired as e:
        result = Result(124, e.stdout or b'', (e.stderr or b'') + b'\ntimed out', time.monotonic() - started)
    print('# $ %s  -> %d (%.1f s)' % (shown.encode(errors='replace').decode(), result.code, result.seconds), flush=True)
    for line in result.errors.splitlines()[-12:]:
        print('#   ' + line.encode(errors='replace').decode(), flush=True)
    if code is not None:
        codes = code if isinstance(code, tuple) else (code,)
        fact(result.code in codes, why or '%s ends with %s' % (name_of(argv), ' or '.join(map(str, codes))),
             'exit status %d\n%s' % (result.code, result.all[-1500:]))
    if SANITIZED:
        reports = [w for w in ('Sanitizer', 'runtime error:') if w in result.errors]
        if reports:
            fact(False, 'the sanitizer is silent: ' + name_of(argv), result.errors)
    return result


def name_of(argv):
    base = os.path.basename(os.fsdecode(argv[0]))
    words = [os.fsdecode(a) for a in argv[1:]]
    shown, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ('-r', '--repo'):
            skip = True
        else:
            shown.append(word.replace(WORK, ''))
    return ' '.join([base] + shown)[:90].encode(errors='replace').decode()


class Repo:
    """A repository and the two programs that work on it."""

    def __init__(self, path, password=PASSWORD):
        self.path, self.password = path, password

    @classmethod
    def named(cls, name, password=PASSWORD):
        return cls(os.path.join(WORK, name), password)

    @classmethod
    def fixture(cls, name, to=None):
        """A writable copy."""
        path = os.path.join(WORK, to or 'fixture-' + name)
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(os.path.join(FIXTURES, name), path)
        return cls(path, FIXTURE_PASSWORD)

    def env(self, **more):
        return environment(self.password, **more)

    def backstay(self, *argv, env=None, **options):
        return run(BACKSTAY, '-r', self.path, *argv, env=self.env(**(env or {})), **options)

    def restic(self, *argv, env=None, **options):
        return run(RESTIC, '-r', self.path, *argv, env=self.env(**(env or {})), **options)

    def init(self, *argv, **options):
        """A new repository with a key that costs next to nothing."""
        self.backstay('init', *argv, code=0, **options)
        self.cheapen()

    def cheapen(self):
        """Replaces its one key file by one of the same password. Opening it saves each program between .1 and .8 s of scrypt."""
        Keys.cheapen(self.path, self.password)

    def backup(self, *argv, code=0, **options):
        """A backup by us; the summary."""
        return self.backstay('backup', '--json', *argv, code=code, **options).summary()

    def snapshots(self):
        found = self.backstay('snapshots', '--json')
        try:
            return found.json() or []
        except ValueError:
            fact(False, 'snapshots --json prints an array', found.all)
            return []

    def sound(self, name, read_data=True):
        """Ours and restic's check find nothing."""
        more = ['--read-data'] if read_data else []
        ours = self.backstay('check', '--json', *more)
        good = fact(ours.code == 0 and not ours.messages('error'), name + ': our check finds it sound', ours.all)
        theirs = self.restic('check', *more)
        return fact(theirs.code == 0, name + ': restic finds it sound', theirs.all) and good

    def objects(self, kind):
        """Names under one of the five directories."""
        found = []
        for _, _, files in os.walk(os.path.join(self.path, kind)):
            found += [f for f in files if len(f) == 64]
        return sorted(found)

    def size(self):
        return sum(size_of(os.path.join(d, f)) for d, _, fs in os.walk(self.path) for f in fs)


def size_of(name):
    try:
        return os.lstat(name).st_size
    except FileNotFoundError:
        return 0  # it had a temporary name, and has its own by now


def ended(process, seconds, name):
    """Waits for a process that a test has started; a fact that it ends. What it wrote to standard error."""
    try:
        _, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        _, err = process.communicate()
        fact(False, '%s: it ends within %d seconds' % (name, seconds), (err or b'').decode(errors='replace'))
    return err or b''


def wait_until(condition, seconds=20, pause=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(pause)
    return False


def path(*names):
    return os.path.join(WORK, *names)


def read(name):
    with open(name, 'rb') as f:
        return f.read()


def write(name, content):
    """A file of the scratch directory; its whole name."""
    with open(path(name), 'wb') as f:
        f.write(content)
    return path(name)
