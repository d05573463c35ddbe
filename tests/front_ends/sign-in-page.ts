// Signs in, and shows the viewer.
import { connect, signIn, token } from "./sign-in.ts";

const users = connect(import.meta.env["VITE_ISSUER"], "front-end");
await signIn(users);
const response = await fetch("/graphql", {
  method: "POST",
  headers: { authorization: `Bearer ${await token(users)}`, "content-type": "application/json" },
  body: JSON.stringify({ query: "{ viewer { role user { email } } }" }),
});
document.querySelector("#viewer")!.textContent = await response.text();
