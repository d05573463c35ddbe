import { useMemo } from "react";
import { useParam } from "../../app/useParam.ts";
import type { EventFilter, EventSeverity } from "../../gql/graphql.ts";
import { Choice } from "../../ui/Choice.tsx";
import { Page } from "../../ui/Page.tsx";
import { RangeField, useRange } from "../../ui/RangeField.tsx";
import { SearchField } from "../../ui/SearchField.tsx";
import { EventHistogram } from "./EventHistogram.tsx";
import { EventTail } from "./EventTail.tsx";
import { SEVERITIES } from "./tones.ts";

/** What happened, and what happens. */
export function Events() {
  const [severity, setSeverity] = useParam("severity");
  const [type, setType] = useParam("type");
  const [source, setSource] = useParam("source");
  const range = useRange("24h");
  const filter = useMemo<EventFilter>(
    () => ({
      ...(severity && { severity: { in: SEVERITIES.slice(SEVERITIES.indexOf(severity as EventSeverity)) } }),
      ...(type && { eventType: { startsWith: type } }),
      ...(source && { source: { eq: source } }),
    }),
    [severity, type, source],
  );
  return (
    <Page title="Events">
      <div className="filters">
        <RangeField initial="24h" />
        <Choice label="Severity, at least" all="All" options={SEVERITIES} value={severity} onChange={setSeverity} />
        <SearchField label="Type starts with" value={type} onChange={setType} />
        <SearchField label="Source" value={source} onChange={setSource} />
      </div>
      <EventHistogram range={range} />
      <EventTail filter={filter} range={range} />
    </Page>
  );
}
