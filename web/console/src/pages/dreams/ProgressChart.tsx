import { useMemo } from "react";
import { LineChart } from "../../charts/LineChart.tsx";
import { score } from "../../format/numbers.ts";
import { type FragmentType, graphql, read } from "../../gql/index.ts";
import { Empty } from "../../ui/Empty.tsx";

export const PROGRESS = graphql(`
  fragment ProgressPoint on ProgressLog { createdAt averageImpossibility bestScore }
`);

/** Average and best of a dream after each of its tests. */
export function ProgressChart({ of }: { of: FragmentType<typeof PROGRESS>[] }) {
  const { times, series } = useMemo(() => {
    const logs = of.map((each) => read(PROGRESS, each));
    return {
      times: logs.map(({ createdAt }) => Date.parse(createdAt)),
      series: [
        { name: "Average", values: logs.map(({ averageImpossibility }) => averageImpossibility), show: score },
        { name: "Best", values: logs.map(({ bestScore }) => bestScore), show: score, color: "var(--series-2)" },
      ],
    };
  }, [of]);
  if (times.length === 0) return <Empty title="It was not tested yet.">Come back when a model was tested with it.</Empty>;
  return <LineChart label="Impossibility over time" times={times} series={series} range={[0, 100]} height={300} />;
}
