import { useQuery } from "urql";
import { useParam } from "../../app/useParam.ts";
import { count, number } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import { Choice } from "../../ui/Choice.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Page } from "../../ui/Page.tsx";
import { RangeField, useRange } from "../../ui/RangeField.tsx";
import { SearchField } from "../../ui/SearchField.tsx";
import { Table } from "../../ui/Table.tsx";
import { useRefresh } from "../../ui/useRefresh.ts";
import { MetricChart } from "./MetricChart.tsx";
import { NewestMetric } from "./NewestMetric.tsx";

const SUMMARY = graphql(`
  query MetricSummary($from: DateTime!, $to: DateTime) {
    metricSummary(from: $from, to: $to) { rows { metricName unit average minimum maximum p95 count lastTimestamp } }
  }
`);

const REFRESHES = [["0", "Off"], ["10", "Every 10 s"], ["60", "Every minute"]] as const;

/** Measurements by name, over time. */
export function Metrics() {
  const range = useRange("24h");
  const [search, setSearch] = useParam("search");
  const [name, setName] = useParam("name");
  const [refresh, setRefresh] = useParam("refresh", "0");
  const [result, ask] = useQuery({ query: SUMMARY, variables: { from: range.from, to: range.to } });
  useRefresh(Number(refresh), ask);
  return (
    <Page title="Metrics">
      <div className="filters">
        <RangeField initial="24h" />
        <SearchField label="Name contains" value={search} onChange={setSearch} />
        <Choice label="Refresh" options={REFRESHES} value={refresh} onChange={setRefresh} />
      </div>
      <Loaded result={result} retry={ask}>
        {({ metricSummary: { rows: all } }) => {
          if (all.length === 0) return <NewestMetric />;
          const shown = all.filter(({ metricName }) => metricName.toLowerCase().includes(search.toLowerCase()));
          const selected = all.find(({ metricName }) => metricName === name) ?? shown[0];
          return (
            <>
              {selected && <MetricChart name={selected.metricName} unit={selected.unit ?? ""} range={range} refresh={Number(refresh)} />}
              <Table
                name="Metrics"
                items={shown}
                isWhole
                keyOf={({ metricName, unit }) => `${metricName} ${unit}`}
                columns={[
                  { name: "Name", isWide: true, value: ({ metricName }) => metricName, show: ({ metricName }) => <button type="button" className="button small" aria-pressed={metricName === selected?.metricName} onClick={() => setName(metricName)}>{metricName}</button> },
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
