import { useState } from "react";
import { useMutation, useQuery } from "urql";
import { useParam } from "../../app/useParam.ts";
import { may, useViewer } from "../../app/viewer.ts";
import { plural } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql, read } from "../../gql/index.ts";
import type { Role } from "../../gql/graphql.ts";
import { ActionButton } from "../../ui/ActionButton.tsx";
import { Badge } from "../../ui/Badge.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { More } from "../../ui/More.tsx";
import { SearchField } from "../../ui/SearchField.tsx";
import { Table } from "../../ui/Table.tsx";
import { NewUser } from "./NewUser.tsx";
import { RoleChoice } from "./RoleChoice.tsx";

export const USER_ROW = graphql(`
  fragment UserRow on User { id email passportTier role createdAt disabledAt }
`);

const USERS = graphql(`
  query Users($filter: UserFilter, $after: String) {
    users(filter: $filter, first: 50, after: $after) {
      totalCount
      nodes { ...UserRow }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

const DISABLE = graphql(`
  mutation DisableUser($input: UserInput!) {
    disableUser(input: $input) { user { ...UserRow } errors { code message field } }
  }
`);

const ENABLE = graphql(`
  mutation EnableUser($input: UserInput!) {
    enableUser(input: $input) { user { ...UserRow } errors { code message field } }
  }
`);

/** Users: create, disable, and give roles. */
export function Users() {
  const isAdministrator = may(useViewer(), "ADMIN");
  const [search, setSearch] = useParam("email");
  const [after, setAfter] = useState<string | null>(null);
  const [isNew, setNew] = useState(false);
  const filter = search ? { email: { startsWith: search } } : null;
  const [result, ask] = useQuery({ query: USERS, variables: { filter, after } });
  const [, disable] = useMutation(DISABLE);
  const [, enable] = useMutation(ENABLE);
  return (
    <>
      {isAdministrator && (
        <div className="filters">
          <SearchField label="E-mail starts with" value={search} onChange={setSearch} />
        </div>
      )}
      <Loaded result={result} retry={ask}>
        {({ users }) => (
          <>
            <Table
              name={plural(users.totalCount, "user")}
              items={users.nodes.map((node) => read(USER_ROW, node))}
              keyOf={({ id }) => id}
              actions={isAdministrator && <button type="button" className="button small primary" onClick={() => setNew(true)}>New user</button>}
              columns={[
                { name: "E-mail", value: ({ email }) => email, isWide: true },
                { name: "Tier", value: ({ passportTier }) => passportTier },
                { name: "Role", value: ({ role }) => role, show: ({ id, role }) => (isAdministrator ? <RoleChoice id={id} role={role as Role} /> : role) },
                { name: "Created", value: ({ createdAt }) => createdAt, show: ({ createdAt }) => <Time at={createdAt} as="day" /> },
                { name: "State", value: ({ disabledAt }) => (disabledAt ? "DISABLED" : "ACTIVE"), show: ({ disabledAt }) => <Badge tone={disabledAt ? "off" : "good"}>{disabledAt ? "DISABLED" : "ACTIVE"}</Badge> },
                ...(isAdministrator
                  ? [{
                      name: "",
                      show: ({ id, email, disabledAt }: { id: string; email?: string | null; disabledAt?: string | null }) =>
                        disabledAt ? (
                          <ActionButton act={async () => { const { data, error } = await enable({ input: { id } }); return { error, errors: data?.enableUser.errors }; }}>Enable</ActionButton>
                        ) : (
                          <ActionButton isDanger question={`Disable ${email ?? "this user"}? Keys and tokens of the user are refused.`} act={async () => { const { data, error } = await disable({ input: { id } }); return { error, errors: data?.disableUser.errors }; }}>Disable</ActionButton>
                        ),
                    }]
                  : []),
              ]}
              empty={<Empty title="No user is like this." />}
            />
            <More pageInfo={users.pageInfo} onMore={setAfter} isFetching={result.fetching} />
          </>
        )}
      </Loaded>
      {isNew && <NewUser onClose={() => setNew(false)} />}
    </>
  );
}
