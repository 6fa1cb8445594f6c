# SPDX-License-Identifier: Apache-2.0
"""What a recovery must end with, told by PostgreSQL itself: pg_waldump reads the records, and the rules are those of its
documentation ("Recovery Target") and, where that is silent, of its recovery: nothing here is taken from Backstay.

Times are texts of one form in UTC, which sort as what they mean. An LSN is a number.
"""
import bisect
import collections
import os
import re
import subprocess

LINE = re.compile(r'rmgr: (\S+) .*?tx: +(\d+), lsn: ([0-9A-F]+/[0-9A-F]+), prev [0-9A-F/]+, desc: (\S+) ?(.*)')
TIME = re.compile(r'(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}) UTC')
# end: where the next record begins
Record = collections.namedtuple('Record', 'lsn end kind xid time name')
# ended: when the backup had come to its end
Base = collections.namedtuple('Base', 'snapshot timeline start stop ended')
Target = collections.namedtuple('Target', 'kind value exclusive')


def number(lsn):
    high, low = lsn.split('/')
    return int(high, 16) << 32 | int(low, 16)


def text(lsn):
    return '%X/%X' % (lsn >> 32, lsn & 0xffffffff)


def record_of(line):
    """A line of pg_waldump, with an end of 0."""
    found = LINE.match(line)
    if not found:
        return None
    rmgr, xid, lsn, what, rest = found.groups()
    kind, name, time = 'other', None, TIME.search(rest)
    if rmgr == 'Transaction' and what in ('COMMIT', 'ABORT', 'COMMIT_PREPARED', 'ABORT_PREPARED'):
        kind = what.partition('_')[0].lower()
        if what.endswith('PREPARED'):
            xid = rest.partition(':')[0]
    elif rmgr == 'XLOG' and what == 'RESTORE_POINT':
        kind, name = 'name', rest
    elif rmgr == 'XLOG' and what == 'CHECKPOINT_SHUTDOWN':
        kind = 'shutdown'
    return Record(number(lsn), 0, kind, int(xid), time[1] if kind in ('commit', 'abort') else None, name)


