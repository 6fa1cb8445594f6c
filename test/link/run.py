# SPDX-License-Identifier: Apache-2.0
"""run.py BUILD   shows the arrows between the folders.

Each folder's static library is linked as a shared object that may leave nothing undefined, against the folders it may
use and the libraries it is given, and nothing else; and no source includes a header of a folder it may not use.
The table stands here a second time on purpose: a new arrow is a decision, not a line in a build file.
"""
import ast
import glob
import os
import re
import subprocess
import sys

ARROWS = {
    'base': [],
    'codec': ['base'],
    'plan': ['base'],
    'config': ['plan', 'codec', 'base'],
    'pg': ['codec', 'base'],
    'net': ['codec', 'base'],
    'state': ['pg', 'codec', 'base'],
    'store': ['net', 'codec', 'base'],
    'repo': ['store', 'codec', 'base'],
    'flow': ['repo', 'store', 'codec', 'base'],
    'source': ['flow', 'pg', 'net', 'codec', 'base'],
    'op': ['source', 'flow', 'repo', 'store', 'state', 'net', 'config', 'plan', 'pg', 'codec', 'base'],
    'daemon': ['state', 'net', 'config', 'plan', 'codec', 'base'],
    'cmd': ['daemon', 'op', 'source', 'flow', 'repo', 'store', 'state', 'net', 'config', 'plan', 'pg', 'codec', 'base'],
}
# names of Meson's dependency objects and what pkg-config calls them
PACKAGES = {'glib': 'glib-2.0', 'gio': 'gio-2.0', 'crypto': 'libcrypto', 'zstd': 'libzstd', 'yajl': 'yajl',
            'jansson': 'jansson', 'archive': 'libarchive', 'gpgme': 'gpgme', 'curl': 'libcurl', 'libpq': 'libpq', 'ssl': 'libssl', 'threads': None,
            'zlib': 'zlib', 'lz4': 'liblz4', 'fyaml': 'libfyaml', 'sqlite': 'sqlite3', 'hiredis': 'hiredis', 'microhttpd': 'libmicrohttpd'}

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
failed = False


def fact(good, name, detail=''):
    global failed
    failed |= not good
    print(('ok ' if good else 'not ok ') + name, flush=True)
    if not good and detail:
        print(detail, flush=True)


def meson_table(name, text):
    body = re.search(r'^%s = (\{.*?^\})' % name, text, re.M | re.S)[1]
    return ast.literal_eval(re.sub(r'(?<=[\[ ])([a-z][a-z0-9]*)(?=[,\]])', r"'\1'", body))


def packages(names):
    names = [PACKAGES[n] for n in names if PACKAGES[n]]
    return subprocess.check_output(['pkg-config', '--libs', *names], text=True).split() if names else []


def link(build, folder, uses, parts):
    out = os.path.join(os.environ.get('WORK', build), 'lib%s.so' % folder)
    archive = os.path.join(build, 'src', 'lib%s.a' % folder)
    command = ['gcc', '-shared', '-pthread', '-o', out, '-Wl,--no-undefined', '-Wl,--no-as-needed',
               '-Wl,--whole-archive', archive, '-Wl,--no-whole-archive',
               '-L' + os.path.dirname(out), *('-l' + use for use in uses), *packages(parts), '-lm']
    made = subprocess.run(command, text=True, capture_output=True, check=False)
    fact(made.returncode == 0, 'link: %s needs nothing but %s' % (folder, ' '.join(uses) or 'the system'), made.stderr)


def includes(folder, uses):
    wrong = []
    for path in sorted(glob.glob('%s/src/%s/**/*.[ch]' % (TOP, folder), recursive=True)):
        with open(path) as f:
            for number, line in enumerate(f, 1):
                found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
                if found and (found[1].split('/')[0] not in [folder, *uses] or '..' in found[1]):
                    wrong.append('%s:%d: %s' % (os.path.relpath(path, TOP), number, line.strip()))
    fact(not wrong, 'include: %s looks at nothing but itself and %s' % (folder, ' '.join(uses) or 'the system'),
         '\n'.join(wrong))


def main(build):
    with open(TOP + '/src/meson.build') as f:
        text = f.read()
    fact(meson_table('arrows', text) == ARROWS, 'the build follows the same arrows')
    parts = meson_table('parts', text)
    for folder, uses in ARROWS.items():
        includes(folder, uses)
        link(build, folder, uses, parts[folder])
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(os.path.abspath(sys.argv[1])))
