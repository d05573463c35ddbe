import { useState } from "react";
import { useMutation } from "urql";
import { Link } from "wouter";
import { may, useViewer } from "../../app/viewer.ts";
import { Time } from "../../format/Time.tsx";
import { graphql, read } from "../../gql/index.ts";
import type { WebhookRowFragment } from "../../gql/graphql.ts";
import { ActionButton } from "../../ui/ActionButton.tsx";
import { Badge } from "../../ui/Badge.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Secret } from "../../ui/Secret.tsx";
import { Table } from "../../ui/Table.tsx";
import { useEdited } from "../../ui/useEdited.ts";
import { usePages } from "../../ui/usePages.ts";
import { EditWebhook } from "./EditWebhook.tsx";

export const WEBHOOK_ROW = graphql(`
  fragment WebhookRow on Webhook { id name url isActive rotatedAt version createdAt }
`);

const WEBHOOKS = graphql(`
  query Webhooks($first: Int!, $after: String) {
    webhooks(orderBy: [{ field: NAME, direction: ASC }], first: $first, after: $after) {
      nodes { ...WebhookRow }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

const ROTATE_SECRET = graphql(`
  mutation RotateSecret($input: RotateWebhookSecretInput!) {
    rotateWebhookSecret(input: $input) { webhook { ...WebhookRow } secret errors { code message field } }
  }
`);

const DELETE_WEBHOOK = graphql(`
  mutation DeleteWebhook($input: DeleteWebhookInput!) {
    deleteWebhook(input: $input) { deletedWebhookId errors { code message field } }
  }
`);

/** The addresses that messages about alerts are sent to. */
export function Webhooks() {
  const mayWrite = may(useViewer(), "OPERATOR", "alerts:write");
  const [secret, setSecret] = useState<string | null>(null);
  const pages = usePages(WEBHOOKS, {}, ({ webhooks }) => ({ ...webhooks, nodes: webhooks.nodes.map((each) => read(WEBHOOK_ROW, each)) }), "cache-and-network");
  const { current, isOpen, edit, create, close } = useEdited("webhook", pages.items, ({ id }) => id);
  const [, rotate] = useMutation(ROTATE_SECRET);
  const [, remove] = useMutation(DELETE_WEBHOOK);
  const rotating = ({ id, version }: WebhookRowFragment) => async () => {
    const { data, error } = await rotate({ input: { id, expectedVersion: version } });
    if (data?.rotateWebhookSecret.secret) setSecret(data.rotateWebhookSecret.secret);
    return { error, errors: data?.rotateWebhookSecret.errors };
  };
  const removing = ({ id, version }: WebhookRowFragment) => async () => {
    const { data, error } = await remove({ input: { id, expectedVersion: version } });
    return { error, errors: data?.deleteWebhook.errors };
  };
  return (
    <Loaded result={pages.result} retry={pages.ask}>
      {() => (
        <>
          {secret && <Secret of={secret} name="secret" onClose={() => setSecret(null)} />}
          <Table
            name="Webhooks"
            items={pages.items}
            pages={pages}
            keyOf={({ id }) => id}
            actions={mayWrite && <button type="button" className="button small primary" onClick={create}>New webhook</button>}
            columns={[
              { name: "Name", value: ({ name }) => name, show: ({ id, name }) => (mayWrite ? <button type="button" className="button small" onClick={() => edit(id)}>{name}</button> : name) },
              { name: "Address", isWide: true, value: ({ url }) => url, show: ({ url }) => <code className="whole">{url}</code> },
              { name: "State", value: stateOf, show: (hook) => <Badge tone={hook.isActive ? "good" : "off"}>{stateOf(hook)}</Badge> },
              { name: "Created", value: ({ createdAt }) => createdAt, show: ({ createdAt }) => <Time at={createdAt} /> },
              { name: "Secret rotated", value: ({ rotatedAt }) => rotatedAt, show: ({ rotatedAt }) => (rotatedAt ? <Time at={rotatedAt} /> : "Never") },
              { name: "Messages", show: ({ id }) => <Link href={`/alerts/deliveries?webhook=${id}`}>Deliveries</Link> },
              {
                name: "",
                show: (hook) =>
                  mayWrite && (
                    <div className="actions">
                      <ActionButton question={`Give ${hook.name} a new secret? For 24 hours messages are signed with both.`} act={rotating(hook)}>Rotate secret</ActionButton>
                      <ActionButton isDanger question={`Delete ${hook.name}, with its messages?`} act={removing(hook)}>Delete</ActionButton>
                    </div>
                  ),
              },
            ]}
            empty={<Empty title="There are no webhooks yet.">Create one, then choose it in a rule: its alerts are sent there, signed.</Empty>}
          />
          {isOpen && mayWrite && (
            <EditWebhook key={current?.id ?? "new"} webhook={current} onClose={close} onSecret={setSecret} onReload={() => pages.ask({ requestPolicy: "network-only" })} />
          )}
        </>
      )}
    </Loaded>
  );
}

function stateOf({ isActive }: WebhookRowFragment): string {
  return isActive ? "ACTIVE" : "PAUSED";
}
