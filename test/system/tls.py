#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=300
"""The page and API over TLS: a real certificate, renewed by a reload, old versions and plain HTTP refused, a renewal that went wrong
takes nobody's page away, and without TLS nothing beyond this machine is listened on."""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import certificate
from daemonhttp import PageDaemon
from daemonlife import PATIENCE
from scenario import BACKSTAY, equal, fact, finish, path, run, wait_until

PASSWORD = 'a long enough password'
CONFIG = '''
repositories:
  main: {location: %(dir)s/repo, password: "file://%(dir)s/password"}
sources:
  files: {paths: [%(dir)s]}
schedules:
  nightly: {sources: [files], repository: main, cron: "0 %(hour)d * * *"}
server: {listen: "%(listen)s:%(port)d", node: one, sweep: "%(hour)02d:30"%(tls)s}
'''


def shown(daemon):
    """The certificate that the page shows, and the version that was spoken; None: no TLS."""
    context = ssl.create_default_context(cafile=daemon.authority)
    try:
        with socket.create_connection(('127.0.0.1', daemon.port), timeout=60) as plain, context.wrap_socket(plain, server_hostname='127.0.0.1') as tls:
            return tls.getpeercert()['serialNumber'], tls.version()
    except OSError:
        return None


def speaks(daemon, version):
    """Whether a handshake in that very version succeeds."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers('DEFAULT:@SECLEVEL=0')
    context.load_verify_locations(daemon.authority)
    context.minimum_version = context.maximum_version = version
    try:
        with socket.create_connection(('127.0.0.1', daemon.port), timeout=60) as plain, context.wrap_socket(plain, server_hostname='127.0.0.1'):
            return True
    except (ssl.SSLError, ConnectionError):
        return False


def renew(daemon, name):
    pair = certificate.make(path('new'), name, 'IP:127.0.0.1')
    shutil.copy(pair[0], path('pair', 'page.crt'))
    shutil.copy(pair[1], path('pair', 'page.key'))
    daemon.process.send_signal(signal.SIGHUP)


def main():
    os.makedirs(path('new'))
    os.makedirs(path('pair'))
    crt, key = certificate.make(path('pair'), 'page', 'IP:127.0.0.1')
    tls = ', tls: {certificate: %s, key: %s}' % (crt, key)
    # all addresses: that is what TLS is for
    daemon = PageDaemon('daemon', None, CONFIG, authority=crt, listen='0.0.0.0', tls=tls)
    with open(daemon.dir + '/password', 'w') as f:
        f.write('of the repository\n')
    run(BACKSTAY, 'user', 'add', 'anna', '--role', 'admin', '--new-password-file', '-', '--config', daemon.config, env=daemon.env(),
        input=PASSWORD.encode(), code=0)
    with daemon:
        status, headers, _ = daemon.ask('POST', '/api/login', {'name': 'anna', 'password': PASSWORD})
        cookie = headers['Set-Cookie']
        fact(status == 200 and 'Secure' in cookie and 'HttpOnly' in cookie, 'who logs in gets a cookie for TLS alone', cookie)
        cookie = cookie.split(';')[0]
        first, version = shown(daemon)
        equal(version, 'TLSv1.3', 'the newest version is spoken')
        equal([speaks(daemon, v) for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1)], [True, False, False],
              'and none before 1.2')
        with socket.create_connection(('127.0.0.1', daemon.port), timeout=60) as plain:
            plain.sendall(b'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n')
            answer = b''
            try:
                while (more := plain.recv(4096)):
                    answer += more
            except ConnectionError:
                pass
        fact(b'HTTP/1' not in answer, 'plain HTTP has no answer', answer)

        renew(daemon, 'second')
        fact(wait_until(lambda: (now := shown(daemon)) and now[0] != first, PATIENCE, .2), 'a reload takes the new certificate')
        second = shown(daemon)
        fact(wait_until(lambda: daemon.is_ready(), PATIENCE, .2), 'and the page is there')
        equal(daemon.ask('GET', '/api/session', Cookie=cookie)[0], 200, 'sessions go on')

        shutil.copy(certificate.make(path('new'), 'other', 'IP:127.0.0.1')[1], path('pair', 'page.key'))  # a key that does not fit
        for _ in range(2):
            said = daemon.said().count('the old one stays')
            daemon.process.send_signal(signal.SIGHUP)
            fact(wait_until(lambda before=said: daemon.said().count('the old one stays') > before, PATIENCE, .1), 'a pair that does not fit is told of')
            equal(shown(daemon), second, 'and the old one is shown')
            os.truncate(path('pair', 'page.crt'), 40)  # then half a file
            daemon.authority = path('new', 'second.crt')
        fact(PASSWORD not in daemon.said() and 'PRIVATE KEY' not in daemon.said(), 'no secret is in the log')

    daemon.configure(listen='0.0.0.0', tls='')
    done = run(BACKSTAY, 'config', 'check', '--config', daemon.config, env=daemon.env(), code=20, why='without TLS, beyond this machine')
    fact('in the clear' in done.all, 'is refused with the reason', done.all)
    refused = subprocess.run([BACKSTAY, 'daemon', '--config', daemon.config], env=daemon.env(), capture_output=True, timeout=120, check=False)
    equal(refused.returncode, 20, 'and the daemon does not start')
    with socket.socket() as probe:
        equal(probe.connect_ex(('127.0.0.1', daemon.port)) != 0, True, 'so that nobody listens')


main()
finish()
