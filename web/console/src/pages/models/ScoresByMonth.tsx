import { useMemo } from "react";
import { LineChart } from "../../charts/LineChart.tsx";
import { score } from "../../format/numbers.ts";
import type { TestsOfModelQuery } from "../../gql/graphql.ts";
import { Card } from "../../ui/Card.tsx";

/** The average score of a model each month, with its 95 % interval. */
export function ScoresByMonth({ of }: { of: TestsOfModelQuery["months"]["rows"] }) {
  const { times, series } = useMemo(() => {
    const months = of
      .filter(({ averageScore }) => averageScore != null)
      .sort((one, other) => one.bucket!.localeCompare(other.bucket!));
    return {
      times: months.map(({ bucket }) => Date.parse(bucket!)),
      series: [
        { name: "Average", values: months.map(({ averageScore }) => averageScore!), show: score },
        { name: "Interval, low", values: months.map(({ confidenceInterval }) => confidenceInterval?.low ?? null), show: score, color: "var(--line-strong)" },
        { name: "Interval, high", values: months.map(({ confidenceInterval }) => confidenceInterval?.high ?? null), show: score, color: "var(--line-strong)" },
      ],
    };
  }, [of]);
  if (times.length < 2) return null;
  return (
    <Card title="Average by month">
      <LineChart label="Average score by month" times={times} series={series} range={[0, 100]} />
    </Card>
  );
}
