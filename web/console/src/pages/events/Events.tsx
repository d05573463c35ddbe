import { useMemo } from "react";
import { useQuery } from "urql";
import { useParam } from "../../app/useParam.ts";
import { graphql } from "../../gql/index.ts";
import type { EventFilter, EventSeverity } from "../../gql/graphql.ts";
import { Choice, withCounts } from "../../ui/Choice.tsx";
import { Page } from "../../ui/Page.tsx";
import { RangeField, useRange } from "../../ui/RangeField.tsx";
import { RefreshChoice } from "../../ui/RefreshChoice.tsx";
import { SearchField } from "../../ui/SearchField.tsx";
import { EventHistogram } from "./EventHistogram.tsx";
import { EventTail } from "./EventTail.tsx";
import { SEVERITIES } from "./tones.ts";

const SEVERITY_FACETS = graphql(`
  query SeverityFacets($filter: EventFilter) {
    events(filter: $filter, first: 1) { facets { bySeverity { value count countIsExact } } }
  }
`);

/** What happened, and what happens. */
export function Events() {
  const [severity, setSeverity] = useParam("severity");
  const [type, setType] = useParam("type");
  const [source, setSource] = useParam("source");
  const [refresh, setRefresh] = useParam("refresh", "0");
  const range = useRange("24h");
  const filter = useMemo<EventFilter>(
    () => ({
      ...(severity && { severity: { in: SEVERITIES.slice(SEVERITIES.indexOf(severity as EventSeverity)) } }),
      ...(type && { eventType: { startsWith: type } }),
      ...(source && { source: { eq: source } }),
    }),
    [severity, type, source],
  );
  const inRange = useMemo<EventFilter>(() => {
    const { severity: _, ...others } = filter;
    return { ...others, timestamp: { gte: range.from, ...(range.to && { lte: range.to }) } };
  }, [filter, range]);
  const severities = filter.severity?.in ?? null;
  const [{ data }] = useQuery({ query: SEVERITY_FACETS, variables: { filter: inRange } });
  return (
    <Page title="Events">
      <div className="filters">
        <RangeField initial="24h" />
        <Choice label="Severity, at least" all="All" options={withCounts(SEVERITIES, data?.events.facets.bySeverity)} value={severity} onChange={setSeverity} />
        <SearchField label="Type starts with" value={type} onChange={setType} />
        <SearchField label="Source" value={source} onChange={setSource} />
        <RefreshChoice value={refresh} onChange={setRefresh} />
      </div>
      <EventHistogram range={range} severities={severities} source={source} refresh={Number(refresh)} />
      <EventTail filter={filter} range={range} />
    </Page>
  );
}
