# SPDX-License-Identifier: Apache-2.0
"""compare_manifest.py MANIFEST SNAPSHOT DIR   compares a restored directory with what a fixture's manifest says of a
snapshot: type, mode, owner, time, size, SHA-256, link target, attributes, hard links, devices. Prints the differences."""
import base64
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import trees

TYPES = {'file': 0o100000, 'dir': 0o040000, 'symlink': 0o120000, 'dev': 0o060000, 'chardev': 0o020000, 'fifo': 0o010000,
         'socket': 0o140000}


def load(path):
    with open(path) as f:
        return json.load(f)


def wanted(snapshot):
    """The manifest's entries in the form of trees.describe()."""
    found, links = {}, {}
    for e in snapshot['entries']:
        if e['type'] == 'socket':  # a restore leaves them out
            continue
        rel = base64.b64decode(e['path_b64']).lstrip(b'/')
        entry = {'type': TYPES[e['type']], 'mode': int(e['mode'], 8), 'owner': (e['uid'], e['gid']), 'mtime': e['mtime_ns']}
        if e['type'] == 'file':
            entry['size'], entry['sha256'] = e['size'], e['sha256']
        if e['type'] == 'symlink':
            entry['target'] = base64.b64decode(e['linktarget_b64'])
            del entry['mode']
        else:
            entry['xattrs'] = {n: base64.b64decode(v) for n, v in sorted(e.get('xattrs', {}).items())}
        if 'device' in e:
            entry['device'] = e['device']
        if 'hardlink' in e:
            links.setdefault(e['hardlink'], []).append(rel)
        found[rel] = entry
    for names in links.values():
        if len(names) > 1:
            for rel in names:
                found[rel]['hardlinks'] = tuple(sorted(names))
    return found


def snapshot_of(manifest, snapshot_id):
    return next(s for s in manifest['snapshots'] if s['id'].startswith(snapshot_id))


def differences(manifest, snapshot_id, directory, ignore=()):
    want = wanted(snapshot_of(manifest, snapshot_id))
    got = trees.describe(directory)
    got.pop(b'', None)
    return trees.differences(got, want, ignore)


if __name__ == '__main__':
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    found = differences(load(sys.argv[1]), sys.argv[2], sys.argv[3])
    print('\n'.join(found))
    sys.exit(1 if found else 0)
