import type { ReactNode } from "react";
import { useParam } from "../app/useParam.ts";

/** A part that is hidden until it is opened; the address says whether it is. */
export function Disclosure({ title, param, children }: { title: string; param: string; children: ReactNode }) {
  const [state, setState] = useParam(param);
  return (
    <details open={state === "open"} onToggle={({ currentTarget }) => setState(currentTarget.open ? "open" : "")}>
      <summary>{title}</summary>
      {children}
    </details>
  );
}
