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
  select abs(hashtextextended(salt || cast(n as text), 0)) % most
$$;
create function pg_temp.syllable(n bigint) returns text language sql immutable as $$
  select (array['b', 'c', 'd', 'f', 'g', 'h', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'w', 'bl',
    'ch', 'dr', 'fr', 'pl', 'sh', 'st', 'tr'])[1 + n % 24]
    || (array['a', 'e', 'i', 'o', 'u', 'ea', 'oo'])[1 + n / 24 % 7]
$$;
-- Functions are inlined, and so quick, if their arguments are columns: hence `offset 0` below.
-- 30,000 words as often as in a text (Zipf and Mandelbrot): the first in a fifth of all dreams.
create function pg_temp.word(rank bigint) returns text language sql immutable as $$
  select case when rank <= 16 then (array['model', 'network', 'reason', 'protein', 'fold', 'letter',
      'shirt', 'planet', 'verse', 'robot', 'melody', 'river', 'theorem', 'kitchen', 'garden',
      'painting'])[rank]
    else pg_temp.syllable(rank % 168) || pg_temp.syllable(rank / 168)
      || (array['', 'n', 'r', 'l', 'd', 't', 'm', 'x'])[1 + rank % 8] end
$$;
create function pg_temp.words(n bigint, salt text, most int) returns text language sql immutable as $$
  select string_agg(pg_temp.word(rank), ' ' order by k)
  from (
    select k, cast(floor(50 * power(cast(601 as double precision),
      pg_temp.pick(n * 100 + k, salt, 1000000000) / cast(1e9 as double precision))) - 49 as bigint)
      as rank
    from generate_series(1, most) as k offset 0
  ) as drawn
$$;
