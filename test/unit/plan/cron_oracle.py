#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second opinion on cron: every time at which a pattern is due in twelve years of a zone, found here by asking zoneinfo about
each matching wall time of the calendar, one after the other. The C side walks over the zone's intervals instead.
Usage: cron_oracle.py DRIVER [ZONES [SEED]]; without ZONES all of them."""
import bisect
import itertools
import os
import random
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

FIRST, LAST = datetime(2020, 1, 1), datetime(2032, 1, 1)
FIXED = ['30 2 * * *', '0 3 * * *', '0 0 * * *', '15,45 2 * * *', '30 1 * * sun', '10,20 0,2,3 1-7 * 0', '30 2 29-31 2,3,10 *']
ELAPSED = ['*/30 2 * * 0,6', '0 */12 * * 0,1', '20 * 20-31/4 3,10 *', '*/20 1-3 */9 * *', '*/30 2 */28 3,10 *']
ODD = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Antarctica/Troll', 'Africa/Casablanca', 'Africa/El_Aaiun', 'Asia/Gaza',
       'Africa/Juba', 'Europe/Volgograd', 'America/Nuuk', 'Asia/Tehran', 'Pacific/Fiji', 'America/Godthab', 'America/Scoresbysund', 'UTC']
UTC = timezone.utc


def values(field, low, high):
    found = set()
    for item in field.split(','):
        span, _, step = item.partition('/')
        a, _, b = ('%d-%d' % (low, high) if span == '*' else span).partition('-')
        if a == 'sun':
            a = '0'
        found |= set(range(int(a), int(b or a) + 1, int(step or 1)))
    return found


class Pattern:
    def __init__(self, text):
        self.text = text
        minute, hour, day, month, weekday = text.split()
        self.times = list(itertools.product(sorted(values(hour, 0, 23)), sorted(values(minute, 0, 59))))
        self.days, self.months, self.weekdays = values(day, 1, 31), values(month, 1, 12), values(weekday, 0, 6)
        self.either = day[0] != '*' and weekday[0] != '*'
        self.elapsed = minute[0] == '*' or hour[0] == '*'

    def walls(self):
        """Every matching time of the calendar."""
        day = FIRST - timedelta(days=2)
        while day < LAST + timedelta(days=2):
            of_month, of_week = day.day in self.days, (day.weekday() + 1) % 7 in self.weekdays
            if day.month in self.months and (of_month or of_week if self.either else of_month and of_week):
                for hour, minute in self.times:
                    yield day.replace(hour=hour, minute=minute)
            day += timedelta(days=1)

    def due(self, zone, zero):
        found = set()
        for wall in self.walls():
            moments = []
            for fold in (0, 1):
                moment = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
                if moment.astimezone(zone).replace(tzinfo=None) == wall:
                    moments.append(moment)
            if moments and self.elapsed:
                found |= set(moments)
            elif moments:
                found.add(min(moments))
            elif not self.elapsed:
                found.add(jump(wall, zone))
        return sorted(int((m - zero).total_seconds()) for m in found)


def jump(wall, zone):
    """The moment at which the clock is moved past this wall time: the first that shows a later one."""
    low, high = wall.replace(tzinfo=UTC) - timedelta(days=2), wall.replace(tzinfo=UTC) + timedelta(days=2)
    seconds = range(int((high - low).total_seconds()))

    class Shown:
        def __getitem__(self, i):
            return (low + timedelta(seconds=i)).astimezone(zone).replace(tzinfo=None) > wall

        def __len__(self):
            return len(seconds)
    return low + timedelta(seconds=bisect.bisect_left(Shown(), True))


def main():
    driver, count, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None, sys.argv[3] if len(sys.argv) > 3 else None
    seed = seed or os.environ.get('SEED') or str(random.randrange(1 << 32))
    print('# seed %s' % seed)
    rng = random.Random(seed)
    zones = sorted(z for z in available_timezones() if z != 'localtime')
    zones = zones if count is None else sorted(set(ODD[:count]) | set(rng.sample(zones, max(0, count - len(ODD)))))
    zero = datetime(1970, 1, 1, tzinfo=UTC)
    first, last = (int((t.replace(tzinfo=UTC) - zero).total_seconds()) for t in (FIRST, LAST))
    work = [(z, Pattern(rng.choice(patterns))) for z in zones for patterns in (FIXED, ELAPSED)]
    text = ''.join('%s %d %d %s\n' % (z, first, last, p.text) for z, p in work)
    answers = subprocess.run([driver], input=text, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(answers) == len(work), 'the driver left something out'
    times = bad = 0
    for (name, pattern), answer in zip(work, answers):
        want = [t for t in pattern.due(ZoneInfo(name), zero) if first < t <= last]
        got = [int(t) for t in answer.split()]
        times += len(want)
        if got != want:
            bad += 1
            differ = [str(datetime.fromtimestamp(t, UTC)) for t in sorted(set(got) ^ set(want))[:5]]
            print('! %s %s: differs at %s' % (name, pattern.text, ', '.join(differ)))
    print('%d zones, %d times, %d patterns differ' % (len(zones), times, bad))
    sys.exit(bad > 0)


main()
