#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=300
"""The proxy that the S3 scenarios rely on passes everything on unchanged, and each of its faults really happens."""
import hashlib
import http.client
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from s3 import S3, S3Error, S3Server, inner
from s3lies import FAULTS
from s3proxy import Proxy
from scenario import equal, fact, finish, wait_until

DATA = trees.noise(1, 1_000_000)
BUCKET = 'one'
tried = set()


class Client(S3):
    attempts = 1


class Lab:
    """The server, the proxy, and a client that knows only the proxy."""

    def __init__(self, server, proxy):
        self.server, self.proxy = server, proxy
        self.client = Client(proxy.endpoint, server.access_key, server.secret_key, server.region)
        for key in ('a/1', 'a/2', 'a/3', 'a/4'):
            server.put(BUCKET, key, DATA)

    def with_fault(self, name, do, **options):
        """What comes of a request that meets the fault: its result, or the exception."""
        tried.add(name)
        self.proxy.clear()
        self.proxy.rule(name, **options)
        try:
            return do(self.client)
        except (S3Error, OSError, http.client.HTTPException) as e:
            return e
        finally:
            self.proxy.clear()

    def after(self):
        return self.client.get(BUCKET, 'a/1') == DATA


def get(client):
    return client.get(BUCKET, 'a/1')


def put(client):
    return client.put(BUCKET, 'new', DATA)


def listing(client):
    return sorted(client.list(BUCKET, 'a/'))


def upload(client, key='big'):
    """A multipart upload of two parts, up to the point where it would be completed."""
    number = client.send('POST', BUCKET, key, {'uploads': ''}).text('UploadId')
    tags = [client.send('PUT', BUCKET, key, {'uploadId': number, 'partNumber': n}, body=bytes(5 << 20)).headers['ETag'] for n in (1, 2)]
    return number, '<CompleteMultipartUpload>%s</CompleteMultipartUpload>' % ''.join(
        '<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>' % (i + 1, tag) for i, tag in enumerate(tags))


def without_faults(lab):
    lab.proxy.clear()
    odd = 'a b/+ü%~*\'"()=&?#x'
    lab.client.put(BUCKET, odd, DATA)
    fact(lab.client.get(BUCKET, odd) == DATA and lab.server.get(BUCKET, odd) == DATA, 'what goes through is unchanged')
    equal(lab.client.list(BUCKET, 'a b'), {odd: len(DATA)}, 'so are answers with documents')
    equal(lab.client.head(BUCKET, odd)['Content-Length'], str(len(DATA)), 'and those without a body')
    lab.client.remove(BUCKET, odd)
    number, document = upload(lab.client)
    lab.client.send('POST', BUCKET, 'big', {'uploadId': number}, document.encode())
    equal([(r.op, r.key, r.sent, r.received, r.status) for r in lab.proxy.requests][:5],
          [('PutObject', odd, len(DATA), 0, 200), ('GetObject', odd, 0, len(DATA), 200),
           ('ListObjectsV2', '', 0, lab.proxy.requests[2].received, 200), ('HeadObject', odd, 0, 0, 200),
           ('DeleteObject', odd, 0, 0, 204)], 'every request is remembered')
    equal([r.op for r in lab.proxy.requests][5:], ['CreateMultipartUpload', 'UploadPart', 'UploadPart', 'CompleteMultipartUpload'],
          'with its operation')
    equal({r.connection for r in lab.proxy.requests}, {1}, 'a client that keeps its connection is seen to do so')
    lab.client.put(BUCKET, 'expect', DATA, expect='100-continue')
    fact(lab.server.get(BUCKET, 'expect') == DATA, 'a body that waits for 100 Continue arrives')


