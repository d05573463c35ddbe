import type { CodegenConfig } from "@graphql-codegen/cli";

export default {
  schema: "../../schema.graphql",
  documents: ["src/**/*.{ts,tsx}", "!src/gql/**"],
  ignoreNoDocuments: true,
  silent: true,
  generates: {
    "src/gql/": {
      preset: "client",
      presetConfig: {
        fragmentMasking: { unmaskFunctionName: "read" },
      },
      config: {
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
