#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Redis with a module that has a type of its own, and with what eviction knows of keys: counted through, back as it was; and a
server that lacks the module, or databases, is found out before it loses anything."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from redisserver import RedisServer
from scenario import FAILED, Repo, equal, fact, finish, path

SETUP = 33
HERE = os.path.dirname(os.path.abspath(__file__))
module = path('ours.so')
subprocess.run(['cc', '-shared', '-fPIC', '-o', module, HERE + '/../lib/redis_module.c'], check=True)
LOAD = 'loadmodule ' + module

repo = Repo.named('repo')
repo.init()
server = RedisServer('server', LOAD)
server.fill(100)
for db in (0, 9):
    with server.client(db).pipeline(transaction=False) as p:
        for i in range(200):
            p.execute_command('OURS.SET', 'ours:%d' % i, 1 << (i % 60), 'text' * (i % 9))
        p.set('behind', 'x')
        p.expire('ours:7', 90000)
        p.execute()
want = server.content()
saved = repo.backup(server.url)
top = '/redis-127.0.0.1-%d/' % server.port
manifest = repo.backstay('dump', saved['snapshot_id'], top + 'manifest.json', code=0).json()
real = {}
for db, _ in want:
    real[db] = real.get(db, 0) + 1
equal({d['number']: d['keys'] for d in manifest['databases']}, real, 'keys before, between and behind values of a module are counted')
equal([d['types'].get('module') for d in manifest['databases'] if d['number'] in (0, 9)], [200, 200], 'and these as what they are')
equal(manifest['rdb']['modules'], ['ours-type'], 'the manifest names the type')

# the file, in a server that has the module; and key by key
dump = repo.backstay('dump', saved['snapshot_id'], top + 'dump.rdb', code=0).out
loaded = RedisServer('loaded', LOAD)
loaded.kill()
with open(loaded.dir + '/dump.rdb', 'wb') as f:
    f.write(dump)
loaded.start()
equal(loaded.content(), want, 'the file gives back every key')
loaded.client().set('other', 'x')
repo.backstay('restore', saved['snapshot_id'], '--to', loaded.url, '--clean', code=0)
equal(loaded.content(), want, 'and so does a restore into a server that has the module')
loaded.kill()

# servers that cannot take it keep what they have
for name, configuration, words, code in (('without', '', 'ours-type', SETUP), ('few', 'databases 4\n' + LOAD, 'database 9', FAILED)):
    target = RedisServer(name, configuration)
    target.client(2).set('precious', 'x')
    done = repo.backstay('restore', saved['snapshot_id'], '--to', target.url, '--clean', code=code, why=name + ': exit status')
    fact(words in done.errors, '%s: the message names it: %s' % (name, words), done.errors)
    equal({db: n['keys'] for db, n in target.client().info('keyspace').items()}, {'db2': 1}, name + ': nothing was removed, and nothing added')
    target.kill()
server.kill()

# how old a key is, and how often it was asked for, decides what a full server evicts
for policy, option, word in (('allkeys-lru', 'IDLETIME', 'idle'), ('allkeys-lfu', 'FREQ', 'frequency')):
    server = RedisServer(policy, 'maxmemory 1gb\nmaxmemory-policy %s\nlfu-decay-time 0\n' % policy)
    c = server.client()
    c.set('plain', 'x')
    c.execute_command('RESTORE', 'known', 0, c.dump('plain'), option, 200)
    snapshot = repo.backup(server.url)['snapshot_id']
    c.flushall()
    repo.backstay('restore', snapshot, '--to', server.url, code=0)
    got = c.object(option, 'known')
    # each look at a key adds one to its frequency with a chance of 1:2000; a new key has 5
    fact(200 <= got < (100000 if word == 'idle' else 210), '%s: the %s of a key comes back' % (policy, word), got)
    equal(c.dbsize(), 2, policy + ': and every key')
    server.kill()
finish()
