import { useQuery } from "urql";
import { setCredential, useCredential } from "../api/credential.ts";
import { GRAPHIQL } from "../api/places.ts";
import { graphql } from "../gql/index.ts";
import { ThemeButton } from "./ThemeButton.tsx";
import { useViewer } from "./viewer.ts";

const ACCOUNT = graphql(`
  query Account {
    viewer { user { id email } }
  }
`);

/** Who is signed in, and the way to GraphiQL. */
export function Account() {
  const viewer = useViewer();
  const credential = useCredential();
  const [{ data }] = useQuery({ query: ACCOUNT, pause: !viewer.role }); // scopes may forbid it
  const { role, scopes } = viewer;
  const name = data?.viewer.user?.email ?? (role || scopes.length > 0 ? "Signed in with a key" : "Not signed in");
  return (
    <div className="account">
      <p>
        {name}
        <br />
        <small>{role ?? (scopes.join(", ") || "Public data only")}</small>
      </p>
      <div className="row">
        <a className="button small" href={GRAPHIQL} target="_blank" rel="opener">GraphiQL</a>
        <ThemeButton />
        {credential !== "" && (
          <button type="button" className="button small" onClick={() => setCredential("")}>Sign out</button>
        )}
      </div>
    </div>
  );
}
