#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, asan, tsan, timeout=1500
"""The WAL server: a real PostgreSQL archives through its socket without having a key; what waits is archived ahead; it is
killed at any moment, the store goes away, two push at once, other clusters and hostile clients come."""
import array
import os
import random
import shutil
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from cluster import Cluster, as_postgres, hand_over
from scenario import BACKSTAY, LOCKED, MISMATCH, QUICK, UNREACHABLE, Repo, equal, fact, finish, path, run, say, wait_until
from walarchive import Archive, hand_over_all, own
from walserver import PATIENCE, Pushers, Server, all_archived, all_there, fill, kept, killed, read

ROUNDS = 3 if QUICK else 6
rng = random.Random(int(os.environ.get('SEED', '0')) or None)


def real_server(archive, server, pushers):
    cluster = Cluster(path('server'))
    cluster.make("archive_command = '%s %%p'" % pushers.script('push'))
    with cluster.start():
        system = cluster.sql('select system_identifier from pg_control_system()')
        cluster.sql('create table t (x text)')
        fill(cluster, 6)
        all_archived(cluster)
        equal(cluster.sql('select failed_count from pg_stat_archiver'), '0', 'nobody but the server has a key, and nothing fails')
        killed(cluster, server, ROUNDS, rng)
        away(archive, cluster)
        all_there(archive, system)
    return system


def away(archive, cluster):
    """The store is not there: nothing is acknowledged, and the same process catches up."""
    cluster.sql("select pg_stat_reset_shared('archiver')")
    before = kept()
    os.rename(archive.repo.path, archive.repo.path + '.away')
    fill(cluster, 3)
    fact(wait_until(lambda: cluster.sql('select failed_count > 0 from pg_stat_archiver') == 't', PATIENCE), 'archiving fails')
    equal(kept(), before, 'without its store it acknowledges nothing')
    os.rename(archive.repo.path + '.away', archive.repo.path)
    all_archived(cluster)


# ---- files in a directory like pg_wal ----

def pg_wal(name, names, ready=True):
    """With copies of what was kept, all of which wait."""
    top = own(name)
    os.makedirs(top + '/archive_status')
    for n in names:
        shutil.copy(path('kept', n), top)
        if ready:
            open(top + '/archive_status/' + n + '.ready', 'w', encoding='utf-8').close()
    hand_over(top + '/archive_status')
    hand_over_all(top)
    old = time.time() - 60
    for n in names:
        os.utime(top + '/' + n, (old, old))
    time.sleep(.2)  # what was changed a moment ago is compared by content
    return top


def in_row():
    """The longest row of segments that follow each other."""
    names = [n for n in kept() if n.startswith('00000001')]
    return names[:10]


def new_server(name):
    repo = Repo.named(name)
    repo.backstay('init', code=0)
    hand_over_all(repo.path)
    os.remove(path('user', 'key'))
    archive = Archive(repo)
    server = Server(archive, name + '.sock')
    return archive, server, Pushers(archive, server)


def held(archive, system):
    top = archive.repo.path + '/wal/%s/00000001' % system
    return sorted(os.listdir(top)) if os.path.isdir(top) else []


