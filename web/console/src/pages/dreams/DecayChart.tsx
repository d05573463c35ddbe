import { useMemo } from "react";
import { LineChart, type Series } from "../../charts/LineChart.tsx";
import { type FragmentType, graphql, read } from "../../gql/index.ts";
import type { TestRowFragment } from "../../gql/graphql.ts";
import { score } from "../../format/numbers.ts";
import { Empty } from "../../ui/Empty.tsx";

export const DECAY = graphql(`
  fragment DecayChart on Dream {
    decay(from: "2000-01-01T00:00:00Z", bucket: DAY) { bucket averageScore bestScore }
  }
`);

const MOST_MODELS = 4; // with colours of their own

interface Props {
  of: FragmentType<typeof DECAY>;
  tests: readonly TestRowFragment[];
  isByModel?: boolean;
  onTest?: (id: string) => void;
}

/** How the impossibility of a dream falls: by day the average and the best, and each test as a point. */
export function DecayChart({ of, tests, isByModel = false, onTest }: Props) {
  const { decay } = read(DECAY, of);
  const { times, series, testAt } = useMemo(() => arranged(decay, tests, isByModel), [decay, tests, isByModel]);
  if (times.length === 0) return <Empty title="No test has a score yet.">Complete tests with <code>completeAiTest</code>, or record scored ones with <code>recordAiTest</code>.</Empty>;
  return (
    <LineChart
      label="Impossibility over time"
      times={times}
      series={series}
      range={[0, 100]}
      height={300}
      onSelect={(index) => {
        const test = testAt.get(times[index]!);
        if (test) onTest?.(test.id);
      }}
    />
  );
}

type Decay = { bucket: string; averageScore?: number | null; bestScore?: number | null }[];

function arranged(decay: Decay, tests: readonly TestRowFragment[], isByModel: boolean) {
  const scored = tests.filter((test) => test.impossibilityScore != null);
  const testAt = new Map(scored.map((test) => [Date.parse(test.createdAt), test]));
  const dayAt = new Map(decay.map((point) => [Date.parse(point.bucket), point]));
  const times = [...new Set([...testAt.keys(), ...dayAt.keys()])].sort((one, other) => one - other);
  const days = (value: (point: Decay[number]) => number | null | undefined) =>
    times.map((time) => (dayAt.has(time) ? value(dayAt.get(time)!) ?? null : null));
  const points = (name: string, color: string, belongs: (test: TestRowFragment) => boolean): Series => ({
    name,
    color,
    isPoints: true,
    show: score,
    values: times.map((time) => {
      const test = testAt.get(time);
      return test && belongs(test) ? test.impossibilityScore! : null;
    }),
  });
  const series: Series[] = [
    { name: "Average of the day", values: days(({ averageScore }) => averageScore), show: score },
    { name: "Best of the day", values: days(({ bestScore }) => bestScore), show: score, color: "var(--series-2)" },
    ...(isByModel ? ofModels(scored, points) : scored.length > 0 ? [points("Test", "var(--series-3)", () => true)] : []),
  ];
  return { times, series, testAt };
}

function ofModels(tests: readonly TestRowFragment[], points: (name: string, color: string, belongs: (test: TestRowFragment) => boolean) => Series): Series[] {
  const counts = new Map<string, number>();
  for (const { model } of tests) counts.set(model, (counts.get(model) ?? 0) + 1);
  const most = [...counts].sort(([, one], [, other]) => other - one).slice(0, MOST_MODELS).map(([model]) => model);
  const others = points("Other models", "var(--line-strong)", ({ model }) => !most.includes(model));
  return [...most.map((model, index) => points(model, `var(--series-${index + 3})`, (test) => test.model === model)), others];
}
