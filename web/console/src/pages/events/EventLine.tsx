import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import type { EventLineFragment } from "../../gql/graphql.ts";
import { Badge } from "../../ui/Badge.tsx";
import { SEVERITY_TONES } from "./tones.ts";

export const EVENT_LINE = graphql(`
  fragment EventLine on SystemEvent { id timestamp severity eventType source payload }
`);

/** One event in one line. */
export function EventLine({ event }: { event: EventLineFragment }) {
  const { timestamp, severity, eventType, source, payload } = event;
  return (
    <li>
      <Badge tone={SEVERITY_TONES[severity]}>{severity}</Badge>
      <small><Time at={timestamp} /></small>
      <span><strong>{eventType}</strong> <small>{source}</small></span>
      <code title={JSON.stringify(payload, null, 2)}>{JSON.stringify(payload)}</code>
    </li>
  );
}
