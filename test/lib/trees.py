# SPDX-License-Identifier: Apache-2.0
"""File trees to back up, and what tells two of them apart. Paths are bytes: names need not be UTF-8."""
import hashlib
import os
import random
import socket
import stat

TIME = 1700000000123456789


def noise(seed, length):
    return random.Random(seed).randbytes(length)


def words(seed, length):
    """Text that compresses about as well as people's files do."""
    rng = random.Random(seed)
    vocabulary = [bytes(rng.choices(b'abcdefghijklmnopqrstuvwxyz', k=rng.randint(2, 9))) for _ in range(800)]
    out = bytearray()
    while len(out) < length:
        out += b' '.join(rng.choices(vocabulary, k=400)) + b'\n'
    return bytes(out[:length])


def write(path, data, mode=0o644, mtime=TIME):
    with open(path, 'wb') as f:
        f.write(data)
    os.chmod(path, mode)
    os.utime(path, ns=(mtime, mtime))


ODD_NAMES = [b'with space', b'with\nnewline', b'with\ttab', b'quote"\'`', b'back\\slash', b'\\x41', b'-dash', b'*star?[x]',
             b'latin1-\xe9', b'\xff\xfe\x80', b'cut-\xe2\x82', b'\xed\xa0\x80surrogate', '€ü☃'.encode(), '\U0001f409'.encode(),
             b'nbsp-\xc2\xa0', b'<html>&amp;', b'\x01\x1f\x7f', 'e\u0301-nfd'.encode(), '\u2028line'.encode(), b'a' * 255,
             b'.hidden', b'...', b'%41', b'~', b'$HOME', b'{a,b}']


