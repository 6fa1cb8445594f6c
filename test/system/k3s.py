#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""k3s: the control plane of a server as one snapshot, state.db of one moment, the token, TLS and configuration with owners and modes."""
import json
import os
import socket
import sqlite3
import stat
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from scenario import FAILED, Repo, equal, fact, finish, path

SERVER = path('k3s/server')


def put(name, text, mode=0o600, uid=0):
    file = os.path.join(SERVER, name)
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file, 'w', encoding='utf-8') as f:
        f.write(text)
    os.chmod(file, mode)
    os.chown(file, uid, uid)


def described(top):
    """What lies there: kind, mode, owner, content; not of db/."""
    found = {}
    for directory, names, files in os.walk(top):
        if directory == top:
            names.remove('db')
        for name in names + files:
            file = os.path.join(directory, name)
            st = os.lstat(file)
            if stat.S_ISSOCK(st.st_mode):
                continue
            content = os.readlink(file) if stat.S_ISLNK(st.st_mode) else open(file, 'rb').read() if stat.S_ISREG(st.st_mode) else None
            found[os.path.relpath(file, top)] = (oct(st.st_mode) if not stat.S_ISLNK(st.st_mode) else 'link', st.st_uid, st.st_gid, content)
    return found


class Kine(threading.Thread):
    """Writes as the data store of k3s does: every event a row, the sum of all in another table."""

    def __init__(self, file):
        super().__init__(daemon=True)
        self.file, self.stopped, self.n = file, threading.Event(), 0

    def run(self):
        db = sqlite3.connect(self.file, isolation_level=None, timeout=60)
        while not self.stopped.wait(.002):
            db.execute('BEGIN IMMEDIATE')
            db.execute('INSERT INTO kine (name, value) VALUES (?, ?)', ('/registry/%d' % (self.n + 1), os.urandom(500)))
            db.execute('UPDATE total SET n = n + 1')
            db.execute('COMMIT')
            self.n += 1  # only now it has to be in a copy


repo = Repo.named('repo')
repo.init()
put('token', 'K10abc::server:secret\n')
os.symlink('token', SERVER + '/node-token')
put('tls/server-ca.crt', 'a certificate\n', 0o644)
put('tls/server-ca.key', 'a key\n')
put('tls/etcd/peer-ca.key', 'another key\n', 0o400, 4711)
put('cred/passwd', 'secret,node,node,\n')
put('manifests/app.yaml', 'kind: ConfigMap\n', 0o644)
os.makedirs(SERVER + '/db', 0o700)
state = SERVER + '/db/state.db'
db = sqlite3.connect(state, isolation_level=None)
db.execute('PRAGMA journal_mode=WAL')
db.execute('CREATE TABLE kine (id INTEGER PRIMARY KEY, name TEXT, value BLOB)')
db.execute('CREATE TABLE total (n INTEGER)')
db.execute('INSERT INTO total VALUES (0)')
os.chmod(state, 0o600)
with socket.socket(socket.AF_UNIX) as s:
    os.chdir(SERVER)
    s.bind('kine.sock')
os.chdir('/')
etc = path('etc')
os.makedirs(etc + '/rancher/k3s')
with open(etc + '/rancher/k3s/config.yaml', 'w', encoding='utf-8') as f:
    f.write('cluster-init: false\n')
os.chown(etc + '/rancher/k3s/config.yaml', 4711, 4712)
os.chmod(etc + '/rancher/k3s/config.yaml', 0o640)

writer = Kine(state)
writer.start()
while writer.n < 50:
    pass
before = writer.n
# /etc/rancher/k3s of this run only
done = repo.backstay('backup', '--json', 'k3s:' + SERVER, code=0,
                     prefix=('unshare', '-m', 'sh', '-c', 'mount -t overlay overlay -o lowerdir=%s:/etc /etc && exec "$@"' % etc, 'sh'))
writer.stopped.set()
writer.join()
snapshot = done.summary()['snapshot_id']
tags = [s for s in repo.snapshots() if s['id'] == snapshot][0]['tags']
fact('kind=k3s' in tags and any(t.startswith('cut=') for t in tags), 'tags', tags)

# by stock restic: all of it
target = path('restic')
repo.restic('restore', snapshot, '--target', target, code=0)
top = os.path.join(target, os.listdir(target)[0])
equal(described(top + '/server'), described(SERVER), 'token, TLS and the rest with owners and modes')
equal(os.listdir(top + '/server/db'), ['state.db'], 'of the data store the copy alone')
copy = sqlite3.connect(top + '/server/db/state.db')
n, rows = copy.execute('SELECT n FROM total').fetchone()[0], copy.execute('SELECT count(*) FROM kine').fetchone()[0]
fact(n == rows >= before, 'it is of one moment', (n, rows, before))
with open(top + '/config/config.yaml', encoding='utf-8') as f:
    equal(f.read(), 'cluster-init: false\n', 'the configuration')
    st = os.stat(f.fileno())
    equal((stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid), (0o640, 4711, 4712), 'with its mode and owner')
