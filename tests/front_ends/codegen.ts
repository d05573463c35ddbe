import type { CodegenConfig } from "@graphql-codegen/cli";

export default {
  schema: process.env.SCHEMA ?? "http://127.0.0.1:8000/graphql",
  documents: "typed.ts",
  importExtension: ".ts",
  generates: {
    "gql/": {
      preset: "client",
      config: {
        documentMode: "string", // documents are texts, which any client can send
        enumsAsTypes: true,
        useTypeImports: true,
        defaultScalarType: "unknown",
        scalars: {
          BigInt: { input: "string | number", output: "string" },
          Decimal: { input: "string | number", output: "string" },
          DateTime: "string",
          JSON: "unknown",
        },
      },
    },
  },
} satisfies CodegenConfig;
