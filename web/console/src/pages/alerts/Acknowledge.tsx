import { useMutation } from "urql";
import { may, useViewer } from "../../app/viewer.ts";
import { graphql } from "../../gql/index.ts";
import type { AlertRowFragment } from "../../gql/graphql.ts";
import { ActionButton } from "../../ui/ActionButton.tsx";
import { stateOf } from "./states.ts";

const ACKNOWLEDGE = graphql(`
  mutation AcknowledgeAlert($input: AcknowledgeAlertInput!) {
    acknowledgeAlert(input: $input) { alert { ...AlertRow } errors { code message field } }
  }
`);

/** Shows others that the viewer takes care of an open alert. */
export function Acknowledge({ of }: { of: AlertRowFragment }) {
  const mayWrite = may(useViewer(), "OPERATOR", "alerts:write");
  const [, acknowledge] = useMutation(ACKNOWLEDGE);
  if (!mayWrite || stateOf(of) !== "OPEN") return null;
  const act = async () => {
    const { data, error } = await acknowledge({ input: { id: of.id } });
    return { error, errors: data?.acknowledgeAlert.errors };
  };
  return <ActionButton act={act}>Acknowledge</ActionButton>;
}
