import { useMutation, useQuery } from "urql";
import { plural } from "../../format/numbers.ts";
import { Time } from "../../format/Time.tsx";
import { graphql } from "../../gql/index.ts";
import { Card } from "../../ui/Card.tsx";
import { Empty } from "../../ui/Empty.tsx";
import { Loaded } from "../../ui/Loaded.tsx";

const NOTIFICATIONS = graphql(`
  query Notifications {
    notifications(first: 6, filter: { readAt: { isNull: true } }) { nodes { id title body createdAt readAt } }
    unreadNotificationCount
  }
`);

const MARK_READ = graphql(`
  mutation MarkRead($input: MarkNotificationReadInput!) {
    markNotificationRead(input: $input) { notification { id readAt } errors { code message field } }
  }
`);

/** What the viewer was notified of and has not read. */
export function Notifications() {
  const [result, ask] = useQuery({ query: NOTIFICATIONS, requestPolicy: "cache-and-network" });
  const [, markRead] = useMutation(MARK_READ);
  return (
    <Loaded result={result} retry={ask}>
      {({ notifications, unreadNotificationCount }) => (
        <Card title={plural(unreadNotificationCount, "unread notification")}>
          {notifications.nodes.length === 0 && <Empty title="Nothing to read.">You are notified of tests of your dreams and of your budget.</Empty>}
          <ul className="list">
            {notifications.nodes.filter(({ readAt }) => !readAt).map(({ id, title, body, createdAt }) => (
              <li key={id}>
                <span><strong>{title}</strong> {body}</span>
                <small className="end">
                  <Time at={createdAt} as="ago" />{" "}
                  <button type="button" className="button small" onClick={() => markRead({ input: { id } }).then(() => ask({ requestPolicy: "network-only" }))}>Read</button>
                </small>
              </li>
            ))}
          </ul>
        </Card>
      )}
    </Loaded>
  );
}
