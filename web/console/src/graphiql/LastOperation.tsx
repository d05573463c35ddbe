import type { Last, Message } from "./session.ts";

const count = new Intl.NumberFormat();

/** Shows status, time, cost and statements of the last operation, and the messages of a subscription. */
export function LastOperation({ last, messages }: { last: Last | null; messages: Message[] }) {
  return (
    <div className="last" aria-live="polite">
      {last && (
        <p className="facts">
          <span>Status {last.status}</span>
          <span>{count.format(last.milliseconds)} ms</span>
          {last.cost && (
            <span title={`An operation may cost ${count.format(last.cost.maximum)} points.`}>
              Cost {count.format(last.cost.requested)} {last.cost.requested === 1 ? "point" : "points"}
            </span>
          )}
          {last.cost && <span>{limit(last.cost.remaining)}</span>}
        </p>
      )}
      {last?.explained && (
        <details open>
          <summary>
            {count.format(last.explained.statementCount)} statements, by {last.explained.executor}
            {last.explained.fallback && `: ${last.explained.fallback}`}
          </summary>
          <ol>
            {last.explained.statements.map(({ sql, rows, milliseconds, plan }, index) => (
              <li key={index}>
                <pre tabIndex={0}>{sql}</pre>
                <small>{rows === null ? "" : `${count.format(rows)} rows `}in {milliseconds} ms</small>
                {plan !== undefined && <pre tabIndex={0} className="plan" aria-label="Plan">{plan}</pre>}
              </li>
            ))}
          </ol>
        </details>
      )}
      {messages.length > 0 && (
        <details open>
          <summary>{count.format(messages.length)} {messages.length === 1 ? "message" : "messages"}, newest first</summary>
          <ol reversed>
            {messages.map(({ at, result }, index) => (
              <li key={messages.length - index}>
                <small><time dateTime={at.toISOString()}>{at.toLocaleTimeString()}</time></small>
                <pre tabIndex={0}>{JSON.stringify(result)}</pre>
              </li>
            ))}
          </ol>
        </details>
      )}
    </div>
  );
}

function limit(remaining: number | null): string {
  return remaining === null ? "No rate limit" : `${count.format(remaining)} points left this minute`;
}