with open(top + '/manifest.json', encoding='utf-8') as f:
    manifest = json.load(f)
equal({t['name']: t['rows'] for t in manifest['database']['tables']}, {'kine': rows, 'total': 1}, 'the manifest counts')
equal(manifest['source']['kind'], 'k3s', 'and says what it is')

# to its place, by us, as the guide says
back = path('back/server')
name = os.path.basename(top)
repo.backstay('restore', '%s:/%s/server' % (snapshot, name), '--target', back, code=0)
equal(described(back), described(SERVER), 'restored to a directory of a server')
equal(stat.S_IMODE(os.stat(back + '/db/state.db').st_mode), 0o600, 'with the mode of the data store')

# what is left to do, with the places as they are
def steps(target, *more, where='', as_json=True):
    done = repo.backstay('restore', snapshot + where, '--target', target, *(['--json'] if as_json else []), *more, code=0)
    return done.summary().get('steps') if as_json else done.text


def has(told, *wanted):
    text = '\n'.join(told)
    for want in wanted:
        fact(want in text, 'a step says: ' + want, text)


whole = path('whole')
before = steps(whole, '--dry-run')
fact(not os.path.exists(whole), 'a dry run restores nothing', whole)
equal(before, steps(whole), 'and tells the same steps as the restore')
equal(['stop k3s' in before[0], any('systemctl start k3s' in s for s in before), any('kubectl get nodes' in s for s in before)], [True] * 3,
      'k3s is stopped first, started, and looked at')
has(before, 'cp -a %s %s' % ("'%s/%s/server'" % (whole, name), "'%s'" % SERVER), SERVER + '/db/state.db', SERVER + '/token', SERVER + '/tls', 'state.db-wal', 'state.db-shm',
    'etcd', "cp -a '%s/%s/config/.' /etc/rancher/k3s/" % (whole, name))
equal([s for s in before if 'There are now' in s], [], 'nothing lies beside state.db')
words = steps(whole, as_json=False)
equal([s for s in before if s not in words], [], 'in words, too')
equal(steps(whole, '--quiet', as_json=False), '', '--quiet says nothing of them')
only = steps(back, where=':/%s/server' % name)
has(only, "cp -a '%s' '%s'" % (back, SERVER), 'restore %s:/%s/config --target /etc/rancher/k3s' % (snapshot[:8], name))
has(steps(path('config'), where=':/%s/config' % name), "cp -a '%s/.' /etc/rancher/k3s/" % path('config'), '/%s/server --target %s' % (name, SERVER))
for where, more in ((':/%s/server/tls' % name, ()), ('', ('--include', '*.crt'))):
    equal(steps(path('part'), *more, where=where), None, 'a part of it has no steps')
os.makedirs(back + '/db/etcd')
with open(back + '/db/state.db-wal', 'w', encoding='ascii') as f:
    f.write('old')
has(steps(back, where=':/%s/server' % name), 'There are now: %s/db/state.db-wal, %s/db/etcd' % (back, back))
there = steps(SERVER, '--dry-run', where=':/%s/server' % name)
has(there, 'before the restore, stop k3s', 'move %s away' % SERVER)
equal([s for s in there if 'cp -a' in s], [], 'to its own place nothing has to be copied')
files = repo.backup(path('part'))['snapshot_id']
equal('steps' in repo.backstay('restore', files, '--target', path('files'), '--json', code=0).summary(), False, 'files have no steps')
repo.backstay('forget', files, code=0)

# a machine without a configuration directory
bare = repo.backstay('backup', '--json', 'k3s:' + SERVER, code=0,
                     prefix=('unshare', '-m', 'sh', '-c', 'mount -t tmpfs tmpfs /etc && exec "$@"', 'sh')).summary()['snapshot_id']
told = repo.backstay('restore', bare, '--target', path('bare'), '--json', code=0).summary().get('steps', [])
has(told, 'the server had nothing in /etc/rancher/k3s', 'systemctl start k3s')
equal([s for s in told if 'cp -a' in s and 'etc/rancher' in s], [], 'and no configuration is put to its place')
repo.backstay('forget', bare, code=0)

# what could not be used is no backup
os.rename(SERVER + '/token', path('token'))
done = repo.backstay('backup', 'k3s:' + SERVER, code=FAILED, why='no backup without the token')
fact('token' in done.errors, 'it is named', done.errors)
put('token', '')
repo.backstay('backup', 'k3s:' + SERVER, code=FAILED, why='nor with an empty one')
os.rename(path('token'), SERVER + '/token')
db.close()
os.rename(state, path('state.db'))
done = repo.backstay('backup', 'k3s:' + SERVER, code=FAILED, why='nor without state.db')
fact('etcd' in done.errors, 'which may be in etcd', done.errors)
equal(len(repo.snapshots()), 1, 'none of these left a snapshot')
repo.sound('in the end')
finish()
