/** The caller's credential, an API key or access token. It is kept in memory, and in no storage. */
import { useSyncExternalStore } from "react";
import { SESSION } from "./places.ts";

let credential = "";
const listeners = new Set<() => void>();
const tabs = new BroadcastChannel("dreamnet credential");

export const currentCredential = () => credential;

export function setCredential(next: string): void {
  credential = next.trim();
  for (const listener of listeners) listener();
}

export function useCredential(): string {
  return useSyncExternalStore(subscribe, currentCredential);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function authorization(): Record<string, string> {
  return credential === "" ? {} : { authorization: `Bearer ${credential}` };
}

/** Exchanges the token of a printed address for a cookie, once; asks other tabs for their key. */
export async function openSession(): Promise<void> {
  tabs.onmessage = ({ data }) => {
    if (data === "ask" && credential !== "") tabs.postMessage({ credential });
    if (typeof data?.credential === "string" && credential === "") setCredential(data.credential);
  };
  tabs.postMessage("ask");
  const address = new URL(location.href);
  const token = address.searchParams.get("token");
  if (token === null) return;
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
  const headers = { "content-type": "application/json" };
  await fetch(SESSION, { method: "POST", headers, body: JSON.stringify({ token }) });
}
