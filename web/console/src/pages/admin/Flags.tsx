import { useMutation } from "urql";
import { useParam } from "../../app/useParam.ts";
import { may, useViewer } from "../../app/viewer.ts";
import { Time } from "../../format/Time.tsx";
import { graphql, read } from "../../gql/index.ts";
import { ActionButton } from "../../ui/ActionButton.tsx";
import { Badge } from "../../ui/Badge.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Table } from "../../ui/Table.tsx";
import { usePages } from "../../ui/usePages.ts";
import { NewFlag } from "./NewFlag.tsx";

export const FLAG = graphql(`
  fragment Flag on FeatureFlag { id key enabled rolloutPercent description updatedAt }
`);

const FLAGS = graphql(`
  query Flags($first: Int!, $after: String) {
    featureFlags(orderBy: [{ field: KEY, direction: ASC }], first: $first, after: $after) {
      nodes { ...Flag }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

const SET_FLAG = graphql(`
  mutation SetFlag($input: SetFeatureFlagInput!) {
    setFeatureFlag(input: $input) { featureFlag { ...Flag } errors { code message field } }
  }
`);

/** Feature flags: on, off, and for how many users. */
export function Flags() {
  const mayWrite = may(useViewer(), "ADMIN", "config:write");
  const [isNew, setNew] = useParam("new");
  const pages = usePages(FLAGS, {}, ({ featureFlags }) => ({ ...featureFlags, nodes: featureFlags.nodes.map((node) => read(FLAG, node)) }));
  const [, set] = useMutation(SET_FLAG);
  return (
    <Loaded result={pages.result} retry={pages.ask}>
      {() => (
        <>
          <Table
            name="Feature flags"
            items={pages.items}
            pages={pages}
            keyOf={({ id }) => id}
            actions={mayWrite && <button type="button" className="button small primary" onClick={() => setNew("yes")}>New flag</button>}
            columns={[
              { name: "Key", value: ({ key }) => key },
              { name: "State", value: ({ enabled }) => (enabled ? "ON" : "OFF"), show: ({ enabled }) => <Badge tone={enabled ? "good" : "off"}>{enabled ? "ON" : "OFF"}</Badge> },
              { name: "Rollout", isNumber: true, unit: "%", value: ({ rolloutPercent }) => rolloutPercent, show: ({ rolloutPercent }) => `${rolloutPercent} %` },
              { name: "Description", isWide: true, value: ({ description }) => description },
              { name: "Changed", value: ({ updatedAt }) => updatedAt, show: ({ updatedAt }) => <Time at={updatedAt} /> },
              ...(mayWrite
                ? [{
                    name: "",
                    show: ({ key, enabled }: { key: string; enabled: boolean }) => (
                      <ActionButton act={async () => { const { data, error } = await set({ input: { key, enabled: !enabled } }); return { error, errors: data?.setFeatureFlag.errors }; }}>
                        {enabled ? "Turn off" : "Turn on"}
                      </ActionButton>
                    ),
                  }]
                : []),
            ]}
            empty={<Empty title="There are no feature flags yet.">Create one, or send <code>setFeatureFlag</code>.</Empty>}
          />
          {isNew !== "" && mayWrite && <NewFlag onClose={() => setNew("")} />}
        </>
      )}
    </Loaded>
  );
}
