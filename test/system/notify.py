#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=900
"""Notifications of a real daemon: mail by every kind of TLS and to servers that are down, slow or hostile, threads of failure and
recovery, recipients of a schedule, webhooks that redirect into this network or ask to wait, a channel that fails and fails no run,
and a daemon that is killed again and again with messages in its queue."""
import glob
import http.server
import json
import os
import random
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import certificate
from daemonhttp import PageDaemon, free_port
from daemonlife import PATIENCE, REPOSITORY
from scenario import BACKSTAY, FAILED, QUICK, WORK, Repo, equal, fact, finish, path, run, say, wait_until
from smtpsink import Sink

SEED = int(os.environ.get('SEED', '0')) or random.randrange(1 << 30)
rng = random.Random(SEED)
LOGIN = ('anna', 'a secret word')
KILLS = 4 if QUICK else 8
SCHEDULES = 8 if QUICK else 16


class Hook(http.server.BaseHTTPRequestHandler):
    """A receiver: what it does depends on the path."""
    heard, pause = [], 0
    lock = threading.Lock()

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        with Hook.lock:
            Hook.heard.append((self.path, self.headers['X-Backstay-Delivery'], json.loads(body)))
        time.sleep(Hook.pause)
        answer = {'/redirect': 302, '/wait': 429, '/never': 410}.get(self.path, 204)
        self.send_response(answer)
        if answer == 302:
            self.send_header('Location', 'http://127.0.0.1:%d/inside' % Hook.inside)
        if answer == 429:
            self.send_header('Retry-After', '200')
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *_):
        pass

    @classmethod
    def serve(cls):
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), cls)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_port

    @classmethod
    def of(cls, where):
        with cls.lock:
            return [(delivery, event) for at, delivery, event in cls.heard if at == where]


