# SPDX-License-Identifier: Apache-2.0
"""A request as s3proxy.py sees it, and what can be done with one: the HTTP/1.1 that a Proxy and the faults share."""
import asyncio
import contextlib
import re
import socket
import struct
import time
import urllib.parse

PIECE = 64 * 1024
OPERATIONS = {
    # (method, of an object): [(a parameter that makes the difference, name)], the first that fits
    ('GET', False): [('list-type', 'ListObjectsV2'), ('uploads', 'ListMultipartUploads'), ('versions', 'ListObjectVersions'),
                     ('location', 'GetBucketLocation'), ('versioning', 'GetBucketVersioning'), ('policy', 'GetBucketPolicy'),
                     ('object-lock', 'GetObjectLockConfiguration'), ('lifecycle', 'GetBucketLifecycle'), (None, 'ListObjects')],
    ('PUT', False): [('versioning', 'PutBucketVersioning'), ('policy', 'PutBucketPolicy'), (None, 'CreateBucket')],
    ('HEAD', False): [(None, 'HeadBucket')],
    ('POST', False): [('delete', 'DeleteObjects'), (None, 'PostBucket')],
    ('DELETE', False): [(None, 'DeleteBucket')],
    ('GET', True): [('uploadId', 'ListParts'), ('retention', 'GetObjectRetention'), (None, 'GetObject')],
    ('HEAD', True): [(None, 'HeadObject')],
    ('PUT', True): [('partNumber', 'UploadPart'), ('retention', 'PutObjectRetention'), (None, 'PutObject')],
    ('POST', True): [('uploads', 'CreateMultipartUpload'), ('uploadId', 'CompleteMultipartUpload'), (None, 'PostObject')],
    ('DELETE', True): [('uploadId', 'AbortMultipartUpload'), (None, 'DeleteObject')],
}


class Request:
    """n counts from 1; connection is the client's, counted from 1. sent and received are bytes of the bodies; status is what
    the client was told, 0 for nothing; done: the server was seen to answer; fault: the name of what was done to it, or None."""

    def __init__(self, n, connection, head):
        self.n, self.connection, self.head = n, connection, head
        self.sent = self.received = self.status = 0
        self.done = False
        self.fault, self.began, self.ended = None, time.monotonic(), None
        lines = head.decode('latin-1').split('\r\n')
        self.method, self.target, _ = lines[0].split(' ', 2)
        self.headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(':') for line in lines[1:] if line)}
        path, _, query = self.target.partition('?')
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        path = urllib.parse.unquote(path).lstrip('/')
        host = self.headers.get('host', '').partition(':')[0]
        if host.endswith('.s3.localhost'):
            self.bucket, self.key = host[:-len('.s3.localhost')], path
        else:
            self.bucket, _, self.key = path.partition('/')
        choices = OPERATIONS.get((self.method, bool(self.key)), [(None, self.method)]) if self.bucket else [(None, 'ListBuckets')]
        self.op = next(name for parameter, name in choices if parameter is None or parameter in self.query)

    @property
    def place(self):
        """The key it is about, or the prefix that it lists, after a slash."""
        return '/' + (self.key or self.query.get('prefix', ''))

    @property
    def signed_for(self):
        """The region in the signature's scope."""
        found = re.search(r'Credential=[^/]*/\d+/([^/]*)/', self.headers.get('authorization', ''))
        return found[1] if found else None

    def __repr__(self):
        return '%d on %d: %s %s%s, %d bytes, -> %d, %d bytes%s' % (
            self.n, self.connection, self.op, self.bucket, self.place, self.sent, self.status, self.received,
            ', ' + self.fault if self.fault else '')


class Link:
    """Bytes a second, all connections together; None: as fast as it goes."""

    def __init__(self):
        self.rate, self.free_at = None, 0.0

    async def carry(self, length):
        if self.rate:
            self.free_at = max(self.free_at, time.monotonic()) + length / self.rate
            await asyncio.sleep(self.free_at - time.monotonic())


class Closed(Exception):
    """The exchange is over, and with it the client's connection."""


class Response:
    def __init__(self, status, reason, headers, body):
        self.status, self.reason, self.headers, self.body = status, reason, headers, body

    def without(self, *names):
        self.headers = [(k, v) for k, v in self.headers if k.lower() not in names]
        return self


async def read_head(reader):
    """Up to and with the empty line; b'' when the other side has closed."""
    try:
        return await reader.readuntil(b'\r\n\r\n')
    except asyncio.IncompleteReadError as e:
        if e.partial:
            raise Closed from e
        return b''


async def pieces(reader, headers, expected=True):
    """A body as it comes, in its transfer coding. expected: without a length it goes on to the end of the connection."""
    if 'chunked' in headers.get('transfer-encoding', ''):
        while True:
            line = await reader.readuntil(b'\r\n')
            size = int(line.split(b';')[0], 16)
            yield line
            left = size + 2
            while left:
                piece = await reader.readexactly(min(left, PIECE))
                left -= len(piece)
                yield piece
            if not size:
                return
    elif 'content-length' in headers:
        left = int(headers['content-length'])
        while left:
            piece = await reader.read(min(left, PIECE))
            if not piece:
                raise Closed
            left -= len(piece)
            yield piece
    elif expected:
        while piece := await reader.read(PIECE):
            yield piece


