-- The same rows in the tables of the gateway, which are migrated and have their partitions.
insert into public.users
  (id, email, wallet_address, passport_tier, metadata, preferences, created_at, updated_at)
select id, email, wallet_address, passport_tier, metadata, preferences, created_at, updated_at
from peers.users order by id;

insert into public.dreams
  (id, user_id, title, description, original_prompt, category, tags, is_public, status,
   created_at, updated_at)
select id, user_id, title, description, original_prompt, category, tags, is_public, status,
  created_at, updated_at
from peers.dreams order by id;

insert into public.ai_tests
  (id, dream_id, provider, model, impossibility_score, confidence, reasoning, duration,
   tokens_used, cost, status, test_parameters, completed_at, created_at)
select id, dream_id, provider, model, impossibility_score, confidence, reasoning, duration,
  tokens_used, cost, status, test_parameters, created_at, created_at
from peers.ai_tests order by id;

insert into public.progress_logs
  (id, dream_id, average_impossibility, best_score, test_count, active_models,
   improvement_trend, snapshot_data, created_at)
select id, dream_id, average_impossibility, best_score, test_count, active_models,
  improvement_trend, snapshot_data, created_at
from peers.progress_logs order by id;

insert into public.agent_states
  (id, agent_key, status, last_active, current_task, performance_metrics, error_log,
   created_at, updated_at)
select id, agent_key, status, last_active, current_task, performance_metrics, error_log,
  created_at, updated_at
from peers.agent_states order by id;

insert into public.system_events (id, event_type, source, severity, payload, timestamp, metadata)
select id, event_type, source, severity, payload, timestamp, metadata
from peers.system_events order by id;

-- The agents reported long ago; without this the gateway marks them OFFLINE.
insert into public.system_config (id, key, value)
values (gen_random_uuid(), 'agents.offline_after_seconds', '1000000000');

-- What `reset.sql` restores after M1.
create schema saved;
create table saved.peer_agents as table peers.agent_states;
create table saved.gateway_agents as table public.agent_states;
