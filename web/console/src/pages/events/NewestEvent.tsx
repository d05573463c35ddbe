import { useQuery } from "urql";
import { useSearchParams } from "wouter";
import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";

const NEWEST = graphql(`
  query NewestEvent {
    events(first: 1, orderBy: [{ field: TIMESTAMP, direction: DESC }]) { nodes { id timestamp } }
  }
`);

const DAY = 86_400_000;

/** Where events are, if there are none in the chosen time. */
export function NewestEvent() {
  const [result] = useQuery({ query: NEWEST });
  const [, setParams] = useSearchParams();
  const show = (timestamp: string) => {
    const end = Math.ceil(Date.parse(timestamp) / 60_000) * 60_000;
    setParams({ from: new Date(end - DAY).toISOString(), to: new Date(end).toISOString() });
  };
  return (
    <Loaded result={result}>
      {({ events }) => {
        const [newest] = events.nodes;
        if (!newest) return <Empty title="There are no events yet.">Log some with <code>logEvents</code>, or import them.</Empty>;
        return (
          <Empty title="No events in this time.">
            <p>The newest is of <Time at={newest.timestamp} />.</p>
            <button type="button" className="button" onClick={() => show(newest.timestamp)}>Show the day before it</button>
          </Empty>
        );
      }}
    </Loaded>
  );
}
