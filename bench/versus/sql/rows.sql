-- The rows of the peers, the same in every run. Times have whole milliseconds and end on 30 June
-- 2025; an id is a UUIDv7 of its row's time, as the gateway requires.
set search_path = peers;

create function pg_temp.id7(at timestamptz, key text) returns uuid language sql immutable as $$
  select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '70008'
    || substr(md5(key), 1, 15))::uuid
$$;
create function pg_temp.before_end(milliseconds bigint) returns timestamptz language sql immutable
as $$ select timestamptz '2025-06-30 00:00:00+00' - milliseconds * interval '1 millisecond' $$;
create function pg_temp.pick(n bigint, variadic choices text[]) returns text language sql immutable
as $$ select choices[1 + n % cardinality(choices)] $$;

create function pg_temp.user_id(n bigint) returns uuid language sql immutable as $$
  select pg_temp.id7(pg_temp.before_end(n * 3888000), 'user' || n) $$;
create function pg_temp.dream_id(n bigint) returns uuid language sql immutable as $$
  select pg_temp.id7(pg_temp.before_end((20000 - n) * 388800), 'dream' || n) $$;

insert into users
select pg_temp.user_id(n), 'user' || n || '@example.com',
  '0x' || md5('w' || n) || substr(md5('x' || n), 1, 8),
  pg_temp.pick(n, 'visitor', 'dreamer', 'citizen', 'operator', 'architect'),
  pg_temp.before_end(n * 3888000), pg_temp.before_end(n * 3888000),
  jsonb_build_object('source', pg_temp.pick(n, 'web', 'ios', 'android'), 'n', n),
  jsonb_build_object('theme', pg_temp.pick(n, 'dark', 'light'), 'notify', n % 3 = 0)
from generate_series(1::bigint, 2000) n;

insert into dreams
select pg_temp.dream_id(n), pg_temp.user_id(1 + n * 37 % 2000),
  'Dream number ' || n || ': ' || substr(md5('t' || n), 1, 16),
  'A description of dream ' || n || ', with what its owner wants and why it may be impossible. '
    || md5('d1' || n) || ' ' || md5('d2' || n) || ' ' || md5('d3' || n),
  'Original prompt of dream ' || n || ': ' || repeat(md5('p' || n) || ' ', 8),
  pg_temp.pick(n * 5, 'CODING', 'REASONING', 'SCIENCE', 'CREATIVE', 'MATH', 'LANGUAGE', 'VISION',
    'OTHER'),
  array['tag' || n % 50, 'tag' || n % 13, 'topic-' || n % 7], n % 3 <> 0,
  pg_temp.pick(n, 'ACTIVE', 'ACTIVE', 'ACTIVE', 'DRAFT', 'ACTIVE', 'ACHIEVED', 'ACTIVE', 'ACTIVE',
    'ARCHIVED', 'ACTIVE'),
  pg_temp.before_end((20000 - n) * 388800), pg_temp.before_end((20000 - n) * 194400)
from generate_series(1::bigint, 20000) n;

insert into ai_tests
select pg_temp.id7(pg_temp.before_end((400000 - n) * 19440), 'test' || n),
  pg_temp.dream_id(1 + n * 7919 % 20000), provider, provider || '-model-' || 1 + n % 5,
  n * 7919 % 10001 / 100.0, n * 104729 % 10001 / 100.0,
  'Reasoning of test ' || n || ': ' || md5('r1' || n) || ' ' || md5('r2' || n) || md5('r3' || n),
  200 + n * 31 % 9000, 100 + n * 17 % 4000, n * 7907 % 1000003 / 10000000.0,
  case when n % 23 = 0 then 'FAILED' else 'COMPLETED' end,
  jsonb_build_object('temperature', round(n % 10 / 10.0, 1), 'seed', n, 'topP', 0.95),
  pg_temp.before_end((400000 - n) * 19440)
from generate_series(1::bigint, 400000) n, lateral pg_temp.pick(n / 7, 'openai', 'anthropic',
  'google', 'meta', 'mistral', 'cohere', 'xai', 'deepseek') provider
order by n;

insert into progress_logs
select pg_temp.id7(pg_temp.before_end((100000 - n) * 77760), 'log' || n),
  pg_temp.dream_id(1 + n * 7919 % 20000), n * 7919 % 10001 / 100.0, n * 104729 % 10001 / 100.0,
  1 + n % 20, array['openai-model-1', 'google-model-' || 1 + n % 5],
  n * 7907 % 20001 / 100.0 - 100,
  jsonb_build_object('run', n, 'scores', jsonb_build_array(n % 100, n % 77, n % 53)),
  pg_temp.before_end((100000 - n) * 77760)
from generate_series(1::bigint, 100000) n
order by n;

insert into agent_states
select pg_temp.id7(pg_temp.before_end(n * 61000), 'agent' || n), 'agent-' || to_char(n, 'FM000'),
  pg_temp.pick(n, 'IDLE', 'RUNNING', 'ERROR', 'PAUSED'), pg_temp.before_end(n * 61000),
  jsonb_build_object('taskId', md5('task' || n), 'kind', pg_temp.pick(n, 'analyse', 'score',
    'crawl'), 'progress', round(n % 100 / 100.0, 2), 'dreamId', md5('dream' || n), 'step', n % 9),
  jsonb_build_object('tasksCompleted', n * 13, 'avgLatencyMs', 100 + n % 900, 'successRate',
    round(0.5 + n % 50 / 100.0, 2), 'tokens', n * 1000),
  '[]', pg_temp.before_end(n * 61000), pg_temp.before_end(n * 61000)
from generate_series(1::bigint, 143) n;

insert into system_events
select pg_temp.id7(pg_temp.before_end((100000 - n) * 77760), 'event' || n),
  pg_temp.pick(n, 'agent.status', 'test.completed', 'dream.created', 'auth.login'),
  'agent-' || to_char(1 + n % 143, 'FM000'), pg_temp.pick(n / 5, 'INFO', 'INFO', 'WARNING',
    'ERROR'),
  jsonb_build_object('n', n, 'value', round(n % 1000 / 10.0, 1), 'ref', md5('dream' || n % 20000)),
  pg_temp.before_end((100000 - n) * 77760), jsonb_build_object('host', 'node-' || n % 8)
from generate_series(1::bigint, 100000) n
order by n;

create index on dreams (user_id, created_at desc);
create index on dreams (created_at desc) where status = 'ACTIVE';
create index on dreams using gin (tags);
create index on ai_tests (dream_id, created_at desc);
create index on ai_tests (created_at);
create index on progress_logs (dream_id, created_at desc);
create index on system_events (timestamp desc);
create index on system_events using gin (payload jsonb_path_ops);
