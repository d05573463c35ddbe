import { useState } from "react";
import { inWords } from "../../format/numbers.ts";
import type { AlertKind, RuleFragment } from "../../gql/graphql.ts";
import { ChoiceField } from "../../ui/ChoiceField.tsx";
import { TextField } from "../../ui/TextField.tsx";
import { SEVERITIES } from "../events/tones.ts";

const AGGREGATES = ["AVERAGE", "MINIMUM", "MAXIMUM", "TOTAL", "COUNT"].map((each) => [each, inWords(each)] as const);
const SPENDERS = [["ALL", "All"], ["USER", "A user, or each"], ["PROVIDER", "A provider, or each"]] as const;
const CONDITIONS = [["STALE", "Stale agents"], ["ERROR", "Agents in ERROR"]] as const;
const FEEDS = ["AGENTS", "EVENTS", "METRICS", "CHANGES"].map((each) => [each, inWords(each)] as const);

interface Props {
  kind: AlertKind;
  watch: RuleFragment["watch"] | undefined;
  messageOf: (field: string) => string | undefined;
}

/** The fields of what a rule watches, by its kind. */
export function WatchFields({ kind, watch, messageOf }: Props) {
  switch (kind) {
    case "SPEND":
      return <SpendFields of={watch?.spend} messageOf={messageOf} />;
    case "METRIC":
      return (
        <>
          <TextField label="Name of the metric" name="metricName" required initial={watch?.metric?.metricName ?? ""} error={messageOf("metricName")} />
          <ChoiceField label="Of its values" name="aggregate" options={AGGREGATES} initial={watch?.metric?.aggregate ?? "AVERAGE"} />
        </>
      );
    case "EVENTS":
      return (
        <>
          <TextField label="Type of the events; empty for any" name="eventType" initial={watch?.events?.eventType ?? ""} error={messageOf("eventType")} />
          <ChoiceField label="Severity" name="severity" options={[["", "Any"], ...SEVERITIES.map((each) => [each, each] as const)]} initial={watch?.events?.severity ?? ""} />
        </>
      );
    case "AGENTS":
      return <ChoiceField label="Agents" name="condition" options={CONDITIONS} initial={watch?.agents?.condition ?? "STALE"} />;
    case "FEED_LAG":
      return <ChoiceField label="Feed" name="feed" options={FEEDS} initial={watch?.feedLag?.feed ?? "AGENTS"} />;
  }
}

type Spend = RuleFragment["watch"]["spend"];

function SpendFields({ of, messageOf }: { of: Spend | undefined; messageOf: Props["messageOf"] }) {
  const [spender, setSpender] = useState<string>(of?.of ?? "ALL");
  return (
    <>
      <ChoiceField label="Spend of" name="of" options={SPENDERS} initial={spender} onChange={setSpender} />
      {spender === "USER" && <TextField label="E-mail of the user; empty for each user" name="email" initial={of?.user?.email ?? ""} error={messageOf("userId")} />}
      {spender === "PROVIDER" && <TextField label="Provider, such as openai; empty for each" name="provider" initial={of?.provider ?? ""} error={messageOf("provider")} />}
    </>
  );
}
