import type { ReactNode } from "react";

export type Tone = "good" | "busy" | "warn" | "bad" | "off";

/** A state, by colour and word. */
export function Badge({ tone, children, title }: { tone: Tone; children: ReactNode; title?: string }) {
  return <span className={`badge tone-${tone}`} title={title}>{children}</span>;
}
