import type { ReactNode } from "react";
import { ImportSample } from "./ImportSample.tsx";

interface Props {
  title: string;
  /** What to do next. */
  children: ReactNode;
  /** True if the sample has what is missing here. */
  hasSample?: boolean;
}

/** Says that there is nothing, and what to do next. */
export function Empty({ title, children, hasSample = false }: Props) {
  return (
    <div className="note">
      <strong>{title}</strong>
      <div>{children}</div>
      {hasSample && <ImportSample />}
    </div>
  );
}
