import { Time } from "../../format/Time.tsx";
import { type FragmentType, graphql, read } from "../../gql/index.ts";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";

export const AGENT_ERRORS = graphql(`
  fragment AgentErrors on Agent { errors { at message } }
`);

/** The last errors that an agent reported. */
export function AgentErrors({ of }: { of: FragmentType<typeof AGENT_ERRORS> }) {
  const { errors } = read(AGENT_ERRORS, of);
  return (
    <Card title="Errors">
      {errors.length === 0 && <Empty title="It reported no errors.">The last errors of its reports are shown here.</Empty>}
      <ul className="list">
        {errors.map(({ at, message }) => (
          <li key={`${at} ${message}`}>
            <span>{message}</span>
            <small className="end"><Time at={at} /></small>
          </li>
        ))}
      </ul>
    </Card>
  );
}
