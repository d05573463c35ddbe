import { defineConfig } from "vite";

const gateway = process.env.GATEWAY ?? "http://127.0.0.1:8000";

export default defineConfig({
  server: { proxy: { "/graphql": { target: gateway, ws: true } } },
});
