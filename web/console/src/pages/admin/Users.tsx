import { useMutation } from "urql";
import { useParam } from "../../app/useParam.ts";
import { may, useViewer } from "../../app/viewer.ts";
import { dollars, plural } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql, read } from "../../gql/index.ts";
import type { Role } from "../../gql/graphql.ts";
import { ActionButton } from "../../ui/ActionButton.tsx";
import { Badge } from "../../ui/Badge.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { SearchField } from "../../ui/SearchField.tsx";
import { Table } from "../../ui/Table.tsx";
import { usePages } from "../../ui/usePages.ts";
import { EditBudget } from "../costs/EditBudget.tsx";
import { BudgetButton } from "./BudgetButton.tsx";
import { NewUser } from "./NewUser.tsx";
import { RoleChoice } from "./RoleChoice.tsx";

export const USER_ROW = graphql(`
  fragment UserRow on User { id email passportTier role createdAt disabledAt monthlyBudget }
`);

const USERS = graphql(`
  query Users($filter: UserFilter, $first: Int!, $after: String) {
    users(filter: $filter, first: $first, after: $after) {
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
  const [isNew, setNew] = useParam("new");
  const [budgeted, setBudgeted] = useParam("budget");
  const filter = search ? { email: { startsWith: search } } : null;
  const pages = usePages(USERS, { filter }, ({ users }) => ({ ...users, nodes: users.nodes.map((node) => read(USER_ROW, node)) }));
  const [, disable] = useMutation(DISABLE);
  const [, enable] = useMutation(ENABLE);
  return (
    <>
      {isAdministrator && (
        <div className="filters">
          <SearchField label="E-mail starts with" value={search} onChange={setSearch} />
        </div>
      )}
      <Loaded result={pages.result} retry={pages.ask}>
        {({ users }) => (
          <>
            <Table
              name={plural(users.totalCount, "user")}
              items={pages.items}
              pages={pages}
              keyOf={({ id }) => id}
              actions={isAdministrator && <button type="button" className="button small primary" onClick={() => setNew("yes")}>New user</button>}
              columns={[
                { name: "E-mail", value: ({ email }) => email, isWide: true },
                { name: "Tier", value: ({ passportTier }) => passportTier },
                { name: "Role", value: ({ role }) => role, show: ({ id, role }) => (isAdministrator ? <RoleChoice id={id} role={role as Role} /> : role) },
                { name: "Budget of a month", isNumber: true, unit: "USD", value: ({ monthlyBudget }) => monthlyBudget, show: ({ id, monthlyBudget }) => <BudgetButton onOpen={isAdministrator ? () => setBudgeted(id) : undefined}>{monthlyBudget == null ? "By the setting" : dollars(monthlyBudget)}</BudgetButton> },
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
              empty={<Empty title="No user is like this.">Search for another e-mail address, or create the user.</Empty>}
            />
          </>
        )}
      </Loaded>
      {budgeted !== "" && isAdministrator && <EditBudget key={budgeted} id={budgeted} onClose={() => setBudgeted("")} />}
      {isNew !== "" && isAdministrator && <NewUser onClose={() => setNew("")} />}
    </>
  );
}
