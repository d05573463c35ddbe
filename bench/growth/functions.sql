-- The time of row `n` of `of`, the id of that time, and values that depend on `n` alone.
create function pg_temp.at_of(n bigint, of bigint) returns timestamptz language sql stable as $$
  select date_trunc('milliseconds', cast(current_setting('growth.since') as timestamptz)
    + cast(n as double precision) / of
    * (cast(current_setting('growth.until') as timestamptz)
       - cast(current_setting('growth.since') as timestamptz)))
$$;
create function pg_temp.id_of(kind text, n bigint, of bigint) returns uuid language sql stable as $$
  select cast(lpad(to_hex(cast(extract(epoch from pg_temp.at_of(n, of)) * 1000 as bigint)), 12, '0')
    || '70008' || substr(md5(kind || n), 1, 15) as uuid)
$$;
create function pg_temp.pick(n bigint, salt text, most bigint) returns bigint language sql immutable as $$
  select abs(hashtextextended(salt || n, 0)) % most
$$;
create function pg_temp.words(n bigint, salt text, most int) returns text language sql immutable as $$
  select string_agg((array['model', 'network', 'reason', 'protein', 'fold', 'letter', 'shirt',
    'planet', 'verse', 'robot', 'melody', 'river', 'theorem', 'kitchen', 'garden', 'painting'])
    [1 + pg_temp.pick(n * 100 + k, salt, 16)], ' ') from generate_series(1, most) as k
$$;
