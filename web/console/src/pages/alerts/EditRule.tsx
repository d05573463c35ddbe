import { useState } from "react";
import { useMutation, useQuery } from "urql";
import { graphql } from "../../gql/index.ts";
import type { AlertKind, RuleFragment } from "../../gql/graphql.ts";
import { CheckField } from "../../ui/CheckField.tsx";
import { ChoiceField } from "../../ui/ChoiceField.tsx";
import { Drawer } from "../../ui/Drawer.tsx";
import { Form } from "../../ui/Form.tsx";
import { TextField } from "../../ui/TextField.tsx";
import { useExpected } from "../../ui/useExpected.tsx";
import { COMPARISONS, conditionInWords, KINDS, watchInWords } from "./kinds.ts";
import { RulePreview } from "./RulePreview.tsx";
import { useRuleInput } from "./useRuleInput.ts";
import { WatchFields } from "./WatchFields.tsx";

export const WEBHOOK_NAMES = graphql(`
  query WebhookNames { webhooks(orderBy: [{ field: NAME, direction: ASC }], first: 200) { nodes { id name } } }
`);

const CREATE_RULE = graphql(`
  mutation CreateRule($input: CreateAlertRuleInput!) {
    createAlertRule(input: $input) { alertRule { ...Rule } errors { code message field } }
  }
`);

const UPDATE_RULE = graphql(`
  mutation UpdateRule($input: UpdateAlertRuleInput!) {
    updateAlertRule(input: $input) { alertRule { ...Rule } errors { code message field } }
  }
`);

interface Props {
  rule: RuleFragment | undefined;
  onClose: () => void;
  onReload: () => void;
}

/** Creates a rule, or changes one unless somebody else has since the form was opened. */
export function EditRule({ rule, onClose, onReload }: Props) {
  const [kind, setKind] = useState<AlertKind>(rule?.kind ?? "EVENTS");
  const [{ data: hooks }] = useQuery({ query: WEBHOOK_NAMES });
  const [, create] = useMutation(CREATE_RULE);
  const [, update] = useMutation(UPDATE_RULE);
  const ruleOf = useRuleInput();
  const now = rule && <>it watches “{watchInWords(rule.watch)}” and opens an alert at “{conditionInWords(rule)}” now (version {rule.version})</>;
  const [seen, conflict] = useExpected(rule?.version, now, onReload);
  const isWatchFixed = rule?.isBuiltin ?? false;
  const submit = async (values: FormData) => {
    const { rule: input, outcome } = await ruleOf(values);
    if (!input) return outcome;
    const { watch, ...others } = input;
    const given = {
      ...others,
      name: String(values.get("name")),
      webhookId: String(values.get("webhookId") ?? "") || null,
      notifies: values.has("notifies"),
      isActive: values.has("isActive"),
    };
    if (rule) {
      const changed = { ...given, ...(!isWatchFixed && { watch }), id: rule.id, expectedVersion: seen.current ?? null };
      const { data, error } = await update({ input: { ...changed, cooldownMinutes: given.cooldownMinutes ?? 0 } });
      return { error, errors: data?.updateAlertRule.errors };
    }
    const { data, error } = await create({ input: { ...given, watch } });
    return { error, errors: data?.createAlertRule.errors };
  };
  return (
    <Drawer title={rule?.name ?? "New rule"} onClose={onClose}>
      <Form submit={rule ? "Save" : "Create"} onSubmit={submit} onDone={onClose} conflict={conflict}>
        {(messageOf) => (
          <>
            <TextField label="Name" name="name" required initial={rule?.name ?? ""} error={messageOf("name")} />
            {isWatchFixed && rule ? (
              <>
                <p>It watches: {watchInWords(rule.watch)}. This came with the gateway, and cannot be changed.</p>
                <input type="hidden" name="kind" value={kind} />
                <input type="hidden" name="of" value={rule.watch.spend?.of} />
              </>
            ) : (
              <>
                <ChoiceField label="Watches" name="kind" options={KINDS} initial={kind} onChange={(next) => setKind(next as AlertKind)} error={messageOf("watch")} />
                <WatchFields key={kind} kind={kind} watch={rule?.watch} messageOf={messageOf} />
              </>
            )}
            {kind !== "AGENTS" && kind !== "FEED_LAG" && (
              <TextField
                label={kind === "SPEND" ? "Minutes to look back; empty for the calendar month of UTC" : "Minutes to look back"}
                name="windowMinutes"
                type="number"
                required={kind !== "SPEND"}
                initial={String(rule ? (rule.windowMinutes ?? "") : kind === "SPEND" ? "" : 60)}
                error={messageOf("windowMinutes")}
              />
            )}
            <ChoiceField label="Opens an alert while the value" name="comparison" options={COMPARISONS} initial={rule?.comparison ?? "GT"} />
            <TextField
              label={kind === "SPEND" ? "Threshold, in US dollars; empty for the budget" : kind === "FEED_LAG" ? "Threshold, in seconds" : "Threshold"}
              name="threshold"
              required={kind !== "SPEND"}
              initial={rule?.threshold == null ? "" : String(Number(rule.threshold))}
              error={messageOf("threshold")}
            />
            <TextField label="Cooldown: minutes without an alert after one was closed" name="cooldownMinutes" type="number" initial={String(rule?.cooldownMinutes ?? 0)} error={messageOf("cooldownMinutes")} />
            <ChoiceField key={hooks ? "hooks" : ""} label="Webhook" name="webhookId" options={[["", "None"], ...(hooks?.webhooks.nodes ?? []).map(({ id, name }) => [id, name] as const)]} initial={rule?.webhook?.id ?? ""} error={messageOf("webhookId")} />
            <CheckField label="Notify users of its alerts" name="notifies" initial={rule?.notifies ?? true} />
            <CheckField label="Active; its alerts close while it is not" name="isActive" initial={rule?.isActive ?? true} />
            {kind !== "FEED_LAG" && <RulePreview ruleOf={ruleOf} />}
          </>
        )}
      </Form>
    </Drawer>
  );
}
