insert into users (id, email, role, created_at)
select pg_temp.id_of('user', n, :users), 'user' || n || '@example.org', 'MEMBER',
  pg_temp.at_of(n, :users)
from generate_series(1, :users) as n;

insert into dreams (id, user_id, title, description, original_prompt, category, tags, is_public,
  status, slug, created_at, updated_at)
select pg_temp.id_of('dream', n, :dreams),
  pg_temp.id_of('user', 1 + pg_temp.pick(n, 'owner', :users), :users),
  pg_temp.words(n, 'title', 3) || ' ' || n,
  pg_temp.words(n, 'text', 40) || case when n % 20000 = 7 then ' quokka' else '' end,
  pg_temp.words(n, 'prompt', 20),
  (array['CODING', 'REASONING', 'SCIENCE', 'MATH', 'CREATIVE', 'LANGUAGE', 'VISION', 'AGENTIC',
    'OTHER'])[1 + pg_temp.pick(n, 'category', 9)],
  case when n % 20000 = 9 then array['raretag']
    else array['ai', 'tag' || pg_temp.pick(n, 'tag', 200)] end,
  pg_temp.pick(n, 'public', 10) < 6,
  case when n % 10 = 1 then 'ACHIEVED' when n % 14 = 2 then 'ARCHIVED' when n % 30 = 3 then 'DRAFT'
    else 'ACTIVE' end,
  'dream-' || n,
  pg_temp.at_of(n, :dreams),
  least(pg_temp.at_of(n, :dreams) + pg_temp.pick(n, 'updated', 7776000000) * interval '1 ms',
    cast(current_setting('growth.until') as timestamptz))
from generate_series(1, :dreams) as n;

insert into ai_models (id, provider, name, display_name, is_active)
select pg_temp.id_of('model', n, 40), 'provider-' || n % 8, 'model-' || n, 'Model ' || n, true
from generate_series(0, 39) as n;

insert into ai_tests (id, dream_id, user_id, provider, model, impossibility_score, confidence,
  reasoning, duration, tokens_used, cost, status, created_at)
select pg_temp.id_of('test', n, :tests),
  pg_temp.id_of('dream', case when n % 32 = 0 then 1 when n % 45 = 1 then 2
    else 1 + pg_temp.pick(n, 'dream', :dreams) end, :dreams),
  pg_temp.id_of('user', 1 + pg_temp.pick(n, 'tester', :users), :users),
  'provider-' || model % 8, 'model-' || model,
  case when status = 'COMPLETED' and n % 50 <> 0 then pg_temp.pick(n, 'score', 10001) / 100.0 end,
  pg_temp.pick(n, 'confidence', 10001) / 100.0, 'It did not manage.',
  case when n % 40 <> 0 then 100 + pg_temp.pick(n, 'duration', 20400) end,
  pg_temp.pick(n, 'tokens', 4000),
  case when n % 30 <> 0 then pg_temp.pick(n, 'cost', 50000) / 1000000.0 end,
  status, pg_temp.at_of(n, :tests)
from generate_series(1, :tests) as n,
  lateral (select pg_temp.pick(n, 'model', 40) as model, case when n % 10 = 1 then 'FAILED'
    when n % 50 = 2 then 'CANCELLED' when n > :tests - 3 then 'RUNNING' else 'COMPLETED' end
    as status) as of_test;

insert into progress_logs (id, dream_id, average_impossibility, best_score, test_count,
  active_models, improvement_trend, created_at)
select id, dream_id, impossibility_score, greatest(impossibility_score - 5, 0), 1,
  array[provider || '/' || model], round(cast(confidence as numeric), 2) - 50, created_at
from ai_tests
where status = 'COMPLETED' and impossibility_score is not null
  and (duration % 3 = 0 or id < pg_temp.id_of('test', 100, :tests))
order by id;

