import { useState } from "react";
import { setCredential, useCredential } from "../api/credential.ts";

/** Takes an API key or access token, which stays in the memory of the page. */
export function KeyField() {
  const credential = useCredential();
  const [text, setText] = useState("");
  if (credential !== "")
    return (
      <p className="key">
        <span>Signed in with a key</span>
        <button type="button" onClick={() => setCredential("")}>Forget it</button>
      </p>
    );
  return (
    <form
      className="key"
      onSubmit={(event) => {
        event.preventDefault();
        setCredential(text);
        setText("");
      }}
    >
      <input
        type="password"
        aria-label="API key or access token"
        placeholder="API key or access token"
        autoComplete="off"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit" disabled={text.trim() === ""}>Use it</button>
    </form>
  );
}