def decoded(data, headers):
    if 'chunked' not in headers.get('transfer-encoding', ''):
        return data
    out = b''
    while True:
        line, _, data = data.partition(b'\r\n')
        size = int(line.split(b';')[0], 16)
        if not size:
            return out
        out, data = out + data[:size], data[size + 2:]


class Exchange:
    """One request and what becomes of it; what a fault works with."""

    def __init__(self, proxy, request, reader, writer, session):
        self.proxy, self.request, self.reader, self.writer, self.session = proxy, request, reader, writer, session

    async def server(self):
        """The connection to the server that belongs to the client's."""
        if not self.session.get('server'):
            place = urllib.parse.urlsplit(self.proxy.server.endpoint)
            self.session['server'] = await asyncio.open_connection(place.hostname, place.port, limit=4 * PIECE)
        return self.session['server']

    def invite(self):
        if self.request.headers.get('expect', '').lower() == '100-continue':
            self.writer.write(b'HTTP/1.1 100 Continue\r\n\r\n')

    async def body(self, limit=None):
        """The request's body, or what is there of it when it is longer than limit."""
        self.invite()
        data = bytearray()
        async for piece in pieces(self.reader, self.request.headers, expected=False):
            data += piece
            self.request.sent += len(piece)
            if limit is not None and len(data) >= limit:
                break
        return bytes(data)

    async def ask(self, body=None):
        """Lets the server do it; its whole answer."""
        if body is None:
            body = await self.body()
        reader, writer = await self.server()
        writer.write(self.request.head + body)
        await writer.drain()
        while True:
            head = await read_head(reader)
            if not head:
                raise Closed
            lines = head.decode('latin-1').split('\r\n')
            _, status, reason = (lines[0] + ' ').split(' ', 2)
            if status[0] != '1':
                break
        headers = [(k.strip(), v.strip()) for k, _, v in (line.partition(':') for line in lines[1:] if line)]
        flat = {k.lower(): v for k, v in headers}
        data = b''
        if self.request.method != 'HEAD' and status not in ('204', '304'):
            data = b''.join([piece async for piece in pieces(reader, flat)])
        self.request.done = True
        return Response(int(status), reason.strip(), headers, decoded(data, flat)).without('transfer-encoding')

    def head(self, response, length=None):
        self.request.status = response.status
        headers = [(k, v) for k, v in response.headers if k.lower() != 'content-length']
        if response.status not in (204, 304):
            given = next((v for k, v in response.headers if k.lower() == 'content-length'), None)
            if self.request.method != 'HEAD' or given is None:
                given = len(response.body)
            headers.append(('Content-Length', given if length is None else length))
        return ('HTTP/1.1 %d %s\r\n' % (response.status, response.reason) + ''.join('%s: %s\r\n' % h for h in headers)
                + '\r\n').encode('latin-1')

    async def tell(self, response, length=None, upto=None):
        """Answers. length: what Content-Length says; upto: so many bytes of the body only."""
        body = b'' if self.request.method == 'HEAD' else response.body[:upto]
        self.writer.write(self.head(response, length) + body)
        self.request.received += len(body)
        await self.writer.drain()

    async def relay(self):
        """What a proxy without faults does: both ways at once, because a server may answer before it has read all."""
        reader, writer = await self.server()
        proxy = self.proxy

        async def up():
            writer.write(self.request.head)
            async for piece in pieces(self.reader, self.request.headers, expected=False):
                await proxy.up.carry(len(piece))
                self.request.sent += len(piece)
                writer.write(piece)
                await writer.drain()

        sending = asyncio.create_task(up())
        # a client that went in the middle of a body: the server is to see the same
        sending.add_done_callback(lambda t: t.cancelled() or t.exception() and writer.transport.abort())
        try:
            while True:
                head = await read_head(reader)
                if not head:
                    raise Closed
                self.writer.write(head)
                self.request.status = int(head.split(b' ', 2)[1])
                if self.request.status >= 200:
                    self.request.done = True
                    break
            lines = head.decode('latin-1').split('\r\n')[1:]
            headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(':') for line in lines if line)}
            if self.request.method != 'HEAD' and self.request.status not in (204, 304):
                async for piece in pieces(reader, headers):
                    await proxy.down.carry(len(piece))
                    self.request.received += len(piece)
                    self.writer.write(piece)
                    await self.writer.drain()
            await self.writer.drain()
            if not sending.done() or headers.get('connection', '').lower() == 'close':
                raise Closed
            await sending
        finally:
            sending.cancel()

    async def reset(self):
        """Ends the client's connection as if the machine behind it had vanished."""
        with contextlib.suppress(OSError):
            self.writer.get_extra_info('socket').setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.writer.transport.abort()
        raise Closed

    async def silence(self):
        """Until the client goes, or the proxy."""
        await self.reader.read(-1)
        raise Closed
