# SPDX-License-Identifier: Apache-2.0
"""A daemon of a scenario, in a folder of the scratch directory: its configuration, its process, its socket, its catalogue.

    with Daemon('one', repo, SMALL + SCHEDULES) as daemon:   # started, and stopped in the end
        run_id = daemon.control(op='run', schedule='nightly')['run']
        daemon.ended(run_id)

Its page, and the people who use it: daemonhttp.py.
"""
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
from contextlib import closing

from scenario import BACKSTAY, Repo, environment, path, say, wait_until

PATIENCE = 300

# Of the day in UTC, and half a day away: what is due then comes due when a test says so, and at no other time.
HOUR = (time.gmtime().tm_hour + 12) % 24

# The first lines of a configuration: the repository that is handed over, and a source of one small file.
REPOSITORY = '''
repositories:
  main: {location: %(repo)s, password: "env://RESTIC_PASSWORD"}
'''
SMALL = REPOSITORY + '''
sources:
  small: {paths: [%(small)s]}
'''


def small_repo():
    """A new repository, and what SMALL saves."""
    os.mkdir(path('small'))
    with open(path('small', 'file'), 'w', encoding='utf-8') as f:
        f.write('content\n' * 1000)
    repo = Repo.named('repo')
    repo.init()
    return repo


class Daemon:
    """text: the configuration, with %(dir)s, %(node)s, %(catalogue)s, %(repo)s, %(small)s, %(go)s, %(hour)02d and what values names. repo
    may be None. env: what is in its environment besides its directories; without it the password of the repository is."""

    def __init__(self, name, repo, text, catalogue=None, env=None, **values):
        self.name, self.repo, self.text, self.process = name, repo, text, None
        self.dir, self.state, self.runtime = path(name), path(name, 'state'), path(name, 'run')
        self.catalogue = catalogue or path(name, 'catalogue.db')
        self.socket, self.config, self.go = self.runtime + '/control.sock', path(name, 'backstay.yaml'), path(name, 'go')
        self.given = env or (repo.env() if repo else environment())
        self.more, self.spawn_as = {}, None
        os.makedirs(self.dir, exist_ok=True)
        self.configure(**values)

    def configure(self, **values):
        url = self.catalogue if '://' in self.catalogue else 'sqlite:' + self.catalogue
        with open(self.config, 'w', encoding='utf-8') as f:
            f.write(self.text % {'repo': self.repo and self.repo.path, 'node': self.name, 'dir': self.dir, 'catalogue': url, 'go': self.go,
                                 'small': path('small'), 'hour': HOUR, **values})

    def env(self, **more):
        return {**self.given, 'STATE_DIRECTORY': self.state, 'RUNTIME_DIRECTORY': self.runtime, 'BACKSTAY_STATE_DIR': self.state,
                **self.more, **more}

    # ---- its process ----

    def spawn(self, *argv):
        """Without waiting for it."""
        with open(path(self.name, 'log'), 'ab') as log:
            self.process = subprocess.Popen([BACKSTAY, 'daemon', '--config', self.config, '--stop-wait', '1', *argv], env=self.env(),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, user=self.spawn_as)

    def lives(self):
        return self.process is not None and self.process.poll() is None

    def start(self, *argv):
        """It lives, and has looked at what was left; before that it does not answer. One that has died is not waited for."""
        self.spawn(*argv)
        return self.answers() and self.lives()

    def stop(self, sig=signal.SIGTERM):
        """Its exit status."""
        if self.lives():
            self.process.send_signal(sig)
        return self.process.wait(PATIENCE)

    def kill(self):
        return self.stop(signal.SIGKILL)

    def __enter__(self):
        if not self.process:
            self.start()
        return self

    def __exit__(self, failed, *_):
        if self.process:
            self.stop(signal.SIGKILL if failed else signal.SIGTERM)
            say(self.said()[-3000:])

    def said(self):
        with open(path(self.name, 'log'), encoding='utf-8', errors='replace') as f:
            return f.read()

    # ---- its socket ----

    def command(self, *argv, **options):
        """A command that speaks with it."""
        return subprocess.run([BACKSTAY, *argv, '--socket', self.socket], env=self.env(), capture_output=True, check=False, **options)

    def control(self, **request):
        """One request."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.socket)
            s.sendall(json.dumps(request).encode() + b'\n')
            return json.loads(s.makefile().readline())

    def status(self):
        return json.loads(self.command('status', '--json').stdout)

    def schedule(self, name):
        return next(s for s in self.status()['schedules'] if s['name'] == name)

    # ---- its catalogue ----

    def rows(self, where='1 = 1'):
        with closing(sqlite3.connect(self.catalogue, timeout=60)) as db:
            db.row_factory = sqlite3.Row
            return [dict(r) for r in db.execute('SELECT * FROM backup_history WHERE %s ORDER BY id' % where)]

    def row(self, run_id):
        return self.rows("id = '%s'" % run_id)[0]

    # ---- waiting for it ----

    def answers(self):
        return wait_until(lambda: self.command('healthcheck').returncode == 0 or not self.lives(), PATIENCE, .1)

    def tells(self, text, after=0, every=.1):
        """It has said so more often than that."""
        return wait_until(lambda: self.said().count(text) > after, PATIENCE, every)

    def under_way(self):
        """A run has begun; which."""
        wait_until(lambda: any(r['pid'] for r in self.status()['runs']), PATIENCE, .1)
        return next((r for r in self.status()['runs'] if r['pid']), None)

    def ended(self, run_id):
        return wait_until(lambda: self.row(run_id)['state'] not in ('queued', 'running'), PATIENCE, .1)

    def let_go(self, run_id):
        """A run that waits for %(go)s goes on to its end."""
        open(self.go, 'w', encoding='ascii').close()
        done = self.ended(run_id)
        os.remove(self.go)
        return done
