#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Redis, the way back into a running server: all keys as they were, what has expired accounted for, nothing removed before the
server has shown that it takes the file, and other counts are noticed."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from redisserver import RedisServer
from scenario import FAILED, MISMATCH, NOT_EMPTY, REFUSED, UNREACHABLE, Repo, equal, fact, finish


def same(server, want, label):
    got = server.content()
    fact(got == want, label + ': every key has the value and the expiry that it had',
         [k for k in set(got) | set(want) if got.get(k) != want.get(k)][:10])


repo = Repo.named('repo')
repo.init()
server = RedisServer('server', 'enable-debug-command local')
server.fill()
c = server.client()
c.set('large', trees.noise(1, 40 << 20))  # beyond what is held in memory
want = server.content()
c.execute_command('DEBUG', 'SET-ACTIVE-EXPIRE', 0)  # they are in the file, however late that is written
for i in range(10):
    c.set('dead%d' % i, 'x', px=1500 + i)
for i in range(5):
    c.set('dying%d' % i, 'x', ex=900)
snapshot = repo.backup(server.url)['snapshot_id']
time.sleep(2)


def restore(target, *options, code=0, **more):
    return repo.backstay('restore', snapshot, '--to', target, *options, code=code, **more)


# an empty server, then one that has something
target = RedisServer('target', 'appendonly yes')
seen = restore(target.url, '--preview')
fact('the server holds 0 keys' in seen.text and target.client().dbsize() == 0, 'a preview tells, and does nothing', seen.all)
done = restore(target.url, '--json').messages('redis')[0]
equal(done['expired'], 10, 'keys whose time was over are counted')
equal(done['keys'], len(want) + 5, 'and so are those that were restored')
target.client().delete(*('dying%d' % i for i in range(5)))
same(target, want, 'into an empty server')
equal(len(target.client().execute_command('FUNCTION', 'LIST')), 1, 'functions come back')
equal([k for k in target.client().scan_iter('backstay:*')], [], 'nothing of ours is left')
target.client().wait(0, 0)
target.kill()
target.start()
same(target, want, 'appendonly yes: it is still there after a restart')
done = restore(target.url, code=NOT_EMPTY, why='a server that holds keys is refused')
same(target, want, 'and left as it was')
target.client(5).set('other', 'x')
restore('redis://' + target.socket, '--clean')
target.client().delete(*('dying%d' % i for i in range(5)))
same(target, want, '--clean: what was there is gone, over a Unix socket')

# what is refused
small = RedisServer('small', 'databases 4')
done = restore(small.url, code=FAILED, why='a server with fewer databases: exit status')
fact('database 7' in done.errors, 'the message names the database', done.errors)
replica = RedisServer('replica', 'replicaof 127.0.0.1 %d' % server.port)
restore(replica.url, '--clean', code=33, why='a replica: exit status')
restore(target.url + '/2', code=FAILED, why='a number of a database: exit status')
restore(target.url, '--table', 'x', code=FAILED, why='options of PostgreSQL: exit status')
done = repo.backstay('export', 'latest', '--tag', 'kind=redis', '--format', 'dump', code=FAILED, why='a dump of PostgreSQL: exit status')
fact('its kind is redis' in done.errors, 'the message says of what it is', done.errors)
restore('redis://127.0.0.1:1', code=UNREACHABLE, why='nobody there: exit status')
c = target.client()
c.execute_command('ACL', 'SETUSER', 'half', 'on', '>pw', '~*', '+@all', '-restore')
done = restore('redis://half:pw@127.0.0.1:%d' % target.port, '--clean', code=FAILED, why='a login that may not RESTORE: exit status')
fact('NOPERM' in done.errors, 'the message says so', done.errors)
same(target, want, 'and --clean removed nothing')
restore('redis://half:wrong@127.0.0.1:%d' % target.port, code=REFUSED, why='wrong password: exit status')

# a server that evicts takes every key, and has fewer in the end; or it cannot make room as fast as keys come
NO_SPACE = 24
evicting = RedisServer('evicting', 'maxmemory 42mb\nmaxmemory-policy allkeys-random')
done = restore(evicting.url, code=(MISMATCH, NO_SPACE), why='a server that evicts: exit status')
fact('maxmemory' in done.errors, 'the message speaks of maxmemory', done.errors)
files = Repo.named('repo').backup('/etc/hostname')
snapshot = files['snapshot_id']
done = restore(evicting.url, code=FAILED, why='a snapshot of files: exit status')
fact('not of a Redis server' in done.errors, 'the message says so', done.errors)
finish()
