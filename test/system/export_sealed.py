#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=600
"""export_sealed: encrypted files that gpg opens without us, to keys whose private half is elsewhere, and with a passphrase."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from postgres import sha256
from scenario import FAILED, Repo, equal, fact, finish, path

ELSEWHERE = {'GNUPGHOME': path('elsewhere'), 'PATH': os.environ['PATH']}


def gpg(*words, code=0, **options):
    done = subprocess.run(['gpg', '--batch', '--quiet', '--pinentry-mode', 'loopback', *words], env=ELSEWHERE, capture_output=True, check=False, **options)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout


def make_keys():
    """The host gets the public halves; the private ones stay elsewhere."""
    os.mkdir(ELSEWHERE['GNUPGHOME'], 0o700)
    with open(ELSEWHERE['GNUPGHOME'] + '/gpg-agent.conf', 'w', encoding='ascii') as f:
        f.write('s2k-count 65536\n')
    for name, since in (('one', None), ('two', None), ('old', '20200101T000000')):
        gpg(*(['--faked-system-time', since] if since else []), '--passphrase', '', '--quick-generate-key', name, 'future-default', 'default',
            '2d' if since else 'never')
        with open(path(name + '.pub'), 'wb') as f:
            f.write(gpg('--armor', '--export', '=' + name))
        with open(path(name + '.sec'), 'wb') as f:
            f.write(gpg('--export-secret-keys', '=' + name))
    with open(path('both.pub'), 'wb') as f:
        f.write(gpg('--export', '=one', '=two'))
    return [line.split(':')[9] for name in ('one', 'two') for line in gpg('--with-colons', '--list-keys', '=' + name).decode().splitlines()
            if line.startswith('fpr')][::2]


def read(name):
    with open(name, 'rb') as f:
        return f.read()


def manifest_of(name):
    told = json.loads(read(name + '.manifest.json'))
    content = read(name)
    equal((told['file'], told['size'], told['sha256']), (os.path.basename(name), len(content), sha256(content)), 'the manifest is of the encrypted file')
    return told


def unpacks_to(archive, tree, name):
    out = path('out-' + name)
    os.mkdir(out)
    done = subprocess.run(['tar', '-xzpf', '-', '-C', out], input=archive, capture_output=True, check=False)
    fact(done.returncode == 0, name + ': tar takes what gpg decrypts', done.stderr.decode())
    equal(sorted(os.listdir(out + tree)), sorted(os.listdir(tree)), name + ': all files are there')


def to_keys(repo, snapshot, tree, fingerprints):
    both = path('both.tar.gz.gpg')
    repo.backstay('export', snapshot, '--target', both, '--encrypt-to', path('both.pub'), code=0)
    equal(sorted(manifest_of(both)['encryption']['recipients']), sorted(fingerprints), 'the manifest names whom it is encrypted to')
    unpacks_to(gpg('--decrypt', both), tree, 'keys')
    only = path('only.tar.gz.gpg')
    repo.backstay('export', snapshot, '--target', only, '--encrypt-to', path('both.pub'), '--recipient', fingerprints[1], code=0)
    equal(manifest_of(only)['encryption']['recipients'], fingerprints[1:], 'one of two keys is chosen by its fingerprint')


def with_passphrase(repo, snapshot, tree):
    secret = path('passphrase')
    with open(secret, 'w', encoding='ascii') as f:
        f.write('open sesame\n')
    os.chmod(secret, 0o600)
    sealed = path('sealed.tar.gz.gpg')
    repo.backstay('export', snapshot, '--target', sealed, '--passphrase-file', secret, code=0)
    equal(manifest_of(sealed)['encryption'], {'format': 'openpgp', 'passphrase': True}, 'the manifest says that there is a passphrase')
    unpacks_to(gpg('--passphrase-file', secret, '--decrypt', sealed), tree, 'passphrase')
    gpg('--passphrase', 'open barley', '--decrypt', sealed, code=2)
    not_installed(repo, snapshot)
    os.chmod(secret, 0o644)
    done = repo.backstay('export', snapshot, '--target', sealed, '--passphrase-file', secret, code=FAILED)
    fact(secret in done.errors, 'a passphrase that others may read is refused', done.errors)


def without(program, repo, *words):
    """As on a machine where this part of GnuPG is not installed."""
    return repo.backstay(*words, code=FAILED, prefix=('unshare', '-m', 'sh', '-c', 'mount --bind /dev/null /usr/bin/%s && exec "$@"' % program, 'sh'))


def not_installed(repo, snapshot):
    target, secret = path('y.tar.gz.gpg'), path('passphrase')
    sealed = path('sealed.tar.gz.gpg')
    for program, package, words in (('gpg', 'gnupg', ('export', snapshot, '--target', target, '--encrypt-to', path('both.pub'))),
                                    ('gpg', 'gnupg', ('import', sealed, '--passphrase-file', secret)),
                                    ('gpg-agent', 'gpg-agent', ('export', snapshot, '--target', target, '--passphrase-file', secret)),
                                    ('gpg-agent', 'gpg-agent', ('import', sealed, '--passphrase-file', secret)),
                                    ('gpg-agent', 'gpg-agent', ('import', path('both.tar.gz.gpg'), '--decrypt-key', path('one.sec')))):
        done = without(program, repo, *words)
        fact('install the package ' + package in done.errors, '%s without %s: the package is named' % (words[0], program), done.errors)
    equal([n for n in os.listdir(path('')) if n.startswith('y.tar')], [], 'and nothing was written')


def refused(repo, snapshot):
    for words, want in ((['--target', path('x.tar.gpg'), '--encrypt-to', path('old.pub')], 'has expired'),
                        (['--target', path('x.tar.gpg'), '--encrypt-to', path('both.pub'), '--recipient', 'deadbeef'], 'fingerprint'),
                        (['--target', path('x.tar.gpg'), '--encrypt-to', path('both.pub'), '--recipient', 'deadbeef' * 5], 'choose one of those that it has'),
                        (['--target', path('x.tar.gpg'), '--encrypt-to', path('passphrase')], 'there is no OpenPGP key in the file'),
                        (['--target', path('x.tar.gpg'), '--recipient', 'deadbeef'], 'one of the two'),
                        (['--target', path('x.tar.gpg')], '--encrypt-to'),
                        (['--target', path('x.tar'), '--encrypt-to', path('both.pub')], 'ends in .gpg')):
        done = repo.backstay('export', snapshot, *words, code=FAILED)
        fact(want in done.errors, 'refused with the reason: ' + want, done.errors)
    equal([n for n in os.listdir(path('')) if n.startswith('x.tar')], [], 'and nothing was written')


def main():
    fingerprints = make_keys()
    tree = path('tree')
    trees.everything(tree, devices=False)
    repo = Repo.named('repo')
    repo.init()
    snapshot = repo.backup(tree)['snapshot_id']
    to_keys(repo, snapshot, tree, fingerprints)
    with_passphrase(repo, snapshot, tree)
    refused(repo, snapshot)
    subprocess.run(['gpgconf', '--kill', 'all'], env=ELSEWHERE, check=False)
    finish()


main()
