import { may, useViewer } from "../../app/viewer.ts";
import { Time } from "../../format/Time.tsx";
import { graphql, read } from "../../gql/index.ts";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Table } from "../../ui/Table.tsx";
import { useEdited } from "../../ui/useEdited.ts";
import { usePages } from "../../ui/usePages.ts";
import { EditSetting } from "./EditSetting.tsx";

export const SETTING = graphql(`
  fragment Setting on ConfigEntry {
    id key kind value reference isPresent description category version updatedAt
  }
`);

const SETTINGS = graphql(`
  query Settings($first: Int!, $after: String) {
    configs(orderBy: [{ field: KEY, direction: ASC }], first: $first, after: $after) {
      nodes { ...Setting }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

/** Settings of DreamNet; secrets are only named. */
export function Settings() {
  const mayWrite = may(useViewer(), "ADMIN", "config:write");
  const pages = usePages(SETTINGS, {}, ({ configs }) => ({ ...configs, nodes: configs.nodes.map((node) => read(SETTING, node)) }));
  const { current, isOpen, edit, create, close } = useEdited("key", pages.items, ({ key }) => key);
  return (
    <Loaded result={pages.result} retry={pages.ask}>
      {() => (
        <>
          <Table
            name="Settings"
            items={pages.items}
            pages={pages}
            keyOf={({ id }) => id}
            actions={mayWrite && <button type="button" className="button small primary" onClick={create}>New setting</button>}
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
          {isOpen && mayWrite && (
            <EditSetting
              key={current?.id ?? "new"}
              setting={current}
              onClose={close}
              onReload={() => pages.ask({ requestPolicy: "network-only" })}
            />
          )}
        </>
      )}
    </Loaded>
  );
}
