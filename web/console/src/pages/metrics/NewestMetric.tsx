import { useQuery } from "urql";
import { useSearchParams } from "wouter";
import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";

const NEWEST = graphql(`
  query NewestMetric {
    metrics(first: 1, orderBy: [{ field: TIMESTAMP, direction: DESC }]) { nodes { id timestamp } }
  }
`);

const MONTH = 30 * 86_400_000;

/** Where values are, if there are none in the chosen time. */
export function NewestMetric() {
  const [result] = useQuery({ query: NEWEST });
  const [, setParams] = useSearchParams();
  const show = (timestamp: string) => {
    const end = Math.ceil(Date.parse(timestamp) / 60_000) * 60_000;
    setParams({ from: new Date(end - MONTH).toISOString(), to: new Date(end).toISOString() });
  };
  return (
    <Loaded result={result}>
      {({ metrics }) => {
        const [newest] = metrics.nodes;
        if (!newest) return <Empty title="There are no metrics yet.">Record some with <code>recordMetrics</code>, or import them.</Empty>;
        return (
          <Empty title="No values in this time.">
            <p>The newest is of <Time at={newest.timestamp} />.</p>
            <button type="button" className="button" onClick={() => show(newest.timestamp)}>Show the 30 days before it</button>
          </Empty>
        );
      }}
    </Loaded>
  );
}
