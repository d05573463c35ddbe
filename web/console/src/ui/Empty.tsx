import type { ReactNode } from "react";

/** Says that there is nothing, and what to do next. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="note">
      <strong>{title}</strong>
      {children && <div>{children}</div>}
    </div>
  );
}
