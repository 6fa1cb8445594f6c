# SPDX-License-Identifier: Apache-2.0
"""What an S3 server, or something on the way to it, can do wrong: FAULTS, by name, to which s3lies.py adds those that look
well. Each is done to one request by a Proxy.

A fault says of which operations it makes sense; the answers have the form of those that Amazon documents ("Error responses")
or that the server named in a comment was seen to give.
"""
import asyncio
import datetime
import hashlib

from xml.sax.saxutils import escape

from s3exchange import Closed, Response

FAULTS = {}
READS = ('GetObject',)
STORES = ('PutObject', 'UploadPart')
LISTS = ('ListObjectsV2', 'ListObjects')
WITH_BODY = STORES + ('CompleteMultipartUpload', 'DeleteObjects')
# what is answered with a document
ANSWERED = READS + LISTS + ('ListMultipartUploads', 'CreateMultipartUpload', 'CompleteMultipartUpload', 'DeleteObjects')


class Fault:
    def __init__(self, run, ops):
        self.run, self.ops, self.name = run, ops, run.__name__

    def fits(self, op):
        return self.ops is None or op in self.ops


def fault(*ops):
    """ops: the operations that it is about; none: all."""
    def register(run):
        FAULTS[run.__name__] = Fault(run, ops or None)
        return run
    return register


def document(root, **elements):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<%s>%s</%s>' % (
        root, ''.join('<%s>%s</%s>' % (k, escape(str(v)), k) for k, v in elements.items()), root)).encode()


def error(status, reason, code, message='', headers=(), **elements):
    body = document('Error', Code=code, Message=message, **elements, RequestId='4442587FB7D0A2F9', HostId='proxy')
    return Response(status, reason, [('Content-Type', 'application/xml'), ('x-amz-request-id', '4442587FB7D0A2F9'), *headers], body)


async def refuse_with(x, response):
    """Reads the request, does nothing, answers."""
    await x.body()
    await x.tell(response)


def stored(body):
    return Response(200, 'OK', [('ETag', '"%s"' % hashlib.md5(body).hexdigest())], b'')


# ---- the network ----

@fault()
async def refused(x, seconds=0.5):
    """The connection ends, and new ones are refused for a while."""
    await x.proxy.deafen()

    async def come_back():
        await asyncio.sleep(seconds)
        await x.proxy.listen()
    x.proxy.tasks.add(asyncio.create_task(come_back()))
    await x.reset()


