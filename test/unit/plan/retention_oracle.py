#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second opinion on retention: random histories and policies, decided here the slow way.

Each rule is written down as a set ("the first of every run of equal periods, the first n of them"),
with dates by datetime and zoneinfo; the C side walks once with counters. Both must agree on every
item and every reason. Usage: retention_oracle.py DRIVER [COUNT [SEED]]
"""
import random
import subprocess
import sys
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

ZONES = {name: ZoneInfo(name) for name in (
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
    "Pacific/Apia", "America/Sao_Paulo", "Africa/Casablanca", "Antarctica/Troll",
    "Pacific/Auckland", "Asia/Gaza", "America/St_Johns")}
PERIODS = {
    "hourly": lambda t: (t.year, t.month, t.day, t.hour),
    "daily": lambda t: t.date(),
    "weekly": lambda t: tuple(t.isocalendar())[:2],
    "monthly": lambda t: (t.year, t.month),
    "yearly": lambda t: t.year,
}
NAMES = list(PERIODS)
# where calendars are odd: ends of years, leap days, ISO weeks 53
TURNS = ["2020-12-31T12:00", "2021-01-03T23:00", "2024-02-29T12:00", "2024-12-30T00:00",
         "2026-01-01T00:00", "1970-01-01T00:00", "2000-02-29T00:00", "2027-01-03T22:00"]
# and changes of the clock, in UTC
CHANGES = [("Europe/Berlin", "2026-03-29T01:00"), ("Europe/Berlin", "2026-10-25T01:00"),
           ("Europe/Berlin", "2040-03-25T01:00"), ("America/New_York", "2026-11-01T06:00"),
           ("Australia/Lord_Howe", "2026-04-04T15:00"), ("Australia/Lord_Howe", "2026-10-03T15:30"),
           ("Pacific/Apia", "2011-12-30T10:00"), ("America/Sao_Paulo", "2018-11-04T03:00"),
           ("Africa/Casablanca", "2023-04-23T02:00"), ("Antarctica/Troll", "2026-03-29T01:00"),
           ("America/St_Johns", "2006-10-29T02:31")]


def unix(text):
    return int(datetime.fromisoformat(text + "+00:00").timestamp())


def before(duration, at, zone):
    """The earliest moment that can be meant, in Unix seconds."""
    years, months, days, hours = duration
    if years or months or days:
        local = datetime.fromtimestamp(at, zone)
        month = local.year * 12 + local.month - 1 - years * 12 - months
        if month < 12:
            return float("-inf")
        day = date(month // 12, month % 12 + 1, 1) + timedelta(days=local.day - 1 - days)
        wall = datetime.combine(day, local.time(), zone)
        at = min(int(wall.replace(fold=fold).timestamp()) for fold in (0, 1))
    return at - hours * 3600


def duration_text(duration):
    return "".join(f"{n}{unit}" for n, unit in zip(duration, "ymdh") if n) or "0h"


def firsts(keys):
    return [i for i, key in enumerate(keys) if i == 0 or key != keys[i - 1]]


def has_tags(tags, wanted):
    for tag in wanted:
        if tag == "" and not tags:
            return True
        if tag not in tags:
            return False
    return True


def rule_reasons(policy, past, zone):
    """Yields (position in past, reason) rule by rule, in the order in which reasons are told."""
    newest, oldest = past[0][0], len(past) - 1
    times = [datetime.fromtimestamp(item[0], zone) for item in past]

    def young(duration):
        limit = before(duration, newest, zone)
        return sum(1 for item in past if item[0] > limit)

    for wanted in policy["tags"]:
        for i, item in enumerate(past):
            if has_tags(item[2], wanted):
                yield i, f"has tags [{', '.join(wanted)}]"
    if any(policy["within"]["all"]):
        for i in range(young(policy["within"]["all"])):
            yield i, f"within {duration_text(policy['within']['all'])}"
    last = policy["count"]["last"]
    for i in range(len(past) if last < 0 else min(last, len(past))):
        yield i, "last snapshot"
    for name in NAMES:
        count = policy["count"][name]
        if not count:
            continue
        kept = firsts([PERIODS[name](t) for t in times])
        kept = kept if count < 0 else kept[:count]
        for i in kept:
            yield i, f"{name} snapshot"
        if count < 0 or len(kept) < count:
            if oldest not in kept:
                yield oldest, f"oldest {name} snapshot"
    for name in NAMES:
        duration = policy["within"][name]
        if not any(duration):
            continue
        n = young(duration)
        kept = firsts([PERIODS[name](t) for t in times[:n]])
        for i in kept:
            yield i, f"{name} within {duration_text(duration)}"
        if n == len(past) and oldest not in kept:
            yield oldest, f"oldest {name} within {duration_text(duration)}"


def decide(policy, items, now, zone):
    future = "in the future: ignored by the rules"
    reasons = [[future] if item[0] > now else [] for item in items]
    order = sorted((i for i, item in enumerate(items) if item[0] <= now),
                   key=lambda i: (-items[i][0], i))
    empty = not policy["tags"] and not any(policy["count"].values()) \
        and not any(any(d) for d in policy["within"].values())
    if empty:
        for i in order:
            reasons[i].append("policy is empty")
    elif order:
        for position, reason in rule_reasons(policy, [items[i] for i in order], zone):
            reasons[order[position]].append(reason)
        if not reasons[order[0]]:
            reasons[order[0]].append("newest snapshot")
        proven = [i for i in order if items[i][1]]
        if proven and not reasons[proven[0]]:
            reasons[proven[0]].append("newest proven snapshot")
    return ["|".join(r) or "remove" for r in reasons]


def random_duration(rng):
    return tuple(rng.choice((0, 0, rng.randint(0, top))) for top in (2, 14, 40, 60))


def random_policy(rng):
    some = rng.choice((0.1, 0.3, 0.7))
    there = lambda: rng.random() < some
    return {
        "count": {name: rng.choice((-1, 1, 2, 3, 5)) if there() else 0
                  for name in ["last"] + NAMES},
        "within": {name: random_duration(rng) if there() else (0,) * 4
                   for name in ["all"] + NAMES},
        "tags": [rng.sample(("a", "b", "c", ""), rng.randint(1, 2))
                 for _ in range(rng.randint(1, 2) if there() else 0)],
    }


def random_times(rng, policy, zone_name):
    """Around some moment, often an odd one; and at the very limits of the within-rules."""
    changes = [unix(text) for zone, text in CHANGES if zone == zone_name]
    start = rng.choice((rng.randint(0, 2 ** 31), unix(rng.choice(TURNS)), *changes))
    step = rng.choice((600, 1800, 3600, 3600 * 7, 86400, 86400 * 6, 86400 * 30, 86400 * 200))
    times = [start + int(step * rng.gauss(0, 4)) for _ in range(rng.randint(1, 12))]
    if rng.random() < 0.5:
        times = [t - t % 1800 for t in times]
    if rng.random() < 0.3:
        times.append(rng.choice(times))
    for duration in filter(any, policy["within"].values()):
        if start in changes:
            # so that the limit falls into the change itself
            near = start + rng.randint(-12, 12) * 600
            times = [t for t in times if t < start]
            times.append(near + duration[2] * 86400 + duration[3] * 3600)
        limit = before(duration, max(times), ZONES[zone_name])
        if limit > 0:
            times += rng.sample([limit + d for d in (-3600, -1800, -1, 0, 1, 1800, 3600)], 2)
    return times


def random_history(rng):
    policy, zone_name = random_policy(rng), rng.choice(list(ZONES))
    times = random_times(rng, policy, zone_name)
    items = [(t, rng.random() < 0.15, sorted(rng.sample("abc", rng.choice((0, 0, 1, 2)))))
             for t in times]
    now = max(times) if rng.random() < 0.7 else rng.choice(times)
    return policy, items, now, zone_name


def history_text(policy, items, now, zone_name):
    tags = lambda names: ",".join(name or "_" for name in names) or "-"
    words = ["history", zone_name, now, *policy["count"].values(),
             *map(duration_text, policy["within"].values()),
             ";".join(map(tags, policy["tags"])) or "-"]
    lines = [" ".join(map(str, words))]
    lines += [f"item {t} {int(proven)} {tags(names)}" for t, proven, names in items]
    return "\n".join(lines + ["end", ""])


def main():
    driver = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    texts, wanted = [], []
    for _ in range(count):
        policy, items, now, zone_name = random_history(rng)
        texts.append(history_text(policy, items, now, zone_name))
        wanted.append(decide(policy, items, now, ZONES[zone_name]))
    run = subprocess.run([driver], input="".join(texts), stdout=subprocess.PIPE, text=True,
                         check=True)
    got = iter(run.stdout.splitlines())
    for text, answers in zip(texts, wanted):
        given = [next(got, None) for _ in answers]
        if given != answers:
            print(text)
            for ours, theirs in zip(answers, given):
                print(f"{'  ' if ours == theirs else '! '}oracle: {ours}\n  driver: {theirs}")
            return 1
    items = sum(map(len, wanted))
    removed = sum(answers.count("remove") for answers in wanted)
    print(f"{count} histories, {items} snapshots, {removed} removed: no difference")
    return next(got, None) is not None or removed < items // 20


if __name__ == "__main__":
    sys.exit(main())
