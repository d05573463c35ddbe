import { useState } from "react";
import { setCredential } from "../api/credential.ts";

/** Takes an API key or access token; it stays in the memory of the page. */
export function SignIn({ refused }: { refused: boolean }) {
  const [text, setText] = useState("");
  return (
    <main className="sign-in">
      <h1>Sign in to DreamNet</h1>
      <p>Enter an API key or an access token. It is kept in the memory of this page, and forgotten when you close it.</p>
      {refused && <p className="problem" role="alert">This key is unknown, expired or revoked.</p>}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setCredential(text);
        }}
      >
        <input
          className="input"
          type="password"
          aria-label="API key or access token"
          placeholder="dn_…"
          autoComplete="off"
          autoFocus
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <button className="button primary" type="submit" disabled={text.trim() === ""}>Sign in</button>
      </form>
      <p className="quiet">
        In development, open the address that <code>make serve</code> prints: it signs you in.
        The first start of a gateway writes a key of the administrator to a file, and prints its path.
      </p>
    </main>
  );
}