insert into agent_states (id, agent_key, status, last_active)
select pg_temp.id_of('agent', n, :agents), 'agent-' || n, 'IDLE',
  cast(current_setting('growth.until') as timestamptz) - n * interval '1 s'
from generate_series(1, :agents) as n;

insert into agent_history (id, agent_key, status, previous_status, reported_at, received_at)
select pg_temp.id_of('report', n, :tests), 'agent-' || 1 + pg_temp.pick(n, 'agent', :agents),
  case when n % 200 = 1 then 'ERROR' when n % 300 = 1 then 'OFFLINE'
    else (array['IDLE', 'RUNNING', 'WAITING'])[1 + n % 3] end, 'IDLE',
  pg_temp.at_of(n, :tests), pg_temp.at_of(n, :tests)
from generate_series(1, :tests) as n;

insert into system_events (id, event_type, source, severity, payload, timestamp, user_id)
select pg_temp.id_of('event', n, :events),
  case when n % 400000 = 11 then 'rare' when n % 5 < 2 then 'api_request'
    else 'type-' || pg_temp.pick(n, 'type', 30) end,
  'source-' || n % 6,
  case when n % 2000 = 3 then 'CRITICAL' when n % 200 = 5 then 'ERROR' when n % 50 = 7 then 'WARNING'
    when n % 13 = 9 then 'DEBUG' else 'INFO' end,
  jsonb_build_object('n', n), pg_temp.at_of(n, :events),
  case when n % 2 = 0 then
    pg_temp.id_of('user', 1 + pg_temp.pick(n, 'user', :users), :users) end
from generate_series(1, :events) as n;

insert into performance_metrics (id, metric_name, value, unit, timestamp)
select pg_temp.id_of('metric', n, :events), 'metric-' || pg_temp.pick(n, 'name', 50),
  pg_temp.pick(n, 'value', 1000000) / 1000.0, 'ms', pg_temp.at_of(n, :events)
from generate_series(1, :events) as n;

insert into user_analytics (id, user_id, action, page, session_id, timestamp)
select pg_temp.id_of('action', n, :actions),
  pg_temp.id_of('user', 1 + pg_temp.pick(n, 'actor', :users), :users),
  'action-' || pg_temp.pick(n, 'action', 12), '/page/' || pg_temp.pick(n, 'page', 20),
  'session-' || n / 10, pg_temp.at_of(n, :actions)
from generate_series(1, :actions) as n;

insert into notifications (id, user_id, kind, title, read_at, created_at)
select pg_temp.id_of('notification', n, :dreams),
  pg_temp.id_of('user', case when n % 20 = 0 then 1 else 1 + pg_temp.pick(n, 'told', :users) end,
    :users),
  'dream_achieved', 'A dream was achieved',
  case when n % 2 = 0 then pg_temp.at_of(n, :dreams) end, pg_temp.at_of(n, :dreams)
from generate_series(1, :dreams) as n;

insert into audit_log (id, operation, entity, entity_id, after, created_at)
select pg_temp.id_of('entry', n, :dreams), 'createDream', 'dreams',
  pg_temp.id_of('dream', n, :dreams), jsonb_build_object('n', n), pg_temp.at_of(n, :dreams)
from generate_series(1, :dreams) as n;

insert into changes (noun, entity_id, kind, at)
select 'dreams', pg_temp.id_of('dream', n, :dreams), 'CREATED', pg_temp.at_of(n, :dreams)
from generate_series(1, :dreams) as n;

insert into dream_milestones (dream_id, is_remix, is_tested, written_at, activated_at, published_at,
  achieved_at)
select id, false, exists (select from progress_logs where dream_id = dreams.id), created_at,
  case when status <> 'DRAFT' then created_at end,
  case when is_public then least(updated_at,
    created_at + pg_temp.pick(cast(substr(slug, 7) as bigint), 'published', 30) * interval '1 day')
  end,
  case when status = 'ACHIEVED' then updated_at end
from dreams;
