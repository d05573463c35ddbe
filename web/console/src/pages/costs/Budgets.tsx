import { useQuery } from "urql";
import { Link } from "wouter";
import { may, useViewer } from "../../app/viewer.ts";
import { dollars } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { type FragmentType, graphql, read } from "../../gql/index.ts";
import { Badge } from "../../ui/Badge.tsx";
import { Card } from "../../ui/Card.tsx";
import { Facts } from "../../ui/Facts.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { UsersOfMonth } from "./UsersOfMonth.tsx";

const BUDGET = graphql(`
  fragment BudgetFigures on Budget { month limit spent remaining isSpent forecast }
`);

const BUDGETS = graphql(`
  query Budgets {
    overallBudget { ...BudgetFigures }
    myUsage { budget { ...BudgetFigures } }
  }
`);

const UNLIMITED = 1_000_000_000; // the limit of the API where no budget is set

/** What was spent this month against the budgets: of all users together, of the viewer, of each. */
export function Budgets() {
  const mayUsers = may(useViewer(), "OPERATOR", "users:read");
  const [result, ask] = useQuery({ query: BUDGETS, requestPolicy: "cache-and-network" });
  return (
    <>
      <Loaded result={result} retry={ask}>
        {({ overallBudget, myUsage }) => (
          <div className="columns">
            <BudgetCard title="Budget of all users" of={overallBudget} setting="budgets.monthly_usd" />
            {myUsage && <BudgetCard title="My budget" of={myUsage.budget} />}
          </div>
        )}
      </Loaded>
      {mayUsers && <UsersOfMonth />}
    </>
  );
}

function BudgetCard({ title, of, setting }: { title: string; of: FragmentType<typeof BUDGET>; setting?: string }) {
  const maySet = may(useViewer(), "ADMIN", "config:write") && setting !== undefined;
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
      {maySet && <p><Link href={`/admin/settings?key=${setting}`}>Change the setting <code>{setting}</code></Link></p>}
      {isLimited && <meter className="whole-width" min={0} max={1} high={0.8} value={share} aria-label={`${(share * 100).toFixed(0)} % of the budget is spent`} />}
    </Card>
  );
}
