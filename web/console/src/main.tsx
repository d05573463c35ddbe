import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/parts.css";
import "./styles/charts.css";
import { setNonce } from "get-nonce";
import { createRoot } from "react-dom/client";
import { openSession } from "./api/credential.ts";
import { App } from "./app/App.tsx";
import { applyTheme } from "./app/theme.ts";

applyTheme();
setNonce(document.querySelector<HTMLMetaElement>('meta[name="nonce"]')!.content); // for Radix's styles
await openSession();
createRoot(document.getElementById("root")!).render(<App />);
