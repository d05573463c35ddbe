import { ToolbarButton, useGraphiQL } from "@graphiql/react";
import { useState } from "react";
import { GRAPHIQL } from "../api/places.ts";

/** Copies an address that opens GraphiQL with this operation and its variables. */
export function ShareButton() {
  const query = useGraphiQL((state) => state.queryEditor);
  const variables = useGraphiQL((state) => state.variableEditor);
  const [isCopied, setCopied] = useState(false);
  const share = async () => {
    await navigator.clipboard.writeText(address(query?.getValue() ?? "", variables?.getValue() ?? ""));
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <ToolbarButton onClick={share} label={isCopied ? "The link is copied" : "Copy a link to this operation"}>
      <svg viewBox="0 0 20 20" className="graphiql-toolbar-icon" aria-hidden="true" fill="none" stroke="currentColor" strokeWidth="1.6">
        {isCopied
          ? <path d="M4 10.500l4 4 8-9" />
          : <path d="M8.500 11.500l3-3M7 8.500 4.500 11a3.200 3.200 0 0 0 4.500 4.500L11.500 13M13 11.500 15.500 9A3.200 3.200 0 0 0 11 4.500L8.500 7" />}
      </svg>
    </ToolbarButton>
  );
}

function address(query: string, variables: string): string {
  const link = new URL(GRAPHIQL);
  link.searchParams.set("query", query);
  if (variables.trim() !== "") link.searchParams.set("variables", variables);
  return link.href;
}
