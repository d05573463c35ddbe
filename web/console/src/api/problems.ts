/** Failures in words. */
import type { CombinedError } from "urql";
import { duration } from "../format/numbers.ts";

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
  SERVICE_UNAVAILABLE: "Try again in a moment. If it stays like this, look at the log of the gateway.",
};

const SILENT: Problem = {
  message: "The gateway does not answer.",
  advice: "Check that it is running; this page tries again when you do.",
};

/** Responses that are none of the gateway's own, such as those of a proxy before it. */
const OTHERS: Record<number, Problem> = {
  401: { message: "This needs a key.", code: "UNAUTHENTICATED" },
  429: { message: "There were too many requests.", code: "RATE_LIMITED" },
  502: { message: "The gateway cannot be reached.", code: "SERVICE_UNAVAILABLE" },
  503: { message: "The gateway is not available.", code: "SERVICE_UNAVAILABLE" },
  504: { message: "The gateway took too long.", code: "SERVICE_UNAVAILABLE" },
};

export function problemOf(error: CombinedError): Problem {
  const [first] = error.graphQLErrors;
  if (!first) return error.networkError ? unanswered(error) : { message: error.message };
  const { code = "", retryAfterMs } = first.extensions;
  const advice = typeof retryAfterMs === "number" && code === "RATE_LIMITED" ? `Try again in ${duration(Math.max(1000, retryAfterMs))}.` : ADVICE[String(code)];
  return { message: first.message, code: String(code), ...(advice && { advice }) };
}

function unanswered(error: CombinedError): Problem {
  const { status = 0 } = (error.response as Response | undefined) ?? {};
  const found = OTHERS[status];
  return found ? { advice: ADVICE[found.code!]!, ...found } : SILENT;
}
