import { useMemo } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { useParam } from "../../app/useParam.ts";
import { may, useViewer } from "../../app/viewer.ts";
import { LineChart } from "../../charts/LineChart.tsx";
import { count, dollars, duration, score } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { type FragmentType, graphql, read } from "../../gql/index.ts";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Facts } from "../../ui/Facts.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Page } from "../../ui/Page.tsx";
import { Table } from "../../ui/Table.tsx";
import { ScoresByMonth } from "./ScoresByMonth.tsx";

const MODEL = graphql(`
  query Model($provider: String!, $name: String!) {
    aiModel(provider: $provider, name: $name) {
      id
      provider
      name
      displayName
      maxTokens
      costPer1kTokens
      inputCostPer1kTokens
      outputCostPer1kTokens
      isActive
      capabilities
      statistics { averageScore averageConfidence averageDurationMs testCount scoredTestCount totalCost }
    }
  }
`);

const TESTS_OF_MODEL = graphql(`
  query TestsOfModel($provider: String!, $name: String!) {
    months: modelComparison(from: "2000-01-01T00:00:00Z", providers: [$provider], models: [$name], bucket: MONTH) {
      rows { bucket averageScore confidenceInterval { low high } scoredTestCount }
    }
    aiTests(
      filter: { provider: { eq: $provider }, model: { eq: $name }, impossibilityScore: { isNull: false } }
      orderBy: [{ field: CREATED_AT, direction: DESC }]
      first: 100
    ) {
      nodes { ...TestOfModel }
    }
  }
`);

export const TEST_OF_MODEL = graphql(`
  fragment TestOfModel on AiTest { id createdAt impossibilityScore cost durationMs dream { id title } }
`);

/** One model: its prices, its figures, and its scores over time. */
export function ModelPage() {
  const [provider] = useParam("provider");
  const [name] = useParam("name");
  const [result, ask] = useQuery({ query: MODEL, variables: { provider, name } });
  const isMember = may(useViewer(), "MEMBER", "tests:read");
  return (
    <Loaded result={result} retry={ask}>
      {({ aiModel: model }) =>
        model ? (
          <Page title={model.displayName} about={`${model.provider} · ${model.name}`}>
            <Card title="Now">
              <Facts
                of={[
                  ["Impossibility, average", score(model.statistics.averageScore)],
                  ["Confidence", score(model.statistics.averageConfidence)],
                  ["Duration", duration(model.statistics.averageDurationMs)],
                  ["Tests", count(model.statistics.testCount)],
                  ["Cost", dollars(model.statistics.totalCost)],
                  ["Input, 1,000 tokens", dollars(model.inputCostPer1kTokens)],
                  ["Output, 1,000 tokens", dollars(model.outputCostPer1kTokens)],
                  ["Context, tokens", count(model.maxTokens)],
                  ["In use", model.isActive === null ? "Unknown" : model.isActive ? "Yes" : "No"],
                ]}
              />
              {model.capabilities.length > 0 && <p className="tags">{model.capabilities.map((each) => <span key={each} className="tag">{each}</span>)}</p>}
            </Card>
            {isMember && <Course provider={provider} name={name} />}
          </Page>
        ) : (
          <Empty title="There is no such model."><Link href="/models">See all models</Link></Empty>
        )
      }
    </Loaded>
  );
}

function Course({ provider, name }: { provider: string; name: string }) {
  const [result, ask] = useQuery({ query: TESTS_OF_MODEL, variables: { provider, name } });
  return (
    <Loaded result={result} retry={ask}>
      {({ aiTests, months }) => (
        <>
          <ScoresByMonth of={months.rows} />
          <Scores of={aiTests.nodes} />
        </>
      )}
    </Loaded>
  );
}

function Scores({ of }: { of: FragmentType<typeof TEST_OF_MODEL>[] }) {
  const tests = useMemo(() => of.map((each) => read(TEST_OF_MODEL, each)), [of]);
  const { times, series } = useMemo(() => {
    const ascending = [...tests].reverse();
    return {
      times: ascending.map(({ createdAt }) => Date.parse(createdAt)),
      series: [{ name: "Score", isPoints: true, values: ascending.map(({ impossibilityScore }) => impossibilityScore ?? null), show: score }],
    };
  }, [tests]);
  return (
    <>
      {tests.length > 0 && (
        <Card title="Scores of its 100 newest scored tests">
          <LineChart label="Scores over time" times={times} series={series} range={[0, 100]} />
        </Card>
      )}
      <Table
        name="100 newest scored tests"
        items={tests}
        keyOf={({ id }) => id}
        columns={[
          { name: "Time", value: ({ createdAt }) => createdAt, show: ({ createdAt }) => <Time at={createdAt} /> },
          { name: "Dream", isWide: true, value: ({ dream }) => dream.title, show: ({ id, dream }) => <Link href={`/dreams/${dream.id}?test=${id}`}>{dream.title}</Link> },
          { name: "Score", isNumber: true, value: ({ impossibilityScore }) => impossibilityScore, show: ({ impossibilityScore }) => score(impossibilityScore) },
          { name: "Duration", isNumber: true, unit: "ms", value: ({ durationMs }) => durationMs, show: ({ durationMs }) => duration(durationMs) },
          { name: "Cost", isNumber: true, unit: "USD", value: ({ cost }) => cost, show: ({ cost }) => dollars(cost) },
        ]}
        empty={<Empty title="None of its tests has a score yet.">Complete them with <code>completeAiTest</code>.</Empty>}
      />
    </>
  );
}
