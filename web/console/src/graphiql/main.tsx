import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import "./graphiql.css";
import { createRoot } from "react-dom/client";
import { openSession } from "../api/credential.ts";
import { App } from "./App.tsx";

await openSession();
createRoot(document.getElementById("root")!).render(<App />);
