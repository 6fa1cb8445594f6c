# SPDX-License-Identifier: Apache-2.0
"""bench/run volume: an image of noise, after 1 % of it changed in a few places, and in as many places as can be."""
import os
import random
import subprocess
import sys

from measuring import RUNS, measure

MIB = 1 << 20
BLOCK = 4096  # what a file system writes at least


def make(image, size_mib):
    with open(image, 'wb') as f:
        for _ in range(size_mib):
            f.write(os.urandom(MIB))


def change(image, size_mib, run_length):
    """1 % of the blocks, in runs of so many."""
    blocks = size_mib * MIB // BLOCK
    rng = random.Random(run_length)
    with open(image, 'r+b') as f:
        for start in rng.sample(range(blocks // run_length), blocks // 100 // run_length):
            f.seek(start * run_length * BLOCK)
            f.write(os.urandom(run_length * BLOCK))


def volume(directory, table, programs, size_mib):
    """stored: what the repository grew by."""
    image, out = directory + '/disk.img', directory + '/out.img'
    for _ in range(RUNS):
        for p in programs:
            def work(name, command, p=p):
                before = p.stored()
                measured = measure(command, p.env)
                measured.stored = p.stored() - before
                table.add(name, p.name, measured)
            source = 'volume:' + image if p.name == 'backstay' else image
            make(image, size_mib)
            p.start_over()
            work('first backup', p.backup(source))
            work('second backup, unchanged', p.backup(source) + (' --force' if p.name == 'restic' else ''))
            change(image, size_mib, 256)
            work('1 % changed, in runs of 1 MiB', p.backup(source))
            change(image, size_mib, 1)
            work('1 % changed, in single blocks of 4 KiB', p.backup(source))
            if p.name != 'backstay':
                continue
            work('restore into a new image', '%s restore -q latest --to volume:%s' % (p.binary, out))
            change(out, size_mib, 256)
            work('restore over 1 % of differences', '%s restore -q latest --to volume:%s --force' % (p.binary, out))
            if subprocess.run(['cmp', image, out], check=False).returncode:
                sys.exit('bench: something else was restored')
            os.unlink(out)
    return 'An image of %d MiB of noise. Restic is told to read it the second time, too.' % size_mib
