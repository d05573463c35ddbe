select json_build_object('data', json_build_object('dreams', (
  select coalesce(json_agg(dream), '[]')
  from (
    select id, title, description, category, tags, is_public as "isPublic", status,
      created_at as "createdAt"
    from dreams
    where status = 'ACTIVE'
    order by created_at desc
    limit 20
  ) dream
)))::text
