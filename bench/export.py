# SPDX-License-Identifier: Apache-2.0
"""bench/run export: a snapshot of files as an archive, beside tar and the compressor alone on the same files."""
import os
import random
import shlex

from measuring import BACKSTAY, PASSWORD, RUNS, measure, needed

SECRET = 'a passphrase'
EXPORTS = os.environ.get('EXPORTS', 'tar.gz,tar.zst,sealed').split(',')


def make(tree, size_mib):
    """Lines as a script of a database has them."""
    os.makedirs(tree)
    rng = random.Random(1)
    words = ['%x' % rng.getrandbits(64) for _ in range(4000)]
    for n in range(max(1, size_mib // 64)):
        with open('%s/table-%d.sql' % (tree, n), 'w', encoding='ascii') as f:
            while f.tell() < 64 * 2**20:
                f.write(''.join('%d\t%s\t%s %s\t%d.%02d\n' % (i, rng.choice(words), rng.choice(words), rng.choice(words), i % 10007, i % 100)
                                for i in range(20000)))


def export(directory, table, size_mib):
    for program in ('pigz', 'zstd', 'gpg', 'tar'):
        needed(program)
    tree, secret = directory + '/tree', directory + '/passphrase'
    make(tree, size_mib)
    with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='ascii') as f:
        f.write(SECRET)
    env = {**os.environ, 'BACKSTAY_PASSWORD': PASSWORD, 'BACKSTAY_REPOSITORY': directory + '/repo', 'XDG_CACHE_HOME': directory + '/cache',
           'GNUPGHOME': directory}
    ours = shlex.quote(BACKSTAY) + ' export latest --format '
    theirs = 'tar -C %s -c . | ' % shlex.quote(tree)
    measure('%s init && %s backup -q %s' % (BACKSTAY, BACKSTAY, shlex.quote(tree)), env)
    os.chmod(directory, 0o700)
    for _ in range(RUNS):
        for kind, work, backstay, program, other in (
                ('tar.gz', 'tar.gz, level 6', 'tar.gz', 'pigz', 'pigz -6'), ('tar.zst', 'tar.zst, level 3', 'tar.zst', 'zstd', 'zstd -q -3 -T0'),
                ('sealed', 'tar.zst, encrypted', 'tar.zst --passphrase-file ' + shlex.quote(secret), 'gpg',
                 'zstd -q -3 -T0 | gpg --batch --quiet --pinentry-mode loopback --passphrase-file %s -z 0 --symmetric -o -' % shlex.quote(secret))):
            if kind not in EXPORTS:
                continue
            table.add(work, 'backstay', measure(ours + backstay + ' >/dev/null', env))
            table.add(work, program, measure(theirs + other + ' >/dev/null', env))
    return '%d MiB of lines as a script of a database has them, to /dev/null. The others read the files, ours the repository.' % size_mib
