-- The tables of the peers and of LIMIT, in a schema of their own beside the gateway's tables.
create role peers login;
create schema peers authorization peers;
alter role peers set search_path = peers;
set search_path = peers;
set role peers;

create table users (
  id uuid primary key,
  email text not null unique,
  wallet_address text,
  passport_tier text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  metadata jsonb not null default '{}',
  preferences jsonb not null default '{}'
);
create table dreams (
  id uuid primary key,
  user_id uuid not null references users (id),
  title text not null,
  description text,
  original_prompt text not null,
  category text not null,
  tags text[] not null default '{}',
  is_public boolean not null default false,
  status text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create table ai_tests (
  id uuid primary key,
  dream_id uuid not null references dreams (id),
  provider text not null,
  model text not null,
  impossibility_score numeric(5, 2),
  confidence numeric(5, 2),
  reasoning text,
  duration int,
  tokens_used int,
  cost numeric(10, 6),
  status text not null,
  test_parameters jsonb,
  created_at timestamptz not null
);
create table progress_logs (
  id uuid primary key,
  dream_id uuid not null references dreams (id),
  average_impossibility numeric(5, 2),
  best_score numeric(5, 2),
  test_count int,
  active_models text[],
  improvement_trend numeric(5, 2),
  snapshot_data jsonb,
  created_at timestamptz not null
);
create table agent_states (
  id uuid primary key default gen_random_uuid(),
  agent_key text not null unique,
  status text not null,
  last_active timestamptz,
  current_task jsonb,
  performance_metrics jsonb,
  error_log jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create table system_events (
  id uuid primary key default gen_random_uuid(),
  event_type text not null,
  source text not null,
  severity text not null,
  payload jsonb,
  timestamp timestamptz not null default now(),
  metadata jsonb
);

-- PostGraphile: a custom mutation as its documentation advises, and the filter by status.
create function upsert_agent_status(key text, new_status text, task jsonb) returns agent_states
language sql volatile as $$
  insert into system_events (event_type, source, severity, payload)
    values ('agent.status', key, 'INFO', jsonb_build_object('status', new_status));
  insert into agent_states (agent_key, status, last_active, current_task)
    values (key, new_status, now(), task)
  on conflict (agent_key) do update set status = excluded.status,
    last_active = excluded.last_active, current_task = excluded.current_task, updated_at = now()
  returning *;
$$;
comment on column dreams.status is '@behavior +attribute:filterBy +filterBy';
