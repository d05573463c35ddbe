import { useMemo } from "react";
import { useQuery } from "urql";
import { may, useViewer } from "../../app/viewer.ts";
import { dollars } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { type FragmentType, graphql, read } from "../../gql/index.ts";
import { Badge } from "../../ui/Badge.tsx";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Facts } from "../../ui/Facts.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Table } from "../../ui/Table.tsx";

const BUDGET = graphql(`
  fragment BudgetFigures on Budget { month limit spent remaining isSpent forecast }
`);

const BUDGETS = graphql(`
  query Budgets {
    overallBudget { ...BudgetFigures }
    myUsage { budget { ...BudgetFigures } }
  }
`);

const USERS_OF_MONTH = graphql(`
  query UsersOfMonth($from: DateTime!) {
    spend(from: $from, groupBy: [USER]) { rows { user { id email monthlyBudget } totalCost } }
  }
`);

const UNLIMITED = 1_000_000_000; // the limit of the API where no budget is set

/** What was spent this month against the budgets: of all users together, of the viewer, of each. */
export function Budgets() {
  const mayUsers = may(useViewer(), "OPERATOR", "users:read");
  const from = useMemo(startOfMonth, []);
  const [result, ask] = useQuery({ query: BUDGETS, requestPolicy: "cache-and-network" });
  const [users] = useQuery({ query: USERS_OF_MONTH, variables: { from }, pause: !mayUsers });
  return (
    <>
      <Loaded result={result} retry={ask}>
        {({ overallBudget, myUsage }) => (
          <div className="columns">
            <BudgetCard title="Budget of all users" of={overallBudget} />
            {myUsage && <BudgetCard title="My budget" of={myUsage.budget} />}
          </div>
        )}
      </Loaded>
      {users.data && (
        <Table
          name="Users this month"
          items={users.data.spend.rows}
          isWhole
          keyOf={({ user }) => user?.id ?? ""}
          columns={[
            { name: "User", isWide: true, value: ({ user }) => user?.email ?? "Without a user" },
            { name: "Spent", isNumber: true, value: ({ totalCost }) => totalCost, show: ({ totalCost }) => dollars(totalCost) },
            { name: "Own budget", isNumber: true, value: ({ user }) => user?.monthlyBudget, show: ({ user }) => (user?.monthlyBudget == null ? "That of all users" : dollars(user.monthlyBudget)) },
          ]}
          empty={<Empty title="Nobody has spent anything this month." />}
        />
      )}
    </>
  );
}

function BudgetCard({ title, of }: { title: string; of: FragmentType<typeof BUDGET> }) {
  const { month, limit, spent, remaining, isSpent, forecast } = read(BUDGET, of);
  const isLimited = Number(limit) < UNLIMITED;
  const share = isLimited && Number(limit) > 0 ? Math.min(1, Number(spent) / Number(limit)) : 0;
  return (
    <Card title={title} actions={isSpent ? <Badge tone="bad">SPENT</Badge> : <Badge tone="good">{isLimited ? "WITHIN" : "NO LIMIT"}</Badge>}>
      <Facts
        of={[
          ["Spent this month", dollars(spent)],
          ["Budget", isLimited ? dollars(limit) : "Not set"],
          ["Left", isLimited ? dollars(remaining) : "–"],
          ["Expected by its end", dollars(forecast)],
          ["Since", <Time at={month} as="day" />],
        ]}
      />
      {isLimited && <meter className="whole-width" min={0} max={1} high={0.8} value={share} aria-label={`${(share * 100).toFixed(0)} % of the budget is spent`} />}
    </Card>
  );
}

function startOfMonth(): string {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth())).toISOString();
}
