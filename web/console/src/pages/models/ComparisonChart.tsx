import { seriesColor } from "../../charts/colors.ts";
import { type Point, ScatterChart } from "../../charts/ScatterChart.tsx";
import { useParam } from "../../app/useParam.ts";
import { count, dollars, duration, score } from "../../format/numbers.ts";
import type { ModelComparisonQuery } from "../../gql/graphql.ts";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Segments } from "../../ui/Segments.tsx";
import { modelPath } from "./modelPath.ts";

type Model = ModelComparisonQuery["modelComparison"]["rows"][number];

const NAMED = 5; // providers with a colour of their own
const ABSCISSAS = {
  cost: { name: "Cost of a test", show: dollars, of: costOfTest },
  duration: { name: "Duration of a test", show: duration, of: ({ averageDurationMs }: Model) => averageDurationMs ?? 0 },
};

/** Impossibility against cost or duration, a point a model. */
export function ComparisonChart({ models }: { models: Model[] }) {
  const [name, setName] = useParam("against", "cost");
  const against = ABSCISSAS[name as keyof typeof ABSCISSAS] ?? ABSCISSAS.cost;
  const colors = colorsOf(models);
  const points: Point[] = models
    .map((model) => ({ model, x: against.of(model) }))
    .filter(({ model, x }) => x > 0 && model.averageScore != null)
    .map(({ model: { provider, model, averageScore, confidenceInterval, scoredTestCount }, x }) => ({
      key: `${provider} ${model}`,
      name: `${model}: ${score(averageScore)}, ${against.show(x)}, ${count(scoredTestCount)} scored tests`,
      x,
      y: averageScore!,
      low: confidenceInterval?.low,
      high: confidenceInterval?.high,
      group: colors.has(provider) ? provider : "Other providers",
      color: colors.get(provider) ?? "var(--line-strong)",
      href: modelPath(provider, model),
    }));
  return (
    <Card
      title={`Impossibility against ${against.name.toLowerCase()}`}
      actions={<Segments label="Against" options={[["cost", "Cost"], ["duration", "Duration"]] as const} value={name as "cost"} onChange={setName} />}
    >
      {points.length > 0 ? (
        <ScatterChart label="Models" points={points} xName={against.name} yName="Impossibility" showX={against.show} />
      ) : (
        <Empty title="No scored test has this figure.">Compare another figure, or choose a longer time range.</Empty>
      )}
    </Card>
  );
}

function costOfTest({ totalCost, testCount }: Model): number {
  return testCount === 0 ? 0 : Number(totalCost ?? 0) / testCount;
}

function colorsOf(models: Model[]): Map<string, string> {
  const counts = new Map<string, number>();
  for (const { provider } of models) counts.set(provider, (counts.get(provider) ?? 0) + 1);
  const most = [...counts].sort(([, one], [, other]) => other - one).slice(0, NAMED);
  return new Map(most.map(([provider], index) => [provider, seriesColor(index)]));
}
