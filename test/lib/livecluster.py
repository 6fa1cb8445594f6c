# SPDX-License-Identifier: Apache-2.0
"""A server that is written to while it is backed up, and what came back of it: shared by the scenarios of clusters."""
import contextlib
import glob
import json
import os
import subprocess
import threading

from cluster import Cluster, as_postgres, debian_bin, hand_over
from freeport import free_port
from scenario import equal, fact, path, run, say, wait_until
from walmodel import number


def make_server(name, bin=None, *settings):
    server = Cluster(path(name), bin)
    server.make('max_wal_senders = 6', 'max_replication_slots = 4', 'wal_keep_size = 0', 'max_wal_size = 4MB', 'min_wal_size = 2MB', *settings)
    return server


def comes(condition, label):
    fact(wait_until(condition, 300), label)


def fill(server):
    """Some in a tablespace of its own, some of a size that takes a while to read."""
    space = server.dir + '/space'
    os.mkdir(space)
    hand_over(space)
    server.sql("create tablespace other location '%s'" % space)
    server.sql("create table ledger (id int primary key, v text);"
               "create table still as select g as id, repeat(md5(g::text), 6) as v from generate_series(1, 60000) g;"
               "create table elsewhere tablespace other as select g as id, md5(g::text) as v from generate_series(1, 20000) g;"
               "create unlogged table fleeting as select 1 as id;"
               "create role saver login replication; create role nobody login;")


class Load:
    """One writer: ledger rows 1, 2, 3, ... without a gap, and changes all over another table."""

    def __init__(self, server):
        self.server, self.stop, self.error = server, threading.Event(), None
        self.thread = threading.Thread(target=self.work)

    def work(self):
        try:
            while not self.stop.wait(.1):
                self.server.sql("insert into ledger select coalesce(max(id), 0) + 1, md5(random()::text) from ledger;"
                                "insert into ledger select max(id) + 1, repeat(md5(random()::text), 20) from ledger;"
                                "update elsewhere set v = md5(v) where id % 97 = (select max(id) % 97 from ledger)")
        except RuntimeError as e:
            self.error = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def backed_up_twice(backup, repo, server, name):
    """While it is written to: both snapshots and the last row that was there before; None when there are none."""
    with Load(server) as load:
        comes(lambda: int(server.sql('select count(*) from ledger')) > 4, 'the load runs')
        least = int(server.sql('select max(id) from ledger'))
        first, _ = backup(repo, server)
        second, again = backup(repo, server)
    equal(load.error, None, name + ': the load went on meanwhile')
    if not (first and second):
        return None
    added, found = again.summary()['data_added'], tags(repo, second)
    # the WAL of its own time is as long as the machine is slow, and always new
    wal = number(found['stop-lsn']) - number(found['start-lsn']) + (2 << 20)
    say('%s: the second backup adds %d of %d bytes, beside %d of WAL at most' % (name, added, again.summary()['total_bytes_processed'], wal))
    fact(added - wal < again.summary()['total_bytes_processed'] / 4, name + ': the second backup adds little', again.summary())
    return first, second, least


def follow(standby, primary):
    standby.configure("primary_conninfo = 'host=%s user=saver'" % primary.socket)
    standby.run('touch', standby.data + '/standby.signal')
    standby.start()


def backed_up_standby(backup, repo, standby, primary):
    """It is started, follows the primary, which is written to, and is saved: the snapshot, and the last row before."""
    follow(standby, primary)
    with Load(primary) as load:
        comes(lambda: standby.sql('select count(*) from ledger') == primary.sql('select count(*) from ledger'), 'the standby follows')
        least = int(standby.sql('select max(id) from ledger'))
        snapshot, _ = backup(repo, standby)
    equal(load.error, None, 'standby: the load went on')
    fact(manifest_of(repo, snapshot)['cluster']['standby'], 'standby: the manifest says that it was one')
    return snapshot, least


def left_nothing(repo, label, kept):
    equal({s['id'] for s in repo.snapshots()}, kept, label + ': no snapshot was made')
    equal(repo.objects('locks'), [], label + ': no lock is left')


def flip(file, at):
    with open(file, 'r+b') as f:
        f.seek(at)
        byte = f.read(1)
        f.seek(at)
        f.write(bytes([byte[0] ^ 1]))


@contextlib.contextmanager
def debian_cluster():
    """A running one with its configuration in /etc: its release, its name and its folder."""
    name, folder = 'backstay%d' % os.getpid(), path('debian')
    release = debian_bin().split('/')[-2]
    os.mkdir(folder)
    hand_over(folder)
    # by itself it takes the first port that is free, which for two at a time is the same
    run('pg_createcluster', release, name, '-d', folder + '/data', '-s', folder, '-p', str(free_port()), '--start', '--', '--auth=trust', code=0)
    try:
        yield release, name, folder
    finally:
        run('pg_dropcluster', '--stop', release, name, code=0)


