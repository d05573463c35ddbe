import { useState } from "react";
import { useMutation } from "urql";
import { useParam } from "../../app/useParam.ts";
import { may, useViewer } from "../../app/viewer.ts";
import { Time } from "../../format/Time.tsx";
import { graphql, read } from "../../gql/index.ts";
import { ActionButton } from "../../ui/ActionButton.tsx";
import { Badge } from "../../ui/Badge.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";
import { Secret } from "../../ui/Secret.tsx";
import { Segments } from "../../ui/Segments.tsx";
import { Table } from "../../ui/Table.tsx";
import { usePages } from "../../ui/usePages.ts";
import { NewKey } from "./NewKey.tsx";

export const KEY_ROW = graphql(`
  fragment KeyRow on ApiKey {
    id service prefix scopes maxRole lastUsedAt expiresAt revokedAt createdAt
    user { id email }
  }
`);

const KEYS = graphql(`
  query Keys($everybodys: Boolean!, $first: Int!, $after: String) {
    apiKeys(everybodys: $everybodys, orderBy: [{ field: CREATED_AT, direction: DESC }], first: $first, after: $after) {
      nodes { ...KeyRow }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

const ROTATE = graphql(`
  mutation RotateKey($input: RotateApiKeyInput!) {
    rotateApiKey(input: $input) { apiKey { ...KeyRow } secret errors { code message field } }
  }
`);

const REVOKE = graphql(`
  mutation RevokeKey($input: RevokeApiKeyInput!) {
    revokeApiKey(input: $input) { apiKey { ...KeyRow } errors { code message field } }
  }
`);

/** API keys: create, rotate, revoke. */
export function Keys() {
  const isAdministrator = may(useViewer(), "ADMIN");
  const [whose, setWhose] = useParam("whose", "own");
  const [secret, setSecret] = useState<string | null>(null);
  const [isNew, setNew] = useParam("new");
  const pages = usePages(KEYS, { everybodys: whose === "all" }, ({ apiKeys }) => ({ ...apiKeys, nodes: apiKeys.nodes.map((node) => read(KEY_ROW, node)) }));
  const [, rotate] = useMutation(ROTATE);
  const [, revoke] = useMutation(REVOKE);
  return (
    <Loaded result={pages.result} retry={pages.ask}>
      {() => (
        <>
          {secret && <Secret of={secret} name="key" onClose={() => setSecret(null)} />}
          <Table
            name="Keys"
            items={pages.items}
            pages={pages}
            keyOf={({ id }) => id}
            actions={
              <>
                {isAdministrator && <Segments label="Whose keys" options={[["own", "Mine"], ["all", "Everybody's"]] as const} value={whose as "own"} onChange={setWhose} />}
                <button type="button" className="button small primary" onClick={() => setNew("yes")}>New key</button>
              </>
            }
            columns={[
              { name: "Service", value: ({ service }) => service, isWide: true },
              { name: "Starts with", value: ({ prefix }) => prefix, show: ({ prefix }) => <code>{prefix}</code> },
              { name: "User", value: ({ user }) => user?.email },
              { name: "Scopes", value: ({ scopes }) => scopes.join(" "), show: ({ scopes }) => scopes.join(", ") || "All of the user" },
              { name: "Last used", value: ({ lastUsedAt }) => lastUsedAt, show: ({ lastUsedAt }) => <Time at={lastUsedAt} as="ago" /> },
              { name: "Expires", value: ({ expiresAt }) => expiresAt, show: ({ expiresAt }) => (expiresAt ? <Time at={expiresAt} /> : "Never") },
              { name: "State", value: stateOf, show: (key) => <Badge tone={stateOf(key) === "VALID" ? "good" : "off"}>{stateOf(key)}</Badge> },
              {
                name: "",
                show: ({ id, service, revokedAt }) =>
                  !revokedAt && (
                    <span className="actions">
                      <ActionButton
                        act={async () => {
                          const { data, error } = await rotate({ input: { id } });
                          if (data?.rotateApiKey.secret) setSecret(data.rotateApiKey.secret);
                          return { error, errors: data?.rotateApiKey.errors };
                        }}
                      >
                        Rotate
                      </ActionButton>
                      <ActionButton
                        isDanger
                        question={`Revoke the key of ${service}? What uses it is refused within five seconds.`}
                        act={async () => {
                          const { data, error } = await revoke({ input: { id } });
                          return { error, errors: data?.revokeApiKey.errors };
                        }}
                      >
                        Revoke
                      </ActionButton>
                    </span>
                  ),
              },
            ]}
            empty={<Empty title="There are no keys yet.">Create one for each service that uses the API.</Empty>}
          />
          {isNew !== "" && (
            <NewKey
              onClose={() => setNew("")}
              onSecret={(made) => {
                setSecret(made);
                setNew("");
              }}
            />
          )}
        </>
      )}
    </Loaded>
  );
}

function stateOf({ revokedAt, expiresAt }: { revokedAt?: string | null; expiresAt?: string | null }): string {
  if (revokedAt) return "REVOKED";
  return expiresAt && Date.parse(expiresAt) < Date.now() ? "EXPIRED" : "VALID";
}
