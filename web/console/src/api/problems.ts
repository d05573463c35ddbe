/** Failures in words. */
import type { CombinedError } from "urql";

export interface Problem {
  message: string;
  advice?: string;
  code?: string;
}

const ADVICE: Record<string, string> = {
  FORBIDDEN: "Sign in with a key that has this right, or ask an administrator.",
  UNAUTHENTICATED: "Sign in with an API key or access token.",
  RATE_LIMITED: "Wait a moment, then try again.",
  TIMEOUT: "Choose a shorter time range, or try again.",
  SERVICE_UNAVAILABLE: "The database does not respond at the moment. Try again.",
};

const SILENT: Problem = {
  message: "The gateway does not answer.",
  advice: "Check that it is running; this page tries again when you do.",
};

export function problemOf(error: CombinedError): Problem {
  const [first] = error.graphQLErrors;
  if (!first) return error.networkError ? refused(error) : { message: error.message };
  const code = String(first.extensions["code"] ?? "");
  const advice = ADVICE[code];
  return { message: first.message, code, ...(advice && { advice }) };
}

function refused(error: CombinedError): Problem {
  const status = (error.response as Response | undefined)?.status;
  if (status === 401) return { message: "This needs a key.", code: "UNAUTHENTICATED" };
  return SILENT;
}
