import { useQuery } from "urql";
import { everyPart, MOST_ROWS } from "../../api/everything.ts";
import { useParam } from "../../app/useParam.ts";
import { count, number } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import { DataElsewhere } from "../../ui/DataElsewhere.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Excerpt, useSkip } from "../../ui/Excerpt.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Page } from "../../ui/Page.tsx";
import { RangeField, useRange } from "../../ui/RangeField.tsx";
import { RefreshChoice } from "../../ui/RefreshChoice.tsx";
import { SearchField } from "../../ui/SearchField.tsx";
import { Table } from "../../ui/Table.tsx";
import { useRefresh } from "../../ui/useRefresh.ts";
import { MetricChart } from "./MetricChart.tsx";
import { TagChoice } from "./TagChoice.tsx";
import { parsedTags } from "./tags.ts";

const SUMMARY = graphql(`
  query MetricSummary($from: DateTime!, $to: DateTime, $first: Int!, $skip: Int!) {
    metricSummary(from: $from, to: $to, first: $first, skip: $skip) { dataRange { from to } rows { metricName unit average minimum maximum p95 count lastTimestamp } }
  }
`);

const MOST_SERIES = 1_000; // that the API gives at once

/** Measurements by name and tag, over time. */
export function Metrics() {
  const range = useRange("24h");
  const [search, setSearch] = useParam("search");
  const [name, setName] = useParam("name");
  const [tag, setTag] = useParam("tag");
  const [skip] = useSkip();
  const [refresh, setRefresh] = useParam("refresh", "0");
  const [result, ask] = useQuery({ query: SUMMARY, variables: { from: range.from, to: range.to, first: MOST_SERIES, skip } });
  useRefresh(Number(refresh), ask);
  const choose = (next: string) => {
    setTag("");
    setName(next);
  };
  return (
    <Page title="Metrics">
      <div className="filters">
        <RangeField initial="24h" />
        <SearchField label="Name contains" value={search} onChange={setSearch} />
        <RefreshChoice value={refresh} onChange={setRefresh} />
      </div>
      <Loaded result={result} retry={ask}>
        {({ metricSummary: { rows: all, dataRange } }) => {
          if (all.length === 0 && skip === 0)
            return (
              <DataElsewhere of="values" dataRange={dataRange} days={30}>
                <Empty title="There are no metrics yet." hasSample>Record some with <code>recordMetrics</code>, or import them.</Empty>
              </DataElsewhere>
            );
          const isSearched = ({ metricName }: { metricName: string }) => metricName.toLowerCase().includes(search.toLowerCase());
          const shown = all.filter(isSearched);
          const isPart = skip > 0 || all.length >= MOST_SERIES;
          const readAll = async () => (await everyPart(SUMMARY, { from: range.from, to: range.to }, ({ metricSummary }) => metricSummary.rows, MOST_SERIES)).filter(isSearched);
          const selected = all.find(({ metricName }) => metricName === name) ?? shown[0];
          return (
            <>
              <Excerpt of="series" found={all.length} most={MOST_SERIES} />
              {selected && (
                <MetricChart
                  name={selected.metricName}
                  unit={selected.unit ?? ""}
                  range={range}
                  refresh={Number(refresh)}
                  tags={parsedTags(tag)}
                  actions={<TagChoice name={selected.metricName} range={range} value={tag} onChange={setTag} />}
                />
              )}
              <Table
                name="Metrics"
                items={shown}
                sortParam="sort"
                {...(isPart && { file: { contents: `All series, at most ${count(MOST_ROWS)}`, read: readAll } })}
                empty={<Empty title="No series is called like this.">Search for another part of a name.</Empty>}
                keyOf={({ metricName, unit }) => `${metricName} ${unit}`}
                columns={[
                  { name: "Name", isWide: true, value: ({ metricName }) => metricName, show: ({ metricName }) => <button type="button" className="button small" aria-pressed={metricName === selected?.metricName} onClick={() => choose(metricName)}>{metricName}</button> },
                  { name: "Unit", value: ({ unit }) => unit },
                  { name: "Average", isNumber: true, value: ({ average }) => average, show: ({ average }) => number(average) },
                  { name: "Least", isNumber: true, value: ({ minimum }) => minimum, show: ({ minimum }) => number(minimum) },
                  { name: "Most", isNumber: true, value: ({ maximum }) => maximum, show: ({ maximum }) => number(maximum) },
                  { name: "95 % below", isNumber: true, value: ({ p95 }) => p95, show: ({ p95 }) => number(p95) },
                  { name: "Values", isNumber: true, value: ({ count }) => count, show: (each) => count(each.count) },
                  { name: "Last", value: ({ lastTimestamp }) => lastTimestamp, show: ({ lastTimestamp }) => <Time at={lastTimestamp} /> },
                ]}
              />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}
