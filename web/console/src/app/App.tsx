import { Suspense, useEffect, useMemo } from "react";
import { Provider, useQuery } from "urql";
import { Route, Router, Switch } from "wouter";
import { openClient } from "../api/client.ts";
import { useCredential } from "../api/credential.ts";
import { startAgain, useGeneration } from "../api/generation.ts";
import { SocketProvider } from "../api/live.ts";
import { CONSOLE } from "../api/places.ts";
import { problemOf } from "../api/problems.ts";
import { openSocket } from "../api/socket.ts";
import { Loading } from "../ui/Loading.tsx";
import { ProblemNote } from "../ui/ProblemNote.tsx";
import { PublicDream } from "./sections.tsx";
import { Shell } from "./Shell.tsx";
import { SignIn } from "./SignIn.tsx";
import { VIEWER, ViewerProvider } from "./viewer.ts";

/** The console as the caller sees it: another credential is another cache and another socket, and so
 * is another generation. */
export function App() {
  const credential = useCredential();
  const generation = useGeneration();
  const client = useMemo(() => openClient(startAgain), [credential, generation]);
  const socket = useMemo(() => {
    const ask = () => void client.query(VIEWER, {}, { requestPolicy: "network-only" }).toPromise();
    return openSocket((state) => state === "refused" && ask()); // is the credential still accepted?
  }, [client]);
  useEffect(() => () => void socket.dispose(), [socket]);
  return (
    <Router base={CONSOLE}>
      <Provider value={client}>
        <SocketProvider value={socket}>
          <Switch>
            <Route path="/public/dreams/:id">
              <Suspense fallback={<Loading />}>
                <PublicDream />
              </Suspense>
            </Route>
            <Route>
              <SignedIn key={`${credential} ${generation}`} />
            </Route>
          </Switch>
        </SocketProvider>
      </Provider>
    </Router>
  );
}

function SignedIn() {
  const [{ data, error }, ask] = useQuery({ query: VIEWER });
  const credential = useCredential();
  const problem = error && problemOf(error);
  if (problem?.code === "UNAUTHENTICATED") return <SignIn refused={credential !== ""} />;
  if (problem) return <ProblemNote problem={problem} retry={() => ask({ requestPolicy: "network-only" })} />;
  if (!data) return <Loading />;
  return (
    <ViewerProvider value={data.viewer}>
      <Shell />
    </ViewerProvider>
  );
}
