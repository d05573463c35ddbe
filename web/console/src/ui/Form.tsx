import { type ReactNode, useState } from "react";
import type { CombinedError } from "urql";
import { problemOf } from "../api/problems.ts";
import { ProblemNote } from "./ProblemNote.tsx";

export interface UserError {
  code: string;
  message: string;
  field?: string[] | null;
}

export interface Outcome {
  error?: CombinedError | undefined;
  errors?: readonly UserError[] | undefined;
}

/** Somebody else changed what the form changes. */
export interface Conflict {
  note: ReactNode;
  reload: () => void;
}

interface Props {
  submit: string;
  onSubmit: (values: FormData) => Promise<Outcome>;
  onDone: () => void;
  conflict?: Conflict;
  children: (messageOf: (field: string) => string | undefined) => ReactNode;
}

/** A form whose errors stand at their fields, as the API names them, and all others above them. */
export function Form({ submit, onSubmit, onDone, conflict, children }: Props) {
  const [outcome, setOutcome] = useState<Outcome>({});
  const [isBusy, setBusy] = useState(false);
  const errors = outcome.errors ?? [];
  const shown = new Set<UserError>();
  const messageOf = (name: string) => {
    const found = errors.filter(({ field }) => field?.includes(name));
    for (const error of found) shown.add(error);
    return found[0]?.message;
  };
  const fields = children(messageOf);
  const general = errors.filter((error) => !shown.has(error));
  return (
    <form
      onSubmit={async (event) => {
        event.preventDefault();
        setBusy(true);
        const result = await onSubmit(new FormData(event.currentTarget));
        setBusy(false);
        setOutcome(result);
        if (hasConflict(result)) conflict?.reload();
        if (!result.error && (result.errors ?? []).length === 0) onDone();
      }}
    >
      {outcome.error && <ProblemNote problem={problemOf(outcome.error)} />}
      {general.map(({ message }) => <p key={message} className="problem" role="alert">{message}</p>)}
      {hasConflict(outcome) && conflict?.note}
      {fields}
      <div className="row">
        <button type="submit" className="button primary" disabled={isBusy}>{submit}</button>
      </div>
    </form>
  );
}

function hasConflict({ errors = [] }: Outcome): boolean {
  return errors.some(({ code }) => code === "CONFLICT");
}
