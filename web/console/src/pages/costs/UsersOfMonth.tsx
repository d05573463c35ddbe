import { useMemo } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { useParam } from "../../app/useParam.ts";
import { may, useViewer } from "../../app/viewer.ts";
import { dollars } from "../../format/numbers.ts";
import { graphql } from "../../gql/index.ts";
import type { UsersOfMonthQuery } from "../../gql/graphql.ts";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { type Column, Table } from "../../ui/Table.tsx";
import { EditBudget } from "./EditBudget.tsx";

const USERS_OF_MONTH = graphql(`
  query UsersOfMonth($from: DateTime!) {
    spend(from: $from, groupBy: [USER]) { rows { user { id email monthlyBudget } totalCost } }
  }
`);

type Row = UsersOfMonthQuery["spend"]["rows"][number];

/** What each user spent this month, and may spend. */
export function UsersOfMonth() {
  const isAdministrator = may(useViewer(), "ADMIN");
  const [edited, edit] = useParam("budget");
  const from = useMemo(startOfMonth, []);
  const [result, ask] = useQuery({ query: USERS_OF_MONTH, variables: { from }, requestPolicy: "cache-and-network" });
  const columns: Column<Row>[] = [
    { name: "User", isWide: true, value: ({ user }) => user?.email ?? "Without a user" },
    { name: "Spent", isNumber: true, unit: "USD", value: ({ totalCost }) => totalCost, show: ({ totalCost }) => dollars(totalCost) },
    { name: "Own budget", isNumber: true, unit: "USD", value: ({ user }) => user?.monthlyBudget, show: ({ user }) => (user?.monthlyBudget == null ? "By the setting" : dollars(user.monthlyBudget)) },
  ];
  const button: Column<Row> = {
    name: "",
    show: ({ user }) => user && <button type="button" className="button small" onClick={() => edit(user.id)}>Set budget</button>,
  };
  return (
    <Loaded result={result} retry={ask}>
      {({ spend: { rows } }) => (
        <>
          <Table
            name="Users this month"
            actions={isAdministrator && <Link href="/admin/users" className="button small">All users</Link>}
            items={rows}
            sortParam="users"
            keyOf={({ user }) => user?.id ?? ""}
            columns={isAdministrator ? [...columns, button] : columns}
            empty={<Empty title="Nobody has spent anything this month.">What tests cost is shown here as soon as they are recorded.</Empty>}
          />
          {edited !== "" && isAdministrator && <EditBudget key={edited} id={edited} onClose={() => edit("")} />}
        </>
      )}
    </Loaded>
  );
}

function startOfMonth(): string {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth())).toISOString();
}
