import { defineConfig } from "vite";

export default defineConfig({
  build: { target: "es2022" },
  resolve: { dedupe: ["react"] }, // @dreamnet/live is a link in this repository
});
