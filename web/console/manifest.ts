// Writes dist/documents.json: the operations of the console, byte for byte as it sends them, by
// hash. It is a list for DREAMNET_TRUSTED_DOCUMENTS.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { formatDocument, stringifyDocument } from "@urql/core";
import { type DocumentNode, getOperationAST } from "graphql";
import * as generated from "./src/gql/graphql.ts";

const documents = (Object.values(generated) as DocumentNode[]).filter((each) => getOperationAST(each));

// The cache adds `__typename` to all operations but subscriptions, which it does not see.
const texts = documents.map((document) => {
  const isSubscription = getOperationAST(document)!.operation === "subscription";
  return stringifyDocument(isSubscription ? document : (formatDocument(document) as DocumentNode));
});
const hash = (text: string) => createHash("sha256").update(text).digest("hex");
const manifest = Object.fromEntries(texts.map((text) => [`sha256:${hash(text)}`, text]));
writeFileSync("dist/documents.json", JSON.stringify(manifest, null, 1));
