import { useState } from "react";
import { useQuery } from "urql";
import { may, useViewer } from "../../app/viewer.ts";
import { useParam } from "../../app/useParam.ts";
import { Time } from "../../format/Time.tsx";
import { graphql, read } from "../../gql/index.ts";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { More } from "../../ui/More.tsx";
import { Table } from "../../ui/Table.tsx";
import { EditSetting } from "./EditSetting.tsx";

export const SETTING = graphql(`
  fragment Setting on ConfigEntry {
    id key kind value reference isPresent description category version updatedAt
  }
`);

const SETTINGS = graphql(`
  query Settings($after: String) {
    configs(orderBy: [{ field: KEY, direction: ASC }], first: 100, after: $after) {
      nodes { ...Setting }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

/** Settings of DreamNet; secrets are only named. */
export function Settings() {
  const mayWrite = may(useViewer(), "ADMIN", "config:write");
  const [edited, edit] = useParam("key");
  const [isNew, setNew] = useState(false);
  const [after, setAfter] = useState<string | null>(null);
  const [result, ask] = useQuery({ query: SETTINGS, variables: { after } });
  return (
    <Loaded result={result} retry={ask}>
      {({ configs }) => {
        const settings = configs.nodes.map((node) => read(SETTING, node));
        const current = settings.find(({ key }) => key === edited);
        return (
          <>
            <Table
              name="Settings"
              items={settings}
              keyOf={({ id }) => id}
              actions={mayWrite && <button type="button" className="button small primary" onClick={() => setNew(true)}>New setting</button>}
              columns={[
                { name: "Key", value: ({ key }) => key, show: ({ key }) => (mayWrite ? <button type="button" className="button small" onClick={() => edit(key)}>{key}</button> : key) },
                { name: "Value", isWide: true, value: ({ value }) => value, show: ({ kind, value, reference, isPresent }) => kind === "SECRET_REFERENCE" ? <>Secret in <code>{reference}</code>, {isPresent ? "present" : "missing"}</> : <code>{JSON.stringify(value)}</code> },
                { name: "Category", value: ({ category }) => category },
                { name: "Description", value: ({ description }) => description, isWide: true },
                { name: "Version", isNumber: true, value: ({ version }) => version },
                { name: "Changed", value: ({ updatedAt }) => updatedAt, show: ({ updatedAt }) => <Time at={updatedAt} /> },
              ]}
              empty={<Empty title="There are no settings yet.">Create one, or send <code>setConfig</code>.</Empty>}
            />
            <More pageInfo={configs.pageInfo} onMore={setAfter} isFetching={result.fetching} />
            {(current || isNew) && mayWrite && (
              <EditSetting
                key={current?.id ?? "new"}
                setting={current}
                onClose={() => {
                  edit("");
                  setNew(false);
                }}
                onReload={() => ask({ requestPolicy: "network-only" })}
              />
            )}
          </>
        );
      }}
    </Loaded>
  );
}
