import { useQuery } from "urql";
import { Link } from "wouter";
import { useParam } from "../../app/useParam.ts";
import { may, useViewer } from "../../app/viewer.ts";
import { count, dollars, duration, score } from "../../format/numbers.ts";
import { graphql } from "../../gql/index.ts";
import { Choice } from "../../ui/Choice.tsx";
import { DataElsewhere } from "../../ui/DataElsewhere.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Page } from "../../ui/Page.tsx";
import { RangeField, useRange } from "../../ui/RangeField.tsx";
import { SearchField } from "../../ui/SearchField.tsx";
import { Table } from "../../ui/Table.tsx";
import { ComparisonChart } from "./ComparisonChart.tsx";
import { DreamsByModel } from "./DreamsByModel.tsx";
import { modelPath } from "./modelPath.ts";

const COMPARISON = graphql(`
  query ModelComparison($from: DateTime, $to: DateTime) {
    modelComparison(from: $from, to: $to) {
      dataRange { from to }
      rows {
        provider
        model
        averageScore
        confidenceInterval { low high }
        averageConfidence
        averageDurationMs
        testCount
        scoredTestCount
        totalCost
      }
    }
  }
`);

/** Which model makes dreams possible, at what cost and in what time. */
export function Models() {
  const isMember = may(useViewer(), "MEMBER", "tests:read");
  const { from, to } = useRange("all");
  const [provider, setProvider] = useParam("provider");
  const [search, setSearch] = useParam("search");
  const variables = isMember ? { from, to } : {};
  const [result, ask] = useQuery({ query: COMPARISON, variables });
  return (
    <Page title="Models" about="Average impossibility of what each model was tested with: lower is better.">
      <Loaded result={result} retry={ask}>
        {({ modelComparison: { rows: all, dataRange } }) => {
          const providers = [...new Set(all.map(({ provider }) => provider))].sort();
          const shown = all.filter(
            (each) =>
              (provider === "" || each.provider === provider) &&
              each.model.toLowerCase().includes(search.toLowerCase()),
          );
          return (
            <>
              <div className="filters">
                {isMember && <RangeField initial="all" />}
                <Choice label="Provider" all={`All (${providers.length})`} options={providers} value={provider} onChange={setProvider} />
                <SearchField label="Name contains" value={search} onChange={setSearch} />
              </div>
              {shown.length > 0 && <ComparisonChart models={shown} />}
              <Table
                name="Comparison"
                items={shown}
                sortParam="sort"
                keyOf={({ provider, model }) => `${provider} ${model}`}
                columns={[
                  { name: "Model", value: ({ model }) => model, isWide: true, show: ({ provider, model }) => <Link href={modelPath(provider, model)}>{model}</Link> },
                  { name: "Provider", value: ({ provider }) => provider },
                  { name: "Impossibility", isNumber: true, value: ({ averageScore }) => averageScore, show: ({ averageScore }) => score(averageScore) },
                  { name: "95 % interval", value: ({ confidenceInterval: of }) => of && `${of.low} to ${of.high}`, show: ({ confidenceInterval: of }) => (of ? `${score(of.low)} to ${score(of.high)}` : "–") },
                  { name: "Confidence", isNumber: true, value: ({ averageConfidence }) => averageConfidence, show: ({ averageConfidence }) => score(averageConfidence) },
                  { name: "Duration", isNumber: true, unit: "ms", value: ({ averageDurationMs }) => averageDurationMs, show: ({ averageDurationMs }) => duration(averageDurationMs) },
                  { name: "Tests", isNumber: true, value: ({ testCount }) => testCount, show: ({ testCount }) => count(testCount) },
                  { name: "Scored", isNumber: true, value: ({ scoredTestCount }) => scoredTestCount, show: ({ scoredTestCount }) => count(scoredTestCount) },
                  { name: "Cost", isNumber: true, unit: "USD", value: ({ totalCost }) => totalCost, show: ({ totalCost }) => dollars(totalCost) },
                ]}
                empty={
                  all.length > 0 ? (
                    <Empty title="No model is like this.">Remove a filter.</Empty>
                  ) : (
                    <DataElsewhere of="tests" dataRange={dataRange} days={30}>
                      <Empty title="No model was tested yet." hasSample>Record tests with <code>recordAiTest</code>, or import them.</Empty>
                    </DataElsewhere>
                  )
                }
              />
            </>
          );
        }}
      </Loaded>
      {isMember && <DreamsByModel />}
    </Page>
  );
}