def ahead(system):
    archive, server, pushers = new_server('ahead')
    names = in_row()
    with server:
        top = pg_wal('ahead_wal', names)
        os.unlink('%s/archive_status/%s.ready' % (top, names[4]))
        system_id = ['--system-id', system]
        first = pushers.push('--json', top + '/' + names[0], *system_id, code=0).messages('wal_pushed')
        equal([(x['name'], x['was_there'], x['system_identifier']) for x in first], [(names[0], False, system)], 'the first is archived')
        want = [n for n in names[:10] if n != names[4]][:9]
        fact(wait_until(lambda: held(archive, system) == want, PATIENCE), 'those that wait behind it are archived beside it',
             held(archive, system))
        again = pushers.push('--json', top + '/' + names[1], *system_id, code=0).messages('wal_pushed')
        equal([(x['was_there'], x['data_added_packed'] > 0) for x in again], [(False, True)], 'what is durable already is told at once')
        data = read('ahead_wal', names[2])
        with open(top + '/' + names[2], 'r+b') as f:
            f.write(data)
        pushers.push(top + '/' + names[2], *system_id, code=0, why='a file that was written again with the same content is the same')
        with open(top + '/' + names[3], 'r+b') as f:
            f.seek(9000)
            f.write(bytes([read('ahead_wal', names[3])[9000] ^ 1]))
        pushers.push(top + '/' + names[3], *system_id, code=MISMATCH, why='one with another content is not')
        other = pg_wal('other_wal', names[5:6], ready=False)
        again = pushers.push('--json', other + '/' + names[5], *system_id, code=0).messages('wal_pushed')
        equal([x['was_there'] for x in again], [True], 'the same name in another directory is looked at anew')
        pushers.push(top + '/' + names[4], *system_id, code=0, why='one that did not wait is archived when it is asked for')
        fact('READY=1' in server.said and any('WATCHDOG=1' in x for x in server.said), 'systemd is told', server.said)


def together(system):
    """Two and more at once, of the same files."""
    archive, server, pushers = new_server('together')
    names = in_row()
    with server:
        top = pg_wal('together_wal', names)
        running = [pushers.begin(top + '/' + n) for n in names for _ in range(3)]
        equal([p.wait(PATIENCE) for p in running], [0] * len(running), 'three pushers of each file all succeed')
    equal(held(archive, system), names, 'and each is held once')
    fact(same_as_kept(archive, system, names), 'with its content')


def same_as_kept(archive, system, names):
    out = path('user', 'out')
    return all(archive.wal('get', n, out, '--system-id', system).code == 0 and read('user', 'out') == read('kept', n) for n in names)


def one_file(name, data):
    file = own('user/files') + '/' + name
    with open(file, 'wb') as f:
        f.write(data)
    hand_over(file)
    return file


def mirrored(system):
    """A required mirror has it, too, before it counts."""
    archive, server, pushers = new_server('mirrored')
    mirror = own('mirrors') + '/second'
    with server:
        name, later, last = in_row()[:3]
        pushers.push(one_file(name, read('kept', name)), code=0)
        for words in (['add', mirror, '--name', 'second', '--required'], ['sync']):
            run(*as_postgres(), BACKSTAY, 'mirror', *words, env=archive.environ, cwd=path('user'), code=0)
        server.kill(signal.SIGTERM)
        server.start()
        pushers.push(one_file(later, read('kept', later)), code=0)
        there = '%s/wal/%s/00000001/' % (mirror, system)
        equal(sorted(os.listdir(there)), [name, later], 'what is acknowledged is in the required mirror')
        os.rename(mirror, mirror + '.away')
        pushers.push(one_file(last, read('kept', last)), code=(1, 10, 30), why='without that mirror nothing is acknowledged')
        os.rename(mirror + '.away', mirror)
        time.sleep(1.1)  # a repository that cannot be opened is not tried again within a second
        pushers.push(one_file(last, read('kept', last)), code=0, why='and with it again it is')
        equal(sorted(os.listdir(there)), [name, later, last], 'in both')


# ---- what is refused ----

def refused(server, pushers, system):
    name = in_row()[0]
    data = read('kept', name)
    stranger = data[:24] + bytes([data[24] ^ 1]) + data[25:]  # of the system identifier, whose lowest byte may be any
    done = pushers.push(one_file(name, stranger), '--system-id', system, code=MISMATCH, why='a segment of another cluster is refused')
    fact('not archived' in done.errors, 'and the reason is told', done.errors)
    for label, bad_name, bad, code in (
            ('a segment that was cut', name, data[:-1], 1), ('an empty file', name, b'', 1), ('a text', 'passwd', b'root', 1),
            ('a history without a cluster', '00000009.history', b'1\t0/2000000\tx\n', 1),
            ('another content', name, data[:5000] + bytes([data[5000] ^ 1]) + data[5001:], MISMATCH)):
        pushers.push(one_file(bad_name, bad), code=code, why=label + ' is refused')
    pushers.push(path('nowhere', name), code=1, why='a file that is not there is refused')
    pushers.push(one_file(name, data), code=0, why='and the right one is fine')
    pushers.push(one_file(name, data), '--server', 'sometimes', code=1, why='a word that is none is refused')
    done = pushers.push(one_file(name, data), '-r', path('another'), code=UNREACHABLE, why='a repository that is not the server\'s')
    fact('another repository' in done.errors, 'is not taken for it', done.errors)
    second = run(*as_postgres(), BACKSTAY, 'wal', 'serve', '--socket', server.socket, env=server.environ, code=LOCKED,
                 why='a second server on the socket is refused')
    fact('another server runs there' in second.errors, 'and told why', second.errors)


