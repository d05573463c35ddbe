-- Undo M1 and the recorded requests, so that every measurement starts with the same rows.
delete from peers.system_events where timestamp > '2025-07-01';
delete from public.system_events where timestamp > '2025-07-01';
delete from public.agent_history;
update peers.agent_states agent
set status = saved.status, last_active = saved.last_active, current_task = saved.current_task,
  updated_at = saved.updated_at
from saved.peer_agents saved
where saved.id = agent.id and agent.updated_at > '2025-07-01';
update public.agent_states agent
set status = saved.status, last_active = saved.last_active, reported_at = saved.reported_at,
  received_at = saved.received_at, current_task = saved.current_task,
  performance_metrics = saved.performance_metrics, error_log = saved.error_log,
  updated_at = saved.updated_at
from saved.gateway_agents saved
where saved.id = agent.id and agent.updated_at > '2025-07-01';
vacuum peers.agent_states, peers.system_events;
vacuum public.agent_states, public.agent_history, public.system_events;
