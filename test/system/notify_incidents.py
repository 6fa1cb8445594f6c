#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: tsan, timeout=900
"""PagerDuty and Trello on their bad days, and a real daemon that tells them of a failure and its end: they answer with errors, ask
to wait, say nothing, never stop, stop halfway, send us elsewhere. No run minds; what can be told later waits in its order, also over a
crash of the daemon; and when they are well again, each incident is opened and resolved there as one."""
import collections
import glob
import http.server
import json
import os
import re
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from daemonhttp import PageDaemon
from daemonlife import PATIENCE, REPOSITORY
from scenario import Repo, equal, fact, finish, path, say, wait_until

ASKED_TO_WAIT = 500
KEY = 'backstay/one/dba/failed'
LOGIN = 'OAuth oauth_consumer_key="a-key", oauth_token="a-token"'
TRANSIENT = ('wait', 'error', 'silent', 'endless', 'half')
FAULTS = ('none', 'redirect') + TRANSIENT
TYPES = ('pager', 'cards')


class Service(http.server.BaseHTTPRequestHandler):
    """Both services; the first part of a path is the channel, whose name tells what is wrong with its service."""
    protocol_version = 'HTTP/1.1'
    lock, over = threading.Lock(), threading.Event()
    well, visits = False, 0
    events = collections.defaultdict(list)  # (action, dedup_key) that were taken
    cards = collections.defaultdict(dict)   # id: a card as it is
    strangers = []

    def do_GET(self):
        body = self.rfile.read(int(self.headers['Content-Length'] or 0))
        _, channel, where = self.path.split('/', 2)
        fault = channel.partition('_')[2]
        with Service.lock:
            Service.visits += 1
            well = Service.well or fault == 'none'
            # an answer that is lost halfway is one to what has been done
            said = self.act(channel, where, json.loads(body or b'null')) if well or fault == 'half' else {}
        if well:
            self.answer(200, said)
        else:
            getattr(self, fault)(said)

    do_POST = do_PUT = do_GET

    def act(self, channel, where, asked):
        if channel.startswith('pager'):
            Service.events[channel].append((asked['event_action'], asked['dedup_key'], asked['routing_key']))
            return {'status': 'success'}
        fact(self.headers['Authorization'] == LOGIN, 'who asks for cards says who he is', self.headers['Authorization'])
        cards = Service.cards[channel]
        if where.startswith('1/lists/'):
            return [{'id': i, 'desc': card['desc']} for i, card in cards.items() if not card['closed']]
        if where == '1/cards':
            cards['card%d' % len(cards)] = {'desc': asked['desc'], 'closed': False, 'comments': 0}
            return {}
        card = cards[where.split('/')[2]]
        if where.endswith('/comments'):
            card['comments'] += 1
        else:
            card['closed'] = asked['closed']
        return {}

    def answer(self, status, said, **headers):
        body = json.dumps(said).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    # ---- what may be wrong ----

    def redirect(self, _):
        self.answer(302, {}, Location='http://127.0.0.1:%d/inside' % Service.stranger)

    def wait(self, _):
        self.answer(429, {}, Retry_After=str(ASKED_TO_WAIT))

    def error(self, _):
        self.answer(503, {'message': 'not today'})

    def silent(self, _):
        Service.over.wait()

    def endless(self, _):
        self.send_response(200)
        self.send_header('Connection', 'close')
        self.end_headers()
        self.close_connection = True
        try:
            while not Service.over.is_set():
                self.wfile.write(b'[' * 65536)
        except OSError:
            pass

    def half(self, said):
        self.send_response(200)
        self.send_header('Content-Length', '1000')
        self.end_headers()
        self.wfile.write(json.dumps(said).encode()[:1])
        self.close_connection = True

    def log_message(self, *_):
        pass


class Stranger(http.server.BaseHTTPRequestHandler):
    """Within this network, and named nowhere."""

    def do_GET(self):
        Service.strangers.append(self.path)

    do_POST = do_PUT = do_GET


def serve(handler):
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


CONFIG = REPOSITORY + '''
sources:
  files: {paths: [%(files)s]}
schedules:
  dba: {sources: [files], repository: main, cron: "0 3 1 1 *", hooks: {before: ["test -e %(dir)s/go || exit 7"]}}
notifications:
%(channels)s
server:
  listen: "127.0.0.1:%(port)d"
  node: one
  sweep: "%(hour)02d:30"
  webhook_origins: ["http://127.0.0.1:%(service)d"]
  metrics: {stores: 0, wal: 0}
'''


def channels(service, stranger):
    lines = ['  pager_stranger: {type: pagerduty, routing_key: "env://ROUTING", url: "http://127.0.0.1:%d/"}' % stranger]
    for fault in FAULTS:
        where = 'http://127.0.0.1:%d' % service
        lines.append('  pager_%s: {type: pagerduty, routing_key: "env://ROUTING", url: "%s/pager_%s/v2"}' % (fault, where, fault))
        lines.append('  cards_%s: {type: trello, key: "env://CARDS_KEY", token: "env://CARDS_TOKEN", list: list1, url: "%s/cards_%s"}' % (
            fault, where, fault))
    return '\n'.join(lines)