def answering(says):
    """A port where everybody is told the same, for ever if it is long, and nothing else happens."""
    server = socket.create_server(('127.0.0.1', 0))

    def serve():
        while True:
            link, _ = server.accept()

            def talk(to=link):
                try:
                    to.sendall(says)
                    while to.recv(65536):
                        pass
                except OSError:
                    pass
            threading.Thread(target=talk, daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


# ---- mail, one at a time ----

def mail(port, security, cacert=None, login=False, host='127.0.0.1'):
    more = {'type': 'smtp', 'host': host, 'port': port, 'security': security, 'from': 'Backstay <backstay@example.org>', 'to': ['ops@example.org']}
    if cacert:
        more['cacert'] = cacert
    if login:
        more.update(user=LOGIN[0], password='env://MAIL_PASSWORD')
    return more


def attempt(channel, code, why, password=LOGIN[1]):
    config = path('try.yaml')
    with open(config, 'w') as f:
        json.dump({'notifications': {'mail': channel}}, f)  # which is YAML, too
    done = run(BACKSTAY, 'notify', 'test', 'mail', '--config', config, code=code, why=why, timeout=280, env={**os.environ, 'MAIL_PASSWORD': password})
    return done.errors


def tries():
    pair = certificate.make(WORK, 'mail', 'IP:127.0.0.1')
    other = certificate.make(WORK, 'other', 'DNS:mail.example.org')
    with Sink(tls='starttls', pair=pair, login=LOGIN) as sink:
        attempt(mail(sink.port, 'starttls', pair[0], login=True), 0, 'STARTTLS, with a login')
        equal((len(sink.mails), sink.mails[0].tls, sink.mails[0].login), (1, True, True), 'both of which happened')
        said = attempt(mail(sink.port, 'starttls', pair[0], login=True), FAILED, 'a wrong password', password='not it')
        fact('535' in said and 'not it' not in said, 'is told, and not shown', said)
        attempt(mail(sink.port, 'starttls', login=True), FAILED, 'an authority that nobody knows')
        equal(len(sink.mails), 1, 'gets no mail')
    with Sink(tls='implicit', pair=pair) as sink:
        attempt(mail(sink.port, 'tls', pair[0]), 0, 'TLS from the first byte')
        equal(len(sink.mails), 1, 'and it is there')
    with Sink(tls='starttls', pair=other) as sink:
        attempt(mail(sink.port, 'starttls', other[0]), FAILED, 'a certificate of another name')
        equal(sink.mails, [], 'gets no mail')
    with Sink() as sink:
        attempt(mail(sink.port, 'none'), 0, 'a server of this machine, without TLS')
        attempt(mail(sink.port, 'starttls'), FAILED, 'one that should have TLS and has none')
        attempt(mail(sink.port, 'none', login=True), 20, 'a login without TLS is no configuration')
        equal((len(sink.mails), sink.logins), (1, []), 'no password crosses the network in the clear')
    attempt(mail(free_port(), 'none'), FAILED, 'a server that is down')
    attempt(mail(answering(b'220-' + b'x' * (8 << 20)), 'none'), FAILED, 'one that never ends its line')
    attempt(mail(answering(b'HTTP/1.1 400 no\r\n\r\n'), 'none'), FAILED, 'one that is none')


# ---- a daemon ----

CONFIG = REPOSITORY + '''
sources:
  files: {paths: [%(files)s]}
  away: {paths: [%(files)s/away]}
schedules:
  away: {sources: [away], repository: main, cron: "0 3 1 1 *", notify: {channels: [mail], recipients: [dba@example.org]}}
  dba:
    {sources: [files], repository: main, cron: "0 3 1 1 *", hooks: {before: ["test -e %(dir)s/go || exit 7"]},
     notify: {channels: [mail], recipients: [dba@example.org, reject@example.org]}}
  plain: {sources: [files], repository: main, cron: "0 3 1 1 *", hooks: {before: ["exit 7"]}, notify: {channels: [mail, redirect, wait, never, closed, silent]}}
  good: {sources: [files], repository: main, cron: "0 3 1 1 *", notify: {channels: [closed, silent], success: true}}
%(many)s
notifications:
  mail: %(mail)s
  redirect: {type: webhook, url: "http://127.0.0.1:%(hook)d/redirect"}
  wait: {type: webhook, url: "http://127.0.0.1:%(hook)d/wait"}
  never: {type: webhook, url: "http://127.0.0.1:%(hook)d/never"}
  closed: {type: slack, url: "env://CLOSED"}
  silent: {type: webhook, url: "http://127.0.0.1:%(silent)d/"}
  kept: {type: webhook, url: "http://127.0.0.1:%(hook)d/kept"}
server:
  listen: "127.0.0.1:%(port)d"
  node: one
  sweep: "%(hour)02d:30"
  webhook_origins: ["http://127.0.0.1:%(hook)d", "http://127.0.0.1:%(silent)d", "http://127.0.0.1:%(down)d"]
  metrics: {stores: 0, wal: 0}
'''
MANY = '''  m%d: {sources: [files], repository: main, cron: "0 3 1 1 *", hooks: {before: ["exit 7"]}, notify: {channels: [kept]}}'''


def asked(daemon, schedule):
    answer = daemon.control(op='run', schedule=schedule)
    return fact(answer['ok'], 'a run of %s is asked for' % schedule, answer)


def counts(daemon):
    return {c['channel']: c for c in daemon.control(op='channels')['channels']}


def threads(daemon, sink):
    asked(daemon, 'dba')
    fact(wait_until(lambda: sink.mails, PATIENCE), 'a failure comes by mail')
    first = sink.mails[0]
    equal(first.recipients, ['dba@example.org'], 'to whom the schedule names, and not to the channel; one that is refused stops no other')
    equal(first.message['X-Backstay-Event'], 'opened/failed', 'what it is, for filters')
    fact('dba' in first.message['Subject'] and 'exit status 7' in first.part('plain'), 'and why, for people', (first.message['Subject'], first.part('plain')))
    with open(daemon.dir + '/go', 'w'):
        pass
    asked(daemon, 'dba')
    fact(wait_until(lambda: len(sink.mails) > 1, PATIENCE), 'so does the recovery')
    second = sink.mails[1]
    equal(second.message['X-Backstay-Event'], 'resolved/failed', 'as what it is')
    equal((second.message['In-Reply-To'], second.message['References']), (first.message['Message-ID'],) * 2, 'in the thread of the failure')
    fact(second.message['Message-ID'] != first.message['Message-ID'], 'as a mail of its own')
    asked(daemon, 'away')
    fact(wait_until(lambda: len(sink.mails) > 2, PATIENCE), 'a source that is not there comes by mail')
    equal(sink.mails[2].part('plain').count('no such file'), 1, 'told once')


def refusals(daemon, sink):
    before = len(sink.mails)
    asked(daemon, 'plain')
    fact(wait_until(lambda: len(sink.mails) > before, PATIENCE), 'beside channels that fail, mail arrives')
    equal(sink.mails[-1].recipients, ['ops@example.org'], 'to the channel\'s own')
    fact(wait_until(lambda: counts(daemon)['redirect']['dropped'] == 1, PATIENCE), 'a redirect is refused for good')
    equal(Hook.of('/inside'), [], 'nobody followed it into this network')
    fact(wait_until(lambda: counts(daemon)['never']['dropped'] == 1, PATIENCE), 'so is what is gone')
    fact(wait_until(lambda: counts(daemon)['wait']['failures'] == 1, PATIENCE), 'one that wants us to wait')

    def next_at():
        for name in glob.glob(daemon.state + '/queue/wait/*.json'):
            with open(name) as f:
                return json.load(f)['next_at'] - time.time()
        return 0
    fact(wait_until(lambda: next_at() > 150, 60), 'is left alone for so long', next_at())
    fact(wait_until(lambda: counts(daemon)['closed']['failures'] >= 1, PATIENCE), 'one that is down keeps its message')
    equal(counts(daemon)['closed']['waiting'], 1, 'in the queue')
    # "silent" holds its connection, and its thread, all the while
    asked(daemon, 'good')

    def last():
        status = json.loads(daemon.command('status', '--json').stdout)
        return next(s for s in status['schedules'] if s['name'] == 'good').get('last') or {}
    fact(wait_until(lambda: last().get('state') in ('succeeded', 'failed', 'partial'), PATIENCE), 'a run whose channels all fail ends')
    equal(last()['state'], 'succeeded', 'with success')


def killed(make):
    """Nothing is lost, and no more is sent twice than was under way when it was killed."""
    say('SEED=%d' % SEED)
    Hook.pause = .1
    daemon = make()
    daemon.start()
    for i in range(SCHEDULES):
        daemon.control(op='run', schedule='m%d' % i)
    for _ in range(KILLS):
        time.sleep(rng.uniform(0, 1.5))
        daemon.stop(signal.SIGKILL)
        daemon.start(page=False)
    Hook.pause = 0

    def opened():
        return {event['schedule'] for _, event in Hook.of('/kept') if event['kind'] == 'opened'}
    fact(wait_until(lambda: len(opened()) == SCHEDULES, PATIENCE, .2), 'each failure is told in the end', sorted(opened()))
    fact(wait_until(lambda: counts(daemon)['kept']['waiting'] == 0, PATIENCE, .2), 'and the queue is empty')
    daemon.stop()
    deliveries = [delivery for delivery, _ in Hook.of('/kept')]
    say('%d deliveries of %d messages' % (len(deliveries), len(set(deliveries))))
    equal(len(set(deliveries)), SCHEDULES, 'one message for each')
    fact(len(deliveries) - len(set(deliveries)) <= KILLS, 'twice only what was under way', deliveries)
    equal(glob.glob(daemon.state + '/queue/*/*.bad'), [], 'no message was damaged')


def main():
    tries()
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    os.makedirs(path('files'))
    with open(path('files', 'a'), 'w') as f:
        f.write('something\n')
    Hook.inside = Hook.serve()
    down = free_port()
    with Sink() as sink:
        values = {'files': path('files'), 'hook': Hook.serve(), 'silent': answering(b''), 'down': down,
                  'many': '\n'.join(MANY % i for i in range(SCHEDULES)), 'mail': json.dumps(mail(sink.port, 'none'))}
        env = repo.env(CLOSED='http://127.0.0.1:%d/' % down)
        with PageDaemon('daemon', repo, CONFIG, env=env, **values) as daemon:
            threads(daemon, sink)
            refusals(daemon, sink)
    killed(lambda: PageDaemon('killed', repo, CONFIG, env=env, **values))


main()
finish()