def push_as_nobody(file, environ, why):
    for folder in ('user', 'user/files', 'run'):
        os.chmod(path(folder), 0o755)
    run('setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups', '--', BACKSTAY, 'wal', 'push', file,
        env={**environ, 'HOME': '/nonexistent'}, cwd='/', code=UNREACHABLE, why=why)


def strangers(server, pushers):
    """Other users of the machine."""
    file = one_file(in_row()[0], read('kept', in_row()[0]))
    push_as_nobody(file, pushers.environ, 'another user finds nobody')
    os.chmod(server.socket, 0o666)
    push_as_nobody(file, pushers.environ, 'nor when somebody has opened the socket to all')
    os.chmod(server.socket, 0o600)


def members(system):
    """A server of root, and a group that may speak to it."""
    archive, server, pushers = new_server('group')
    server.user, server.options = [], ('--group', 'postgres')
    file = one_file(in_row()[0], read('kept', in_row()[0]))
    with server:
        pushers.push(file, code=0, why='a member of the group pushes into a server of another user')
        equal(held(archive, system), in_row()[:1], 'and it is there')
        push_as_nobody(file, pushers.environ, 'who is no member does not')


# ---- who does not keep to the protocol ----

def hostile(server, pushers):
    file = one_file(in_row()[0], read('kept', in_row()[0]))
    name = in_row()[0].encode()
    fd, folder = os.open(file, os.O_RDONLY), os.open(os.path.dirname(file), os.O_RDONLY)
    fifo = path('user/files/fifo')
    os.mkfifo(fifo)
    pipe, zero = os.open(fifo, os.O_RDWR), os.open('/dev/zero', os.O_RDONLY)
    large = os.open(path('user/files/large'), os.O_RDWR | os.O_CREAT)
    os.ftruncate(large, 1 << 40)
    push = b'backstay-wal 1 push 0 ' + name + b' '
    for label, packet, fds, want in (
            ('garbage', rng.randbytes(300), [], b'away'), ('another version', b'backstay-wal 2 ping', [], b'away'),
            ('a push without a file', push, [], b'away'), ('one with one descriptor', push, [fd], b'away'),
            ('a ping with two', b'backstay-wal 1 ping', [fd, folder], b'away'),
            ('three descriptors', push, [fd, folder, fd], b''), ('a packet that is too long', b'x' * 60000, [], b''),
            ('a pipe', push, [pipe, folder], b'failed 1'), ('a device', push, [zero, folder], b'failed 1'),
            ('a directory', push, [folder, folder], b'failed 1'), ('a file as directory', push, [fd, fd], b'failed 1'),
            ('a huge file', push, [large, folder], b'failed 1'), ('a name that is a path', push.replace(name, b'../' + name), [fd, folder], b'failed 1'),
            ('a ping', b'backstay-wal 1 ping', [], b'pong'), ('a push', push, [fd, folder], b'done')):
        answer = server.ask(packet, *fds)
        fact(answer.startswith(b'backstay-wal 1 ' + want) if want else answer == b'', label + ' is answered with ' + (want.decode() or 'the end'),
             answer)
    idle = [server.connect() for _ in range(150)]
    for link in idle[::3]:
        try:
            link.send(b'backstay-wal 1 push')
        except BrokenPipeError:
            pass  # it had to make room
    pushers.push(file, code=0, why='many who are silent do not disturb')
    for link in idle:
        link.close()
    left = server.connect()
    left.sendmsg([push], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd, folder]))])
    left.close()
    pushers.push(file, code=0, why='nor does one who does not wait for the answer')
    descriptors = lambda: len(os.listdir('/proc/%d/fd' % server.process.pid))
    server.ask(b'backstay-wal 1 ping')
    fact(wait_until(lambda: descriptors() < 40, PATIENCE), 'and all descriptors are given back', descriptors())
    for one in (fd, folder, pipe, zero, large):
        os.close(one)
    os.unlink(path('user/files/large'))


