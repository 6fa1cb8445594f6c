-- SPDX-License-Identifier: Apache-2.0
-- A small shop with the types people use: a few hundred thousand rows, about 60 MB. Run with psql -v scale=1.
\set ON_ERROR_STOP on
select setseed(0.42) \g /dev/null
create extension if not exists pgcrypto;
create schema shop;
set search_path = shop, public;

create type order_state as enum ('new', 'paid', 'shipped', 'returned');
create domain price as numeric(12, 2) check (value >= 0);

create table customer (
    id bigint generated always as identity primary key,
    name text not null,
    email text unique,
    address jsonb,
    tags text[] not null default '{}',
    joined_at timestamptz not null,
    last_ip inet,
    token uuid not null
);
insert into customer (name, email, address, tags, joined_at, last_ip, token)
select 'Customer ' || i || case when i % 97 = 0 then E' Żółć \U0001F409 "quoted" \\ back' else '' end,
       'c' || i || '@example.org',
       jsonb_build_object('street', md5(i::text), 'zip', i % 99999, 'geo', jsonb_build_array(i * 0.0001, -i * 0.0002)),
       array['t' || i % 7, 'group ' || i % 31],
       timestamptz '2020-01-01 00:00:00+00' + i * interval '13 minutes 7.123456 seconds',
       ('10.' || i % 255 || '.' || i / 255 % 255 || '.1')::inet,
       md5('token' || i)::uuid
from generate_series(1, (40000 * :scale)::int) i;

create table product (
    sku char(8) primary key,
    title text not null,
    cost price not null,
    attributes jsonb not null,
    picture bytea,
    search tsvector generated always as (to_tsvector('english', title)) stored
);
insert into product (sku, title, cost, attributes, picture)
select lpad(i::text, 8, '0'), 'Product ' || md5(i::text), (i % 10000) / 7.0,
       jsonb_build_object('colour', i % 12, 'sizes', array[i % 3, i % 5], 'note', null),
       decode(repeat(md5(i::text), 40), 'hex')
from generate_series(1, (5000 * :scale)::int) i;
create index on product using gin (attributes);
create index on product using gin (search);

create table purchase (
    id bigint not null,
    customer_id bigint not null references customer,
    sku char(8) not null references product,
    amount int not null check (amount > 0),
    state order_state not null,
    bought_at timestamptz not null,
    during tstzrange,
    primary key (id, bought_at)
) partition by range (bought_at);
create table purchase_2024 partition of purchase for values from ('2024-01-01') to ('2025-01-01');
create table purchase_2025 partition of purchase for values from ('2025-01-01') to ('2026-01-01');
create table purchase_rest partition of purchase default;
insert into purchase
select i, 1 + i % (40000 * :scale)::int, lpad((1 + i % (5000 * :scale)::int)::text, 8, '0'), 1 + i % 9,
       (enum_range(null::order_state))[1 + i % 4],
       t, tstzrange(t, t + interval '3 days')
from generate_series(1, (200000 * :scale)::int) i, lateral (select timestamptz '2023-11-01 00:00:00+00' + i % 900 * interval '1 day' + i * interval '17 ms') at (t);
create index on purchase (customer_id);

create table note (
    purchase_id bigint,
    body text,
    weight double precision,
    ratio real,
    flags bit varying(12),
    at time,
    day date,
    pause interval
);
insert into note
select i, repeat(md5(i::text) || ' ', 1 + i % 9), case i % 50 when 0 then 'NaN' when 1 then '-Infinity' else sqrt(i) end,
       i / 3.0, (i % 4096)::bit(12)::varbit, time '00:00' + i * interval '1 second',
       date '2000-01-01' + i % 9000, i * interval '1 minute'
from generate_series(1, (60000 * :scale)::int) i;

create table "Odd ""Name"" with spaces, ünïcödé" ("select" int, "a'b" text, nothing int[]);
insert into "Odd ""Name"" with spaces, ünïcödé" values (1, E'tab\tnewline\nback\\slash', null), (2, '', array[[1, 2], [3, null]]);
create table empty_one (id int);

create view big_customers as select customer_id, count(*) from purchase group by 1 having count(*) > 3;
create materialized view totals as select state, count(*), sum(amount) from purchase group by 1;
create sequence ticket start 1000 increment 7;
select nextval('ticket') from generate_series(1, 5) \g /dev/null
create function touched() returns trigger language plpgsql as $$ begin new.tags := array_append(new.tags, 'touched'); return new; end $$;
create trigger touch before update on customer for each row execute function touched();
comment on table customer is 'who buys; "quoted" and ''single''';

select lo_from_bytea(4242, decode(repeat(md5('large'), 40000), 'hex')) \g /dev/null
comment on large object 4242 is 'a large object of 640 kB';
analyze;