def everything(root, seed=1, devices=True, big=3_000_000):
    """A tree with every kind of entry that a file system holds."""
    root = os.fsencode(root)
    join = lambda *p: os.path.join(root, *p)
    for d in (b'', b'docs', b'docs/deep', b'empty', b'links', b'names', b'special', b'modes', b'deep' + b'/d' * 30):
        os.makedirs(join(d), exist_ok=True)
    write(join(b'plain.txt'), b'plain\n')
    write(join(b'empty.txt'), b'')
    write(join(b'big.bin'), noise(seed, big))
    write(join(b'text.txt'), words(seed, big // 2))
    write(join(b'zeros.bin'), bytes(2_000_000))
    with open(join(b'sparse.bin'), 'wb') as f:
        f.truncate(20_000_000)
        f.seek(9_000_000)
        f.write(b'island')
    for i in range(60):
        write(join(b'docs', b'f%03d' % i), words(seed * 1000 + i, 10 + i * 311), mtime=TIME + i * 1_000_003)
    write(join(b'docs/deep/copy.bin'), noise(seed, big))
    for i, name in enumerate(ODD_NAMES):
        write(join(b'names', name), b'%d\n' % i)
    os.makedirs(join(b'names', b'dir \xe9\n'))
    write(join(b'names', b'dir \xe9\n', b'inside'), b'inside\n')
    for mode in (0o000, 0o400, 0o600, 0o644, 0o755, 0o4755, 0o2755, 0o1777, 0o777):
        write(join(b'modes', b'%04o' % mode), b'mode\n', mode)
    os.chown(join(b'modes/0600'), 1234, 4321)
    os.chown(join(b'modes/0644'), 65534, 65534)
    write(join(b'modes/before-1970'), b'old\n', mtime=-86_399_999_999_995)
    write(join(b'modes/far-future'), b'late\n', mtime=4_102_444_800_000_000_001)
    write(join(b'modes/1-ns'), b'1 ns\n', mtime=1_600_000_000_000_000_001)
    for name, target in ((b'rel', b'../plain.txt'), (b'abs', b'/etc/hostname'), (b'dangling', b'nowhere'), (b'todir', b'../docs'),
                         (b'odd', b'a"b\\c<&>\n\xe2\x82\xac'), (b'long', b'x/' * 400)):
        os.symlink(target, join(b'links', name))
        os.utime(join(b'links', name), ns=(TIME, TIME), follow_symlinks=False)
    write(join(b'links/hard1'), b'hard link\n')
    os.link(join(b'links/hard1'), join(b'links/hard2'))
    os.link(join(b'links/hard1'), join(b'docs/hard3'))
    write(join(b'xattr'), b'has attributes\n')
    os.setxattr(join(b'xattr'), b'user.comment', b'hello')
    os.setxattr(join(b'xattr'), b'user.empty', b'')
    os.setxattr(join(b'xattr'), b'user.binary', bytes(range(256)))
    os.setxattr(join(b'empty'), b'user.dir', b'on a directory')
    os.utime(join(b'xattr'), ns=(TIME, TIME))
    os.mkfifo(join(b'special/fifo'), 0o640)
    os.utime(join(b'special/fifo'), ns=(TIME, TIME))
    if devices and os.geteuid() == 0:
        os.mknod(join(b'special/null'), 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.mknod(join(b'special/block'), 0o660 | stat.S_IFBLK, os.makedev(7, 300))
        for name in (b'null', b'block'):
            os.chmod(join(b'special', name), 0o640)
            os.utime(join(b'special', name), ns=(TIME, TIME))
    os.chmod(join(b'docs'), 0o2750)
    os.chmod(join(b'empty'), 0o1777)
    for d, _, _ in os.walk(root, topdown=False):
        os.utime(d, ns=(TIME + 7, TIME + 7))


def add_socket(root):
    with socket.socket(socket.AF_UNIX) as s:
        here = os.getcwd()
        os.chdir(root)
        try:
            s.bind('socket')
        finally:
            os.chdir(here)


def many(root, count, seed=1, size=2000):
    """count small files, a hundred in a directory."""
    root = os.fsencode(root)
    for i in range(count):
        d = os.path.join(root, b'%04d' % (i // 100))
        if i % 100 == 0:
            os.makedirs(d, exist_ok=True)
        write(os.path.join(d, b'%06d' % i), words(seed * 1_000_000 + i, size // 2 + i % size) if i % 3 else noise(i, size))


def describe(root, times=True, owners=True):
    """path -> what a restore must give back."""
    root = os.fsencode(root)
    found, inodes = {}, {}
    todo = [b''] if os.path.lexists(root) else []
    while todo:
        rel = todo.pop()
        full = os.path.join(root, rel) if rel else root
        st = os.lstat(full)
        entry = {'type': stat.S_IFMT(st.st_mode), 'mode': stat.S_IMODE(st.st_mode)}
        if owners:
            entry['owner'] = (st.st_uid, st.st_gid)
        if times:
            entry['mtime'] = st.st_mtime_ns
        if stat.S_ISREG(st.st_mode):
            entry['size'] = st.st_size
            with open(full, 'rb') as f:
                entry['sha256'] = hashlib.file_digest(f, 'sha256').hexdigest()
        if stat.S_ISLNK(st.st_mode):
            entry['target'] = os.readlink(full)
            del entry['mode']
        else:
            names = os.listxattr(full, follow_symlinks=False)
            entry['xattrs'] = {n: os.getxattr(full, n, follow_symlinks=False) for n in sorted(names)}
        if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
            entry['device'] = st.st_rdev
        if stat.S_ISDIR(st.st_mode):
            todo += [os.path.join(rel, n) for n in os.listdir(full)]
        elif st.st_nlink > 1:
            inodes.setdefault((st.st_dev, st.st_ino), []).append(rel)
        found[rel] = entry
    for names in inodes.values():
        for rel in names:
            found[rel]['hardlinks'] = tuple(sorted(names))
    return found


def differences(got, want, ignore=()):
    """Between two descriptions; lines of text, empty when equal. ignore: entry fields, or paths as bytes."""
    out = []
    for rel in sorted(set(got) | set(want)):
        if rel in ignore:
            continue
        if rel not in got:
            out.append('missing: %r' % rel)
        elif rel not in want:
            out.append('extra: %r' % rel)
        else:
            for field in sorted(set(got[rel]) | set(want[rel])):
                if field not in ignore and got[rel].get(field) != want[rel].get(field):
                    out.append('%r: %s is %r, not %r' % (rel, field, got[rel].get(field), want[rel].get(field)))
    return out


def compare(got_root, want_root, ignore=()):
    return differences(describe(got_root), describe(want_root), ignore)
