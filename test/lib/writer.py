# SPDX-License-Identifier: Apache-2.0
"""A small writer of repositories, so that tests can make what no program would: hostile names, odd trees, broken objects.

It follows doc/repository-format: hashlib and python3-cryptography, nothing of ours.
"""
import base64
import datetime
import hashlib
import json
import os
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

POLYNOMIAL = '3da3358b4dc173'


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.%fZ')


def sha(data):
    return hashlib.sha256(data).hexdigest()


def dumps(value):
    return json.dumps(value, separators=(',', ':'), ensure_ascii=False).encode()


class Keys:
    def __init__(self, encrypt, k, r):
        self.encrypt, self.k, self.r = encrypt, k, r

    @classmethod
    def random(cls):
        return cls(os.urandom(32), os.urandom(16), os.urandom(16))

    @classmethod
    def open(cls, repository, password):
        """The master key of a repository with one password."""
        name = [n for n in os.listdir(repository + '/keys') if len(n) == 64][0]
        with open('%s/keys/%s' % (repository, name), 'rb') as f:
            return cls.decode(f.read(), password)

    @classmethod
    def decode(cls, text, password):
        """The master key in a key file."""
        key = json.loads(text)
        user = cls.derive(password, base64.b64decode(key['salt']), key['N'], key['r'], key['p'])
        master = json.loads(user.unseal(base64.b64decode(key['data'])))
        return cls(*(base64.b64decode(v) for v in (master['encrypt'], master['mac']['k'], master['mac']['r'])))

    @classmethod
    def derive(cls, password, salt, n, r, p):
        d = hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, dklen=64, maxmem=256 << 20)
        return cls(d[:32], d[32:48], d[48:])

    def mac(self, iv, text):
        block = Cipher(algorithms.AES(self.k), modes.ECB()).encryptor().update(iv)
        return Poly1305.generate_tag(self.r + block, text)

    def seal(self, plain):
        iv = os.urandom(16)
        text = Cipher(algorithms.AES(self.encrypt), modes.CTR(iv)).encryptor().update(plain)
        return iv + text + self.mac(iv, text)

    def unseal(self, sealed):
        iv, text, mac = sealed[:16], sealed[16:-16], sealed[-16:]
        if self.mac(iv, text) != mac:
            raise ValueError('wrong MAC')
        return Cipher(algorithms.AES(self.encrypt), modes.CTR(iv)).decryptor().update(text)

    def encode(self, password):
        """A key file that costs next to nothing to open."""
        salt = os.urandom(64)
        master = {'mac': {'k': b64(self.k), 'r': b64(self.r)}, 'encrypt': b64(self.encrypt)}
        return dumps({'created': now(), 'username': 'u', 'hostname': 'h', 'kdf': 'scrypt', 'N': 1024, 'r': 8, 'p': 1, 'salt': b64(salt),
                      'data': b64(Keys.derive(password, salt, 1024, 8, 1).seal(dumps(master)))})

    def put_key(self, repository, password):
        """Such a key file; its name."""
        return put(repository, 'keys', self.encode(password))

    @classmethod
    def cheapen(cls, repository, password):
        """Replaces the one key file of a repository in a directory by one of the same password that costs next to nothing."""
        [old] = os.listdir(os.path.join(repository, 'keys'))
        old = os.path.join(repository, 'keys', old)
        with open(old, 'rb') as f:
            cls.decode(f.read(), password).put_key(repository, password)
        os.unlink(old)

    def put_plain(self, repository, kind, value):
        """A plain object, as JSON without compression; its name."""
        return put(repository, kind, self.seal(value if isinstance(value, bytes) else dumps(value)))


def put(repository, kind, data):
    name = sha(data)
    where = os.path.join(repository, kind, name[:2] if kind == 'data' else '')
    os.makedirs(where, exist_ok=True)
    with open(os.path.join(where, name), 'wb') as f:
        f.write(data)
    return name


class Writer:
    """A new repository of version 2. config: bytes, or fields that differ from a good one."""

    def __init__(self, path, password, config=None):
        self.path, self.keys = path, Keys.random()
        self.packs = []
        os.makedirs(path)
        self.keys.put_key(path, password)
        if not isinstance(config, bytes):
            config = dumps({'version': 2, 'id': os.urandom(32).hex(), 'chunker_polynomial': POLYNOMIAL, **(config or {})})
        with open(path + '/config', 'wb') as f:
            f.write(self.keys.seal(config))
        for d in ('data', 'index', 'snapshots', 'locks'):
            os.makedirs('%s/%s' % (path, d), exist_ok=True)

    def pack(self, kind, blobs):
        """One pack of plain blobs, not compressed; their ids."""
        body, header, entries = bytearray(), bytearray(), []
        for plain in blobs:
            sealed = self.keys.seal(plain)
            entries.append({'id': sha(plain), 'type': kind, 'offset': len(body), 'length': len(sealed)})
            header += struct.pack('<BI', 0 if kind == 'data' else 1, len(sealed)) + hashlib.sha256(plain).digest()
            body += sealed
        sealed = self.keys.seal(bytes(header))
        self.packs.append({'id': put(self.path, 'data', body + sealed + struct.pack('<I', len(sealed))), 'blobs': entries})
        return [e['id'] for e in entries]

    def file(self, name, content, **more):
        ids = self.pack('data', [content]) if content else []
        return node(name, 'file', mode=0o644, size=len(content), content=ids, **more)

    def directory(self, name, nodes, **more):
        return node(name, 'dir', mode=(1 << 31) | 0o755, subtree=self.tree(nodes), **more)

    def tree(self, nodes):
        return self.pack('tree', [dumps({'nodes': nodes}) + b'\n'])[0]

    def snapshot(self, nodes, **more):
        """Writes the tree, an index of all packs, and a snapshot of it."""
        tree = self.tree(nodes) if isinstance(nodes, list) else nodes
        self.keys.put_plain(self.path, 'index', {'packs': self.packs})
        return self.keys.put_plain(self.path, 'snapshots', {'time': now(), 'tree': tree, 'paths': ['/x'], 'hostname': 'h', 'username': 'u',
                                                            **more})


def node(name, kind, **more):
    time = '2024-01-01T00:00:00Z'
    return {'name': name, 'type': kind, 'mtime': time, 'atime': time, 'ctime': time, 'uid': 0, 'gid': 0, 'content': None, **more}


def symlink(name, target):
    return node(name, 'symlink', mode=(1 << 27) | 0o777, linktarget=target)


def b64(data):
    return base64.b64encode(data).decode()
