import { useQuery } from "urql";
import { Link } from "wouter";
import { count, score } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import type { AchievementsQuery } from "../../gql/graphql.ts";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";

const ACHIEVEMENTS = graphql(`
  query Achievements {
    achieved: dreams(first: 6, filter: { status: { eq: ACHIEVED } }, orderBy: [{ field: UPDATED_AT, direction: DESC }]) {
      nodes { id title updatedAt bestScore }
    }
    newest: dreams(first: 6) { totalCount totalCountIsExact nodes { id title createdAt bestScore } }
  }
`);

/** Dreams that were achieved lately, and the newest ones. */
export function Achievements() {
  const [result, ask] = useQuery({ query: ACHIEVEMENTS });
  return (
    <Loaded result={result} retry={ask}>
      {({ achieved, newest }) => (
        <>
          <Card title="Achieved lately" actions={<Link href="/dreams?status=ACHIEVED" className="button small">All achieved</Link>}>
            {achieved.nodes.length === 0 ? (
              <Empty title="No dream is achieved yet.">An owner says so with <code>achieveDream</code>.</Empty>
            ) : (
              <Dreams of={achieved.nodes.map(({ updatedAt, ...dream }) => ({ ...dream, at: updatedAt }))} />
            )}
          </Card>
          <Card title={`Newest of ${count(newest.totalCount)}${newest.totalCountIsExact ? "" : "+"} dreams`} actions={<Link href="/dreams" className="button small">All dreams</Link>}>
            {newest.nodes.length === 0 ? (
              <Empty title="There are no dreams yet." hasSample>Import some with <code>dreamnet import</code>.</Empty>
            ) : (
              <Dreams of={newest.nodes.map(({ createdAt, ...dream }) => ({ ...dream, at: createdAt }))} />
            )}
          </Card>
        </>
      )}
    </Loaded>
  );
}

type Dream = Omit<AchievementsQuery["newest"]["nodes"][number], "createdAt"> & { at: string };

function Dreams({ of }: { of: Dream[] }) {
  return (
    <ul className="list">
      {of.map(({ id, title, at, bestScore }) => (
        <li key={id}>
          <Link href={`/dreams/${id}`}>{title}</Link>
          <small className="end">best {score(bestScore)} · <Time at={at} as="day" /></small>
        </li>
      ))}
    </ul>
  );
}
