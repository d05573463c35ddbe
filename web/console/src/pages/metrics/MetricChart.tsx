import { type ReactNode, useMemo } from "react";
import { useQuery } from "urql";
import { LineChart } from "../../charts/LineChart.tsx";
import { number } from "../../format/numbers.ts";
import { bucketOf, type Range } from "../../format/range.ts";
import { graphql } from "../../gql/index.ts";
import type { MetricSeriesQuery } from "../../gql/graphql.ts";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { ExportMenu } from "../../ui/ExportMenu.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { useRefresh } from "../../ui/useRefresh.ts";
import { type Tags, tagText } from "./tags.ts";

const SERIES = graphql(`
  query MetricSeries($name: String!, $from: DateTime!, $to: DateTime, $bucket: Bucket!, $tags: JSON) {
    metricSeries(name: $name, from: $from, to: $to, bucket: $bucket, tags: $tags) {
      rows { bucket average minimum maximum count }
    }
  }
`);

interface Props {
  name: string;
  unit: string;
  range: Range;
  refresh: number;
  /** Only values with these tags. */
  tags: Tags | null;
  actions: ReactNode;
}

/** One metric over time: average, least and most of each bucket. */
export function MetricChart({ name, unit, range, refresh, tags, actions }: Props) {
  const bucket = bucketOf(range);
  const [result, ask] = useQuery({ query: SERIES, variables: { name, from: range.from, to: range.to, bucket, tags } });
  useRefresh(refresh, ask);
  return (
    <Card
      title={[name, tags && tagText(tags), unit && `in ${unit}`].filter(Boolean).join(", ")}
      actions={
        <>
          {actions}
          <ExportMenu name={name} rows={() => (result.data?.metricSeries.rows ?? []).map((row) => ({ ...row }))} />
        </>
      }
    >
      <Loaded result={result} retry={ask}>
        {({ metricSeries: { rows } }) => (rows.length === 0 ? <Empty title="No value in this time.">Choose a longer time range, or all values instead of a tag.</Empty> : <Lines points={rows} name={name} unit={unit} />)}
      </Loaded>
    </Card>
  );
}

function Lines({ points, name, unit }: { points: MetricSeriesQuery["metricSeries"]["rows"]; name: string; unit: string }) {
  const { times, series } = useMemo(() => {
    const ascending = [...points].sort((one, other) => one.bucket.localeCompare(other.bucket));
    const show = (value: number) => `${number(value)} ${unit}`;
    return {
      times: ascending.map(({ bucket }) => Date.parse(bucket)),
      series: [
        { name: "Average", values: ascending.map(({ average }) => average), show },
        { name: "Least", values: ascending.map(({ minimum }) => minimum), color: "var(--series-2)", show },
        { name: "Most", values: ascending.map(({ maximum }) => maximum), color: "var(--series-3)", show },
      ],
    };
  }, [points, unit]);
  return <LineChart label={`${name} over time`} times={times} series={series} height={280} />;
}
