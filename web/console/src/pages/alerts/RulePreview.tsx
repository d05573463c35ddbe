import { type MouseEvent, useState } from "react";
import { useClient } from "urql";
import { problemOf } from "../../api/problems.ts";
import { plural } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import type { PreviewRuleQuery } from "../../gql/graphql.ts";
import { Empty } from "../../ui/Empty.tsx";
import type { Outcome } from "../../ui/Form.tsx";
import { ProblemNote } from "../../ui/ProblemNote.tsx";
import { Segments } from "../../ui/Segments.tsx";
import { Table } from "../../ui/Table.tsx";
import { subjectOf } from "./states.ts";
import type { useRuleInput } from "./useRuleInput.ts";

const PREVIEW = graphql(`
  query PreviewRule($rule: PreviewAlertRuleInput!, $from: DateTime!, $to: DateTime!) {
    previewAlertRule(rule: $rule, from: $from, to: $to) {
      alerts { title subject value threshold openedAt closedAt user { id email } }
    }
  }
`);

const HOUR = 3_600_000; // milliseconds
const RANGES = [["2", "2 hours"], ["24", "24 hours"], ["168", "7 days"], ["744", "31 days"]] as const;
type Hours = (typeof RANGES)[number][0];

/** Shows when the rule of the form around it would have opened alerts. */
export function RulePreview({ ruleOf }: { ruleOf: ReturnType<typeof useRuleInput> }) {
  const client = useClient();
  const [hours, setHours] = useState<Hours>("24");
  const [isBusy, setBusy] = useState(false);
  const [preview, setPreview] = useState<PreviewRuleQuery["previewAlertRule"] | null>(null);
  const [{ error, errors }, setOutcome] = useState<Outcome>({});
  const show = async ({ currentTarget: { form } }: MouseEvent<HTMLButtonElement>) => {
    if (!form!.reportValidity()) return;
    setBusy(true);
    const { rule, outcome } = await ruleOf(new FormData(form!));
    const result = rule && (await client.query(PREVIEW, { rule, ...last(Number(hours)) }, { requestPolicy: "network-only" }).toPromise());
    setBusy(false);
    setPreview(result?.data?.previewAlertRule ?? null);
    setOutcome(outcome ?? { error: result?.error });
  };
  return (
    <section className="preview" aria-label="Preview">
      <h3>When would it have fired?</h3>
      <div className="row">
        <Segments label="Time of the preview" options={RANGES} value={hours} onChange={setHours} />
        <button type="button" className="button" disabled={isBusy} onClick={show}>{isBusy ? "Evaluating …" : "Preview"}</button>
      </div>
      {error && <ProblemNote problem={problemOf(error)} />}
      {errors?.map(({ message }) => <p key={message} className="problem" role="alert">{message}</p>)}
      {preview && <Alerts of={preview} />}
    </section>
  );
}

function Alerts({ of: { alerts } }: { of: PreviewRuleQuery["previewAlertRule"] }) {
  return (
    <>
      <p role="status">{plural(alerts.length, "alert")}, evaluated every minute.</p>
      <Table
        name="Alerts of the preview"
        items={alerts}
        keyOf={(alert) => `${alert.openedAt} ${subjectOf(alert)}`}
        columns={[
          { name: "Opened", value: ({ openedAt }) => openedAt, show: ({ openedAt }) => <Time at={openedAt} /> },
          { name: "Closed", value: ({ closedAt }) => closedAt, show: ({ closedAt }) => (closedAt ? <Time at={closedAt} /> : "Still open") },
          { name: "Value", isNumber: true, value: ({ value }) => value, show: ({ value }) => Number(value) },
          { name: "Of", value: subjectOf },
        ]}
        empty={<Empty title="It would not have opened an alert.">Choose a longer time, or another threshold.</Empty>}
      />
    </>
  );
}

function last(hours: number) {
  const now = Date.now();
  return { from: new Date(now - hours * HOUR).toISOString(), to: new Date(now).toISOString() };
}
