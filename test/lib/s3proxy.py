#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of an S3 server that misbehaves when it is told to. It speaks HTTP/1.1, passes requests on byte for byte
(the Host header too, so that signatures stay valid), one connection to the server for each of a client's, and remembers
every request.

    with Proxy(s3) as proxy:                       # s3: an S3, usually the S3Server
        proxy.rule('flip', op='GetObject', key='/data/', at=3)
        ...                                        # against proxy.endpoint
        [r for r in proxy.requests if r.op == 'PutObject']

What it can do wrong is in s3faults.py and s3lies.py. All proxies of a process share one thread. As a command (s3proxy.py, with S3_ENDPOINT
and the keys in the environment) it prints S3_PROXY=URL, then reads JSON lines: {"fault": "flip", "at": 3, ...} sets a rule,
{"clear": true} takes all back, {"latency": 0.05, "up": 1000000, "down": 1000000} slows everything down; each, and {}, is
answered by a line with the number of requests, connections and faults so far. It ends with its input.
"""
import asyncio
import json
import os
import queue
import re
import sys
import threading
import time

from freeport import free_port
from s3exchange import PIECE, Closed, Exchange, Link, Request, read_head
from s3lies import FAULTS

class Rule:
    """Of the requests that match it, does something to number at (from 1) and so many after it; times=None: to all after.
    op and method are names or tuples of them, key a regular expression that is searched in /key
    or, of a listing, in /prefix."""

    def __init__(self, fault, at=1, times=1, op=None, method=None, key=None, **options):
        self.fault, self.at, self.times, self.options = fault, at, times, options
        self.op = (op,) if isinstance(op, str) else op
        self.method = (method,) if isinstance(method, str) else method
        self.key = key
        self.seen = self.hits = 0

    def takes(self, request):
        if self.op and request.op not in self.op or self.method and request.method not in self.method:
            return False
        if self.key and not re.search(self.key, request.place):
            return False
        self.seen += 1
        hit = self.seen >= self.at and (self.times is None or self.seen < self.at + self.times)
        self.hits += hit
        return hit


def shared_loop():
    """The one thread in which every proxy of this process runs."""
    if not hasattr(shared_loop, 'loop'):
        shared_loop.loop = asyncio.new_event_loop()
        threading.Thread(target=shared_loop.loop.run_forever, daemon=True).start()
    return shared_loop.loop


class Proxy:
    """latency: seconds added to each request and each new connection; up.rate and down.rate: bytes a second."""

    idle = queue.SimpleQueue()  # ports that are ours, for the next ones

    def __init__(self, server):
        self.server = server  # an S3: where to, and the keys for what a fault must sign anew
        self.requests, self.rules, self.connections = [], [], 0
        self.latency, self.up, self.down = 0.0, Link(), Link()
        self.busy = self.busiest = 0  # requests under way at once
        self.lock = threading.Lock()
        self.listener, self.port, self.tasks = None, None, set()

    # ---- from the test's thread ----

    def __enter__(self):
        try:
            self.port = Proxy.idle.get_nowait()
        except queue.Empty:
            self.port = free_port()
        self.call(self.listen())
        return self

    def __exit__(self, *_):
        self.call(self.close())
        Proxy.idle.put(self.port)

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, shared_loop()).result(30)

    @property
    def endpoint(self):
        return 'http://127.0.0.1:%d' % self.port

    def rule(self, fault, **options):
        """See Rule; further options are the fault's. The first rule that takes a request has it."""
        FAULTS[fault]  # a name that is none fails here and not in the other thread
        found = Rule(fault, **options)
        with self.lock:
            self.rules.append(found)
        return found

    def clear(self):
        with self.lock:
            self.rules, self.requests = [], []

    def stop_listening(self):
        """Connections are refused from now on, and those that are open are reset."""
        self.call(self.close())

    def listen_again(self):
        self.call(self.listen())

    # ---- from the shared thread ----

    async def listen(self):
        if not self.listener:
            self.listener = await asyncio.start_server(self.accept, '127.0.0.1', self.port, limit=4 * PIECE)

    async def deafen(self):
        """Only those that are open stay."""
        if self.listener:
            self.listener.close()
            self.listener = None

    async def close(self):
        await self.deafen()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def accept(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        self.connections += 1
        session = {'number': self.connections}
        writer.transport.set_write_buffer_limits(0)
        try:
            await asyncio.sleep(self.latency)
            while await self.serve(reader, writer, session):
                pass
        except (Closed, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.tasks.discard(task)
            if task.cancelling():
                writer.transport.abort()
            else:
                writer.close()
            if session.get('server'):
                session['server'][1].transport.abort()

    async def serve(self, reader, writer, session):
        head = await read_head(reader)
        if not head:
            return False
        with self.lock:
            request = Request(len(self.requests) + 1, session['number'], head)
            self.requests.append(request)
            rule = next((r for r in self.rules if r.takes(request)), None)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            await asyncio.sleep(self.latency)
            exchange = Exchange(self, request, reader, writer, session)
            if rule:
                request.fault = rule.fault
                await FAULTS[rule.fault].run(exchange, **rule.options)
            else:
                await exchange.relay()
        finally:
            self.busy -= 1
            request.ended = time.monotonic()
        return request.headers.get('connection', '').lower() != 'close'


def main():
    from s3 import S3
    server = S3(*(os.environ[n] for n in ('S3_ENDPOINT', 'S3_ACCESS_KEY', 'S3_SECRET_KEY')), os.environ.get('S3_REGION', 'default'))
    with Proxy(server) as proxy:
        print('S3_PROXY=' + proxy.endpoint, flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            proxy.latency = order.pop('latency', proxy.latency)
            proxy.up.rate, proxy.down.rate = order.pop('up', proxy.up.rate), order.pop('down', proxy.down.rate)
            if order.pop('clear', False):
                proxy.clear()
            if order:
                proxy.rule(order.pop('fault'), **order)
            print(json.dumps({'requests': len(proxy.requests), 'connections': proxy.connections,
                              'faults': sum(r.fault is not None for r in proxy.requests)}), flush=True)


if __name__ == '__main__':
    main()
