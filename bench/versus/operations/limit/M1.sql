with event as (
  insert into system_events (event_type, source, severity, payload)
  values ('agent.status', $1, 'INFO', jsonb_build_object('status', $2::text))
), agent as (
  insert into agent_states (agent_key, status, last_active, current_task)
  values ($1, $2, now(), $3::jsonb)
  on conflict (agent_key) do update set status = excluded.status,
    last_active = excluded.last_active, current_task = excluded.current_task, updated_at = now()
  returning agent_key as "agentKey", status, last_active as "lastActive",
    current_task as "currentTask"
)
select json_build_object('data', json_build_object('updateAgentStatus', (
  select row_to_json(agent) from agent
)))::text
