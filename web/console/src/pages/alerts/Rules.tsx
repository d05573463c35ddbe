import { useMutation } from "urql";
import { may, useViewer } from "../../app/viewer.ts";
import { Time } from "../../format/Time.tsx";
import { graphql, read } from "../../gql/index.ts";
import type { RuleFragment } from "../../gql/graphql.ts";
import { ActionButton } from "../../ui/ActionButton.tsx";
import { Badge, type Tone } from "../../ui/Badge.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Table } from "../../ui/Table.tsx";
import { useEdited } from "../../ui/useEdited.ts";
import { usePages } from "../../ui/usePages.ts";
import { EditRule } from "./EditRule.tsx";
import { conditionInWords, minutesInWords, watchInWords } from "./kinds.ts";

export const RULE = graphql(`
  fragment Rule on AlertRule {
    id name kind windowMinutes comparison threshold cooldownMinutes notifies isActive isBuiltin version evaluatedAt failedAt
    webhook { id name }
    watch {
      spend { of provider user { id email } }
      metric { metricName aggregate }
      events { eventType severity }
      agents { condition }
      feedLag { feed }
    }
  }
`);

const RULES = graphql(`
  query AlertRules($first: Int!, $after: String) {
    alertRules(orderBy: [{ field: NAME, direction: ASC }], first: $first, after: $after) {
      nodes { ...Rule }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

const DELETE_RULE = graphql(`
  mutation DeleteRule($input: DeleteAlertRuleInput!) {
    deleteAlertRule(input: $input) { deletedAlertRuleId errors { code message field } }
  }
`);

/** The rules that open alerts: create, change, pause, delete. */
export function Rules() {
  const mayWrite = may(useViewer(), "OPERATOR", "alerts:write");
  const pages = usePages(RULES, {}, ({ alertRules }) => ({ ...alertRules, nodes: alertRules.nodes.map((each) => read(RULE, each)) }), "cache-and-network");
  const { current, isOpen, edit, create, close } = useEdited("rule", pages.items, ({ id }) => id);
  const [, remove] = useMutation(DELETE_RULE);
  const removing = ({ id, version }: RuleFragment) => async () => {
    const { data, error } = await remove({ input: { id, expectedVersion: version } });
    return { error, errors: data?.deleteAlertRule.errors };
  };
  return (
    <Loaded result={pages.result} retry={pages.ask}>
      {() => (
        <>
          <Table
            name="Alert rules"
            items={pages.items}
            pages={pages}
            keyOf={({ id }) => id}
            actions={mayWrite && <button type="button" className="button small primary" onClick={create}>New rule</button>}
            columns={[
              { name: "Name", isWide: true, value: ({ name }) => name, show: ({ id, name }) => (mayWrite ? <button type="button" className="button small" onClick={() => edit(id)}>{name}</button> : name) },
              { name: "Watches", value: ({ watch }) => watchInWords(watch) },
              { name: "Opens an alert", value: conditionInWords },
              { name: "Cooldown", isNumber: true, unit: "min", value: ({ cooldownMinutes }) => cooldownMinutes, show: ({ cooldownMinutes }) => minutesInWords(cooldownMinutes) },
              { name: "Webhook", value: ({ webhook }) => webhook?.name },
              { name: "State", value: stateOf, show: (rule) => <Badge tone={TONES[stateOf(rule)]}>{stateOf(rule)}</Badge> },
              { name: "Evaluated", value: ({ evaluatedAt }) => evaluatedAt, show: ({ evaluatedAt }) => <Time at={evaluatedAt} as="ago" /> },
              {
                name: "",
                show: (rule) =>
                  mayWrite && !rule.isBuiltin && (
                    <div className="actions">
                      <ActionButton isDanger question={`Delete the rule ${rule.name}? Its open alerts are closed.`} act={removing(rule)}>Delete</ActionButton>
                    </div>
                  ),
              },
            ]}
            empty={<Empty title="There are no rules yet.">Create one, or send <code>createAlertRule</code>.</Empty>}
          />
          {isOpen && mayWrite && (
            <EditRule key={current?.id ?? "new"} rule={current} onClose={close} onReload={() => pages.ask({ requestPolicy: "network-only" })} />
          )}
        </>
      )}
    </Loaded>
  );
}

type RuleState = "ACTIVE" | "PAUSED" | "FAILED";

const TONES: Record<RuleState, Tone> = { ACTIVE: "good", PAUSED: "off", FAILED: "bad" };

function stateOf({ isActive, failedAt }: RuleFragment): RuleState {
  return !isActive ? "PAUSED" : failedAt ? "FAILED" : "ACTIVE";
}
