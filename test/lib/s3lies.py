# SPDX-License-Identifier: Apache-2.0
"""Faults that look like success: FAULTS of s3faults.py with these added. Failures of real services, each."""
import asyncio
import re

from s3exchange import Response
from s3faults import FAULTS, LISTS, READS, STORES, WITH_BODY, document, error, fault, refuse_with, stored

__all__ = ['FAULTS']

# ---- 200 and yet an error ----

@fault(*WITH_BODY)
async def error_in_200(x):
    """Amazon documents this for CompleteMultipartUpload and CopyObject: the status is sent before the work is done."""
    response = error(200, 'OK', 'InternalError', 'We encountered an internal error. Please try again.')
    await refuse_with(x, response)


@fault('CompleteMultipartUpload', 'DeleteObjects')
async def empty_200(x):
    await refuse_with(x, Response(200, 'OK', [('Content-Type', 'application/xml')], b''))


@fault('DeleteObjects')
async def refused_deletes(x):
    """A batch of which the first key is not removed."""
    body = await x.body()
    keys = re.findall(rb'<Key>(.*?)</Key>', body)
    await x.tell(Response(200, 'OK', [('Content-Type', 'application/xml')], document('DeleteResult').replace(
        b'></', b'><Error><Key>' + keys[0] + b'</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error></')))


# ---- listings that lie ----

async def changed_listing(x, change):
    """With a count of keys that fits: what is wrong is not to be seen in the page itself."""
    response = await x.ask()
    changed = change(response.body)
    response.body = re.sub(rb'<KeyCount>\d+<', lambda _: b'<KeyCount>%d<' % len(entries(changed)), changed)
    await x.tell(response)


def entries(body):
    return re.findall(rb'<Contents>.*?</Contents>', body, re.S)


@fault(*LISTS)
async def missing_key(x, which=0, holding=''):
    """One object is not in it: number which of those whose key holds that."""
    def change(body):
        found = [e for e in entries(body) if holding.encode() in e]
        return body.replace(found[which % len(found)], b'') if found else body
    await changed_listing(x, change)


@fault(*LISTS)
async def repeated_key(x):
    await changed_listing(x, lambda body: body.replace(e[0], e[0] + e[0]) if (e := entries(body)) else body)


@fault(*LISTS)
async def cut_page(x):
    """Half of the keys, and there is more; but it does not say where that begins."""
    def change(body):
        for entry in (found := entries(body))[len(found) // 2:]:
            body = body.replace(entry, b'')
        body = re.sub(rb'<NextContinuationToken>.*?</NextContinuationToken>|<NextMarker>.*?</NextMarker>', b'', body)
        return body.replace(b'<IsTruncated>false<', b'<IsTruncated>true<')
    await changed_listing(x, change)


@fault(*LISTS)
async def endless_listing(x):
    """Every page is the first, and says that there is more."""
    await x.body()
    query = {k: v for k, v in x.request.query.items() if k != 'continuation-token'}
    answer = await asyncio.to_thread(x.proxy.server.ask, 'GET', x.request.bucket, '', query)
    more = b'<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>'
    await x.tell(Response(answer.status, 'As Told', [('Content-Type', 'application/xml')],
                          answer.body.replace(b'<IsTruncated>false</IsTruncated>', more)))


@fault(*LISTS)
async def cut_document(x):
    """The XML ends in the middle, the length is that of what there is."""
    await changed_listing(x, lambda body: body[:len(body) // 2])


# ---- a server that forgets or falsifies ----

@fault(*STORES)
async def swallowed(x):
    """Acknowledged, and never stored."""
    await x.tell(stored(await x.body()))


@fault('PutObject')
async def stored_short(x, missing=1, honest=True):
    """All but the last bytes is stored. honest: the ETag is that of what is there, otherwise that of what was sent."""
    body = await x.body()
    short = body[:max(0, len(body) - missing)]
    await asyncio.to_thread(x.proxy.server.put, x.request.bucket, x.request.key, short)
    await x.tell(stored(short if honest else body))


@fault('DeleteObject')
async def kept(x):
    """Acknowledged, and not removed."""
    await x.body()
    await x.tell(Response(204, 'No Content', [], b''))


@fault(*READS)
async def flip(x, where=0.5):
    """One bit of the body is another one. where: from 0 to 1."""
    response = await x.ask()
    body = bytearray(response.body)
    if body:
        body[min(len(body) - 1, int(len(body) * where))] ^= 0x10
    response.body = bytes(body)
    await x.tell(response)
