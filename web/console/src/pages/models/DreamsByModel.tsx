import { useMemo } from "react";
import { useQuery } from "urql";
import { HeatMap } from "../../charts/HeatMap.tsx";
import { graphql } from "../../gql/index.ts";
import type { DreamsByModelQuery } from "../../gql/graphql.ts";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { ExportMenu } from "../../ui/ExportMenu.tsx";
import { Loaded } from "../../ui/Loaded.tsx";

const DREAMS_BY_MODEL = graphql(`
  query DreamsByModel {
    dreams(first: 20, filter: { tests: { impossibilityScore: { isNull: false } } }) {
      nodes {
        id
        title
        tests(first: 50, filter: { impossibilityScore: { isNull: false } }, orderBy: [{ field: CREATED_AT, direction: DESC }]) {
          nodes { id model impossibilityScore }
        }
      }
    }
  }
`);

const MOST_MODELS = 24;

/** Which models make which dreams possible: the newest dreams with their newest tests. */
export function DreamsByModel() {
  const [result, ask] = useQuery({ query: DREAMS_BY_MODEL });
  return (
    <Loaded result={result} retry={ask}>
      {({ dreams }) => <Heat dreams={dreams.nodes} />}
    </Loaded>
  );
}

type Dreams = DreamsByModelQuery["dreams"]["nodes"];

function Heat({ dreams }: { dreams: Dreams }) {
  const { models, averages } = useMemo(() => averaged(dreams), [dreams]);
  const rows = dreams.map(({ id, title }) => ({ key: id, name: title }));
  const valueOf = (dream: string, model: string) => averages.get(`${dream} ${model}`);
  return (
    <Card
      title="Dreams by model"
      actions={
        <ExportMenu
          name="Dreams by model"
          rows={() => rows.flatMap(({ key, name }) => models.map((model) => ({ dream: name, model, averageScore: valueOf(key, model) ?? null })))}
        />
      }
    >
      <p className="quiet">Average score of the 50 newest scored tests of each of the 20 newest tested dreams. Deeper is more possible.</p>
      {models.length === 0 ? (
        <Empty title="No test has a score yet.">Complete tests with <code>completeAiTest</code>, or record scored ones with <code>recordAiTest</code>.</Empty>
      ) : (
        <HeatMap label="Dreams by model" rows={rows} columns={models.map((model) => ({ key: model, name: model }))} valueOf={valueOf} />
      )}
    </Card>
  );
}

function averaged(dreams: Dreams) {
  const scores = new Map<string, number[]>();
  const counts = new Map<string, number>();
  for (const { id, tests } of dreams)
    for (const { model, impossibilityScore } of tests.nodes) {
      const key = `${id} ${model}`;
      scores.set(key, [...(scores.get(key) ?? []), impossibilityScore!]);
      counts.set(model, (counts.get(model) ?? 0) + 1);
    }
  const models = [...counts].sort(([, one], [, other]) => other - one).slice(0, MOST_MODELS).map(([model]) => model);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { models, averages: new Map([...scores].map(([key, values]) => [key, mean(values)])) };
}
