import { useState } from "react";
import { useMutation } from "urql";
import { problemOf } from "../../api/problems.ts";
import { graphql } from "../../gql/index.ts";
import type { Role } from "../../gql/graphql.ts";

const ROLES: Role[] = ["MEMBER", "OPERATOR", "ADMIN"];

const SET_ROLE = graphql(`
  mutation SetRole($input: SetRoleInput!) {
    setRole(input: $input) { user { ...UserRow } errors { code message field } }
  }
`);

/** The role of a user, which can be changed. */
export function RoleChoice({ id, role }: { id: string; role: Role }) {
  const [{ fetching }, setRole] = useMutation(SET_ROLE);
  const [message, setMessage] = useState<string | undefined>();
  const change = async (next: Role) => {
    const { data, error } = await setRole({ input: { id, role: next } });
    setMessage(error ? problemOf(error).message : data?.setRole.errors[0]?.message);
  };
  return (
    <>
      <select className="select" aria-label="Role" value={role} disabled={fetching} onChange={(event) => change(event.target.value as Role)}>
        {ROLES.map((each) => <option key={each}>{each}</option>)}
      </select>
      {message && <em role="alert">{message}</em>}
    </>
  );
}
