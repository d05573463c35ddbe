import { useQuery } from "urql";
import { Link, useParams } from "wouter";
import { CONSOLE } from "../../api/places.ts";
import { may, useViewer } from "../../app/viewer.ts";
import { count, dollars, inWords, percent, plural, score } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import { Badge } from "../../ui/Badge.tsx";
import { Card } from "../../ui/Card.tsx";
import { Disclosure } from "../../ui/Disclosure.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Facts } from "../../ui/Facts.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Page } from "../../ui/Page.tsx";
import { DREAM_TONES } from "./DreamRow.ts";
import { PublicDream } from "./PublicDream.tsx";
import { Tests } from "./Tests.tsx";

const DREAM = graphql(`
  query Dream($id: ID!) {
    dream(id: $id) {
      id
      title
      description
      originalPrompt
      category
      tags
      status
      isPublic
      createdAt
      remixedFrom { id title }
      remixes(first: 20) { totalCount nodes { id title } }
      totals { testCount totalTokens totalCost }
      slug
      averageImpossibility
      bestScore
      improvementTrend
      latestProgress { activeModels }
      ...DecayChart
    }
  }
`);

/** One dream; without a role, what everybody may see of it. */
export function DreamPage() {
  const { id } = useParams<{ id: string }>();
  return may(useViewer(), "MEMBER", "tests:read") ? <WholeDream id={id} /> : <PublicDream />;
}

/** How a dream becomes possible, its tests and its remixes. */
function WholeDream({ id }: { id: string }) {
  const [result, ask] = useQuery({ query: DREAM, variables: { id }, requestPolicy: "cache-and-network" });
  return (
    <Loaded result={result} retry={ask}>
      {({ dream }) =>
        dream ? (
          <Page
            title={dream.title}
            about={<>Created <Time at={dream.createdAt} as="day" /> in {inWords(dream.category)}</>}
            actions={
              <>
                <Badge tone={DREAM_TONES[dream.status]}>{dream.status}</Badge>
                {dream.isPublic && <a className="button" href={`${CONSOLE}/public/dreams/${dream.slug}`}>Public page</a>}
              </>
            }
          >
            <Card title="Now">
              <Facts
                of={[
                  ["Impossibility, average", score(dream.averageImpossibility)],
                  ["Best score", score(dream.bestScore)],
                  ["Improved in 30 days", percent(dream.improvementTrend)],
                  ["Tests", count(dream.totals.testCount)],
                  ["Models", count(dream.latestProgress?.activeModels.length ?? 0)],
                  ["Tokens", count(dream.totals.totalTokens)],
                  ["Cost", dollars(dream.totals.totalCost)],
                ]}
              />
            </Card>
            <Tests dreamId={dream.id} dream={dream} />
            <div className="columns">
              <Card title="About">
                <p>{dream.description ?? "It has no description."}</p>
                {dream.tags.length > 0 && <p className="tags">{dream.tags.map((tag) => <span key={tag} className="tag">{tag}</span>)}</p>}
                {dream.originalPrompt && <Disclosure title="Prompt" param="prompt"><pre>{dream.originalPrompt}</pre></Disclosure>}
              </Card>
              <Card title={plural(dream.remixes.totalCount, "remix", "remixes")}>
                {dream.remixedFrom && <p>It is a remix of <Link href={`/dreams/${dream.remixedFrom.id}`}>{dream.remixedFrom.title}</Link>.</p>}
                {dream.remixes.nodes.length === 0 && <Empty title="Nobody has remixed it yet.">Make a remix with <code>remixDream</code>.</Empty>}
                <ul className="list">
                  {dream.remixes.nodes.map(({ id, title }) => <li key={id}><Link href={`/dreams/${id}`}>{title}</Link></li>)}
                </ul>
              </Card>
            </div>
          </Page>
        ) : (
          <Empty title="There is no such dream."><Link href="/dreams">See all dreams</Link></Empty>
        )
      }
    </Loaded>
  );
}
