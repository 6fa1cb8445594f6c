#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=1200
"""Whatever is killed while WAL is archived, the pusher, what it hands over to, the server or several, with the repository away
for a while and two pushers at once: a segment that the server was told is archived is in the repository and equal, and in
the end all are."""
import glob
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import as_postgres
from killed import Load, Mortal, nothing_is_missing
from scenario import BACKSTAY, QUICK, Repo, equal, fact, finish, path, say, wait_until
from walarchive import Archive, hand_over_all, own

KILLS = int(os.environ.get('KILLS', '7' if QUICK else '25'))
SEED = int(os.environ.get('SEED', '0')) or random.randrange(1 << 30)
rng = random.Random(SEED)

# The archiver ends when its command dies by a signal, and is started again 10 s after its last start; so every second death
# is an ordinary failure to it, after which it asks again.
PUSH = """if [ $(($$ %% 2)) = 0 ]; then
    echo >%(pushers)s/$$
    exec %(backstay)s wal push "$1"
fi
%(backstay)s wal push "$1" &
echo >%(pushers)s/$!
wait $!
status=$?
[ $status -le 125 ] && exit $status
exit 1
"""


class Killed(Mortal):
    """A server that may die; its WAL stays in place, so that what it was told about can be compared."""

    def __init__(self, directory, push):
        super().__init__(directory)
        self.make("archive_command = '%s %%p'" % push, 'wal_keep_size = 4GB', 'max_wal_size = 8GB', 'restart_after_crash = on')
        self.wal = self.data + '/pg_wal/'

    def statuses(self, end):
        """Names that are .ready or .done."""
        return {n[:-len(end)] for n in os.listdir(self.wal + 'archive_status') if n.endswith(end)}


def poke(server):
    """After three failures the archiver waits for a minute, unless a signal wakes it."""
    try:
        server.sql('select pg_reload_conf()')
    except RuntimeError:
        pass  # it was killed


def write(server):
    """Rows and a new segment, unless too many wait."""
    if len(server.statuses('.ready')) > 20:
        poke(server)
        time.sleep(.5)
    else:
        server.sql('insert into t select g, random()::text from generate_series(1, 300) g; select pg_switch_wal()')


def pushers():
    """Processes of ours that push now; each has left its number."""
    found = []
    for name in os.listdir(path('pushers')):
        try:
            if os.readlink('/proc/%s/exe' % name) == os.path.realpath(BACKSTAY):
                found.append(int(name))
                continue
        except OSError:
            pass
        try:
            os.unlink(path('pushers', name))
        except FileNotFoundError:
            pass
    return found


def kill_pusher():
    if wait_until(pushers, 5, .001):
        time.sleep(rng.choice((0, rng.uniform(0, .02), rng.uniform(0, .1))))
        for pid in pushers():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


class Archiver:
    """wal serve, which may die; or none, and each push stores its file by itself."""

    def __init__(self, archive, served):
        self.archive, self.process = archive, None
        if served:
            archive.environ['BACKSTAY_WAL_SOCKET'] = path('user', 'wal.sock')
            self.start()

    def start(self):
        self.process = subprocess.Popen([*as_postgres(), BACKSTAY, 'wal', 'serve'], env=self.archive.environ, cwd=path('user'),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self):
        if self.process:
            time.sleep(rng.choice((0, rng.uniform(0, .1))))
            self.process.kill()
            self.process.wait()

    def come_back(self):
        if self.process and self.process.returncode is not None:
            self.start()

    def close(self):
        if self.process:
            self.process.terminate()
            fact(self.process.wait(120) == 0, 'wal serve ends when it is asked to')


def away(repo, server):
    """Nothing is acknowledged that cannot be stored; a push that runs now has opened its directory."""
    os.rename(repo.path, repo.path + '.away')
    wait_until(lambda: not pushers(), 60)
    time.sleep(.05)
    before = server.statuses('.done')
    wait_until(lambda: len(server.statuses('.ready')) > 1, 60)
    time.sleep(rng.uniform(.1, .5))
    # one that was stored before it was asked for may be acknowledged
    early = [n for n in server.statuses('.done') - before if not glob.glob('%s.away/wal/*/*/%s' % (repo.path, n))]
    os.rename(repo.path + '.away', repo.path)
    return early


