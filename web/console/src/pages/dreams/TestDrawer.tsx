import { useQuery } from "urql";
import { count, dollars, duration, score } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import { Drawer } from "../../ui/Drawer.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Facts } from "../../ui/Facts.tsx";
import { Json } from "../../ui/Json.tsx";
import { Loaded } from "../../ui/Loaded.tsx";

const TEST = graphql(`
  query Test($id: ID!) {
    aiTest(id: $id) {
      id
      provider
      model
      status
      impossibilityScore
      confidence
      reasoning
      durationMs
      tokensUsed
      cost
      isCostDerived
      testParameters
      createdAt
      dream { id title originalPrompt }
    }
  }
`);

/** One test: prompt, reasoning, parameters and cost. */
export function TestDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const [result, ask] = useQuery({ query: TEST, variables: { id } });
  return (
    <Drawer title={result.data?.aiTest ? `${result.data.aiTest.model}, ${result.data.aiTest.provider}` : "Test"} onClose={onClose}>
      <Loaded result={result} retry={ask}>
        {({ aiTest: test }) =>
          test ? (
            <>
              <Facts
                of={[
                  ["Time", <Time at={test.createdAt} />],
                  ["Status", test.status],
                  ["Impossibility", score(test.impossibilityScore)],
                  ["Confidence", score(test.confidence)],
                  ["Duration", duration(test.durationMs)],
                  ["Tokens", count(test.tokensUsed)],
                  [test.isCostDerived ? "Cost, by price" : "Cost", dollars(test.cost)],
                ]}
              />
              <Text label="Reasoning" text={test.reasoning} />
              <Text label="Prompt" text={test.dream.originalPrompt} />
              <Json label="Parameters" value={test.testParameters} />
            </>
          ) : (
            <Empty title="There is no such test.">Close this, and choose one of the table.</Empty>
          )
        }
      </Loaded>
    </Drawer>
  );
}

function Text({ label, text }: { label: string; text: string | null | undefined }) {
  if (!text) return null;
  return (
    <section>
      <h3>{label}</h3>
      <pre tabIndex={0}>{text}</pre>
    </section>
  );
}