def named(*faults):
    return ['%s_%s' % (kind, fault) for fault in faults for kind in TYPES]


def counts(daemon):
    return {c['channel']: c for c in daemon.control(op='channels')['channels']}


def counted(daemon, names, what, n, why):
    fact(wait_until(lambda: all(counts(daemon)[name][what] >= n for name in names), PATIENCE, .2), why, counts(daemon))


def last(daemon):
    return json.loads(daemon.command('status', '--json').stdout)['schedules'][0].get('last') or {}


def asked(daemon, state, why):
    run_id = daemon.control(op='run', schedule='dba').get('run')
    fact(run_id and wait_until(lambda: last(daemon).get('id') == run_id and last(daemon)['state'] not in ('queued', 'running'), PATIENCE, .1) and
         last(daemon)['state'] == state, why, last(daemon))


def waiting(daemon, channel):
    """What its queue holds, in order."""
    found = []
    for name in sorted(glob.glob('%s/queue/%s/*.json' % (daemon.state, channel))):
        with open(name, encoding='utf-8') as f:
            found.append(json.load(f))
    return found


def bad_day(daemon):
    asked(daemon, 'failed', 'a run fails')
    fact(wait_until(lambda: Service.events['pager_none'] and Service.cards['cards_none'], PATIENCE), 'services that are well hear of it')
    counted(daemon, named(*TRANSIENT, 'redirect') + ['pager_stranger'], 'failures', 1, 'the others are tried, each by itself')
    counted(daemon, named('redirect'), 'dropped', 1, 'a redirect is refused for good')
    first = {name: waiting(daemon, name)[0] for name in named(*TRANSIENT)}
    waits = {name: item['next_at'] - item['kept_at'] for name, item in first.items()}
    fact(all(item['attempts'] for item in first.values()) and min(waits.values()) >= 20, 'what failed is left alone for a while', first)
    fact(all(waits[name] >= ASKED_TO_WAIT for name in named('wait')), 'for as long as was asked for', waits)
    with open(daemon.dir + '/go', 'w', encoding='ascii'):
        pass
    asked(daemon, 'succeeded', 'a run whose channels fail succeeds all the same')
    fact(wait_until(lambda: len(Service.events['pager_none']) > 1 and all(c['closed'] for c in Service.cards['cards_none'].values()), PATIENCE),
         'those that are well hear that it is over')
    counted(daemon, named(*TRANSIENT), 'waiting', 2, 'for the others failure and end wait together')


def made_due(daemon):
    """As if the time to wait had passed."""
    for name in glob.glob(daemon.state + '/queue/*/*.json'):
        with open(name, encoding='utf-8') as f:
            text = f.read()
        with open(name, 'w', encoding='utf-8') as f:
            f.write(re.sub(r'"next_at": ?\d+', '"next_at":0', text))


def well_again(daemon):
    daemon.stop(signal.SIGKILL)
    made_due(daemon)
    Service.well = True
    daemon.start()
    fact(wait_until(lambda: all(counts(daemon)[name]['waiting'] == 0 for name in named(*TRANSIENT)), PATIENCE, .2),
         'after a crash of the daemon, and well again, they are told all of it', counts(daemon))
    for fault in ('none',) + TRANSIENT:
        events = Service.events['pager_' + fault]
        # what got half an answer is said again, by the same key
        actions = [action for i, (action, *_) in enumerate(events) if not i or events[i - 1][0] != action]
        equal((actions, {event[1:] for event in events}), (['trigger', 'resolve'], {(KEY, 'a-routing-key')}),
              'PagerDuty, %s: triggered, then resolved, by one key' % fault)
        cards = list(Service.cards['cards_' + fault].values())
        fact(len(cards) == 1 and cards[0]['closed'] and cards[0]['comments'] >= 1 and cards[0]['desc'].endswith('\n' + KEY),
             'Trello, %s: one card, which says that it is over, and is closed' % fault, cards)
    equal(Service.strangers, [], 'nobody was sent into this network')
    fact(KEY not in str(Service.events['pager_redirect']), 'what was refused for good stays so', Service.events['pager_redirect'])


def main():
    repo = Repo.named('repo')
    repo.init()
    os.makedirs(path('files'))
    with open(path('files', 'a'), 'w', encoding='ascii') as f:
        f.write('something\n')
    service, Service.stranger = serve(Service), serve(Stranger)
    env = repo.env(ROUTING='a-routing-key', CARDS_KEY='a-key', CARDS_TOKEN='a-token')
    try:
        with PageDaemon('daemon', repo, CONFIG, env=env, files=path('files'), service=service,
                        channels=channels(service, Service.stranger)) as daemon:
            bad_day(daemon)
            well_again(daemon)
            said = daemon.said()
            fact('Sanitizer' not in said, 'no sanitizer has anything to say', said[-6000:])
            fact(not any(secret in said for secret in ('a-routing-key', 'a-token')), 'no key is in the log')
            say('%d visits\n%s' % (Service.visits, said[-2000:]))
    finally:
        Service.over.set()
    finish()


main()
