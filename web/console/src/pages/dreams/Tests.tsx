import { useParam } from "../../app/useParam.ts";
import { dollars, duration, score } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { type FragmentType, graphql, read } from "../../gql/index.ts";
import type { AiTestStatus } from "../../gql/graphql.ts";
import { Badge, type Tone } from "../../ui/Badge.tsx";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Segments } from "../../ui/Segments.tsx";
import { Table } from "../../ui/Table.tsx";
import { usePages } from "../../ui/usePages.ts";
import { DECAY, DecayChart } from "./DecayChart.tsx";
import { TestDrawer } from "./TestDrawer.tsx";

export const TEST_ROW = graphql(`
  fragment TestRow on AiTest { id provider model status impossibilityScore durationMs cost createdAt }
`);

const TESTS = graphql(`
  query TestsOfDream($filter: AiTestFilter!, $first: Int!, $after: String) {
    aiTests(filter: $filter, orderBy: [{ field: CREATED_AT, direction: DESC }], first: $first, after: $after) {
      nodes { ...TestRow }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export const TEST_TONES: Record<AiTestStatus, Tone> = {
  PENDING: "off",
  RUNNING: "busy",
  COMPLETED: "good",
  FAILED: "bad",
  CANCELLED: "off",
};

/** The tests of a dream, as points of its decay and as rows; each opens its details. */
export function Tests({ dreamId, dream }: { dreamId: string; dream: FragmentType<typeof DECAY> }) {
  const [selected, select] = useParam("test");
  const [by, setBy] = useParam("by", "all");
  const variables = { filter: { dreamId: { eq: dreamId } } };
  const pages = usePages(TESTS, variables, ({ aiTests }) => ({ ...aiTests, nodes: aiTests.nodes.map((node) => read(TEST_ROW, node)) }));
  return (
    <>
      <Card
        title="Decay"
        actions={<Segments label="Colours of tests" options={[["all", "All tests"], ["model", "By model"]] as const} value={by as "all"} onChange={setBy} />}
      >
        <DecayChart of={dream} tests={pages.items} isByModel={by === "model"} onTest={select} />
      </Card>
      <Loaded result={pages.result} retry={pages.ask}>
        {() => (
          <>
            <Table
              name="Tests"
              items={pages.items}
              pages={pages}
              keyOf={({ id }) => id}
              columns={[
                { name: "Time", value: ({ createdAt }) => createdAt, show: ({ id, createdAt }) => <button type="button" className="button small" onClick={() => select(id)}><Time at={createdAt} /></button> },
                { name: "Model", value: ({ model }) => model, isWide: true },
                { name: "Provider", value: ({ provider }) => provider },
                { name: "Score", isNumber: true, value: ({ impossibilityScore }) => impossibilityScore, show: ({ impossibilityScore }) => score(impossibilityScore) },
                { name: "Duration", isNumber: true, unit: "ms", value: ({ durationMs }) => durationMs, show: ({ durationMs }) => duration(durationMs) },
                { name: "Cost", isNumber: true, unit: "USD", value: ({ cost }) => cost, show: ({ cost }) => dollars(cost) },
                { name: "Status", value: ({ status }) => status, show: ({ status }) => <Badge tone={TEST_TONES[status]}>{status}</Badge> },
              ]}
              empty={<Empty title="It was not tested yet.">Record a test with <code>recordAiTest</code>.</Empty>}
            />
          </>
        )}
      </Loaded>
      {selected !== "" && <TestDrawer id={selected} onClose={() => select("")} />}
    </>
  );
}