def push_beside(archive, server):
    """Two more pushers, of a segment that is waiting or was archived."""
    names = sorted(n for n in server.statuses('.ready') | server.statuses('.done') if os.path.exists(server.wal + n))
    name = rng.choice(names[-3:])
    both = [subprocess.Popen([*as_postgres(), BACKSTAY, 'wal', 'push', server.wal + name], env=archive.environ, cwd=path('user'),
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    ends = [(p.communicate(timeout=240)[1].decode(), p.returncode) for p in both]
    return [(name, e) for e in ends if e[1]]


def harm(repo, archive, server, archiver):
    """One thing after the other, at random; what must not happen is gathered."""
    early, failed = [], []
    kills = {'pusher': [kill_pusher], 'archiver': [archiver.kill], 'both': [kill_pusher, server.kill], 'server': [server.kill],
             'all': [archiver.kill, kill_pusher, server.kill], 'immediate': [lambda: server.stop('immediate')]}
    with Load(lambda: write(server), .05):
        for _ in range(KILLS):
            known = server.statuses('.done')
            if not wait_until(lambda known=known: server.statuses('.done') - known, 300):
                return fact(False, 'the archive goes on')
            what = rng.choice(('pusher', 'archiver', *kills, 'away', 'beside'))
            say(what, 'ready', len(server.statuses('.ready')), 'done', len(server.statuses('.done')))
            if what == 'away':
                early += away(repo, server)
            elif what == 'beside':
                failed += push_beside(archive, server)
            else:
                for kill in kills[what]:
                    kill()
                if not server.running:
                    server.come_back()
                if rng.random() < .7:
                    archiver.come_back()
    fact(early == [], 'nothing is acknowledged while the repository is away', early)
    return fact(failed == [], 'two pushers of one segment both succeed', failed)


def same(archive, server, names):
    """Those that do not come back as they lie in pg_wal."""
    wrong = []
    for name in names:
        out = path('user', 'out')
        done = subprocess.run([*as_postgres(), BACKSTAY, 'wal', 'get', name, out, '--pgdata', server.data], env=archive.environ,
                              cwd=path('user'), capture_output=True, check=False)
        if done.returncode:
            wrong.append((name, done.stderr.decode()))
            continue
        with open(out, 'rb') as got, open(server.wal + name, 'rb') as want:
            if got.read() != want.read():
                wrong.append((name, 'differs'))
        os.unlink(out)
    return wrong


def compare(repo, archive, server):
    """What was acknowledged until the last thing happened; then, what is after it has caught up."""
    acknowledged = sorted(server.statuses('.done'))
    waiting = sorted(server.statuses('.ready'))
    fact(len(acknowledged) >= KILLS, 'segments were acknowledged: %d, and %d wait' % (len(acknowledged), len(waiting)))
    equal(same(archive, server, acknowledged), [], 'every acknowledged file is in the repository and equal')
    server.come_back()
    server.sql('select pg_switch_wal()')
    fact(wait_until(lambda: not server.statuses('.ready') or poke(server), 300, .5), 'it catches up', server.statuses('.ready'))
    server.stop()
    equal(same(archive, server, sorted(server.statuses('.done') - set(acknowledged))), [], 'what waited is there and equal, too')
    line = archive.list()[0]['timelines'][0]
    equal(line['segments'], len([n for n in server.statuses('.done') if len(n) == 24]), 'and no segment that the server does not know')
    nothing_is_missing(repo, line)


def archived(label, served):
    say(label)
    repo = Repo.named('repo-' + label)
    repo.backstay('init', code=0)
    hand_over_all(repo.path)
    archive = Archive(repo)
    archiver = Archiver(archive, served)
    push = archive.script('push', PUSH % {'pushers': own('pushers'), 'backstay': BACKSTAY})
    with Killed(path('server'), push) as server:
        server.start()
        server.sql('create table t (id int, note text)')
        harm(repo, archive, server, archiver)
        server.kill()
        wait_until(lambda: not pushers(), 60)
        archiver.come_back()
        compare(repo, archive, server)
    archiver.close()
    os.remove(archive.key)


def main():
    say('SEED', SEED)
    archived('alone', False)
    archived('served', True)
    finish()


main()
