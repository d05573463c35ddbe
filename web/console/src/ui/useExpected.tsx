import { type ReactNode, useRef } from "react";
import type { Conflict } from "./Form.tsx";

/** What was stored when a form was opened, for the API to compare; and the conflict that it is no
 * longer so, unless the reader chooses to replace what is stored now. */
export function useExpected<Value>(stored: Value, inWords: ReactNode, reload: () => void) {
  const seen = useRef(stored);
  const note = (
    <p className="problem">
      Somebody changed it meanwhile{inWords && <>: {inWords}</>}.
      <button type="button" className="button small" onClick={() => (seen.current = stored)}>Replace it when I save</button>
    </p>
  );
  const conflict: Conflict = { note, reload };
  return [seen, conflict] as const;
}
