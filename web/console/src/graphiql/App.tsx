import { explorerPlugin } from "@graphiql/plugin-explorer";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { type GraphiQLPlugin } from "@graphiql/react";
import { useEffect, useMemo, useRef, useState } from "react";
import { useCredential } from "../api/credential.ts";
import { CONSOLE } from "../api/places.ts";
import { type Connection, openSocket } from "../api/socket.ts";
import { useAdministrator } from "./administrator.ts";
import { ExamplesPanel } from "./ExamplesPanel.tsx";
import { KeyField } from "./KeyField.tsx";
import { LastOperation } from "./LastOperation.tsx";
import { type Explain, fetcherOf, type Last, type Message } from "./session.ts";
import { ShareButton } from "./ShareButton.tsx";
import { useEscape } from "./useEscape.ts";

const MOST_MESSAGES = 500;
const EXAMPLES: GraphiQLPlugin = { title: "Examples", icon: ExamplesIcon, content: ExamplesPanel };
const PLUGINS = [HISTORY_PLUGIN, explorerPlugin({ showAttribution: false }), EXAMPLES];
const shared = new URLSearchParams(location.search);
const FIRST = `# Ctrl+Enter runs the operation, Ctrl+Space completes it.
# Escape leaves the editor.
# Examples are in the panel of the rail on the left.
query LatestDreams {
  dreams(first: 5) {
    nodes {
      title
      category
      status
      latestProgress {
        averageImpossibility
        bestScore
      }
    }
  }
}
`;

/** GraphiQL with the caller's key, and facts about what it sends. */
export function App() {
  const credential = useCredential();
  const [connection, setConnection] = useState<Connection>("not connected");
  const [last, setLast] = useState<Last | null>(null);
  const [messages, setMessages] = useState<Message[]>([]);
  const [explain, setExplain] = useState<Explain>("");
  const isAdministrator = useAdministrator(credential);
  const explained = useRef(explain);
  explained.current = isAdministrator ? explain : "";

  useEscape();
  const socket = useMemo(() => openSocket(setConnection), [credential]);
  useEffect(() => () => void socket.dispose(), [socket]);
  const fetcher = useMemo(
    () =>
      fetcherOf(socket, {
        onLast: setLast,
        onMessage: (message) =>
          setMessages((earlier) => (message ? [message, ...earlier].slice(0, MOST_MESSAGES) : [])),
        explain: () => explained.current,
      }),
    [socket],
  );

  return (
    <>
      <header className="bar">
        <a href={CONSOLE} className="brand">DreamNet</a>
        <h1>GraphiQL</h1>
        <p role="status" className={`connection ${connection.replace(" ", "-")}`}>
          Subscriptions: {connection}
        </p>
        {isAdministrator && (
          <label>
            Statements
            <select value={explain} onChange={(event) => setExplain(event.target.value as Explain)}>
              <option value="">Hidden</option>
              <option value="1">Shown</option>
              <option value="plans">With their plans</option>
            </select>
          </label>
        )}
        <KeyField />
      </header>
      <GraphiQL
        fetcher={fetcher}
        plugins={PLUGINS}
        shouldPersistHeaders={false}
        showPersistHeadersSettings={false}
        defaultQuery={FIRST}
        {...given()}
      >
        <GraphiQL.Toolbar>
          {({ prettify, copy, merge }) => (
            <>
              {prettify}
              {copy}
              {merge}
              <ShareButton />
            </>
          )}
        </GraphiQL.Toolbar>
        <GraphiQL.Footer>
          <LastOperation last={last} messages={messages} />
        </GraphiQL.Footer>
        <GraphiQL.Logo>
          <span />
        </GraphiQL.Logo>
      </GraphiQL>
    </>
  );
}

/** The operation of a shared address. */
function given(): { initialQuery?: string; initialVariables?: string } {
  const query = shared.get("query");
  if (query === null) return {};
  return { initialQuery: query, initialVariables: shared.get("variables") ?? "" };
}

function ExamplesIcon() {
  return (
    <svg viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <path d="M4 3.500h12v13H4zM7 7.500h6M7 10h6M7 12.500h4" />
    </svg>
  );
}
