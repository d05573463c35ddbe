import { useEffect } from "react";

/** Asks again after so many seconds; never for 0. */
export function useRefresh(seconds: number, ask: (options: { requestPolicy: "network-only" }) => void): void {
  useEffect(() => {
    if (seconds === 0) return;
    const timer = setInterval(() => document.hidden || ask({ requestPolicy: "network-only" }), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds, ask]);
}
