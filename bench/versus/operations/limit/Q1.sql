select json_build_object('data', json_build_object('dream', (
  select row_to_json(dream)
  from (
    select id, title, description, category, tags, is_public as "isPublic", status,
      created_at as "createdAt"
    from dreams
    where id = $1
  ) dream
)))::text