@fault()
async def reset_request(x):
    """A reset when half of the body is there; the server sees none of it."""
    await x.body(limit=int(x.request.headers.get('content-length', 0)) // 2)
    await x.reset()


@fault(*ANSWERED)
async def reset_response(x):
    """A reset when half of the answer's body is gone; what was asked is done."""
    response = await x.ask()
    await x.tell(response, length=len(response.body), upto=len(response.body) // 2)
    await asyncio.sleep(0.02)  # so that the client has what was sent
    await x.reset()


@fault()
async def dropped_answer(x):
    """Done, but nobody says so."""
    await x.ask()
    await x.reset()


@fault()
async def unanswered(x):
    """The same, but the connection stays."""
    await x.ask()
    await x.silence()


@fault(*STORES)
async def trickle_request(x, rate=1000, seconds=None):
    """The body is taken at so many bytes a second, or over that time."""
    x.invite()
    left = int(x.request.headers.get('content-length', 0))
    rate = int(left / seconds) + 1 if seconds else rate
    body = b''
    while left:
        body += (piece := await x.reader.read(min(left, max(1, rate // 10))))
        if not piece:
            raise Closed
        left -= len(piece)
        await asyncio.sleep(len(piece) / rate)
    await x.tell(await x.ask(body))


@fault(*ANSWERED)
async def trickle_response(x, rate=10, seconds=None):
    """The answer's body comes at so many bytes a second, or over that time."""
    response = await x.ask()
    rate = int(len(response.body) / seconds) + 1 if seconds else rate
    piece = max(1, rate // 10)
    x.writer.write(x.head(response))
    for i in range(0, len(response.body), piece):
        x.writer.write(response.body[i:i + piece])
        await x.writer.drain()
        x.request.received += len(response.body[i:i + piece])
        await asyncio.sleep(piece / rate)


@fault()
async def hang(x):
    """The request is read, and never answered."""
    await x.body()
    await x.silence()


@fault()
async def deaf(x):
    """Not even the request's body is read."""
    await asyncio.sleep(3600)


@fault(*ANSWERED)
async def truncated(x, keep=0.5):
    """The length is right, but the connection is closed before all is there."""
    response = await x.ask()
    await x.tell(response, length=len(response.body), upto=int(len(response.body) * keep))
    raise Closed


@fault(*READS)
async def wrong_length(x, missing=1):
    """Whole as HTTP sees it, but shorter than what was asked for."""
    response = await x.ask()
    response.body = response.body[:max(0, len(response.body) - missing)]
    await x.tell(response)


@fault(*READS)
async def too_long(x):
    """More than what was asked for."""
    response = await x.ask()
    response.body += b'more'
    await x.tell(response)


@fault(*READS)
async def whole_object(x):
    """A server that does not know ranges: 200 and all of it."""
    await x.body()
    answer = await asyncio.to_thread(x.proxy.server.ask, 'GET', x.request.bucket, x.request.key)
    await x.tell(Response(answer.status, 'As Told', [('Content-Type', answer.headers['Content-Type'])], answer.body))


@fault()
async def not_http(x):
    await x.body()
    x.writer.write(b'\x15\x03\x01\x00\x02\x02\x46 go away\r\n\r\n')
    raise Closed


# ---- answers that say no ----

@fault()
async def internal_error(x):
    await refuse_with(x, error(500, 'Internal Server Error', 'InternalError', 'We encountered an internal error. Please try again.'))


@fault()
async def bad_gateway(x):
    """As a web server in front of a dead one answers: no XML."""
    await refuse_with(x, Response(502, 'Bad Gateway', [('Content-Type', 'text/html')],
                                  b'<html><head><title>502 Bad Gateway</title></head><body>nginx & co</body></html>'))


@fault()
async def slow_down(x, retry_after=1):
    await refuse_with(x, error(503, 'Slow Down', 'SlowDown', 'Please reduce your request rate.',
                               [('Retry-After', retry_after)] if retry_after is not None else []))


@fault(*WITH_BODY)
async def slow_down_early(x):
    """Said before the body was read, and hung up."""
    await x.tell(error(503, 'Slow Down', 'SlowDown', 'Please reduce your request rate.', [('Connection', 'close')]))
    await asyncio.sleep(0.05)
    raise Closed


@fault()
async def not_found(x):
    await refuse_with(x, error(404, 'Not Found', 'NoSuchKey', 'The specified key does not exist.', Key=x.request.key))


@fault()
async def no_such_bucket(x):
    await refuse_with(x, error(404, 'Not Found', 'NoSuchBucket', 'The specified bucket does not exist', BucketName=x.request.bucket))


@fault()
async def access_denied(x):
    await refuse_with(x, error(403, 'Forbidden', 'AccessDenied', 'Access Denied'))


@fault()
async def wrong_signature(x):
    await refuse_with(x, error(403, 'Forbidden', 'SignatureDoesNotMatch', 'The request signature we calculated does not match the '
                               'signature you provided. Check your key and signing method.'))


@fault()
async def skewed(x, hours=2):
    """Both times are in it, as Amazon does."""
    server = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)
    await refuse_with(x, error(403, 'Forbidden', 'RequestTimeTooSkewed',
                               'The difference between the request time and the current time is too large.',
                               [('Date', server.strftime('%a, %d %b %Y %H:%M:%S GMT'))],
                               RequestTime=x.request.headers.get('x-amz-date', ''), ServerTime=server.strftime('%Y-%m-%dT%H:%M:%SZ'),
                               MaxAllowedSkewMilliseconds=900000))


@fault()
async def expired_token(x):
    await refuse_with(x, error(400, 'Bad Request', 'ExpiredToken', 'The provided token has expired.'))


@fault(*STORES)
async def bucket_full(x):
    """As Ceph says it when a quota is used up."""
    await refuse_with(x, error(403, 'Forbidden', 'QuotaExceeded'))


@fault(*STORES)
async def storage_full(x):
    """As MinIO says it."""
    await refuse_with(x, error(507, 'Insufficient Storage', 'XMinioStorageFull', 'Storage backend has reached its minimum free '
                               'drive threshold. Please delete a few objects to proceed.'))


# ---- regions and redirects ----

@fault()
async def region(x, name='eu-mars-1', how='malformed'):
    """A bucket of that region: what is signed for it is done, for another one the answer names it. how: malformed, permanent,
    or header (the answer to a HEAD has no body)."""
    if x.request.signed_for == name:
        x.request.fault = None
        await x.relay()
        return
    headers = [('x-amz-bucket-region', name)]
    if how == 'malformed':
        response = error(400, 'Bad Request', 'AuthorizationHeaderMalformed', "The authorization header is malformed; the region '%s' "
                         "is wrong; expecting '%s'" % (x.request.signed_for, name), Region=name)
    elif how == 'permanent':
        response = error(301, 'Moved Permanently', 'PermanentRedirect', 'The bucket you are attempting to access must be addressed '
                         'using the specified endpoint. Please send all future requests to this endpoint.', headers,
                         Endpoint=x.request.headers['host'], Bucket=x.request.bucket)
    else:
        response = Response(301, 'Moved Permanently', headers, b'')
    await refuse_with(x, response)


@fault()
async def redirected(x, to, status=307):
    """Do ask there. to: an endpoint."""
    place = to + x.request.target
    await refuse_with(x, error(status, 'Temporary Redirect' if status == 307 else 'Moved Permanently',
                               'TemporaryRedirect' if status == 307 else 'PermanentRedirect', 'Please re-send this request to the '
                               'specified endpoint.', [('Location', place)], Endpoint=to.split('//')[1], Bucket=x.request.bucket))


@fault()
async def redirect_loop(x):
    await redirected(x, x.proxy.endpoint, 301)


# ---- what some servers cannot do ----

@fault('PutObject')
async def no_conditions(x):
    """If-None-Match is not implemented."""
    if 'if-none-match' in x.request.headers:
        await refuse_with(x, error(501, 'Not Implemented', 'NotImplemented', 'A header you provided implies functionality that is '
                                   'not implemented', Header='If-None-Match'))
    else:
        await x.relay()


@fault('PutObject')
async def ignored_conditions(x):
    """If-None-Match is not looked at."""
    if 'if-none-match' in x.request.headers:
        body = await x.body()
        answer = await asyncio.to_thread(x.proxy.server.ask, 'PUT', x.request.bucket, x.request.key, None, body)
        await x.tell(stored(body) if answer.status == 200 else Response(answer.status, 'As Told', [], answer.body))
    else:
        await x.relay()


@fault('ListObjectsV2')
async def short_pages(x, size=3):
    """A server that gives so many keys at once."""
    await x.body()
    query = {k: v for k, v in x.request.query.items() if k != 'max-keys'}
    answer = await asyncio.to_thread(x.proxy.server.ask, 'GET', x.request.bucket, '', {**query, 'max-keys': size})
    await x.tell(Response(answer.status, 'As Told', [('Content-Type', 'application/xml')], answer.body))


@fault('DeleteObjects')
async def no_batches(x):
    """As Google's server: there is no removing of many at once."""
    await refuse_with(x, error(501, 'Not Implemented', 'NotImplemented', 'A header you provided implies functionality that is not implemented'))