def on_the_network(lab):
    result = lab.with_fault('reset_request', put)
    fact(isinstance(result, ConnectionError) and not lab.server.has(BUCKET, 'new'), 'reset_request: a reset, and nothing is stored', repr(result))
    result = lab.with_fault('reset_response', get)
    fact(isinstance(result, (ConnectionResetError, http.client.IncompleteRead)), 'reset_response: a reset in the middle', repr(result))
    result = lab.with_fault('dropped_answer', put)
    fact(isinstance(result, ConnectionError) and lab.server.get(BUCKET, 'new') == DATA, 'dropped_answer: an error, and yet it is stored', repr(result))
    lab.server.remove(BUCKET, 'new')
    result = lab.with_fault('truncated', get)
    fact(isinstance(result, http.client.IncompleteRead) and len(result.partial) == len(DATA) // 2, 'truncated: closed in the middle', repr(result)[:200])
    result = lab.with_fault('wrong_length', get)
    fact(result == DATA[:-1], 'wrong_length: all seems well, but the last byte is not there')
    result = lab.with_fault('too_long', get)
    fact(result == DATA + b'more', 'too_long: there is more than there should be')
    answer = lab.with_fault('whole_object', lambda c: c.send('GET', BUCKET, 'a/1', headers={'range': 'bytes=10-19'}))
    fact((answer.status, answer.body) == (200, DATA), 'whole_object: the range is not looked at')
    result = lab.with_fault('not_http', get)
    fact(isinstance(result, http.client.BadStatusLine), 'not_http: nothing that a client can read', repr(result))


def impatient(lab, seconds):
    """What the client waits for an answer, from its next connection on."""
    lab.client.timeout = seconds
    lab.client.connection().close()
    lab.client.mine.connection = None


def slowly(lab):
    impatient(lab, 0.5)
    for name, do in (('hang', get), ('hang', put), ('deaf', get)):
        result = lab.with_fault(name, do)
        fact(isinstance(result, TimeoutError), '%s: no answer to %s' % (name, do.__name__), repr(result))
    fact(not lab.server.has(BUCKET, 'new'), 'hang: and it is not stored')
    result = lab.with_fault('unanswered', put)
    fact(isinstance(result, TimeoutError), 'unanswered: no answer', repr(result))
    fact(wait_until(lambda: lab.server.has(BUCKET, 'new'), 60) and lab.server.get(BUCKET, 'new') == DATA, 'unanswered: and yet it is stored')
    lab.server.remove(BUCKET, 'new')
    result = lab.with_fault('deaf', lambda c: c.put(BUCKET, 'new', bytes(32 << 20)))
    fact(isinstance(result, TimeoutError), 'deaf: a large body cannot be sent', repr(result))
    result = lab.with_fault('trickle_request', lambda c: c.put(BUCKET, 'new', bytes(32 << 20)))
    fact(isinstance(result, TimeoutError), 'trickle_request: it takes very long', repr(result))
    impatient(lab, 60)
    started = time.monotonic()
    result = lab.with_fault('trickle_request', lambda c: c.put(BUCKET, 'slow', b'12345'), rate=20)
    fact(result.status == 200 and lab.server.get(BUCKET, 'slow') == b'12345' and time.monotonic() - started > 0.2,
         'trickle_request: but it is stored in the end')

    def first_bytes(client):
        host, port = client.endpoint.split('//')[1].split(':')
        request = 'GET /%s/slow HTTP/1.1\r\n%s\r\n\r\n' % (BUCKET, '\r\n'.join('%s: %s' % h for h in client.signed(
            'GET', '/%s/slow' % BUCKET, '', b'', {}).items()))
        with socket.create_connection((host, int(port))) as s:
            started = time.monotonic()
            s.sendall(request.encode())
            reader = s.makefile('rb')
            while reader.readline().strip():
                pass
            return [(reader.read(1), time.monotonic() - started)[1] for _ in range(5)]
    times = lab.with_fault('trickle_response', first_bytes)
    fact(all(n * 0.09 < t for n, t in enumerate(times)), 'trickle_response: byte by byte', times)


def refused(lab):
    started = time.monotonic()
    tried.add('refused')
    lab.proxy.rule('refused', seconds=2)
    found = []
    while time.monotonic() - started < 60 and (not found or isinstance(found[-1], Exception)):
        try:
            found.append(get(lab.client))
        except OSError as e:
            found.append(e)
            time.sleep(0.02)
    kinds = [type(e).__name__ for e in found[:-1]]
    fact(kinds[0] == 'ConnectionResetError' and set(kinds[1:]) == {'ConnectionRefusedError'} and found[-1] == DATA,
         'refused: for a while, and then no longer', kinds)
    lab.proxy.stop_listening()
    try:
        result = get(lab.client)
    except OSError as e:
        result = e
    fact(isinstance(result, ConnectionError), 'a proxy that stops refuses connections', repr(result))
    lab.proxy.listen_again()
    lab.proxy.clear()
    fact(lab.after(), 'until it listens again')


def answers(lab):
    for name, status, code in (('internal_error', 500, 'InternalError'), ('bad_gateway', 502, ''), ('slow_down', 503, 'SlowDown'),
                               ('not_found', 404, 'NoSuchKey'), ('no_such_bucket', 404, 'NoSuchBucket'), ('access_denied', 403, 'AccessDenied'),
                               ('wrong_signature', 403, 'SignatureDoesNotMatch'), ('skewed', 403, 'RequestTimeTooSkewed'),
                               ('expired_token', 400, 'ExpiredToken'), ('bucket_full', 403, 'QuotaExceeded'),
                               ('storage_full', 507, 'XMinioStorageFull')):
        result = lab.with_fault(name, put)
        fact(isinstance(result, S3Error) and (result.status, result.code if code else '') == (status, code), '%s: HTTP %d %s' % (name, status, code), repr(result))
        if name == 'bad_gateway':
            fact(b'<html>' in result.body, 'bad_gateway: and no XML')
        if name == 'skewed':
            fact(all(w in result.body for w in (b'<RequestTime>20', b'<ServerTime>20')), 'skewed: with both times', result.body)
        fact(lab.after() and not lab.server.has(BUCKET, 'new'), name + ': nothing is stored, and the next request is answered')
    # so small that it is sent before the answer can be in the way
    result = lab.with_fault('slow_down_early', lambda c: c.put(BUCKET, 'new', b'x'))
    fact(isinstance(result, S3Error) and result.status == 503 and not lab.server.has(BUCKET, 'new'), 'slow_down_early: HTTP 503', repr(result))
    result = lab.with_fault('slow_down_early', lambda c: c.put(BUCKET, 'new', bytes(32 << 20)))
    fact(isinstance(result, ConnectionError), 'slow_down_early: a large body is not taken', repr(result))
    result = lab.with_fault('expired_token', lambda c: [c.has(BUCKET, 'a/1') or 0 for _ in range(3)], at=3, times=None)
    fact(isinstance(result, S3Error) and result.status == 400, 'a fault can begin at a request and stay', repr(result))


def redirects(lab):
    there = Client(lab.proxy.endpoint, lab.server.access_key, lab.server.secret_key, 'eu-mars-1')
    for how, status in (('malformed', 400), ('permanent', 301), ('header', 301)):
        result = lab.with_fault('region', get, how=how, times=None)
        fact(isinstance(result, S3Error) and result.status == status and (how == 'header' or b'eu-mars-1' in result.body or how == 'permanent'),
             'region, %s: HTTP %d' % (how, status), repr(result))
        lab.proxy.rule('region', how=how, times=None)
        fact(get(there) == DATA, 'region, %s: signed for the right one it is done' % how)
        lab.proxy.clear()
    result = lab.with_fault('redirected', get, to=lab.server.endpoint)
    fact(isinstance(result, S3Error) and result.status == 307 and lab.server.endpoint.split('//')[1].encode() in result.body,
         'redirected: 307, and where to', repr(result))
    result = lab.with_fault('redirect_loop', get)
    fact(isinstance(result, S3Error) and (result.status, result.code) == (301, 'PermanentRedirect'), 'redirect_loop: 301 to itself', repr(result))


def lists(lab):
    whole = ['a/1', 'a/2', 'a/3', 'a/4']
    equal(lab.with_fault('missing_key', listing), whole[1:], 'missing_key: one is not there')
    equal(lab.with_fault('missing_key', listing, holding='a/3'), ['a/1', 'a/2', 'a/4'], 'missing_key: the one that was named')

    def raw(client):
        return client.send('GET', BUCKET, query={'list-type': 2, 'prefix': 'a/'})
    page = lab.with_fault('repeated_key', raw)
    equal([inner(e, 'Key') for e in page.elements('Contents')], ['a/1'] + whole, 'repeated_key: one is there twice')
    page = lab.with_fault('cut_page', raw)
    equal((len(list(page.elements('Contents'))), page.text('IsTruncated'), page.text('NextContinuationToken')), (2, 'true', None),
          'cut_page: half of them, and not where it goes on')
    page = lab.with_fault('short_pages', raw)
    equal((len(list(page.elements('Contents'))), page.text('IsTruncated')), (3, 'true'), 'short_pages: three keys, and there is more')
    equal(lab.with_fault('short_pages', listing, times=None), whole, 'short_pages: all pages together have all')
    page = lab.with_fault('endless_listing', raw)
    equal((len(list(page.elements('Contents'))), page.text('IsTruncated'), page.text('NextContinuationToken')), (4, 'true', 'again'),
          'endless_listing: it goes on and on')
    try:
        page = lab.with_fault('cut_document', raw)
        page.text('Name')
        fact(False, 'cut_document: no XML')
    except SyntaxError:
        fact(True, 'cut_document: no XML')


def lies(lab):
    result = lab.with_fault('flip', get)
    wrong = [i for i in range(len(DATA)) if result[i] != DATA[i]]
    equal((len(result), wrong), (len(DATA), [len(DATA) // 2]), 'flip: one byte is another one')
    result = lab.with_fault('swallowed', put)
    fact(result.status == 200 and not lab.server.has(BUCKET, 'new'), 'swallowed: acknowledged, not stored')
    for honest in (True, False):
        result = lab.with_fault('stored_short', put, honest=honest)
        told = hashlib.md5(DATA[:-1] if honest else DATA).hexdigest()
        fact(lab.server.get(BUCKET, 'new') == DATA[:-1] and result.headers['ETag'] == '"%s"' % told,
             'stored_short: the last byte is lost, and the ETag %s so' % ('says' if honest else 'does not say'))
    result = lab.with_fault('kept', lambda c: c.remove(BUCKET, 'new'))
    fact(result.status == 204 and lab.server.has(BUCKET, 'new'), 'kept: acknowledged, not removed')
    lab.server.remove(BUCKET, 'new')
    result = lab.with_fault('error_in_200', put)
    fact(result.status == 200 and b'<Code>InternalError' in result.body and not lab.server.has(BUCKET, 'new'), 'error_in_200: 200, and an error in it')
    for name in ('error_in_200', 'empty_200'):
        number, document = upload(lab.client, name)
        result = lab.with_fault(name, lambda c: c.send('POST', BUCKET, name, {'uploadId': number}, document.encode()))
        fact(result.status == 200 and (b'<Error>' in result.body) == (name == 'error_in_200') and not lab.server.has(BUCKET, name),
             name + ': also for a multipart upload')
    lab.server.empty(BUCKET)
    for n in range(1, 5):
        lab.server.put(BUCKET, 'a/%d' % n, DATA)


def batches(lab):
    body = b'<Delete><Object><Key>a/1</Key></Object><Object><Key>a/2</Key></Object></Delete>'

    def remove(client):
        return client.send('POST', BUCKET, query={'delete': ''}, body=body)
    result = lab.with_fault('refused_deletes', remove)
    fact(result.status == 200 and [inner(e, 'Code') for e in result.elements('Error')] == ['AccessDenied'] and lab.after(),
         'refused_deletes: 200, and a key that is not removed', result.body)
    result = lab.with_fault('no_batches', remove)
    fact(isinstance(result, S3Error) and result.status == 501 and lab.after(), 'no_batches: HTTP 501', repr(result))


def conditions(lab):
    def again(client):
        return client.put(BUCKET, 'a/1', DATA, if_none_match='*')
    result = lab.with_fault('no_conditions', again)
    fact(isinstance(result, S3Error) and result.status == 501, 'no_conditions: HTTP 501', repr(result))
    lab.server.put(BUCKET, 'a/1', b'before')
    result = lab.with_fault('ignored_conditions', again)
    fact(not isinstance(result, Exception) and lab.server.get(BUCKET, 'a/1') == DATA, 'ignored_conditions: it is overwritten', repr(result))
    for name in ('no_conditions', 'ignored_conditions'):
        fact(lab.with_fault(name, put).status == 200 and lab.server.has(BUCKET, 'new'), name + ': without a condition all is well')
        lab.server.remove(BUCKET, 'new')


def rules_and_pace(lab):
    lab.proxy.clear()
    rule = lab.proxy.rule('not_found', op='GetObject', key='/a/[23]', at=2, times=2)
    found = []
    for key in ('a/1', 'a/2', 'a/1', 'a/3', 'a/2', 'a/3', 'a/2'):
        try:
            found.append(len(lab.client.get(BUCKET, key)) > 0)
        except S3Error:
            found.append(False)
    equal(found, [True, True, True, False, False, True, True], 'a rule takes the requests that it names')
    equal(rule.hits, 2, 'and counts them')
    equal([r.fault for r in lab.proxy.requests if r.fault], ['not_found'] * 2, 'they are remembered, too')
    lab.proxy.clear()
    lab.proxy.latency = 1
    started = time.monotonic()
    threads = [threading.Thread(target=get, args=(lab.client,)) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    seconds = time.monotonic() - started
    # of a connection and of a request each; one after the other they would take 16 s
    fact(2 <= seconds < 12 and lab.proxy.busiest > 2, 'latency is added to each request, side by side', (seconds, lab.proxy.busiest))
    lab.proxy.latency, lab.proxy.down.rate = 0.0, 2_000_000
    started = time.monotonic()
    get(lab.client)
    fact(time.monotonic() - started > 0.4, 'the answers can be slowed down')
    lab.proxy.down.rate, lab.proxy.up.rate = None, 2_000_000
    started = time.monotonic()
    put(lab.client)
    fact(time.monotonic() - started > 0.4, 'the bodies of requests, too')
    lab.proxy.up.rate = None


def main():
    with S3Server() as server, Proxy(server) as proxy:
        server.make_bucket(BUCKET)
        lab = Lab(server, proxy)
        for part in (without_faults, on_the_network, slowly, refused, answers, redirects, lists, lies, batches, conditions, rules_and_pace):
            part(lab)
        fact(lab.after(), 'after all this it still passes everything on')
        equal(sorted(tried), sorted(FAULTS), 'every fault was tried')
    finish()


main()
