import { useState } from "react";
import { problemOf } from "../api/problems.ts";
import type { Outcome } from "./Form.tsx";

interface Props {
  children: string;
  /** Asked before it is done. */
  question?: string;
  isDanger?: boolean;
  act: () => Promise<Outcome>;
}

/** Does something at once, and says why it failed. */
export function ActionButton({ children, question, isDanger = false, act }: Props) {
  const [message, setMessage] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const run = async () => {
    if (question && !confirm(question)) return;
    setBusy(true);
    const { error, errors } = await act();
    setBusy(false);
    setMessage(error ? problemOf(error).message : errors?.[0]?.message ?? null);
  };
  return (
    <>
      <button type="button" className={`button small${isDanger ? " danger" : ""}`} disabled={isBusy} onClick={run}>{children}</button>
      {message && <em role="alert">{message}</em>}
    </>
  );
}
