import type { CodegenConfig } from "@graphql-codegen/cli";

export default {
  schema: process.env.SCHEMA ?? "http://127.0.0.1:8000/graphql",
  documents: "src/*.tsx",
  generates: {
    "src/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        enumType: "const",
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
