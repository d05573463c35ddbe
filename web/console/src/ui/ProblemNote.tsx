import type { Problem } from "../api/problems.ts";

/** Says what is wrong and what to do. */
export function ProblemNote({ problem, retry }: { problem: Problem; retry?: () => void }) {
  return (
    <div className="problem" role="alert">
      <p><strong>{problem.message}</strong> {problem.advice}</p>
      {retry && <button type="button" className="button small" onClick={retry}>Try again</button>}
    </div>
  );
}
