# SPDX-License-Identifier: Apache-2.0
"""A daemon of the test's own, with its page, in a folder of the scratch directory.

    with LiveDaemon('one', CONFIG, repo=repo.path) as daemon:   # %(port)d, %(dir)s and what is named go into the text
        daemon.ask('GET', '/readyz')                            # status, headers, body
        daemon.control(op='status')                             # one request on the control socket
"""
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess

from scenario import BACKSTAY, environment, fact, path, wait_until

PATIENCE = 300


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class LiveDaemon:
    def __init__(self, name, text, env=None, authority=None, **values):
        """authority: the file of the certificate that the page is to show; then it is asked by HTTPS."""
        self.dir, self.port, self.text, self.authority, self.process = path(name), free_port(), text, authority, None
        self.config, self.state, self.runtime = self.dir + '/backstay.yaml', self.dir + '/state', self.dir + '/run'
        os.makedirs(self.dir, exist_ok=True)
        self.env = {**(env or environment()), 'STATE_DIRECTORY': self.state, 'RUNTIME_DIRECTORY': self.runtime}
        self.configure(**values)

    def configure(self, **values):
        with open(self.config, 'w', encoding='utf-8') as f:
            f.write(self.text % {'port': self.port, 'dir': self.dir, **values})

    def begin(self):
        with open(self.dir + '/log', 'ab') as log:
            self.process = subprocess.Popen([BACKSTAY, 'daemon', '--config', self.config, '--stop-wait', '1'], env=self.env,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self, page=True):
        self.begin()
        ready = self.is_ready if page else lambda: self.command('healthcheck').returncode == 0
        fact(wait_until(lambda: ready() or self.process.poll() is not None, PATIENCE, .1) and self.process.poll() is None,
             'the daemon is ready', self.said())
        return self

    def is_ready(self):
        try:
            return self.ask('GET', '/readyz')[0] == 200
        except OSError:
            return False

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(PATIENCE)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def said(self):
        with open(self.dir + '/log', encoding='utf-8', errors='replace') as f:
            return f.read()

    def command(self, *argv, **options):
        """A command that speaks with it."""
        return subprocess.run([BACKSTAY, *argv, '--socket', self.runtime + '/control.sock'], env=self.env, capture_output=True,
                              check=False, **options)

    def control(self, **request):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.runtime + '/control.sock')
            s.sendall(json.dumps(request).encode() + b'\n')
            return json.loads(s.makefile().readline())

    def connection(self):
        if not self.authority:
            return http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        return http.client.HTTPSConnection('127.0.0.1', self.port, timeout=60,
                                           context=ssl.create_default_context(cafile=self.authority))

    def ask(self, method, where, body=None, **headers):
        headers = {k.replace('_', '-'): v for k, v in headers.items()}
        if body is not None:
            headers['Content-Type'] = 'application/json'
            body = json.dumps(body)
        connection = self.connection()
        try:
            connection.request(method, where, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except http.client.HTTPException as e:
            raise OSError(str(e)) from e
        finally:
            connection.close()

    def login(self, name, password):
        """The status, and the cookie of the session."""
        status, headers, _ = self.ask('POST', '/api/login', {'name': name, 'password': password})
        return status, (headers['Set-Cookie'] or '').split(';')[0]
