import type { LiveState } from "@dreamnet/live";
import { Badge, type Tone } from "./Badge.tsx";

const SHOWN: Record<LiveState, [Tone, string, string]> = {
  live: ["good", "LIVE", "Every change is shown as it happens."],
  stale: ["warn", "STALE", "Changes may be missing: nothing was heard for 15 seconds."],
  reconnecting: ["bad", "RECONNECTING", "The connection is being made again. Nothing will be missed."],
};

/** Says how current a live view is. */
export function LiveBadge({ state }: { state: LiveState }) {
  const [tone, word, meaning] = SHOWN[state];
  return (
    <span role="status">
      <Badge tone={tone} title={meaning}>{word}</Badge>
    </span>
  );
}
