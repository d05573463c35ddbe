import { useQuery } from "urql";
import { everyPart, MOST_ROWS } from "../../api/everything.ts";
import { useParam } from "../../app/useParam.ts";
import { may, useViewer } from "../../app/viewer.ts";
import { count, dollars } from "../../format/numbers.ts";
import { graphql } from "../../gql/index.ts";
import { DataElsewhere } from "../../ui/DataElsewhere.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Page } from "../../ui/Page.tsx";
import { RangeField, useRange } from "../../ui/RangeField.tsx";
import { Segments } from "../../ui/Segments.tsx";
import { Table } from "../../ui/Table.tsx";
import { Tile } from "../../ui/Tile.tsx";
import { Budgets } from "./Budgets.tsx";
import { MonthlyCosts } from "./MonthlyCosts.tsx";
import { type Group, GROUPS, groupedBy, type Sum, totalOf } from "./sums.ts";

const SPEND = graphql(`
  query Spend($from: DateTime!, $to: DateTime) {
    spend(from: $from, to: $to, groupBy: [MODEL]) {
      dataRange { from to }
      rows { provider model testCount totalTokens totalCost }
    }
    months: spend(from: $from, to: $to, groupBy: [MODEL], bucket: MONTH) { rows { bucket provider totalCost } }
  }
`);

const SPEND_BY_USER = graphql(`
  query SpendByUser($from: DateTime!, $to: DateTime, $first: Int!, $skip: Int!) {
    spend(from: $from, to: $to, groupBy: [USER], first: $first, skip: $skip) {
      dataRange { from to }
      rows { user { id email } testCount totalTokens totalCost }
    }
    all: spend(from: $from, to: $to, groupBy: []) { rows { testCount totalTokens totalCost } }
  }
`);

const MOST_USERS = 1_000; // that the API gives at once

/** What tests cost: by provider, model or user, and against budgets. */
export function Costs() {
  const { from, to } = useRange("all");
  const [by, setBy] = useParam("by", "provider");
  const mayUsers = may(useViewer(), "OPERATOR", "users:read");
  const isByUser = by === "user" && mayUsers;
  const variables = { from, to };
  const [whole, askWhole] = useQuery({ query: SPEND, variables, pause: isByUser });
  const [users, askUsers] = useQuery({ query: SPEND_BY_USER, variables: { ...variables, first: MOST_USERS, skip: 0 }, pause: !isByUser });
  const readUsers = async () => groupedBy(await everyPart(SPEND_BY_USER, variables, ({ spend }) => spend.rows, MOST_USERS), "user");
  const options = GROUPS.filter(([name]) => name !== "user" || mayUsers);
  return (
    <Page title="Costs" about="What tests cost, as they reported it or by the price of their model.">
      <div className="filters">
        <RangeField initial="all" />
        <Segments label="By" options={options} value={by as Group} onChange={setBy} />
      </div>
      {isByUser ? (
        <Loaded result={users} retry={askUsers}>{({ spend, all }) => <Sums of={groupedBy(spend.rows, "user")} total={groupedBy(all.rows, "user")} by="User" dataRange={spend.dataRange} {...(spend.rows.length >= MOST_USERS && { readAll: readUsers })} />}</Loaded>
      ) : (
        <Loaded result={whole} retry={askWhole}>
          {({ spend, months }) => (
            <>
              <MonthlyCosts of={months.rows} />
              <Sums of={groupedBy(spend.rows, by as Group)} by={by === "model" ? "Model" : "Provider"} dataRange={spend.dataRange} />
            </>
          )}
        </Loaded>
      )}
      <Budgets />
    </Page>
  );
}

interface SumsProps {
  of: Sum[];
  /** What they are parts of, if there may be more than these. */
  total?: Sum[];
  by: string;
  dataRange: { from: string; to: string } | null | undefined;
  readAll?: () => Promise<Sum[]>;
}

function Sums({ of, total: parts = of, by, dataRange, readAll }: SumsProps) {
  const total = totalOf(parts);
  return (
    <>
      <div className="tiles">
        <Tile title="Spent" figure={dollars(total.cost)} note="In US dollars" />
        <Tile title="Tests" figure={count(total.tests)} note="All statuses" />
        <Tile title="Tokens" figure={count(total.tokens)} note="Of tests that reported them" />
        <Tile title="A test" figure={total.tests === 0 ? "–" : dollars(total.cost / total.tests)} note="On average" />
      </div>
      <Table
        name={`By ${by.toLowerCase()}`}
        {...(readAll && { file: { contents: `All, at most ${count(MOST_ROWS)}`, read: readAll } })}
        items={of}
        sortParam="sort"
        keyOf={({ name }) => name}
        columns={[
          { name: by, isWide: true, value: ({ name }) => name },
          { name: "Cost", isNumber: true, unit: "USD", value: ({ cost }) => cost, show: ({ cost }) => dollars(cost) },
          { name: "Share", isNumber: true, value: ({ cost }) => (total.cost === 0 ? 0 : cost / total.cost), show: ({ cost }) => <Share of={total.cost === 0 ? 0 : cost / total.cost} /> },
          { name: "Tests", isNumber: true, value: ({ tests }) => tests, show: ({ tests }) => count(tests) },
          { name: "Tokens", isNumber: true, value: ({ tokens }) => tokens, show: ({ tokens }) => count(tokens) },
        ]}
        empty={
          <DataElsewhere of="tests" dataRange={dataRange} days={30}>
            <Empty title="No test was made yet." hasSample>Record tests with <code>recordAiTest</code>, or import them.</Empty>
          </DataElsewhere>
        }
      />
    </>
  );
}

function Share({ of }: { of: number }) {
  const percent = `${(of * 100).toFixed(1)} %`;
  return (
    <>
      {percent}{" "}
      <meter min={0} max={1} value={of} aria-label={`Share of the cost: ${percent}`} />
    </>
  );
}