class Wal:
    """The WAL files of one cluster in a directory."""

    def __init__(self, directory, tools, segment=1 << 20):
        self.directory, self.segment = directory, segment
        self.files = sorted(n for n in os.listdir(directory) if len(n) == 24)
        self.timelines = sorted({int(n[:8], 16) for n in self.files})
        self.records = {t: self.read(t, tools) for t in self.timelines}

    def read(self, timeline, tools):
        names = [n for n in self.files if int(n[:8], 16) == timeline]
        # it ends with a complaint where the WAL does
        done = subprocess.run([tools + '/pg_waldump', '-p', self.directory, names[0], names[-1]], capture_output=True, text=True, check=False,
                              env={'TZ': 'UTC', 'LC_ALL': 'C', 'PATH': '/usr/bin:/bin'})
        return [r for r in map(record_of, done.stdout.splitlines()) if r]

    def file_of(self, timeline, segment):
        per_id = (1 << 32) // self.segment
        return '%08X%08X%08X' % (timeline, segment // per_id, segment % per_id)

    def path(self, timeline):
        """(timeline, where it begins, where the next one does), the oldest first. As tliOfPointInHistory() has it, which
        reads a history from its newest line on: a server that was told to follow a timeline and stopped before that began
        names it all the same."""
        begin, lines = 0, []
        if timeline > 1:
            with open('%s/%08X.history' % (self.directory, timeline), encoding='utf-8') as f:
                for line in filter(str.strip, f):
                    parent, switch = line.split('\t')[:2]
                    lines.append((int(parent), begin, number(switch)))
                    begin = number(switch)
        parts, end = [], 1 << 63
        for part, start, _ in reversed(lines + [(timeline, begin, end)]):
            if start < end:
                parts.append((part, start, end))
                end = start
        return parts[::-1]

    def along(self, path):
        """The records of a way; a segment in which the timeline changes is read from the newer one, which has both."""
        found = {}
        for timeline, _, end in path:
            for record in self.records[timeline]:
                if record.lsn < end:
                    found[record.lsn] = record
            for lsn in [x for x in found if x >= end]:
                del found[lsn]
        rows = [found[lsn] for lsn in sorted(found)]
        # the last one is complete, since it is shown: it ends with its segment at the latest
        ends = [r.lsn for r in rows[1:]] + [(rows[-1].lsn // self.segment + 1) * self.segment]
        return [r._replace(end=e) for r, e in zip(rows, ends)]

    def needed(self, path, segment):
        """The file that a server asks for first."""
        return self.file_of(max(t for t, begin, _ in path if begin // self.segment <= segment), segment)


def stops(target, base, record):
    """None, 'before' or 'after' this record."""
    ends = record.kind in ('commit', 'abort')
    if target.kind == 'lsn' and record.lsn >= target.value:
        return 'before' if target.exclusive else 'after'
    if target.kind == 'xid' and ends and record.xid == target.value:
        return 'before' if target.exclusive else 'after'
    if target.kind == 'time' and ends and (record.time >= target.value if target.exclusive else record.time > target.value):
        return 'before'
    if target.kind == 'name' and record.kind == 'name' and record.name == target.value:
        return 'after'
    if target.kind == 'immediate' and record.end >= base.stop:
        return 'after'
    return None


def on_way(path, base):
    """Whether the base backup was taken on this way, before it was left."""
    return any(t == base.timeline and begin <= base.start and base.stop <= end for t, begin, end in path)


class Outcome:
    """commits: (xid, LSN) of each commit until then; or why it cannot be reached. doubtful: refusing it is right, too, as where
    a server has a file from the base backup that the archive lacks. last, end: the last complete record there is, or the one of the target."""

    def __init__(self, why=None, commits=None, doubtful=False, last=0, end=0):
        self.why, self.commits, self.doubtful, self.last, self.end = why, commits, doubtful, last, end

    def near(self, wal, names):
        """Whether one of these files lies where a server of 15 and later looks ahead (wal_decode_buffer_size)."""
        ahead = range(self.end // wal.segment, (self.end + (1 << 20)) // wal.segment + 1)
        return any(n == wal.file_of(int(n[:8], 16), s) for n in names for s in ahead)


def expected(wal, base, timeline, target, absent=()):
    """absent: files that are missing or damaged."""
    path = wal.path(timeline)
    if not on_way(path, base):
        return Outcome('timeline')
    records = wal.along(path)
    committed = [(r.xid, r.lsn) for r in records if r.kind == 'commit']
    doubtful, previous, sure = False, None, None
    if target.kind == 'time':
        # a server would take what the base holds for earlier, whatever its time; when it began to hold it is not written down
        if any(r.time > target.value for r in records if r.kind == 'commit' and r.lsn < base.start):
            return Outcome('inconsistent')
        doubtful = target.value < base.ended
    first = bisect.bisect_left([r.lsn for r in records], base.start)
    own = range(base.start // wal.segment, (base.stop - 1) // wal.segment + 1)
    for record in records[first:]:
        for segment in range(record.lsn // wal.segment, (record.end - 1) // wal.segment + 1):
            name = wal.needed(path, segment)
            if name not in absent:
                continue
            last = previous.lsn if previous else base.start
            if target.kind == 'latest' and name == max(n for n in wal.files if n[:8] == '%08X' % timeline):
                # that there was one more cannot be known
                return Outcome(None, {c for c in committed if c[1] < record.lsn}, True, last, record.lsn)
            # where two timelines share a segment the older one's file serves up to the change
            older = any(begin // wal.segment == segment and record.end <= begin for _, begin, _ in path)
            if not (segment in own and name == wal.file_of(base.timeline, segment)) and not older:
                return Outcome('absent', doubtful=doubtful, last=sure or last, end=record.lsn)
            doubtful, sure = True, sure or last
        # with a checkpoint of a server at rest a recovery begins, and it reads on behind it
        where = stops(target, base, record) if (record.lsn, record.kind) != (base.start, 'shutdown') else None
        if where:
            limit = record.lsn if where == 'before' else record.end
            if limit < base.stop:
                return Outcome('inconsistent', doubtful=doubtful)
            return Outcome(None, {c for c in committed if c[1] < limit}, doubtful, record.lsn, record.end)
        previous = record
    if target.kind == 'latest':
        return Outcome(None, set(committed), doubtful, records[-1].lsn, records[-1].end)
    return Outcome('end', doubtful=doubtful, last=sure or records[-1].lsn, end=records[-1].end)