class Liar:
    """A server that takes one request and answers as it likes."""

    def __init__(self, name, answer):
        self.socket = own('run') + '/' + name
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.socket)
        hand_over(self.socket)
        self.listener.listen()
        self.answer = answer
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        link, _ = self.listener.accept()
        link.recv(4096)
        if self.answer:
            link.send(self.answer)
        link.close()

    def close(self):
        self.thread.join(PATIENCE)
        self.listener.close()


def lost_answers(system):
    """Whatever is not a clear yes is none: the file is archived by other means, or not acknowledged."""
    archive, server, _ = new_server('lost')
    for i, (label, answer) in enumerate((('no answer', b''), ('garbage', b'ok'), ('another version', b'backstay-wal 2 done 1 1 1 0'),
                                         ('an answer for another file', b'backstay-wal 1 done %s 4711 1 0' % system.encode()),
                                         ('one for another cluster', b'backstay-wal 1 done 1 1048576 1 0'))):
        name = in_row()[i]
        file = one_file(name, read('kept', name))
        for use, want in (('require', UNREACHABLE), ('auto', 0)):
            liar = Liar('liar-%d-%s' % (i, use), answer)
            done = archive.wal('push', file, '--system-id', system, '--socket', liar.socket, '--server', use, code=want,
                               why=label + ': ' + ('nothing is acknowledged' if want else 'the file is archived by other means'))
            equal(name in held(archive, system), want == 0, 'and that is so')
            liar.close()
            fact(done.code != 0 or 'WAL server' in done.errors or answer, 'and it is told', done.errors)
    archive.wal('push', one_file(in_row()[5], read('kept', in_row()[5])), '--socket', server.socket, code=0,
                why='without a server it is archived by the command')


def hanging(archive, server, system):
    """It takes what it is told and says nothing for half a minute."""
    name = in_row()[1]
    os.kill(server.process.pid, signal.SIGSTOP)
    done = archive.wal('push', one_file(name, read('kept', name)), '--system-id', system, '--socket', server.socket, '--json', code=0,
                       why='a server that hangs does not hold up the command')
    fact('does not answer' in done.errors, 'which says so', done.errors)
    equal([x['was_there'] for x in done.messages('wal_pushed')], [True], 'and has looked into the repository itself')
    os.kill(server.process.pid, signal.SIGCONT)


def stopped(server, pushers):
    code = server.kill(signal.SIGTERM)
    equal(code, 0, 'a signal stops it, and that is no failure')
    fact(not os.path.exists(server.socket), 'its socket is gone')
    pushers.push(one_file(in_row()[0], read('kept', in_row()[0])), code=UNREACHABLE, why='and nobody finds it')
    server.start()
    server.kill()
    fact(os.path.exists(server.socket), 'what a killed one leaves')
    server.start()
    pushers.push(one_file(in_row()[0], read('kept', in_row()[0])), code=0, why='the next takes over')


def main():
    repo = Repo.named('repo')
    repo.backstay('init', code=0)
    hand_over_all(repo.path)
    archive = Archive(repo)
    with Server(archive) as server:
        pushers = Pushers(archive, server)
        system = real_server(archive, server, pushers)
        say(len(kept()), 'segments were archived')
        refused(server, pushers, system)
        hostile(server, pushers)
        strangers(server, pushers)
        if not QUICK:
            hanging(archive, server, system)
        stopped(server, pushers)
    members(system)
    ahead(system)
    together(system)
    mirrored(system)
    lost_answers(system)
    finish()


main()
