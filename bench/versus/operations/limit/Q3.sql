select json_build_object('data', json_build_object('dreams', (
  select coalesce(json_agg(dream), '[]')
  from (
    select d.id, d.title, d.status, d.created_at as "createdAt",
      (
        select row_to_json(owner)
        from (
          select email, passport_tier as "passportTier" from users where id = d.user_id
        ) owner
      ) as "user",
      (
        select coalesce(json_agg(test), '[]')
        from (
          select model, provider, impossibility_score as "impossibilityScore", confidence, cost,
            created_at as "createdAt"
          from ai_tests t
          where t.dream_id = d.id
          order by t.created_at desc
          limit 5
        ) test
      ) as "aiTests",
      (
        select coalesce(json_agg(log), '[]')
        from (
          select average_impossibility as "averageImpossibility",
            improvement_trend as "improvementTrend"
          from progress_logs l
          where l.dream_id = d.id
          order by l.created_at desc
          limit 1
        ) log
      ) as "progressLogs"
    from (select * from dreams where status = 'ACTIVE' order by created_at desc limit 20) d
  ) dream
)))::text
