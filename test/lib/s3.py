#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A throw-away S3 server for a scenario, and a small client of the tests' own, which sees what is true in a bucket behind
the back of the program. It is written after "Signature Version 4" of the S3 documentation alone, so that an error in our
signer and one in this cannot agree.

    with S3Server() as s3:
        s3.make_bucket('one')
        repo = S3Repo(s3, 'one', 'some/prefix')

As a command, for tests in C, the server is in S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY:

    s3.py make-bucket BUCKET [versioned | locked]    s3.py list BUCKET [PREFIX]         size and key, a line each
    s3.py put BUCKET KEY <DATA                       s3.py get BUCKET KEY [VERSION] >DATA
    s3.py remove BUCKET KEY [VERSION]                s3.py versions BUCKET [PREFIX]     key, version, size or "marker"
    s3.py uploads BUCKET                             s3.py send METHOD BUCKET [?QUERY] <BODY     anything else
"""
import base64
import datetime
import hashlib
import hmac
import http.client
import os
import re
import shlex
import ssl
import subprocess
import sys
import threading
import urllib.parse
import xml.etree.ElementTree
from xml.sax.saxutils import escape

from scenario import TOP, Repo, environment, path
from writer import Keys, sha

TOOL = TOP + '/scripts/throwaway-s3'


class S3Error(Exception):
    def __init__(self, status, code, body):
        super().__init__('HTTP %d %s' % (status, code))
        self.status, self.code, self.body = status, code, body


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def elements(self, name):
        """Every element of that name, at any depth, namespaces left aside."""
        for element in xml.etree.ElementTree.fromstring(self.body).iter():
            element.tag = element.tag.rpartition('}')[2]
            if element.tag == name:
                yield element

    def text(self, name):
        return next((e.text or '' for e in self.elements(name)), None)


def inner(element, name):
    for child in element:
        if child.tag.rpartition('}')[2] == name:
            return child.text or ''
    return None


def content_md5(text):
    return {'content-md5': base64.b64encode(hashlib.md5(text.encode()).digest()).decode()}


class S3:
    """A user of a server. Safe from several threads."""
    attempts = 2  # the second for an idle connection that the server has closed
    timeout = 60  # seconds

    def __init__(self, endpoint, access_key, secret_key, region='default', ca=None):
        self.endpoint, self.access_key, self.secret_key, self.region, self.ca = endpoint, access_key, secret_key, region, ca
        self.mine = threading.local()

    # ---- requests ----

    def connection(self):
        if not getattr(self.mine, 'connection', None):
            place = urllib.parse.urlsplit(self.endpoint)
            if place.scheme == 'https':
                context = ssl.create_default_context(cafile=self.ca)
                self.mine.connection = http.client.HTTPSConnection(place.hostname, place.port, timeout=self.timeout, context=context)
            else:
                self.mine.connection = http.client.HTTPConnection(place.hostname, place.port, timeout=self.timeout)
        return self.mine.connection

    def signed(self, method, target, query, body, headers):
        """The headers of a request, signed."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime('%Y%m%dT%H%M%SZ')
        digest = hashlib.sha256(body).hexdigest()
        headers = {k.lower(): v for k, v in headers.items()}
        headers.update({'host': urllib.parse.urlsplit(self.endpoint).netloc, 'x-amz-date': now, 'x-amz-content-sha256': digest})
        names = sorted(headers)
        canonical = '\n'.join([method, target, query, *('%s:%s' % (n, headers[n].strip()) for n in names), '',
                               ';'.join(names), digest])
        scope = '%s/%s/s3/aws4_request' % (now[:8], self.region)
        text = '\n'.join(['AWS4-HMAC-SHA256', now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ('AWS4' + self.secret_key).encode()
        for part in scope.split('/'):
            key = hmac.digest(key, part.encode(), 'sha256')
        headers['authorization'] = 'AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s' % (
            self.access_key, scope, ';'.join(names), hmac.digest(key, text.encode(), 'sha256').hex())
        return headers

    def ask(self, method, bucket, key='', query=None, body=b'', headers=None):
        """One request, and whatever is answered."""
        target = urllib.parse.quote('/' + bucket + ('/' + key if key else ''), safe='/~')
        query = '&'.join('%s=%s' % (urllib.parse.quote(k, safe=''), urllib.parse.quote(str(v), safe=''))
                         for k, v in sorted((query or {}).items()))
        headers = self.signed(method, target, query, body, headers or {})
        for attempt in range(1, self.attempts + 1):
            connection = self.connection()
            try:
                connection.request(method, target + ('?' + query if query else ''), body, headers)
                answer = connection.getresponse()
                data = answer.read()
                break
            except (OSError, http.client.HTTPException):
                connection.close()
                if attempt == self.attempts:
                    raise
        return Answer(answer.status, answer.headers, data)

    def send(self, *request, **more):
        """The same; S3Error for an answer that is none of the 200s."""
        answer = self.ask(*request, **more)
        if answer.status // 100 != 2:
            code = re.search(rb'<Code>(\w+)</Code>', answer.body)
            raise S3Error(answer.status, code[1].decode() if code else '', answer.body)
        return answer

    # ---- buckets ----

    def make_bucket(self, bucket, kind=''):
        """kind: '', 'versioned', or 'locked' (with object lock, and therefore versioned; no default retention)."""
        self.send('PUT', bucket, headers={'x-amz-bucket-object-lock-enabled': 'true'} if kind == 'locked' else {})
        if kind == 'versioned':
            self.configure(bucket, 'versioning', '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                           '<Status>Enabled</Status></VersioningConfiguration>')

    def configure(self, bucket, what, text):
        """PUT /bucket?what: versioning, policy, lifecycle, object-lock ..."""
        return self.send('PUT', bucket, query={what: ''}, body=text.encode(), headers=content_md5(text))

    def pages(self, bucket, query, marker):
        """Answers of a listing until the last; marker: the elements that say where the next one begins, by parameter."""
        while True:
            answer = self.send('GET', bucket, query=query)
            yield answer
            if answer.text('IsTruncated') != 'true':
                return
            query = {**query, **{parameter: answer.text(element) or '' for parameter, element in marker.items()}}

    def contents(self, bucket, prefix, name):
        """key -> that element of its entry"""
        found = {}
        for page in self.pages(bucket, {'list-type': 2, 'prefix': prefix}, {'continuation-token': 'NextContinuationToken'}):
            found.update({inner(e, 'Key'): inner(e, name) for e in page.elements('Contents')})
        return found

    def list(self, bucket, prefix=''):
        """key -> size"""
        return {key: int(size) for key, size in self.contents(bucket, prefix, 'Size').items()}

    def etags(self, bucket, prefix=''):
        """key -> MD5 of what was put there in one request"""
        return {key: tag.strip('"') for key, tag in self.contents(bucket, prefix, 'ETag').items()}

    def versions(self, bucket, prefix=''):
        """(key, version, size; None for a delete marker), per key the newest first."""
        found = []
        for page in self.pages(bucket, {'versions': '', 'prefix': prefix},
                               {'key-marker': 'NextKeyMarker', 'version-id-marker': 'NextVersionIdMarker'}):
            found += [(inner(e, 'Key'), inner(e, 'VersionId'), int(inner(e, 'Size'))) for e in page.elements('Version')]
            found += [(inner(e, 'Key'), inner(e, 'VersionId'), None) for e in page.elements('DeleteMarker')]
        return found

    def uploads(self, bucket):
        """(key, upload id) of every multipart upload that was neither completed nor aborted."""
        return [(inner(e, 'Key'), inner(e, 'UploadId')) for page in self.pages(
            bucket, {'uploads': ''}, {'key-marker': 'NextKeyMarker', 'upload-id-marker': 'NextUploadIdMarker'})
            for e in page.elements('Upload')]

    def empty(self, bucket):
        """Removes every object, version and unfinished upload; the bucket stays."""
        for key, version, _ in self.versions(bucket):
            self.send('DELETE', bucket, key, {'versionId': version})
        for key, upload in self.uploads(bucket):
            self.send('DELETE', bucket, key, {'uploadId': upload})

    # ---- objects ----

    def put(self, bucket, key, data, **headers):
        """headers: if_none_match='*', x_amz_... """
        return self.send('PUT', bucket, key, body=data, headers={k.replace('_', '-'): v for k, v in headers.items()})

    def get(self, bucket, key, version=None):
        return self.send('GET', bucket, key, {'versionId': version} if version else None).body

    def head(self, bucket, key):
        return self.send('HEAD', bucket, key).headers

    def has(self, bucket, key):
        try:
            self.head(bucket, key)
            return True
        except S3Error as e:
            if e.status != 404:
                raise
            return False

    def remove(self, bucket, key, version=None):
        return self.send('DELETE', bucket, key, {'versionId': version} if version else None)

    def remove_all(self, bucket, keys):
        """With one request for every thousand."""
        for i in range(0, len(keys), 1000):
            body = '<Delete><Quiet>true</Quiet>%s</Delete>' % ''.join(
                '<Object><Key>%s</Key></Object>' % escape(k) for k in keys[i:i + 1000])
            answer = self.send('POST', bucket, query={'delete': ''}, body=body.encode(), headers=content_md5(body))
            if failed := [inner(e, 'Key') for e in answer.elements('Error')]:
                raise RuntimeError('not removed: %s' % failed)

    def copy_all(self, bucket, to):
        """Every object of one bucket into another one, by the server itself."""
        for key in self.list(bucket):
            self.send('PUT', to, key, headers={'x-amz-copy-source': urllib.parse.quote('/%s/%s' % (bucket, key))})


class S3Server(S3):
    """with S3Server() as s3: ... ; it is also its first user. settings: lines of ceph.conf."""

    def __init__(self, name='s3', *settings):
        self.dir, self.settings = path(name), settings

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @staticmethod
    def tool(*argv):
        done = subprocess.run([TOOL, *argv], check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError('throwaway-s3 %s: exit status %d' % (' '.join(argv), done.returncode))
        return dict(shlex.split(line)[0].split('=', 1) for line in done.stdout.splitlines())

    def start(self):
        found = self.tool('start', self.dir, '--until', str(os.getpid()), *self.settings)
        self.tls_endpoint = found['S3_TLS_ENDPOINT']
        super().__init__(found['S3_ENDPOINT'], found['S3_ACCESS_KEY'], found['S3_SECRET_KEY'], found['S3_REGION'], found['S3_CA'])

    def halt(self):
        """What it held is gone."""
        subprocess.run([TOOL, 'halt', self.dir], check=True)

    def stop(self):
        subprocess.run([TOOL, 'stop', self.dir], check=False)

    def user(self, name):
        """One more user of it."""
        found = self.tool('user', self.dir, name)
        return S3(self.endpoint, found['S3_ACCESS_KEY'], found['S3_SECRET_KEY'], self.region)


class S3Repo(Repo):
    """A repository in a bucket. user: whose keys the programs get; through: another endpoint, such as a proxy's; environ: what
    else they get in their environment. What they do is printed as of any Repo, what lies there is seen by the server's user."""

    def __init__(self, server, bucket, prefix='', user=None, through=None, environ=None, **options):
        self.server, self.bucket, self.prefix, self.user, self.environ = server, bucket, prefix, user or server, environ or {}
        super().__init__('s3:%s/%s' % (through or server.endpoint, bucket + ('/' + prefix if prefix else '')), **options)

    def env(self, **more):
        return environment(self.password, **{'AWS_ACCESS_KEY_ID': self.user.access_key,
                                             'AWS_SECRET_ACCESS_KEY': self.user.secret_key, **self.environ, **more})

    def restic(self, *argv, **options):
        # restic 0.14 takes the authority from nowhere else
        trust = ['--cacert', self.server.ca] if self.path.startswith('s3:https:') else []
        return super().restic(*trust, *argv, **options)

    def key(self, name):
        return self.prefix + '/' + name if self.prefix else name

    def listing(self):
        """Names below the prefix -> size, as the server has them."""
        start = self.key('')
        return {k[len(start):]: size for k, size in self.server.list(self.bucket, start).items()}

    def objects(self, kind):
        return sorted(k.rpartition('/')[2] for k in self.listing() if k.startswith(kind + '/'))

    def size(self):
        return sum(self.listing().values())

    def cheapen(self):
        """Replaces its one key file by one of the same password that costs next to nothing to open."""
        [old] = self.objects('keys')
        text = Keys.decode(self.server.get(self.bucket, self.key('keys/' + old)), self.password).encode(self.password)
        self.server.put(self.bucket, self.key('keys/' + sha(text)), text)
        self.server.remove(self.bucket, self.key('keys/' + old))


def main(verb, *words):
    """See the top."""
    s3 = S3(*(os.environ[n] for n in ('S3_ENDPOINT', 'S3_ACCESS_KEY', 'S3_SECRET_KEY')), os.environ.get('S3_REGION', 'default'),
            os.environ.get('S3_CA'))
    out = sys.stdout.buffer
    if verb == 'make-bucket':
        s3.make_bucket(*words)
    elif verb == 'put':
        s3.put(*words, sys.stdin.buffer.read())
    elif verb == 'get':
        out.write(s3.get(*words))
    elif verb == 'remove':
        s3.remove(*words)
    elif verb == 'list':
        out.writelines(b'%d %s\n' % (size, key.encode()) for key, size in sorted(s3.list(*words).items()))
    elif verb == 'versions':
        for key, version, size in s3.versions(*words):
            print(key, version, 'marker' if size is None else size)
    elif verb == 'uploads':
        for key, upload in s3.uploads(*words):
            print(key, upload)
    elif verb == 'send':
        query = dict(urllib.parse.parse_qsl(words[2].lstrip('?'), keep_blank_values=True)) if len(words) > 2 else {}
        body = b'' if sys.stdin.isatty() else sys.stdin.buffer.read()
        out.write(s3.send(words[0], words[1], query=query, body=body).body)
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    try:
        main(*sys.argv[1:])
    except S3Error as error:
        sys.exit('%s\n%s' % (error, error.body.decode(errors='replace')))
