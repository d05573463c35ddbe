import { readdir, readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const FOLDER = "/console/";
const gateway = process.env["GATEWAY"] ?? "http://127.0.0.1:8000";

export default defineConfig(({ command }) => ({
  base: command === "build" ? "./" : FOLDER,
  plugins: [react(), ...(command === "build" ? [compressed()] : [inFolder()])],
  resolve: {
    alias: { "@dreamnet/live": resolve(import.meta.dirname, "../packages/live/src") },
    dedupe: ["react"],
  },
  worker: { format: "es" as const },
  build: {
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 5000, // Monaco, on GraphiQL's page only
    modulePreload: { polyfill: false },
    rolldownOptions: { input: ["index.html", "graphiql.html"] },
  },
  server: {
    fs: { allow: ["../.."] },
    proxy: { "/graphql": { target: gateway, ws: true }, "/session": { target: gateway } },
  },
}));

/** Writes each asset in the encodings that the gateway sends. */
function compressed(): Plugin {
  const assets = "dist/assets";
  const brotli = promisify(brotliCompress);
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };
  return {
    name: "compressed",
    async closeBundle() {
      for (const name of await readdir(assets)) {
        const content = await readFile(`${assets}/${name}`);
        await writeFile(`${assets}/${name}.br`, await brotli(content, quality));
        await writeFile(`${assets}/${name}.gz`, await promisify(gzip)(content, { level: 9 }));
      }
    },
  };
}

/** What the gateway fills into pages, for the development server. */
function inFolder(): Plugin {
  return {
    name: "in-folder",
    transformIndexHtml: (html) => html.replace("%FOLDER%", FOLDER).replace("%NONCE%", "").replace("%SAMPLE%", "yes"),
  };
}
