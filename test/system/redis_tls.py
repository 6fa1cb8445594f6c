#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=300
"""Redis in TLS: saved and brought back through it; a server that cannot be believed, or that does not believe us, gets nothing."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import certificate
from redisserver import RedisServer, free_port
from scenario import FAILED, UNREACHABLE, Repo, equal, fact, finish, path


class TlsServer(RedisServer):
    """Listens in TLS, besides the socket and the plain port."""

    def __init__(self, name, pair, more=''):
        self.tls_port = free_port()
        super().__init__(name, 'tls-port %d\ntls-cert-file %s\ntls-key-file %s\ntls-ca-cert-file %s\n%s'
                         % (self.tls_port, *pair, pair[0], more))

    def at(self, host='127.0.0.1', user='', **query):
        return 'rediss://%s%s:%d%s' % (user, host, self.tls_port, '?' + '&'.join('%s=%s' % q for q in query.items()) if query else '')


def refused(repo, url, code, words, why):
    before = len(repo.snapshots())
    done = repo.backstay('backup', url, code=code, why=why + ': exit status')
    fact(any(w in done.errors for w in words), why + ': the message says why', done.errors)
    equal(len(repo.snapshots()), before, why + ': there is no snapshot')


repo = Repo.named('repo')
repo.init()
pair = certificate.make(path('.'), 'server', 'IP:127.0.0.1')
other = certificate.make(path('.'), 'other', 'IP:127.0.0.1')
server = TlsServer('server', pair, 'tls-auth-clients no')
server.fill()
server.client().execute_command('ACL', 'SETUSER', 'replica', 'on', '>p@ss', '+psync', '+replconf', '+info', '+ping')
ca = pair[0]

snapshot = repo.backup(server.at(cacert=ca))['snapshot_id']
repo.backup(server.at(user='replica:p%40ss@', cacert=ca))
target = TlsServer('target', other, 'tls-auth-clients no')
repo.backstay('restore', snapshot, '--to', target.at(cacert=other[0]), code=0)
equal(target.content(), server.content(), 'saved and restored through TLS: every key is the same')

refused(repo, server.at(), FAILED, ['certificate'], 'a certificate that nobody vouches for')
refused(repo, server.at(cacert=other[0]), FAILED, ['certificate'], 'a certificate of another authority')
refused(repo, server.at('localhost', cacert=ca), FAILED, ['certificate', 'localhost'], 'a certificate for another name')
refused(repo, 'rediss://127.0.0.1:%d?cacert=%s' % (server.port, ca), UNREACHABLE, ['127.0.0.1'], 'a server that speaks no TLS')
refused(repo, 'redis://127.0.0.1:%d' % server.tls_port, UNREACHABLE, ['127.0.0.1'], 'TLS that is not asked for')

strict = TlsServer('strict', pair, 'tls-auth-clients yes')
strict.client().set('a', 'b')
refused(repo, strict.at(cacert=ca), UNREACHABLE, ['certificate', '127.0.0.1'], 'a server that wants to know who we are')
fact(repo.backup(strict.at(cacert=ca, cert=pair[0], key=pair[1]))['snapshot_id'], 'with a certificate of our own it is saved')
finish()
