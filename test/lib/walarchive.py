# SPDX-License-Identifier: Apache-2.0
"""A repository as the user of a PostgreSQL server sees it: what its archive_command and restore_command run with."""
import os
import shlex

from cluster import as_postgres, hand_over
from scenario import BACKSTAY, path, run


def hand_over_all(top):
    for parent, _, names in os.walk(top):
        hand_over(parent)
        for name in names:
            hand_over(os.path.join(parent, name))


def own(name):
    """A directory of the server's user."""
    os.makedirs(path(name), exist_ok=True)
    hand_over(path(name))
    return path(name)


class Archive:
    """The repository as the server's user sees it: by a key file, with caches of its own."""

    def __init__(self, repo, key='key'):
        """key: name of the key file, of each repository another one."""
        self.repo = repo
        self.key = own('user') + '/' + key
        if not os.path.exists(self.key):
            repo.backstay('key', 'export', self.key, code=0)
            hand_over(self.key)
        self.environ = {k: v for k, v in repo.env(BACKSTAY_REPOSITORY=repo.path, BACKSTAY_KEY_FILE=self.key).items()
                        if 'PASSWORD' not in k and k != 'HOME'}
        self.environ.update(BACKSTAY_CACHE_DIR=own('user/cache'), BACKSTAY_STATE_DIR=own('user/state'), HOME=path('user'))

    def wal(self, *argv, **more):
        return run(*as_postgres(), BACKSTAY, 'wal', *argv, env=self.environ, **{'cwd': path('user'), **more})

    def script(self, name, command):
        """What a server calls, with the environment that its administrator would give it."""
        script = path(name)
        with open(script, 'w', encoding='utf-8') as f:
            f.write('#!/bin/sh\n' + ''.join('export %s=%s\n' % (k, shlex.quote(v)) for k, v in sorted(self.environ.items())))
            f.write(command)
        os.chmod(script, 0o755)
        return script

    def fetched(self, server, name):
        """What `wal get` gives of a segment; None: there is none."""
        out = path('user', 'out')
        if self.wal('get', name, out, '--pgdata', server.data).code:
            return None
        with open(out, 'rb') as f:
            data = f.read()
        os.unlink(out)
        return data

    def list(self):
        return self.wal('list', '--json', code=0, why='wal list works').json()