def has_config(listed, label):
    """Names below the top folder."""
    wanted = ['config/' + n for n in ('postgresql.conf', 'pg_hba.conf', 'pg_ident.conf', 'conf.d', 'start.conf')]
    equal([n for n in wanted if n not in listed], [], label + ': the configuration is in config/')


def rows(server, table, up_to=None):
    return server.sql('select count(*), md5(string_agg(t::text, chr(10) order by id)) from %s t%s' %
                      (table, ' where id <= %s' % up_to if up_to else ''))


class Restored(Cluster):
    """What lies in a restored folder, started from there as its manifest says."""

    def __init__(self, folder, bin):
        super().__init__(folder, bin)
        self.data, self.socket = folder + '/pgdata', folder

    def start(self):
        # the copy must not write into the archive of the live one
        self.configure("unix_socket_directories = '%s'" % self.socket, "archive_command = 'false'")
        with open(self.dir + '/manifest.json', encoding='utf-8') as f:
            command = json.load(f)['start_command']
        fact(command.endswith(' start'), 'the manifest says how it is started', command)
        self.run('sh', '-c', 'PATH=%s:$PATH; %s -w -t 120 -l server.log start' % (self.bin, command.removesuffix(' start')))
        self.running = True
        return self


def restore(repo, snapshot, name, by_restic=False):
    target = path(name)
    os.mkdir(target, 0o711)
    if by_restic:
        repo.restic('restore', snapshot, '--target', target, code=0)
    else:
        repo.backstay('restore', snapshot, '--target', target, code=0)
    os.chmod(target, 0o711)
    return glob.glob(target + '/*')[0]


def tags(repo, snapshot):
    found = next(s for s in repo.snapshots() if s['id'] == snapshot)
    return dict(t.split('=', 1) for t in found['tags'])


def top_of(repo, snapshot):
    return '/' + tags(repo, snapshot)['source']


def manifest_of(repo, snapshot):
    return json.loads(repo.backstay('dump', snapshot, top_of(repo, snapshot) + '/manifest.json', code=0).out)


def listing(repo, snapshot):
    """Paths below the top folder."""
    top = top_of(repo, snapshot)
    return {l[len(top) + 1:] for l in repo.backstay('ls', snapshot, code=0).text.splitlines() if l.startswith(top + '/')}


def verified(folder, bin, label):
    """Debian's pg_verifybackup knows the manifests of its own release and older."""
    verify = bin + '/pg_verifybackup' if os.path.exists(bin + '/pg_verifybackup') else debian_bin() + '/pg_verifybackup'
    done = subprocess.run([*as_postgres(), verify, folder + '/pgdata'], capture_output=True, text=True, check=False)
    fact(done.returncode == 0, label + ': pg_verifybackup accepts it', done.stdout + done.stderr)


def sound(server, label):
    amcheck = debian_bin() + '/pg_amcheck'
    done = subprocess.run([amcheck, '--install-missing', '-h', server.socket, '-U', 'postgres', '-d', 'postgres'], capture_output=True, text=True,
                          check=False)
    fact(done.returncode == 0, label + ': pg_amcheck finds nothing', done.stdout + done.stderr)


def holds(server, live, least, label, fleeting='0'):
    """The ledger is the first n of what was written, at least what was there before the backup."""
    newest = server.sql('select coalesce(max(id), 0) from ledger')
    fact(int(newest) >= least, label + ': what was committed before is there', '%s < %s' % (newest, least))
    equal(rows(server, 'ledger'), rows(live, 'ledger', newest), label + ': the ledger is the first %s rows of the live one' % newest)
    equal(rows(server, 'still'), rows(live, 'still'), label + ': the table that stood still is equal')
    equal(server.sql('select count(*) from elsewhere'), '20000', label + ': the table in the tablespace is whole')
    equal(server.sql('select count(*) from fleeting'), fleeting, label + ': rows of an unlogged table: ' + fleeting)


def links_inside(folder, label):
    links = glob.glob(folder + '/pgdata/pg_tblspc/*')
    good = links and all(os.readlink(l) == '../../tablespaces/' + os.path.basename(l) and os.path.isdir(l) for l in links)
    fact(good, label + ': links to tablespaces stay in the folder', [os.readlink(l) for l in links])


def make_absolute(folder):
    """As the guide says: before base backups are taken of what was restored."""
    for link in glob.glob(folder + '/pgdata/pg_tblspc/*'):
        full = os.path.realpath(link)
        os.unlink(link)
        os.symlink(full, link)
