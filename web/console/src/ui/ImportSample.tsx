import { useState } from "react";
import { authorization } from "../api/credential.ts";
import { startAgain } from "../api/generation.ts";
import { SAMPLE } from "../api/places.ts";
import { may, useViewer } from "../app/viewer.ts";

const isOffered = document.querySelector<HTMLMetaElement>('meta[name="sample"]')?.content === "yes";

/** Imports a few rows of each kind into the database, in development, for an administrator. */
export function ImportSample() {
  const viewer = useViewer();
  const [isBusy, setBusy] = useState(false);
  const [message, setMessage] = useState("");
  if (!isOffered || !may(viewer, "ADMIN")) return null;
  const load = async () => {
    setBusy(true);
    const refused = await imported();
    setBusy(false);
    setMessage(refused);
    if (refused === "") startAgain();
  };
  return (
    <>
      <button type="button" className="button primary" disabled={isBusy} onClick={load}>
        {isBusy ? "Importing …" : "Import sample data"}
      </button>
      {message && <p className="problem" role="alert">{message}</p>}
    </>
  );
}

/** Why the sample was not imported; an empty text if it was. */
async function imported(): Promise<string> {
  try {
    const response = await fetch(SAMPLE, { method: "POST", headers: authorization() });
    if (response.ok) return "";
    const { errors } = await response.json();
    return errors[0].message;
  } catch {
    return "The gateway does not answer. Check that it is running, then try again.";
  }
}
