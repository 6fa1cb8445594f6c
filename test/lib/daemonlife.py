# SPDX-License-Identifier: Apache-2.0
"""A daemon of a scenario: its configuration, its process, its socket, its catalogue."""
import json
import os
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing

from scenario import BACKSTAY, path, wait_until

PATIENCE = 300


class Daemon:
    """text: the configuration, with %(node)s, %(catalogue)s, %(repo)s, %(go)s and what values names."""

    def __init__(self, name, repo, text, catalogue=None, **values):
        self.name, self.repo, self.text, self.process = name, repo, text, None
        self.state, self.runtime = path(name, 'state'), path(name, 'run')
        self.catalogue = catalogue or path(name, 'catalogue.db')
        self.socket, self.config, self.go = self.runtime + '/control.sock', path(name, 'backstay.yaml'), path(name, 'go')
        self.more, self.spawn_as = {}, None
        os.makedirs(path(name), exist_ok=True)
        self.configure(**values)

    def configure(self, **values):
        url = self.catalogue if '://' in self.catalogue else 'sqlite:' + self.catalogue
        with open(self.config, 'w', encoding='utf-8') as f:
            f.write(self.text % {'repo': self.repo.path, 'node': self.name, 'catalogue': url, 'go': self.go, **values})

    def env(self, **more):
        return self.repo.env(STATE_DIRECTORY=self.state, RUNTIME_DIRECTORY=self.runtime, BACKSTAY_STATE_DIR=self.state,
                             **{**self.more, **more})

    def spawn(self, *argv):
        """Without waiting for it."""
        with open(path(self.name, 'log'), 'a', encoding='utf-8') as log:
            self.process = subprocess.Popen([BACKSTAY, 'daemon', '--config', self.config, '--stop-wait', '1', *argv], env=self.env(),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, user=self.spawn_as)

    def start(self, *argv):
        self.spawn(*argv)
        # it is not there before it has looked at what was left
        return wait_until(lambda: self.ask('healthcheck').returncode == 0 or self.process.poll() is not None, PATIENCE, .1)

    def ask(self, *argv):
        return subprocess.run([BACKSTAY, *argv, '--socket', self.socket], env=self.env(), capture_output=True, check=False)

    def status(self):
        return json.loads(self.ask('status', '--json').stdout)

    def schedule(self, name):
        return next(s for s in self.status()['schedules'] if s['name'] == name)

    def request(self, **request):
        """One request on the control socket."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.socket)
            s.sendall(json.dumps(request).encode() + b'\n')
            return json.loads(s.makefile().readline())

    def kill(self, sig=signal.SIGKILL):
        self.process.send_signal(sig)
        self.process.wait(PATIENCE)
        return self.process.returncode

    def rows(self, where='1 = 1'):
        with closing(sqlite3.connect(self.catalogue, timeout=60)) as db:
            db.row_factory = sqlite3.Row
            return [dict(r) for r in db.execute('SELECT * FROM backup_history WHERE %s ORDER BY id' % where)]

    def row(self, run_id):
        return self.rows("id = '%s'" % run_id)[0]

    def ended(self, run_id):
        return wait_until(lambda: self.row(run_id)['state'] not in ('queued', 'running'), PATIENCE, .1)

    def under_way(self):
        """A run has begun; which."""
        wait_until(lambda: any(r['pid'] for r in self.status()['runs']), PATIENCE, .1)
        return next((r for r in self.status()['runs'] if r['pid']), None)

    def log(self):
        with open(path(self.name, 'log'), encoding='utf-8') as f:
            return f.read()
