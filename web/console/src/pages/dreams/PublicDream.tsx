import { useQuery } from "urql";
import { useParams } from "wouter";
import { Brand } from "../../app/Brand.tsx";
import { inWords, score } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Facts } from "../../ui/Facts.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Page } from "../../ui/Page.tsx";
import { ProgressChart } from "./ProgressChart.tsx";

const PUBLIC_DREAM = graphql(`
  query PublicDream($id: ID, $slug: String) {
    dream(id: $id, slug: $slug) {
      id
      title
      description
      category
      tags
      isPublic
      createdAt
      averageImpossibility
      bestScore
      testCount
      lastTestedAt
      progress(last: 100) { nodes { ...ProgressPoint } }
    }
  }
`);

/** A published dream, to read only, for everybody who has the link. */
export function PublicDream() {
  const { id } = useParams<{ id: string }>();
  const [result, ask] = useQuery({ query: PUBLIC_DREAM, variables: id.startsWith("dream_") ? { id } : { slug: id } });
  return (
    <main>
      <Loaded result={result} retry={ask}>
        {({ dream }) =>
          dream?.isPublic ? (
            <Page title={dream.title} about={<>{inWords(dream.category)}, since <Time at={dream.createdAt} as="day" /></>} actions={<Brand />}>
              <Card title="How impossible is it?">
                <Facts
                  of={[
                    ["Impossibility, average", score(dream.averageImpossibility)],
                    ["Best score", score(dream.bestScore)],
                    ["Tests", dream.testCount],
                    ["Last tested", <Time at={dream.lastTestedAt} as="day" />],
                  ]}
                />
                <ProgressChart of={dream.progress.nodes} />
              </Card>
              {dream.description && <Card title="About"><p>{dream.description}</p></Card>}
            </Page>
          ) : (
            <Empty title="There is no published dream here.">It may have been unpublished.</Empty>
          )
        }
      </Loaded>
    </main>
  );
}
