import { useQuery } from "urql";
import { Link } from "wouter";
import { graphql, read } from "../../gql/index.ts";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { useRefresh } from "../../ui/useRefresh.ts";
import { EVENT_LINE, EventLine } from "../events/EventLine.tsx";

const ERRORS = graphql(`
  query NewestErrors {
    events(
      first: 8
      filter: { severity: { in: [ERROR, CRITICAL] } }
      orderBy: [{ field: TIMESTAMP, direction: DESC }]
    ) {
      nodes { ...EventLine }
    }
  }
`);

/** The newest errors. */
export function Errors() {
  const [result, ask] = useQuery({ query: ERRORS });
  useRefresh(30, ask);
  return (
    <Card title="Errors" actions={<Link href="/events?severity=ERROR" className="button small">All errors</Link>}>
      <Loaded result={result} retry={ask}>
        {({ events }) =>
          events.nodes.length === 0 ? (
            <Empty title="No errors.">Events of severity ERROR and CRITICAL are shown here as they are logged.</Empty>
          ) : (
            <ul className="tail">{events.nodes.map((each) => read(EVENT_LINE, each)).map((event) => <EventLine key={event.id} event={event} />)}</ul>
          )
        }
      </Loaded>
    </Card>
  );
}
