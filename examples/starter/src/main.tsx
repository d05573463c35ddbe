import { useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import { Provider } from "urql";
import { Dream } from "./Dream";
import { Dreams } from "./Dreams";
import { Fleet } from "./Fleet";
import { client } from "./gateway";
import "./style.css";

/** The path after `#`, such as `/dreams/ID`. */
function usePath(): string[] {
  const follow = (changed: () => void) => {
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  };
  return useSyncExternalStore(follow, () => location.hash).split("/").slice(1);
}

function Screen() {
  const [name, id] = usePath();
  return name === "fleet" ? <Fleet /> : id ? <Dream key={id} id={id} /> : <Dreams />;
}

createRoot(document.getElementById("app")!).render(
  <Provider value={client}>
    <nav><a href="#/dreams">Dreams</a> <a href="#/fleet">Fleet</a></nav>
    <main><Screen /></main>
  </Provider>,
);
