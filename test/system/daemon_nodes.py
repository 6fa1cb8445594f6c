#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two daemons on one PostgreSQL catalogue: whatever is due has one run, also when either is killed at any instant; what a daemon
that is gone had not begun is begun by the other, what it had begun has failed, and it cannot say otherwise when it comes back."""
import json
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from daemonlife import PATIENCE, SMALL, Daemon, small_repo
from postgres import Postgres
from scenario import QUICK, equal, fact, finish, path, say, wait_until

CONFIG = SMALL + '''
defaults: {repository: main, sources: [small], cron: "0 %(hour)d * * *", keep: {last: 100}}
schedules:
  one: {}
  two: {}
  three: {}
  slow: {cron: "0 3 1 1 *", hooks: {before: ["while test ! -e %(go)s; do sleep .1; done"]}}
server: {node: %(node)s, catalogue: "%(catalogue)s", sweep: "%(hour)02d:30"}
'''
DUE = {'one', 'two', 'three'}
ROUNDS = 1 if QUICK else 3
rng = random.Random(int(os.environ.get('SEED', '0')) or None)


class Node(Daemon):
    """Its catalogue is a database."""

    def __init__(self, name, repo, server):
        self.server = server
        super().__init__(name, repo, CONFIG, catalogue=server.url('catalogue'))
        self.go = path('go')
        self.configure()

    def rows(self, where='1 = 1'):
        found = self.server.sql('catalogue', 'SELECT row_to_json(h) FROM backup_history h WHERE %s ORDER BY id' % where)
        return [json.loads(line) for line in found.splitlines()]


def make_due(server):
    """As if nobody had been there for two days."""
    server.sql('catalogue', 'DELETE FROM backup_history')
    server.sql('catalogue', "UPDATE backup_schedules SET last_due = last_due - 2 * 86400000 WHERE id IN ('one', 'two', 'three')")


def once_each(nodes, repo, before, name):
    def rows():
        return nodes[0].rows("kind = 'backup'")
    fact(wait_until(lambda: len(rows()) == len(DUE) and all(r['state'] == 'succeeded' for r in rows()), PATIENCE, .2), name + ': all are run', rows())
    equal(({r['schedule'] for r in rows()}, len(repo.snapshots()) - before), (DUE, len(DUE)), name + ': each once')


def together(nodes, repo, server):
    for n in range(ROUNDS):
        for node in nodes:
            node.stop()
        make_due(server)
        before = len(repo.snapshots())
        for node in nodes:
            node.spawn()
        once_each(nodes, repo, before, 'both are started at once, round %d' % n)
        for node in nodes:
            node.answers() if node.lives() else node.start()


def one_is_killed(nodes, repo, server):
    """At any instant; it comes back as it would by systemd."""
    for n in range(ROUNDS):
        for node in nodes:
            node.stop()
        make_due(server)
        before, victim = len(repo.snapshots()), rng.choice(nodes)
        for node in nodes:
            node.spawn()
        time.sleep(rng.uniform(0, .6))
        victim.kill()
        victim.start()
        once_each(nodes, repo, before, 'one of them is killed, round %d' % n)
        for node in nodes:
            node.answers()


def gone(nodes, server):
    """A whole machine, with what ran there; its lease is over."""
    first, second = nodes
    run_id = first.control(op='run', schedule='slow')['run']
    pid = first.under_way()['pid']
    concurrent = second.control(op='run', schedule='slow')
    row = second.row(concurrent['run']) if second.ended(concurrent['run']) else {}
    equal((row.get('state'), row.get('error')), ('failed', 'concurrent'), 'what runs on one node is concurrent on the other')
    first.kill()
    os.killpg(pid, signal.SIGKILL)
    second.stop()
    second.start()
    equal(second.row(run_id)['state'], 'running', 'a node that is gone keeps its run as long as its lease')
    second.stop()
    server.sql('catalogue', "UPDATE backup_history SET lease_until = 1 WHERE id = '%s'" % run_id)
    second.start()
    row = second.row(run_id) if second.ended(run_id) else {}
    fact(row.get('state') == 'failed' and 'lease' in row['error'], 'then the other one marks it', row)
    first.start()
    equal((first.row(run_id)['state'], first.status()['runs']), ('failed', []), 'and so it stays when the first is back')


def not_begun(nodes, server):
    first, second = nodes
    first.kill()
    second.stop()
    server.sql('catalogue', "UPDATE backup_history SET state = 'queued', started_at = 0, ended_at = 0, lease_until = 1, node = 'first', error = NULL "
               "WHERE id = (SELECT max(id) FROM backup_history WHERE schedule = 'one')")
    second.start()
    fact(wait_until(lambda: not second.rows("state = 'queued' OR state = 'running'"), PATIENCE, .1), 'what had not begun is begun')
    last = second.rows("schedule = 'one'")[-1]
    equal((last['state'], last['node']), ('succeeded', 'second'), 'by the other one, to its end')
    first.start()


def cut_off(nodes, server):
    """It lives, but for so long without the catalogue that its lease was over."""
    first, second = nodes
    run_id = first.control(op='run', schedule='slow')['run']
    pid = first.under_way()['pid']
    second.stop()
    server.sql('catalogue', "UPDATE backup_history SET lease_until = 1 WHERE id = '%s'" % run_id)
    second.start()
    fact(second.ended(run_id), 'a run whose lease is over is marked')
    open(first.go, 'w', encoding='utf-8').close()
    fact(wait_until(lambda: not first.status()['runs'], PATIENCE, .1), 'its daemon lets go of it')
    wait_until(lambda: not os.path.exists('/proc/%d' % pid), PATIENCE)  # it ends by itself, and holds its lock until then
    os.remove(first.go)
    equal(second.row(run_id)['state'], 'failed', 'and does not overwrite what was said of it')
    fact("another node's now" in first.said(), 'which it tells', first.said()[-800:])


def database_away(nodes, server):
    first = nodes[0]
    run_id = first.control(op='run', schedule='slow')['run']
    first.under_way()
    server.sql('postgres', 'ALTER DATABASE catalogue ALLOW_CONNECTIONS false')
    server.sql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'catalogue'")
    open(first.go, 'w', encoding='utf-8').close()
    fact(first.tells('cannot be written yet'), 'a catalogue that does not answer is told', first.said()[-800:])
    refused = first.control(op='run', schedule='one')
    fact(not refused['ok'], 'and nothing is run that it would not know of', refused)
    server.sql('postgres', 'ALTER DATABASE catalogue ALLOW_CONNECTIONS true')
    fact(wait_until(lambda: first.row(run_id)['state'] == 'succeeded', PATIENCE, .2), 'when it answers it gets what it missed', first.row(run_id))
    os.remove(first.go)


def main():
    repo = small_repo()
    with Postgres('pg') as server:
        server.create('catalogue')
        nodes = [Node('first', repo, server), Node('second', repo, server)]
        try:
            for node in nodes:
                fact(node.start(), node.name + ' starts', node.said())
            together(nodes, repo, server)
            one_is_killed(nodes, repo, server)
            gone(nodes, server)
            not_begun(nodes, server)
            cut_off(nodes, server)
            database_away(nodes, server)
            for node in nodes:
                equal(node.stop(), 0, node.name + ' ends when it is asked to')
        finally:
            for node in nodes:
                if node.lives():
                    node.kill()
                say(node.said()[-2000:])
        repo.sound('after all of it')
    finish()


main()
