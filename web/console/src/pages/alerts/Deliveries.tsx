import { useMemo } from "react";
import { useQuery } from "urql";
import { useParam } from "../../app/useParam.ts";
import { Time } from "../../format/Time.tsx";
import { graphql, read } from "../../gql/index.ts";
import type { DeliveryFragment, WebhookDeliveryFilter } from "../../gql/graphql.ts";
import { Badge, type Tone } from "../../ui/Badge.tsx";
import { Choice, withCounts } from "../../ui/Choice.tsx";
import { Drawer } from "../../ui/Drawer.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Facts } from "../../ui/Facts.tsx";
import { Json } from "../../ui/Json.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { RefreshChoice } from "../../ui/RefreshChoice.tsx";
import { Table } from "../../ui/Table.tsx";
import { usePages } from "../../ui/usePages.ts";
import { useRefresh } from "../../ui/useRefresh.ts";
import { WEBHOOK_NAMES } from "./EditRule.tsx";

const DELIVERY = graphql(`
  fragment Delivery on WebhookDelivery {
    id eventType payload attempts lastError deliveredAt failedAt createdAt webhook { id name }
  }
`);

const DELIVERIES = graphql(`
  query Deliveries($filter: WebhookDeliveryFilter, $first: Int!, $after: String) {
    webhookDeliveries(filter: $filter, orderBy: [{ field: CREATED_AT, direction: DESC }], first: $first, after: $after) {
      nodes { ...Delivery }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

type DeliveryState = "DELIVERED" | "WAITING" | "FAILED";

const TONES: Record<DeliveryState, Tone> = { DELIVERED: "good", WAITING: "warn", FAILED: "bad" };
const FILTERS: Record<DeliveryState, WebhookDeliveryFilter> = {
  DELIVERED: { deliveredAt: { isNull: false } },
  WAITING: { deliveredAt: { isNull: true }, failedAt: { isNull: true } },
  FAILED: { failedAt: { isNull: false } },
};

/** Messages to webhooks, newest first, and whether they were accepted. */
export function Deliveries() {
  const [webhook, setWebhook] = useParam("webhook");
  const [state, setState] = useParam("state");
  const [refresh, setRefresh] = useParam("refresh", "0");
  const [opened, open] = useParam("delivery");
  const filter = useMemo<WebhookDeliveryFilter>(
    () => ({ ...FILTERS[state as DeliveryState], ...(webhook && { webhookId: { eq: webhook } }) }),
    [state, webhook],
  );
  const pages = usePages(DELIVERIES, { filter }, ({ webhookDeliveries }) => ({ ...webhookDeliveries, nodes: webhookDeliveries.nodes.map((each) => read(DELIVERY, each)) }), "cache-and-network");
  useRefresh(Number(refresh), pages.ask);
  const [{ data: hooks }] = useQuery({ query: WEBHOOK_NAMES });
  const current = pages.items.find(({ id }) => id === opened);
  return (
    <>
      <div className="filters">
        <Choice label="Webhook" all="All" options={(hooks?.webhooks.nodes ?? []).map(({ id, name }) => [id, name] as const)} value={webhook} onChange={setWebhook} />
        <Choice label="State" all="All" options={withCounts(Object.keys(TONES))} value={state} onChange={setState} />
        <RefreshChoice value={refresh} onChange={setRefresh} />
      </div>
      <Loaded result={pages.result} retry={pages.ask}>
        {() => (
          <Table
            name="Deliveries"
            items={pages.items}
            pages={pages}
            keyOf={({ id }) => id}
            columns={[
              { name: "Time", value: ({ createdAt }) => createdAt, show: ({ id, createdAt }) => <button type="button" className="button small" onClick={() => open(id)}><Time at={createdAt} /></button> },
              { name: "Webhook", value: ({ webhook }) => webhook.name },
              { name: "Message", value: ({ eventType }) => eventType },
              { name: "State", value: stateOf, show: (each) => <StateBadge of={each} /> },
              { name: "Attempts", isNumber: true, value: ({ attempts }) => attempts },
              { name: "Accepted", value: ({ deliveredAt }) => deliveredAt, show: ({ deliveredAt }) => <Time at={deliveredAt} /> },
              { name: "Last error", isWide: true, value: ({ lastError }) => lastError },
            ]}
            empty={<Empty title="There are no messages like this.">Choose a webhook in a rule: a message is sent when its alerts open, close or are acknowledged.</Empty>}
          />
        )}
      </Loaded>
      {current && <DeliveryDrawer of={current} onClose={() => open("")} />}
    </>
  );
}

function DeliveryDrawer({ of, onClose }: { of: DeliveryFragment; onClose: () => void }) {
  return (
    <Drawer title={of.eventType} onClose={onClose}>
      <Facts
        of={[
          ["Webhook", of.webhook.name],
          ["State", <StateBadge of={of} />],
          ["Stored", <Time at={of.createdAt} />],
          ["Attempts", of.attempts],
          ["Accepted", <Time at={of.deliveredAt} />],
          ["Last error", of.lastError],
        ]}
      />
      <Json label="Message" value={of.payload} />
    </Drawer>
  );
}

function StateBadge({ of }: { of: DeliveryFragment }) {
  return <Badge tone={TONES[stateOf(of)]}>{stateOf(of)}</Badge>;
}

function stateOf({ deliveredAt, failedAt }: DeliveryFragment): DeliveryState {
  return deliveredAt ? "DELIVERED" : failedAt ? "FAILED" : "WAITING";
}
