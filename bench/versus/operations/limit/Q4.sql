select json_build_object('data', json_build_object('dreams', (
  select coalesce(json_agg(dream), '[]')
  from (
    select d.id, d.title, d.description, d.category, d.tags, d.is_public as "isPublic", d.status,
      d.created_at as "createdAt",
      (
        select coalesce(json_agg(test), '[]')
        from (
          select id, provider, model, impossibility_score as "impossibilityScore", confidence,
            duration, cost, created_at as "createdAt"
          from ai_tests t
          where t.dream_id = d.id
          order by t.created_at desc
          limit 10
        ) test
      ) as "aiTests"
    from (select * from dreams where status = 'ACTIVE' order by created_at desc limit 100) d
  ) dream
)))::text
