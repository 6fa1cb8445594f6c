#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=1800
"""./quickstart does what it says, also for a database that is not its own, and leaves no server behind, however it ends."""
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from postgres import Postgres
from scenario import TOP, environment, equal, fact, finish, path, run, wait_until


def servers(where):
    """Processes of a PostgreSQL whose data lies there."""
    found = []
    for entry in os.listdir('/proc'):
        if entry.isdigit():
            try:
                with open('/proc/%s/cmdline' % entry, 'rb') as f:
                    words = f.read()
            except OSError:
                continue
            if b'postgres' in words and os.fsencode(where) in words and b'-D' in words:
                found.append(entry)
    return found


def ready(where):
    """One of them says that it can be asked: ended earlier, it may not have written down yet who it is."""
    for name in glob.glob(where + '/*/pg/data/postmaster.pid'):
        with open(name, encoding='utf-8') as f:
            if f.read().rstrip().endswith('ready'):
                return True
    return False


def main():
    # a copy, so that the tree under test is not built in
    clone = path('clone')
    shutil.copytree(TOP, clone, ignore=shutil.ignore_patterns('build*', '.git', 'results', '__pycache__'))
    temporary = path('tmp')
    os.mkdir(temporary)
    os.chmod(temporary, 0o711)
    env = {**environment(None), 'TMPDIR': temporary}
    done = run(clone + '/quickstart', env=env, code=0, timeout=1500)
    fact('the restored database is the same' in done.text and 'the restored files are the same' in done.text,
         'it compares database and files', done.text[-3000:])
    fact(not servers(temporary), 'no server is left')
    by_hand = re.search(r'To do this by hand.*?\n\n(.*?)\n\n', done.text, re.S)
    if fact(by_hand and by_hand[1].count('  backstay ') == done.text.count('\n$ backstay ') >= 7, 'it ends with the commands it ran', done.text):
        script = 'shopt -s expand_aliases; set -e\n' + re.sub(r'(?m)^  ', '', by_hand[1])
        run('bash', '-c', script, env=env, code=0, timeout=900, why='which work by hand')
        fact(not servers(temporary), 'and leave no server')
    kept = re.search(r'The repository is (\S+) .* its password in (\S+)\.', done.text)
    if fact(kept, 'it says where the repository is'):
        seen = run('restic', '-r', kept[1], '-p', kept[2], 'snapshots', env=env, code=0, why='which restic opens, too')
        fact('2 snapshots' in seen.text, 'and finds two snapshots in', seen.text)
    with Postgres() as server:
        server.create('mine', 'create table t as select i, md5(i::text) from generate_series(1, 5000) i')
        trees.everything(path('files'), devices=False, big=100_000)
        for name in ('fifo',):
            os.unlink(path('files/special/' + name))
        done = run(clone + '/quickstart', '--url', server.url('mine'), '--dir', path('files'), env=env, code=0, timeout=1500)
        equal(server.sql('postgres', 'select string_agg(datname, \',\' order by datname) from pg_database where not datistemplate'), 'mine,postgres',
              'with --url nothing is made on that server')
    done = run(clone + '/quickstart', '--nonsense', env=env)
    fact(done.code == 1 and 'usage' in done.errors, 'an unknown option is answered by the usage', done.errors)
    before = set(os.listdir(temporary))
    for sig in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen([clone + '/quickstart'], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        up = wait_until(lambda: servers(temporary) and ready(temporary), 300)
        time.sleep(1)
        os.killpg(process.pid, sig)
        process.wait(300)
        fact(up and process.returncode != 0, 'ended by %s: it says so' % sig.name, process.returncode)
        fact(wait_until(lambda: not servers(temporary), 60), 'ended by %s: no server is left' % sig.name)
        equal(set(os.listdir(temporary)), before, 'ended by %s: no directory is left' % sig.name)
    finish()


main()
