select json_build_object('data', json_build_object('agents', (
  select coalesce(json_agg(agent), '[]')
  from (
    select agent_key as "agentKey", status, last_active as "lastActive",
      current_task as "currentTask", performance_metrics as "performanceMetrics"
    from agent_states
    order by agent_key
  ) agent
)))::text
