#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Redis: what comes back is what was there, byte for byte; and what is not whole never becomes a snapshot."""
import json
import os
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from redisserver import RedisServer
from scenario import (FAILED, REFUSED, UNREACHABLE, WORK, Repo, equal, fact, finish, path)

SECRET = 'never-show-this'


class Writer(threading.Thread):
    """Writes keys of its own until it is stopped."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.client, self.stopped, self.n = server.client(3), threading.Event(), 0

    def run(self):
        while not self.stopped.is_set():
            self.client.set('w%d' % (self.n % 5000), self.n)
            self.n += 1


def folder(server):
    return 'redis-127.0.0.1-%d' % server.port


def loads(repo, name, dump, want, **options):
    """The file, by stock restic, in a server of its own."""
    server = RedisServer(name, **options)
    server.kill()
    shutil.copy(dump, os.path.join(server.dir, 'dump.rdb'))
    server.start()
    got = server.content()
    same = {k: v for k, v in got.items() if k[0] != 3}
    fact(same == want, name + ': every key has the value and the expiry that it had', [k for k in want if same.get(k) != want[k]])
    functions = server.client().execute_command('FUNCTION', 'LIST')
    equal(len(functions), 1, name + ': functions come back')
    server.kill()
    return got


def fails(repo, url, code, words, label, env=None):
    before = {s['id'] for s in repo.snapshots()}
    done = repo.backstay('backup', url, code=code, why=label + ': exit status', env=env)
    fact(words in done.errors, '%s: the message speaks of %s' % (label, words), done.errors)
    fact(SECRET not in done.all, label + ': the password is not shown', done.all)
    equal({s['id'] for s in repo.snapshots()}, before, label + ': no snapshot was made')
    equal(repo.objects('locks'), [], label + ': no lock is left')


def round_trip(repo, server, label, url, method):
    writer = Writer(server)
    writer.start()
    want = {k: v for k, v in server.content().items() if k[0] != 3}
    summary = repo.backup(url)
    writer.stopped.set()
    writer.join()
    target = path('restored-' + label)
    repo.restic('restore', summary['snapshot_id'], '--target', target, code=0)
    top = os.path.join(target, os.listdir(target)[0])
    with open(os.path.join(top, 'manifest.json'), encoding='utf-8') as f:
        manifest = json.load(f)
    equal(manifest['copy']['method'], method, label + ': taken as ' + method)
    got = loads(repo, 'loads-' + label, os.path.join(top, 'dump.rdb'), want)
    counted = {d['number']: d['keys'] for d in manifest['databases']}
    real = {}
    for db, _ in got:
        real[db] = real.get(db, 0) + 1
    equal(counted, real, label + ': the manifest counts the keys of each database')
    values = sorted(int(server.client(3).get(key) or 0) for db, key in got if db == 3)
    fact(len(values) == counted.get(3, 0), label + ': keys written meanwhile are there as they were at one moment')
    equal(manifest['rdb']['size'], os.path.getsize(os.path.join(top, 'dump.rdb')), label + ': size')
    digest = subprocess.run(['sha256sum', os.path.join(top, 'dump.rdb')], capture_output=True, check=True).stdout.split()[0].decode()
    equal(manifest['rdb']['sha256'], digest, label + ': SHA-256')
    return manifest


repo = Repo.named('repo')
repo.init()
server = RedisServer('server', 'enable-protected-configs yes')
server.fill()

manifest = round_trip(repo, server, 'diskless', server.url, 'diskless replica')
equal(manifest['source']['name'], folder(server), 'the source has the name of host and port')
fact(len(manifest['copy']['replication_id']) == 40 and manifest['copy']['offset'] >= 0, 'the manifest has the replication offset')
equal(manifest['server']['version'], server.client().info()['redis_version'], 'and the version of the server')
server.client().config_set('repl-diskless-sync', 'no')
round_trip(repo, server, 'on-disk', 'redis://%s' % server.socket, 'replica')
equal([f for f in os.listdir(server.dir) if f.startswith('temp-')], [], 'nothing is left in the directory of the server')

# a login that may replicate, one that may only save, and one that may neither
c = server.client()
c.execute_command('ACL', 'SETUSER', 'replica', 'on', '>' + SECRET, '+psync', '+replconf', '+info', '+ping')
c.execute_command('ACL', 'SETUSER', 'saver', 'on', '>' + SECRET, '+bgsave', '+config|get', '+info')
c.execute_command('ACL', 'SETUSER', 'reader', 'on', '>' + SECRET, '~*', '+get', '+info')
at = '127.0.0.1:%d' % server.port
round_trip(repo, server, 'acl', 'redis://replica:%s@%s' % (SECRET, at), 'replica')
round_trip(repo, server, 'bgsave', 'redis://saver:%s@%s' % (SECRET, at), 'bgsave')
fails(repo, 'redis://reader:%s@%s' % (SECRET, at), 33, 'ACL SETUSER', 'no right')
fails(repo, 'redis://replica:%sx@%s' % (SECRET, at), REFUSED, 'WRONGPASS', 'wrong password')
fails(repo, 'redis://nobody@%s' % at, FAILED, 'REDISCLI_AUTH', 'a lone word')
fails(repo, 'redis://127.0.0.1:1', UNREACHABLE, 'backup redis-127.0.0.1-1: 127.0.0.1:1: connect', 'nobody there, told once')
fails(repo, server.url + '/3', FAILED, 'all its databases', 'one database')

# M9: the disk of the server is full. "Background saving started" proves nothing.
c.execute_command('CONFIG', 'SET', 'repl-diskless-sync', 'no')
small = path('small')
os.makedirs(small)
subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k,mode=755', 'tmpfs', small], check=True)
c.execute_command('CONFIG', 'SET', 'dir', small)
try:
    fails(repo, 'redis://saver:%s@%s' % (SECRET, at), FAILED, 'could not save', 'full disk, BGSAVE')
    fails(repo, server.url, UNREACHABLE, at, 'full disk, replica')
    c.execute_command('CONFIG', 'SET', 'repl-diskless-sync', 'yes')
    done = repo.backstay('backup', server.url, code=0, why='a diskless copy needs no room on the disk of the server')
    fact('last save failed' in done.errors, 'but it is told that the server cannot save', done.errors)
finally:
    c.execute_command('CONFIG', 'SET', 'dir', server.dir)
    subprocess.run(['umount', '-l', small], check=False)
while c.info('persistence')['rdb_bgsave_in_progress']:  # the child of the diskless copy lives a little longer than that
    time.sleep(0.05)
c.bgsave()

# killed in the middle of the transfer
c.execute_command('CONFIG', 'SET', 'repl-diskless-sync', 'yes')
c.execute_command('CONFIG', 'SET', 'rdb-key-save-delay', '2000')
before = {s['id'] for s in repo.snapshots()}
killer = threading.Timer(1.5, server.kill)
killer.start()
repo.backstay('backup', server.url, code=UNREACHABLE, why='server killed in the middle: exit status')
killer.join()
equal({s['id'] for s in repo.snapshots()}, before, 'server killed in the middle: no snapshot was made')

# M10: a server with appendonly yes is backed up with all that it has in memory
aof = RedisServer('aof', 'appendonly yes')
aof.fill(100)
manifest = round_trip(repo, aof, 'aof', aof.url, 'diskless replica')
fact(manifest['server']['appendonly'] is True, 'the manifest says that the server has appendonly yes')
repo.sound('in the end')
finish()
