#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""import of what is encrypted, or lies on a server: by keys and by passphrases; over https in parts, from a bucket; not from where
nobody may be led to."""
import gzip
import http.server
import os
import ssl
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import certificate
from redisserver import RedisServer
from s3 import S3Server
from scenario import FAILED, WRONG_PASSWORD, Repo, equal, fact, finish, path, read, run, write


def take(repo, name, *options, env=None):
    summary = repo.backstay('import', name, '--json', *options, code=0, env=env).summary()
    return summary['snapshot_id'], '/%s/' % summary['source']


def encrypted(repo, content):
    home = path('gnupg')
    os.mkdir(home, 0o700)
    env = {**os.environ, 'GNUPGHOME': home}

    def gpg(*argv):
        return subprocess.run(['gpg', '--batch', '--quiet', '--yes', '--trust-model', 'always', '--pinentry-mode', 'loopback', *argv], env=env,
                              check='--decrypt' not in argv, capture_output=True)

    def is_told_apart(name):
        """Of 65,536 files one takes a wrong passphrase for the right one, until its end (RFC 4880, 5.7)."""
        return b'Bad session key' in gpg('--passphrase', 'no', '--output', path('nothing'), '--decrypt', name).stderr

    gpg('--passphrase', '', '--quick-gen-key', 'backup@example.org', 'rsa2048', 'encrypt,sign', 'never')
    gpg('--export-secret-keys', '--output', path('secret.keys'))
    for name, data in (('saved.rdb', content), ('saved.rdb.gz', gzip.compress(content, 1))):
        write(name, data)
        gpg('--recipient', 'backup@example.org', '--output', path(name + '.gpg'), '--encrypt', path(name))
        for _ in range(5):
            gpg('--passphrase', 'open sesame', '--output', path(name + '.asc'), '--armor', '--symmetric', path(name))
            if is_told_apart(path(name + '.asc')):
                break
    subprocess.run(['gpgconf', '--kill', 'all'], env=env, check=False)
    keys, word, wrong = ('--decrypt-key', path('secret.keys')), ('--passphrase-file', write('word', b'open sesame\n')), ('--passphrase-file', write('wrong', b'no'))
    done = repo.backstay('import', path('saved.rdb.asc'), *word, code=FAILED)
    fact(path('word') in done.errors, 'a passphrase that others may read is refused', done.errors)
    for private in ('word', 'wrong'):
        os.chmod(path(private), 0o600)
    for name, options in (('saved.rdb.gpg', keys), ('saved.rdb.gz.gpg', keys), ('saved.rdb.asc', word), ('saved.rdb.gz.asc', word)):
        snapshot, top = take(repo, path(name), *options)
        equal(repo.backstay('dump', snapshot, top + 'dump.rdb', code=0).out, content, name + ': it is what was encrypted')
        fact(repo.backstay('dump', snapshot, top + 'manifest.json', code=0).json()['imported']['encrypted'], 'the manifest says so')
    for name, options in (('saved.rdb.gpg', ()), ('saved.rdb.gpg', wrong), ('saved.rdb.asc', ()), ('saved.rdb.asc', wrong), ('saved.rdb.asc', keys)):
        done = repo.backstay('import', path(name), *options, code=WRONG_PASSWORD, why='%s with %s: exit status' % (name, options[:1]))
        fact('; hand over the ' in done.errors, 'the message says what to do', done.errors)
    whole = read(path('saved.rdb.gpg'))
    for n in (100, len(whole) // 2, len(whole) - 1):
        done = repo.backstay('import', write('cut.gpg', whole[:n]), *keys, code=FAILED, why='cut at %d: exit status' % n)
        fact('cut.gpg' in done.errors, 'it is refused by name', done.errors)
    changed = bytearray(whole)
    changed[len(whole) - 30] ^= 1
    repo.backstay('import', write('changed.gpg', changed), *keys, code=FAILED, why='changed near its end: exit status')


class Web(http.server.BaseHTTPRequestHandler):
    """Gives files of the scenario; /whole/ knows no parts, /to/ leads there, /away/ to http, /other/ changes with every answer."""

    protocol_version = 'HTTP/1.1'
    asked = 0

    def do_GET(self):
        Web.asked += 1
        kind, _, name = self.path.split('?')[0].lstrip('/').partition('/')
        if kind in ('to', 'away', 'round'):
            self.answer(302, b'', Location={'to': '/parts/' + name, 'away': 'http://127.0.0.1/x', 'round': '/round/x'}[kind])
        elif not os.path.exists(path(name)):
            self.answer(404, b'<html>none</html>')
        elif kind == 'whole':
            self.answer(200, read(path(name)))
        else:
            content = read(path(name))
            first, last = map(int, self.headers['Range'].removeprefix('bytes=').split('-'))
            part = content[first:last + 1]
            tag = '"%d"' % Web.asked if kind == 'other' else '"same"'
            if self.headers.get('If-Match', tag) != tag:
                self.answer(412, b'')
            else:
                self.answer(206, part, ETag=tag, Content_Range='bytes %d-%d/%d' % (first, first + len(part) - 1, len(content)))

    def answer(self, status, body, **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def web(repo, content):
    cert, key = certificate.make(path('.'), 'localhost', 'DNS:localhost,IP:127.0.0.1')
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Web)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base, trust = 'https://localhost:%d' % server.server_port, ('--cacert', cert, '--allow-private')
    write('large', os.urandom(20 << 20))
    subprocess.run(['tar', '-cf', path('large.tar'), '-C', path('.'), 'large'], check=True)
    for kind in ('parts', 'whole', 'to'):
        snapshot, top = take(repo, '%s/%s/saved.rdb?signature=hidden' % (base, kind), *trust)
        equal(repo.backstay('dump', snapshot, top + 'dump.rdb', code=0).out, content, kind + ': it is the file')
    told = repo.backstay('dump', snapshot, top + 'manifest.json', code=0).json()['imported']
    equal((told['file'], told['origin']), ('saved.rdb', base + '/to/saved.rdb'), 'the manifest tells where it was, and no secret')
    snapshot, top = take(repo, base + '/parts/large.tar', *trust)
    equal(repo.backstay('dump', snapshot, top + 'files/large', code=0).out, read(path('large')), 'a file in several parts')
    for what, words in (('other/large.tar', 'changed'), ('whole/large.tar', 'download it'), ('parts/none', '404'), ('away/x', 'https'), ('round/x', 'circle')):
        done = repo.backstay('import', base + '/' + what, *trust, '-n', code=FAILED, why=what + ': exit status')
        fact(words in done.errors, 'the message says why', done.errors)
    before = Web.asked
    done = repo.backstay('import', base + '/parts/saved.rdb', '--cacert', cert, code=FAILED, why='a server on this machine: exit status')
    fact('--allow-private' in done.errors and Web.asked == before, 'it is not asked, and the message says so', done.errors)
    repo.backstay('import', base + '/parts/saved.rdb', '--allow-private', code=FAILED, why='a certificate of nobody: exit status')
    repo.backstay('import', 'http' + base[5:] + '/parts/saved.rdb', '--allow-private', code=FAILED, why='without TLS: exit status')


def bucket(repo, content):
    with S3Server() as s3:
        s3.make_bucket('files')
        s3.put('files', 'in/saved.rdb', content)
        env = {'AWS_ACCESS_KEY_ID': s3.access_key, 'AWS_SECRET_ACCESS_KEY': s3.secret_key}
        where = 's3:%s/files/in/' % s3.endpoint
        snapshot, top = take(repo, where + 'saved.rdb', env=env)
        equal(repo.backstay('dump', snapshot, top + 'dump.rdb', code=0).out, content, 'out of a bucket')
        repo.backstay('import', where + 'none.rdb', env=env, code=FAILED, why='what is not in the bucket: exit status')
        s3.put('files', 'in/saved.rdb.manifest.json', b'{"sha256": "%s"}' % (b'0' * 64))
        done = repo.backstay('import', where + 'saved.rdb', env=env, code=FAILED, why='another file than its manifest says: exit status')
        fact('SHA-256' in done.errors, 'the manifest in the bucket was looked at', done.errors)


repo = Repo.named('repo')
repo.init()
redis = RedisServer('redis')
redis.fill()
run('redis-cli', '-s', redis.socket, '--rdb', path('kept.rdb'), code=0)
rdb = read(path('kept.rdb'))
encrypted(repo, rdb)
web(repo, rdb)
bucket(repo, rdb)
finish()
